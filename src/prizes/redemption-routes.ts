/** What a shop asks of the wallet over HTTP: validate, hold, apply, roll back, one prize or several on an order. */
import { z } from 'zod'
import type { App } from '../app.ts'
import type { ErrorCode } from '../errors.ts'
import { LIST_QUERY, listOf } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { type Attempt, makeAttempts, type Outcome } from './attempts.ts'
import { orderFactsFields } from './conditions.ts'
import { diagnosePrize, readHistory } from './diagnose.ts'
import { holdPrize, releasePrize } from './hold.ts'
import {
  changePolicy,
  listPolicies,
  POLICY_DEFAULT,
  readPolicy,
  VERSION_MAX,
  walletPolicySchema,
} from './policy.ts'
import { makeApplyBatch, validatePrize, validatePrizes } from './redemption.ts'
import { rollbackPrize } from './rollback.ts'
import { orderId, play, reason, TIME } from './schemas.ts'
import { PRIZES_SENT_MAX } from './stacking.ts'

const TAGS = ['Prize wallet']
const PATH = '/api/v1/gamification'
/** What a prize can be that no order changes. */
const STATES: readonly ErrorCode[] = [
  'prize_not_won',
  'prize_applied',
  'prize_expired',
  'prize_locked',
  'prize_under_review',
  'prize_held',
  'prize_in_escrow',
]

const whose = z.string().min(1).max(128).nullish().meta({
  description:
    'Whose order it is. A prize of anybody else, or one that has a new owner since, is then answered like one that is not there.',
})

const order = {
  user_id: whose,
  ...orderFactsFields,
  customer_order_count: z
    .int()
    .min(0)
    .nullish()
    .meta({ description: 'Orders that the customer completed before this one; from the service only.' }),
}

const effect = z.record(z.string(), z.any()).meta({
  description: 'What a prize that is no discount does: the free delivery, the free item, what was paid.',
})

const applyBody = z
  .strictObject({ order_id: orderId, ...order })
  .meta({ id: 'PrizeApply', example: { order_id: 456, order_amount: 75.5, order_type: 'delivery' } })

const applied = z
  .strictObject({
    success: z.literal(true),
    message: z.string(),
    data: z.strictObject({
      prize_status: z.literal('applied'),
      applied_at: z.string(),
      applied_to_order_id: z.union([z.int(), z.string()]),
      applied_details: z.strictObject({
        discount_amount: z.string(),
        final_amount: z.string(),
        application_type: z.string(),
        effect: effect.optional(),
        stacking: z.record(z.string(), z.any()).optional().meta({
          description: 'With other prizes on the order: its position, and what those before it took.',
        }),
      }),
    }),
  })
  .meta({
    example: {
      success: true,
      message: 'Prize applied successfully!',
      data: {
        prize_status: 'applied',
        applied_at: '2026-02-26 10:40:00',
        applied_to_order_id: 456,
        applied_details: {
          discount_amount: '7.55',
          final_amount: '67.95',
          application_type: 'discount_percentage',
        },
      },
    },
  })

const SECONDS = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/
export const validateBody = z
  .strictObject({
    order_id: orderId.nullish(),
    at: z
      .union([z.iso.datetime(), z.string().regex(SECONDS, TIME)])
      .refine((text) => !Number.isNaN(instantOf(text).getTime()), TIME)
      .nullish()
      .meta({ description: `Another time than now: ISO 8601, or ${TIME}.` }),
    ...order,
  })
  .meta({
    id: 'PrizeValidate',
    example: {
      order_amount: 45,
      order_type: 'delivery',
      delivery_distance_km: 5.2,
      payment_method: 'card',
      cart_items: [
        { id: 1, category_id: 2, price: 15 },
        { id: 3, category_id: 2, price: 30 },
      ],
    },
  })

