/**
 * The allocation policies of features.md 4.5: from an event and what is known about the user to tickets, or to a sentence
 * why there are none. Pure: a preview and the real allocation call the same function.
 */
import { z } from 'zod'
import { priceOf } from './rules.ts'

const count = (max = 1_000) => z.int().min(1).max(max)
const money = z.int().min(0).max(1_000_000_000_000)
const name = z.string().trim().min(1).max(64)
const range = { first: z.int().min(1).max(10_000_000), last: z.int().min(1).max(10_000_000) }
const when = z.iso.datetime()
const QUANTITY_MAX = 1_000

/** What is known beside the event; a preview says it, an allocation reads it. */
export const factsSchema = z.strictObject({
  /** Tickets that this policy gave the user so far, and since the user's day began. */
  given: z.int().min(0).default(0),
  given_today: z.int().min(0).default(0),
  /** The last win of the user in this tenant's raffles, and what the prize cost. */
  last_win_at: when.nullable().default(null),
  last_win_cost_minor: money.default(0),
  now: when.default('1970-01-01T00:00:00.000Z'),
})
export type Facts = z.output<typeof factsSchema>

/** `tickets` may be 0, and then `why` says why. */
export type Allocation = {
  tickets: number
  why?: string
  amount_minor?: number
  numbers?: number[]
  channel?: string
  users?: string[]
}

const none = (why: string): Allocation => ({ tickets: 0, why })
const some = (tickets: number, more: Partial<Allocation> = {}): Allocation =>
  tickets > 0 ? { tickets: Math.min(tickets, QUANTITY_MAX), ...more } : none('The event is worth no ticket.')
const capped = (tickets: number, cap: number | null, given: number): Allocation =>
  cap !== null && given >= cap
    ? none(`The cap of ${cap} tickets is reached.`)
    : some(cap === null ? tickets : Math.min(tickets, cap - given))

type PolicyOf<C extends z.ZodType, E extends z.ZodType> = {
  says: string
  config: C
  event: E
  allocate(config: z.output<C>, event: z.output<E>, facts: Facts): Allocation
}

const policy = <C extends z.ZodType, E extends z.ZodType>(declared: PolicyOf<C, E>): PolicyOf<any, any> =>
  declared

const quantityEvent = z.strictObject({ quantity: count() })

