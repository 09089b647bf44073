/** Codes of partners over HTTP: uploads of operators, the code of a winner. */
import { z } from 'zod'
import { type Route, route } from '../http/route.ts'
import { readCodes, readPartnerCode, uploadCodes } from './partner-codes.ts'
import { play } from './schemas.ts'

const TAGS = ['Partner prizes']
const params = z.strictObject({
  id: z
    .string()
    .regex(/^[1-9]\d{0,14}$/)
    .meta({ example: '12' }),
})
/** Fits the limit of a body with codes of the longest kind; more go in another request. */
const UPLOAD_MAX = 1_000

/** `/api/v1/prizes/{id}/codes`, `/api/v1/gamification/partner_code/{play_id}`. */
export function partnerRoutes(): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/prizes/{id}/codes',
      summary: 'Upload codes of a partner',
      description:
        'For a voucher or a digital prize. From the first upload on each win takes one code, and the stock of the prize is the number of its codes. A code that is known already is left out.',
      tags: TAGS,
      roles: ['operator'],
      params,
      once: 'optional',
      body: z
        .strictObject({
          codes: z.array(z.string().trim().min(1).max(90)).min(1).max(UPLOAD_MAX),
          low_at: z
            .int()
            .min(0)
            .max(1_000_000)
            .optional()
            .meta({ description: 'As many left, or fewer, are an alert. 10 unless it is said.' }),
        })
        .meta({ id: 'PartnerCodes', example: { codes: ['SUMMER-8F2K', 'SUMMER-91XD'], low_at: 5 } }),
      answer: z
        .strictObject({
          prize_id: z.int(),
          accepted: z.int(),
          duplicates: z.int(),
          low_at: z.int(),
          total: z.int(),
          left: z.int(),
        })
        .meta({ example: { prize_id: 12, accepted: 2, duplicates: 0, low_at: 5, total: 2, left: 2 } }),
      refusals: ['not_found'],
      run: ({ run, params: { id }, body }) => run(uploadCodes, { prize_id: Number(id), ...body }),
    }),
    route({
      method: 'get',
      path: '/api/v1/prizes/{id}/codes',
      summary: 'How many codes of a partner are left',
      tags: TAGS,
      roles: ['operator', 'service', 'auditor'],
      params,
      answer: z
        .strictObject({
          prize_id: z.int(),
          total: z.int(),
          given: z.int(),
          left: z.int(),
          low_at: z.int(),
          is_low: z.boolean(),
        })
        .meta({ example: { prize_id: 12, total: 100, given: 40, left: 60, low_at: 10, is_low: false } }),
      refusals: ['not_found'],
      run: ({ run, params: { id } }) => run(readCodes, { prize_id: Number(id) }),
    }),
    route({
      method: 'get',
      path: '/api/v1/gamification/partner_code/{play_id}',
      summary: 'The code that came with a prize of mine',
      description: 'Once the prize was opened. That it was looked at is written down.',
      tags: TAGS,
      roles: ['player'],
      params: play,
      answer: z
        .strictObject({ play_id: z.int(), prize_name: z.string(), code: z.string() })
        .meta({ example: { play_id: 123, prize_name: 'Cinema ticket', code: 'SUMMER-8F2K' } }),
      rate: { points: 60, duration_s: 60 },
      refusals: ['not_found', 'prize_not_won', 'prize_locked', 'prize_expired', 'prize_in_escrow'],
      run: ({ run, params: { play_id } }) => run(readPartnerCode, { play_id: Number(play_id) }),
    }),
  ]
}