const validated = z
  .strictObject({
    success: z.literal(true),
    data: z.strictObject({
      valid: z.boolean(),
      reasons: z.array(reason),
      discount_amount: z.string().nullable(),
      final_amount: z.string().nullable(),
      application_type: z.string().nullable(),
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
      },
    },
  })

/** The instant of an `at`: ISO 8601, or as the seed writes times. */
export function instantOf(text: string): Date {
  return new Date(SECONDS.test(text) ? `${text.replace(' ', 'T')}Z` : text)
}

// --- Several prizes on one order ----------------------------------------------------------------------------------

const playIds = z
  .array(z.int().min(1).max(999_999_999_999_999))
  .min(1)
  .max(PRIZES_SENT_MAX)
  .refine((ids) => new Set(ids).size === ids.length, 'A prize stands twice.')

const step = z.strictObject({
  play_id: z.int(),
  position: z.int(),
  application_type: z.string(),
  amount_before: z.string(),
  discount_amount: z.string(),
  amount_after: z.string(),
  effect,
})
const refusedPrize = z.strictObject({ play_id: z.int(), reasons: z.array(reason) })
const sum = {
  policy_version: z.int().meta({ description: 'Of the wallet policy; 0 is the defaults.' }),
  applied: z.array(step),
  refused: z.array(refusedPrize),
  order_amount: z.string().nullable(),
  discount_amount: z.string(),
  final_amount: z.string().nullable(),
}
const sumExample = {
  policy_version: 2,
  applied: [
    {
      play_id: 123,
      position: 1,
      application_type: 'discount_percentage',
      amount_before: '100.00',
      discount_amount: '10.00',
      amount_after: '90.00',
      effect: { kind: 'order_discount', amount: '10.00' },
    },
    {
      play_id: 124,
      position: 2,
      application_type: 'discount_fixed',
      amount_before: '90.00',
      discount_amount: '5.00',
      amount_after: '85.00',
      effect: { kind: 'order_discount', amount: '5.00' },
    },
  ],
  refused: [],
  order_amount: '100.00',
  discount_amount: '15.00',
  final_amount: '85.00',
}

const { at, ...validateFields } = validateBody.shape
const validateMany = z
  .strictObject({ play_ids: playIds, at, ...validateFields })
  .meta({ id: 'PrizesValidate', example: { play_ids: [123, 124], order_amount: 100 } })
const validatedMany = z
  .strictObject({ success: z.literal(true), data: z.strictObject({ valid: z.boolean(), ...sum }) })
  .meta({ example: { success: true, data: { valid: true, ...sumExample } } })

const applyMany = z
  .strictObject({ order_id: orderId, play_ids: playIds, ...order })
  .meta({ id: 'PrizesApply', example: { order_id: 456, play_ids: [123, 124], order_amount: 100 } })
const appliedMany = z
  .strictObject({
    success: z.literal(true),
    message: z.string(),
    data: z.strictObject({ applied_to_order_id: z.union([z.int(), z.string()]), ...sum }),
  })
  .meta({
    example: {
      success: true,
      message: 'Prizes applied successfully!',
      data: { applied_to_order_id: 456, ...sumExample },
    },
  })

// --- Hold and roll back -------------------------------------------------------------------------------------------

const holdBody = z
  .strictObject({
    order_id: orderId,
    user_id: whose,
    minutes: z
      .int()
      .min(1)
      .nullish()
      .meta({ description: "At most what the tenant's policy allows, which is the default." }),
  })
  .meta({ id: 'PrizeHold', example: { order_id: 456 } })
const held = z
  .strictObject({
    success: z.literal(true),
    message: z.string(),
    data: z.strictObject({
      prize_status: z.literal('unlocked'),
      held_for_order_id: z.union([z.int(), z.string()]),
      held_until: z.string().meta({ description: TIME }),
    }),
  })
  .meta({
    example: {
      success: true,
      message: 'Prize held successfully!',
      data: { prize_status: 'unlocked', held_for_order_id: 456, held_until: '2026-02-26 10:50:00' },
    },
  })