/** Every policy with the shape of its settings and of its events. */
export const POLICIES = {
  paid: policy({
    says: 'Tickets for a price, with bundles and a maximum per user.',
    config: z.strictObject({
      ticket_price: money,
      bundles: z
        .array(z.strictObject({ tickets: count(100), pay_for: z.int().min(0).max(100) }))
        .max(10)
        .default([]),
      per_user_max: count(10_000).nullable().default(null),
    }),
    event: quantityEvent,
    allocate({ ticket_price, bundles, per_user_max }, { quantity }, { given }) {
      if (per_user_max !== null && given + quantity > per_user_max)
        return none(`A user has at most ${per_user_max} tickets.`)
      return some(quantity, { amount_minor: priceOf(quantity, ticket_price, bundles) })
    },
  }),
  free: policy({
    says: 'Free tickets on request, so many per user and day; staff types in what came by post.',
    config: z.strictObject({ per_user_and_day: count(100).default(1) }),
    event: z.strictObject({}),
    allocate: ({ per_user_and_day }, _event, { given_today }) =>
      given_today >= per_user_and_day ? none(`There are ${per_user_and_day} free tickets a day.`) : some(1),
  }),
  per_order_amount: policy({
    says: 'A ticket for every so much of an order, from a least amount on, up to a cap per order.',
    config: z.strictObject({
      step_minor: z.int().min(1).max(1_000_000_000),
      minimum_minor: money.default(0),
      cap: count().nullable().default(null),
    }),
    event: z.strictObject({ amount_minor: money }),
    allocate({ step_minor, minimum_minor, cap }, { amount_minor }) {
      if (amount_minor < minimum_minor) return none(`The order is below ${minimum_minor}.`)
      return capped((amount_minor - (amount_minor % step_minor)) / step_minor, cap, 0)
    },
  }),
  per_action: policy({
    says: 'So many tickets for each kind of action.',
    config: z.strictObject({ actions: z.record(name, count(100)) }),
    event: z.strictObject({ action: name }),
    allocate: ({ actions }, { action }) =>
      Object.hasOwn(actions, action) ? some(actions[action]!) : none(`The action ${action} is not listed.`),
  }),
  time_watching: policy({
    says: 'Tickets for every so many minutes of presence, with a bonus for activity and a cap.',
    config: z.strictObject({
      every_minutes: count(1_440).default(5),
      tickets: count(100).default(1),
      bonus_active: z.int().min(0).max(100).default(0),
      cap: count().nullable().default(null),
    }),
    event: z.strictObject({ minutes: z.int().min(0).max(100_000), is_active: z.boolean().default(false) }),
    allocate({ every_minutes, tickets, bonus_active, cap }, { minutes, is_active }, { given }) {
      const times = (minutes - (minutes % every_minutes)) / every_minutes
      return capped(times * (tickets + (is_active ? bonus_active : 0)), cap, given)
    },
  }),
  subscriber_weight: policy({
    says: 'An entry of a subscriber counts several times, up to a cap.',
    config: z.strictObject({
      base: count(100).default(1),
      multipliers: z.record(name, count(100)),
      cap: count(100).default(10),
    }),
    event: z.strictObject({ tier: name.nullable().default(null) }),
    allocate({ base, multipliers, cap }, { tier }) {
      const multiplier = tier !== null && Object.hasOwn(multipliers, tier) ? multipliers[tier]! : 1
      return some(base * Math.min(multiplier, cap))
    },
  }),
  bonus_entries: policy({
    says: 'More tickets for users with roles: their sum, or the best of them.',
    config: z.strictObject({
      base: count(100).default(1),
      bonuses: z.record(name, count(100)),
      mode: z.enum(['sum', 'best']).default('sum'),
    }),
    event: z.strictObject({ roles: z.array(name).max(50) }),
    allocate({ base, bonuses, mode }, { roles }) {
      const earned = [...new Set(roles as string[])].flatMap((role) =>
        Object.hasOwn(bonuses, role) ? [bonuses[role]! as number] : [],
      )
      const bonus = mode === 'sum' ? earned.reduce((sum, each) => sum + each, 0) : Math.max(0, ...earned)
      return some(base + bonus)
    },
  }),
  auto_all: policy({
    says: 'Every member of a segment gets the same number of tickets.',
    config: z.strictObject({ tickets: count(100).default(1) }),
    event: z.strictObject({ members: z.array(z.string().min(1).max(128)).min(1).max(500) }),
    allocate({ tickets }, { members }) {
      const users = [...new Set(members as string[])]
      return users.length * tickets > QUANTITY_MAX
        ? none(`More than ${QUANTITY_MAX} tickets at once; send the segment in parts.`)
        : { tickets: users.length * tickets, users }
    },
  }),
  user_pick: policy({
    says: 'The user picks numbers out of a range.',
    config: z.strictObject(range),
    event: z.strictObject({ numbers: z.array(z.int().min(1)).min(1).max(100) }),
    allocate({ first, last }, { numbers }) {
      if (new Set(numbers).size !== numbers.length) return none('A number stands twice.')
      const outside = numbers.find((each: number) => each < first || each > last)
      return outside === undefined
        ? some(numbers.length, { numbers })
        : none(`${outside} is not in ${first} to ${last}.`)
    },
  }),
  random_number: policy({
    says: 'Numbers of a range in an order that nobody can foresee.',
    config: z.strictObject({ channel: name.default('online') }),
    event: quantityEvent,
    allocate: ({ channel }, { quantity }) => some(quantity, { channel }),
  }),
  sequential: policy({
    says: 'The next numbers of a range.',
    config: z.strictObject({ channel: name.default('online') }),
    event: quantityEvent,
    allocate: ({ channel }, { quantity }) => some(quantity, { channel }),
  }),
  range_split: policy({
    says: 'Each channel of sale has numbers of its own: paper and online.',
    config: z.strictObject({ channels: z.array(name).min(1).max(20) }),
    event: z.strictObject({ quantity: count(), channel: name }),
    allocate: ({ channels }, { quantity, channel }) =>
      channels.includes(channel) ? some(quantity, { channel }) : none(`There is no channel ${channel}.`),
  }),
  instant_win: policy({
    says: 'Tickets whose numbers may win at once; the list is committed to before sales.',
    config: z.strictObject({}),
    event: quantityEvent,
    allocate: (_config, { quantity }) => some(quantity),
  }),
  cooldown: policy({
    says: 'Whoever won is excluded for a time, by the value of the prize.',
    config: z.strictObject({
      rules: z
        .array(z.strictObject({ from_cost_minor: money, days: count(3_650) }))
        .min(1)
        .max(20),
      tickets: count(100).default(1),
    }),
    event: z.strictObject({}),
    allocate({ rules, tickets }, _event, { last_win_at, last_win_cost_minor, now }) {
      const days = Math.max(
        0,
        ...rules.flatMap((rule: { from_cost_minor: number; days: number }) =>
          last_win_cost_minor >= rule.from_cost_minor ? [rule.days] : [],
        ),
      )
      if (last_win_at === null || days === 0) return some(tickets)
      const until = new Date(Date.parse(last_win_at) + days * 86_400_000)
      return until > new Date(now)
        ? none(`Excluded until ${until.toISOString()} after a win.`)
        : some(tickets)
    },
  }),
  invite: policy({
    says: 'Tickets for every invitation that was accepted, up to a cap.',
    config: z.strictObject({ tickets: count(100).default(1), cap: count().nullable().default(null) }),
    event: z.strictObject({ accepted: count(100).default(1) }),
    allocate: ({ tickets, cap }, { accepted }, { given }) => capped(tickets * accepted, cap, given),
  }),
} as const satisfies Record<string, PolicyOf<any, any>>

export type PolicyName = keyof typeof POLICIES
export const POLICY_NAMES = Object.keys(POLICIES) as PolicyName[]

/** What an event is worth under a policy. Throws what zod throws for settings or an event of another shape. */
export function allocate(kind: PolicyName, config: unknown, event: unknown, facts: Facts): Allocation {
  const { config: configSchema, event: eventSchema, allocate: work } = POLICIES[kind]
  return work(configSchema.parse(config), eventSchema.parse(event), facts)
}
