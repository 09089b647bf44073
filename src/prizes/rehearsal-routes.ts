/** `/api/v1/prizes/{id}/try`. */
import { z } from 'zod'
import { type Route, route } from '../http/route.ts'
import { appliedDetailsSchema } from './discount.ts'
import { instantOf, validateBody } from './redemption-routes.ts'
import { tryDefinition } from './rehearsal.ts'
import { reason } from './schemas.ts'

const { order_id: _order, user_id: _whose, ...facts } = validateBody.shape

export function rehearsalRoutes(): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/prizes/{id}/try',
      summary: 'Try a prize on an order before it can be won',
      description:
        'Changes nothing. Answers what validate would, for a prize of this definition that is open, with its whole calculation.',
      tags: ['Prizes'],
      roles: ['operator'],
      params: z.strictObject({
        id: z
          .string()
          .regex(/^[1-9]\d{0,14}$/)
          .meta({ example: '12' }),
      }),
      body: z
        .strictObject(facts)
        .meta({ id: 'PrizeTry', example: { order_amount: 45, order_type: 'delivery' } }),
      answer: z
        .strictObject({
          success: z.literal(true),
          data: z.strictObject({
            valid: z.boolean(),
            reasons: z.array(reason),
            discount_amount: z.string().nullable(),
            final_amount: z.string().nullable(),
            application_type: z.string(),
            calculation: appliedDetailsSchema.shape.calculation.nullable(),
          }),
        })
        .meta({
          example: {
            success: true,
            data: {
              valid: false,
              reasons: [
                {
                  code: 'min_order_amount',
                  message: 'The order is short by 5.00.',
                  required: '50.00',
                  actual: '45.00',
                  missing: '5.00',
                  valid_from: null,
                },
              ],
              discount_amount: null,
              final_amount: null,
              application_type: 'discount_percentage',
              calculation: null,
            },
          },
        }),
      refusals: ['not_found'],
      run: ({ run, params, body: { at, ...order } }) =>
        run(tryDefinition, { prize_id: Number(params.id), at: at == null ? null : instantOf(at), order }),
    }),
  ]
}