const released = z
  .strictObject({
    success: z.literal(true),
    message: z.string(),
    data: z.strictObject({ released_by_order_id: z.union([z.int(), z.string()]) }),
  })
  .meta({
    example: { success: true, message: 'The prize is free again.', data: { released_by_order_id: 456 } },
  })

const rollbackBody = z
  .strictObject({
    order_id: orderId,
    reason: z.string().trim().min(1).max(150),
    return_id: orderId.optional().meta({
      description: "The shop's own id of a return of a part of the order; with returned_amount.",
    }),
    returned_amount: orderFactsFields.order_amount.unwrap().unwrap().optional().meta({
      description: 'What the returned goods had cost, before discounts.',
    }),
  })
  .refine(
    ({ return_id, returned_amount }) => (return_id === undefined) === (returned_amount === undefined),
    'return_id and returned_amount stand together.',
  )
  .meta({ id: 'PrizeRollback', example: { order_id: 456, reason: 'The customer cancelled.' } })
const rolledBack = z
  .strictObject({
    success: z.literal(true),
    message: z.string(),
    data: z.strictObject({
      prize_status: z.enum(['applied', 'unlocked', 'expired']),
      order_id: z.union([z.int(), z.string()]),
      rolled_back_at: z
        .string()
        .nullable()
        .meta({ description: `${TIME}; null while a part of the order stands.` }),
      discount_returned: z.string().meta({ description: 'The part of the discount that falls away now.' }),
      discount_kept: z.string(),
      undone: effect.nullable().meta({ description: 'What the shop takes off the order again.' }),
      parts: z
        .array(
          z.strictObject({
            play_id: z.int(),
            prize_status: z.enum(['applied', 'unlocked', 'expired']),
            discount_returned: z.string(),
            discount_kept: z.string(),
            undone: effect.nullable(),
          }),
        )
        .optional()
        .meta({
          description:
            'Of a bundle that is used as a whole: all of it comes back, the amounts above are those of its parts together.',
        }),
    }),
  })
  .meta({
    example: {
      success: true,
      message: 'Prize rolled back successfully!',
      data: {
        prize_status: 'unlocked',
        order_id: 456,
        rolled_back_at: '2026-02-26 11:00:00',
        discount_returned: '7.55',
        discount_kept: '0.00',
        undone: null,
      },
    },
  })

// --- The policy ---------------------------------------------------------------------------------------------------

const policyExample = {
  ...POLICY_DEFAULT,
  stacking: { ...POLICY_DEFAULT.stacking, prizes_per_order_max: 3, exclusive: ['free_item'] },
}
const policyBody = walletPolicySchema.meta({ id: 'WalletPolicyChange', example: policyExample })
const policy = z
  .strictObject({
    ...walletPolicySchema.shape,
    row_version: z.int().meta({ description: '0 are the defaults, which nobody has chosen.' }),
    changed_by: z.string().nullable(),
    created_at: z.iso.datetime().nullable(),
  })
  .meta({
    id: 'WalletPolicy',
    example: {
      ...policyExample,
      row_version: 2,
      changed_by: 'olivia',
      created_at: '2026-01-01T00:00:00.000Z',
    },
  })
const etag = ({ row_version }: { row_version: number }) => ({ ETag: `"${row_version}"` })

function attemptOf(
  verb: Attempt['verb'],
  play_ids: readonly number[],
  order_id: Attempt['order_id'],
  { order_amount = null }: { order_amount?: number | string | null | undefined },
): Attempt {
  return { verb, play_ids, order_id, order_amount }
}

const NO_AMOUNTS = { discount_amount: null, final_amount: null }

