/** The demo tenant: something that is alive in the first minute, made with the same use cases that operators use. */
import type { App } from '../app.ts'
import type { Tx } from '../db/tx.ts'
import { Refusal } from '../errors.ts'
import type { Wheel } from '../games/wheel/wheel.ts'
import type { MadeResource } from '../http/resource.ts'
import { systemActor } from '../system.ts'
import type { Directory } from '../tenants/directory.ts'
import { createTenant } from '../tenants/tenants.ts'

export const DEMO_TENANT = 'demo'
export const DEMO_WHEEL = 'summer-wheel'

/** What guests win: enough kinds and conditions that wallet and shop have something to say. */
const PRIZES = [
  {
    name: '10% off',
    description: 'Off your next larger order.',
    type: 'discount_percentage',
    value: '10.00',
    display_value: '10% OFF',
    prize_color: '#2F6FED',
    min_order_amount: '50.00',
    max_discount_amount: '25.00',
    valid_order_types: ['delivery', 'takeaway'],
    expires_in_days: 7,
    cost_minor: 400,
  },
  {
    name: 'Free delivery',
    description: 'We bring it for nothing.',
    type: 'free_delivery',
    display_value: 'FREE DELIVERY',
    prize_color: '#0E9F8A',
    max_delivery_distance_km: 8,
    valid_zone_ids: [1, 2],
    expires_in_days: 14,
    cost_minor: 250,
  },
  {
    name: '100 points',
    type: 'loyalty_points',
    value: '100',
    display_value: '100 POINTS',
    prize_color: '#B7791F',
    never_expires: true,
    cost_minor: 100,
  },
  {
    name: '20.00 credit',
    type: 'wallet_credit',
    value: '20.00',
    display_value: '20.00 CREDIT',
    prize_color: '#C2417C',
    expires_in_days: 30,
    stock: 50,
    cost_minor: 2000,
  },
  {
    name: '2 more spins',
    type: 'spin_chance',
    value: '2',
    display_value: '+2 SPINS',
    prize_color: '#7C5CE0',
    cost_minor: 0,
  },
  {
    name: '5.00 off',
    description: 'For those who pay without cash.',
    type: 'discount_fixed',
    value: '5.00',
    display_value: '5.00 OFF',
    prize_color: '#D9480F',
    min_order_amount: '20.00',
    min_cart_items: 2,
    valid_payment_methods: ['card', 'paypal'],
    expires_in_days: 3,
    cost_minor: 500,
  },
  {
    name: 'A dessert',
    description: 'One tiramisu on the house.',
    type: 'free_item',
    display_value: 'FREE DESSERT',
    prize_color: '#A61E4D',
    valid_food_ids: [41],
    min_order_amount: '10.00',
    expires_in_days: 1,
    cost_minor: 200,
  },
] as const

const SEGMENTS = [
  { reward_slug: 'ten', reward_label: '10% OFF', probability: '0.15', prize: 0 },
  { reward_slug: 'none-1', reward_label: 'Try again', probability: '0.15', prize: null },
  { reward_slug: 'delivery', reward_label: 'Free delivery', probability: '0.13', prize: 1 },
  { reward_slug: 'points', reward_label: '100 points', probability: '0.15', prize: 2 },
  { reward_slug: 'five', reward_label: '5.00 off', probability: '0.12', prize: 5 },
  { reward_slug: 'none-2', reward_label: 'So close', probability: '0.12', prize: null },
  { reward_slug: 'credit', reward_label: '20.00 credit', probability: '0.02', prize: 3 },
  { reward_slug: 'dessert', reward_label: 'Free dessert', probability: '0.08', prize: 6 },
  { reward_slug: 'spins', reward_label: '+2 spins', probability: '0.08', prize: 4 },
] as const
const NOTHING_COLOR = '#3B4256'

export type DemoDeps = {
  app: App
  directory: Directory
  wheel: Wheel
  prizes: MadeResource
  wheels: MadeResource
}

/** Makes tenant, prizes and wheel where they are missing. Idempotent. Returns the tenant's id. */
export async function makeDemo({ app, directory, wheel, prizes, wheels }: DemoDeps): Promise<string> {
  const tenant = await createTenant(app, directory, {
    tenant_code: DEMO_TENANT,
    tenant_name: 'Livedraw demo',
    is_demo: true,
  })
  const actor = { ...systemActor(tenant.id), roles: ['operator'] as const }
  if ((await wheel.find(actor, DEMO_WHEEL)) !== undefined) return tenant.id

  try {
    await app.run(actor, (tx) => makeRows(tx, prizes, wheels), undefined)
  } catch (error) {
    // The last start ended before it could publish, or another process starts at this moment.
    if (!(error instanceof Refusal && error.code === 'already_exists')) throw error
  }
  await wheel.publish(actor, DEMO_WHEEL)
  return tenant.id
}

async function makeRows(tx: Tx, prizes: MadeResource, wheels: MadeResource): Promise<void> {
  const ids: number[] = []
  for (const prize of PRIZES) ids.push(((await prizes.create(tx, { input: prize })) as { id: number }).id)
  await wheels.create(tx, {
    input: {
      wheel_name: 'Summer wheel',
      wheel_slug: DEMO_WHEEL,
      wheel_description: 'Spin for discounts, points and credit. Every result can be checked by anybody.',
      spin_chance_for_page_visit: 10,
      spin_config: { duration_ms: 4_000, on_exhausted: 'points', round_every_s: 45, round_join_s: 12 },
      rewards: SEGMENTS.map(({ prize, ...segment }) => ({
        ...segment,
        reward_type: prize === null ? 'none' : PRIZES[prize].type === 'spin_chance' ? 'spin_chance' : 'prize',
        reward_color: prize === null ? NOTHING_COLOR : PRIZES[prize].prize_color,
        prize_id: prize === null ? null : ids[prize]!,
        per_user_limit: null,
        reward_description: null,
      })),
    },
  })
}
