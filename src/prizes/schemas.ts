/** Shapes that several doors of the wallet share. */
import { z } from 'zod'
import { isClaimOrder } from './fulfilment-rules.ts'

export const TIME = 'YYYY-MM-DD HH:MM:SS, UTC'
/** One reason as every answer about a prize shows it. */
export const reason = z.strictObject({
  code: z.string(),
  message: z.string(),
  required: z.any(),
  actual: z.any(),
  missing: z.any(),
  valid_from: z.string().nullable().meta({ description: TIME }),
})

/** Fifteen digits are exact as a JSON number; what is no such id names nothing and gets the 404 of one that is not there. */
export const play = z.strictObject({
  play_id: z
    .string()
    .regex(/^[1-9]\d{0,14}$/)
    .meta({ example: '123' }),
})

/** What a claim is called is no order: staff ends a claim in its queue, and a rollback would not find it (P-28). */
export const orderId = z
  .union([
    z.int().min(0),
    z
      .string()
      .min(1)
      .max(128)
      .refine((text) => !isClaimOrder(text), 'No order is called like a claim.'),
  ])
  .meta({ description: 'The shop\'s own id. 456 and "456" are the same order.' })