function outcomeOf(
  play_id: number,
  reasons: readonly { code: string }[],
  { discount_amount, final_amount }: Pick<Outcome, 'discount_amount' | 'final_amount'>,
): Outcome {
  return { play_id, reasons: reasons.map(({ code }) => code), discount_amount, final_amount }
}

// --- What is the matter with a prize ------------------------------------------------------------------------------

const text = z.string().nullable()
const diagnosis = z
  .strictObject({
    data: z.strictObject({
      play_id: z.int(),
      facts: z.strictObject({
        user_id: z.string(),
        is_winner: z.boolean(),
        prize_status: text,
        printed_code: text.meta({
          description: 'With a check symbol, for paper; null until it was unlocked.',
        }),
        won_at: z.string(),
        unlocked_at: text,
        applied_at: text,
        applied_to_order_id: text,
        is_claimed: z.boolean(),
        claimed_at: text,
        order_id: text,
        expires_at: text,
        grace_hours: z.int(),
        usable_until: text,
        held_until: text,
        time_zone: z.string(),
        now: z.string(),
      }),
      findings: z.array(
        z.strictObject({
          question: z.enum(['in_wallet', 'can_unlock', 'can_apply', 'expiry']),
          ok: z.boolean(),
          answer: z.string(),
          reasons: z.array(reason),
        }),
      ),
    }),
  })
  .meta({
    example: {
      data: {
        play_id: 123,
        facts: {
          user_id: 'alice',
          is_winner: true,
          prize_status: 'unlocked',
          printed_code: 'PRIZE-ABC12345-X',
          won_at: '2026-02-26 10:30:00',
          unlocked_at: '2026-02-26 10:35:00',
          applied_at: null,
          applied_to_order_id: null,
          is_claimed: false,
          claimed_at: null,
          order_id: null,
          expires_at: '2026-03-05 10:30:00',
          grace_hours: 0,
          usable_until: '2026-03-05 10:30:00',
          held_until: null,
          time_zone: 'Europe/Berlin',
          now: '2026-02-26 12:00:00',
        },
        findings: [{ question: 'in_wallet', ok: true, answer: 'It is listed under unlocked.', reasons: [] }],
      },
    },
  })

const historyOfPlay = z
  .strictObject({
    data: z.array(
      z.strictObject({
        from_status: text,
        to_status: text,
        at: z.string().meta({ description: TIME }),
        by: z.string(),
        why: z.string(),
      }),
    ),
  })
  .meta({
    example: {
      data: [
        { from_status: null, to_status: 'locked', at: '2026-02-26 10:30:00', by: 'alice', why: 'won' },
        {
          from_status: 'locked',
          to_status: 'unlocked',
          at: '2026-02-26 10:35:00',
          by: 'alice',
          why: 'unlock',
        },
      ],
    },
  })

