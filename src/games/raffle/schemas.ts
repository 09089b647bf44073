/** Shapes of campaigns and requests, shared by HTTP, room and rules. */
import { z } from 'zod'
import { clientEntropy, requestId } from '../wheel/schemas.ts'
import type { CampaignConfig } from './rules.ts'

const name = z.string().trim().min(1).max(120)
const channel = z.string().regex(/^[a-z0-9_-]{1,32}$/)

const configFields = {
  unit: z.enum(['ticket', 'person']),
  repeat_winners: z.boolean(),
  carry_over: z.enum(['all', 'exclude_tickets', 'exclude_winners']),
  numbering: z.enum(['sequential', 'random']),
  number_ranges: z
    .array(
      z.strictObject({
        channel,
        first: z.int().min(1).max(10_000_000),
        last: z.int().min(1).max(10_000_000),
      }),
    )
    .max(20),
  bundles: z
    .array(z.strictObject({ tickets: z.int().min(2).max(100), pay_for: z.int().min(1).max(100) }))
    .max(10),
  per_user_max: z.int().min(1).max(10_000_000).nullable(),
  reservation_s: z.int().min(10).max(86_400),
  claim_days: z.int().min(1).max(365),
  reveal_lead_ms: z.int().min(0).max(60_000),
  reveal_step_ms: z.int().min(100).max(30_000),
  instant_wins: z
    .array(z.strictObject({ prize_id: z.int().min(1), count: z.int().min(1).max(1_000) }))
    .max(20),
  policies: z.array(z.uuid()).max(20),
}

/** A whole configuration, and what a request or a reusable configuration says of it. */
export const campaignConfig = z
  .strictObject(configFields)
  .meta({ id: 'RaffleConfig' }) satisfies z.ZodType<CampaignConfig>
export const campaignConfigPart = z.strictObject(configFields).partial().meta({ id: 'RaffleConfigPart' })

export const CONFIG_DEFAULTS: CampaignConfig = {
  unit: 'ticket',
  repeat_winners: true,
  carry_over: 'exclude_tickets',
  numbering: 'sequential',
  number_ranges: [],
  bundles: [],
  per_user_max: null,
  reservation_s: 600,
  claim_days: 14,
  reveal_lead_ms: 3_000,
  reveal_step_ms: 4_000,
  instant_wins: [],
  policies: [],
}

const place = {
  draw_name: name,
  draw_time: z.iso.datetime(),
  winning_tickets: z.int().min(1).max(1_000),
  alternates: z.int().min(0).max(1_000).default(0),
  prize_id: z.int().min(1).nullable().default(null),
  prizes: z
    .array(z.strictObject({ prize_id: z.int().min(1).nullable(), qty: z.int().min(1).max(1_000) }))
    .min(1)
    .max(100)
    .optional()
    .meta({ description: 'In order, the best first; `prize_id` alone is one prize for all places.' }),
}
export const drawInput = z.strictObject(place)

export const campaignFields = {
  campaign_name: name,
  campaign_slug: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/, 'lower-case letters, digits and -'),
  campaign_description: z.string().max(5_000).nullable(),
  campaign_type: z.enum(['raffle', 'giveaway']),
  start_time: z.iso.datetime(),
  end_time: z.iso.datetime(),
  ticket_price: z.int().min(0).max(100_000_000),
  currency: z.string().regex(/^[A-Z]{3}$/),
  total_tickets: z.int().min(1).max(10_000_000),
  campaign_config: campaignConfigPart,
  is_public: z.boolean(),
  draws: z.array(drawInput).max(50),
}

/** At once; more in further requests. */
export const QUANTITY_MAX = 100
const numbers = z.array(z.int().min(1).max(10_000_000)).min(1).max(QUANTITY_MAX)

const asked = {
  quantity: z.int().min(1).max(QUANTITY_MAX).optional(),
  numbers: numbers.optional(),
  channel: channel.optional(),
  client_entropy: clientEntropy.optional(),
}
const oneOf = ({
  quantity,
  numbers: picked,
}: {
  quantity?: number | undefined
  numbers?: number[] | undefined
}) => (quantity === undefined) !== (picked === undefined)
const ONE_OF = { message: 'Say a quantity or the numbers, not both.', path: ['quantity'] }

/** What a buyer asks for: so many, or these. */
export const ticketRequest = z.strictObject(asked).refine(oneOf, ONE_OF)
/** The same over a room, where the request carries its id. */
export const buyRequest = z.strictObject({ request_id: requestId, ...asked }).refine(oneOf, ONE_OF)