/** `/api/v1/gamification/…` for shops, and `/api/v1/wallet-policy`. */
export function redemptionRoutes(app: App): Route[] {
  const attempts = makeAttempts(app)
  const batch = makeApplyBatch(app)
  return [
    route({
      method: 'post',
      path: `${PATH}/validate/{play_id}`,
      summary: 'Can this prize be applied to an order',
      description: 'Changes nothing. Every reason at once, with what is missing and from when it is valid.',
      tags: TAGS,
      roles: ['player', 'service'],
      params: play,
      body: validateBody,
      answer: validated,
      refusals: ['not_found', 'forbidden'],
      run({ run, params, actor, body: { order_id = null, at, ...facts } }) {
        const play_id = Number(params.play_id)
        const attempt = attemptOf('validate', [play_id], order_id, facts)
        const input = { play_id, order_id, at: at == null ? null : instantOf(at), order: facts }
        return attempts.watch(
          actor,
          attempt,
          () => run(validatePrize, input),
          ({ data }) => [outcomeOf(play_id, data.reasons, data)],
        )
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/apply/{play_id}`,
      summary: 'Apply a prize to an order',
      description:
        "By the tenant's service, which states the order. Once per prize and order, whatever the keys: the same order with the same facts is answered as it was first.",
      tags: TAGS,
      roles: ['service'],
      once: 'required',
      params: play,
      body: applyBody,
      answer: applied,
      refusals: ['not_found', ...STATES, 'prize_not_applicable', 'obligation_conflict', 'item_out_of_stock'],
      run({ runIn, params, actor, body: { order_id, ...facts } }) {
        const play_ids = [Number(params.play_id)]
        const attempt = attemptOf('apply', play_ids, order_id, facts)
        const input = { play_ids, order_id, order: facts, is_single: true }
        return attempts.watch(actor, attempt, () => runIn(batch, input))
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/validate`,
      summary: 'Can these prizes be applied to an order together',
      description:
        "Changes nothing. By the tenant's wallet policy: which of them fit, in which order, and what each takes.",
      tags: TAGS,
      roles: ['player', 'service'],
      body: validateMany,
      answer: validatedMany,
      refusals: ['not_found', 'forbidden'],
      run({ run, actor, body: { play_ids, order_id = null, at, ...facts } }) {
        const attempt = attemptOf('validate', play_ids, order_id, facts)
        const input = { play_ids, order_id, at: at == null ? null : instantOf(at), order: facts }
        return attempts.watch(
          actor,
          attempt,
          () => run(validatePrizes, input),
          ({ data }) => [
            ...data.applied.map((each) =>
              outcomeOf(each.play_id, [], { ...each, final_amount: each.amount_after }),
            ),
            ...data.refused.map(({ play_id, reasons }) => outcomeOf(play_id, reasons, NO_AMOUNTS)),
          ],
        )
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/apply`,
      summary: 'Apply several prizes to an order',
      description:
        "In one transaction, by the tenant's wallet policy, with each step's amounts. Prizes that the order has already, with the same facts, are answered as they stand.",
      tags: TAGS,
      roles: ['service'],
      once: 'required',
      body: applyMany,
      answer: appliedMany,
      refusals: ['not_found', 'prize_not_applicable', 'obligation_conflict', 'item_out_of_stock'],
      run({ runIn, actor, body: { order_id, play_ids, ...facts } }) {
        const attempt = attemptOf('apply', play_ids, order_id, facts)
        const input = { play_ids, order_id, order: facts, is_single: false }
        return attempts.watch(actor, attempt, () => runIn(batch, input))
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/hold/{play_id}`,
      summary: 'Hold a prize for an order during checkout',
      description:
        'Until a time: then it is free by itself. Only the order that holds it can have it applied, which ends the hold. The same order again begins anew.',
      tags: TAGS,
      roles: ['service'],
      once: 'optional',
      params: play,
      body: holdBody,
      answer: held,
      refusals: ['not_found', ...STATES],
      run({ run, params, actor, body: { order_id, user_id, minutes } }) {
        const play_id = Number(params.play_id)
        const input = { play_id, order_id, user_id, minutes: minutes ?? null }
        const attempt = { verb: 'hold', play_ids: [play_id], order_id } as const
        return attempts.watch(actor, attempt, () => run(holdPrize, input))
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/release/{play_id}`,
      summary: 'Free a prize that an order holds',
      description: 'A checkout that was left. An order that holds it no longer gets the same answer.',
      tags: TAGS,
      roles: ['service'],
      once: 'optional',
      params: play,
      body: z.strictObject({ order_id: orderId }).meta({ id: 'PrizeRelease', example: { order_id: 456 } }),
      answer: released,
      refusals: ['not_found', 'prize_held', 'prize_applied'],
      run({ run, params, actor, body: { order_id } }) {
        const play_id = Number(params.play_id)
        const attempt = { verb: 'release', play_ids: [play_id], order_id } as const
        return attempts.watch(actor, attempt, () => run(releasePrize, { play_id, order_id }))
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/rollback/{play_id}`,
      summary: 'Take a prize back from an order that was cancelled, or a share of it for a return',
      description:
        'Once per prize and order: the prize is unlocked again, or expired when its time is over, and what it paid is reversed. With return_id and returned_amount only the share of its discount falls away; when the returns make up the whole order, the prize comes back too.',
      tags: TAGS,
      roles: ['service'],
      once: 'required',
      params: play,
      body: rollbackBody,
      answer: rolledBack,
      refusals: ['not_found', 'obligation_conflict', 'insufficient_funds', 'fulfilment_delivered'],
      run({ run, params, actor, body: { order_id, reason: why, return_id, returned_amount } }) {
        const play_id = Number(params.play_id)
        const returned = return_id === undefined ? null : { return_id, returned_amount: returned_amount! }
        const attempt = { verb: 'rollback', play_ids: [play_id], order_id } as const
        const input = { play_id, order_id, reason: why, returned }
        return attempts.watch(actor, attempt, () => run(rollbackPrize, input))
      },
    }),
    route({
      method: 'get',
      path: `${PATH}/diagnose/{play_id}`,
      summary: 'Why a prize is not in the wallet, does not unlock, cannot be applied, or has expired',
      description:
        'For its owner and for operators, who may name the user that misses it. Reads; it tells nothing that the wallet hides.',
      tags: TAGS,
      roles: ['player', 'operator'],
      params: play,
      query: z.strictObject({ user_id: z.string().min(1).max(128).optional() }),
      answer: diagnosis,
      refusals: ['not_found'],
      run: ({ run, params, query }) =>
        run(diagnosePrize, { play_id: Number(params.play_id), user_id: query.user_id ?? null }),
    }),
    route({
      method: 'get',
      path: `${PATH}/history/{play_id}`,
      summary: 'What happened to a prize: when, by whom and why',
      description:
        'For its owner and for staff, oldest first. The owner reads his own id; of others only what they are: `system`, `service`, `staff`, or the pseudonym of a former owner.',
      tags: TAGS,
      roles: ['player', 'service', 'operator'],
      params: play,
      answer: historyOfPlay,
      refusals: ['not_found'],
      run: ({ run, params }) => run(readHistory, { play_id: Number(params.play_id) }),
    }),
    route({
      method: 'get',
      path: '/api/v1/wallet-policy',
      summary: 'How prizes go together on an order, and how long they are held',
      description: 'The newest version. The ETag is its number.',
      tags: TAGS,
      roles: ['operator', 'service', 'auditor'],
      answer: policy,
      headers: etag,
      run: ({ run }) => run(readPolicy, undefined),
    }),
    route({
      method: 'put',
      path: '/api/v1/wallet-policy',
      summary: 'Choose another wallet policy',
      description:
        'The whole of it: what is left out has its default. It becomes the next version and holds from now on; what was applied stays as it was computed.',
      tags: TAGS,
      roles: ['operator'],
      if_match: true,
      body: policyBody,
      answer: policy,
      headers: etag,
      run: ({ run, body, if_match }) => run(changePolicy, { policy: body, versions: if_match! }),
    }),
    route({
      method: 'get',
      path: '/api/v1/wallet-policy/versions',
      summary: 'Every wallet policy that was in force, newest first',
      tags: TAGS,
      roles: ['operator', 'auditor'],
      query: z.strictObject({
        ...LIST_QUERY,
        cursor: z
          .string()
          .regex(/^[1-9]\d{0,8}$/)
          .optional(),
      }),
      answer: listOf(policy, policy.meta()!['example']),
      async run({ run, query: { limit, cursor } }) {
        const before = cursor === undefined ? VERSION_MAX : Number(cursor)
        const rows = await run(listPolicies, { before, limit })
        const data = rows.slice(0, limit)
        return { data, next_cursor: rows.length > limit ? String(data.at(-1)!.row_version) : null }
      },
    }),
  ]
}
