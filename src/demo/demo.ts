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

const PRIZES = [
  {
    name: '10% off',
    type: 'discount_percentage',
    value: '10.00',
    display_value: '10% OFF',
    min_order_amount: '50.00',
    max_discount_amount: '25.00',
    valid_order_types: ['delivery', 'takeaway'],
    expires_in_days: 7,
    cost_minor: 400,
  },
  {
    name: 'Free delivery',
    type: 'free_delivery',
    display_value: 'FREE DELIVERY',
    valid_order_types: ['delivery'],
    cost_minor: 250,
  },
  { name: '100 points', type: 'loyalty_points', value: '100', display_value: '100 POINTS', cost_minor: 100 },
  {
    name: '20.00 credit',
    type: 'wallet_credit',
    value: '20.00',
    display_value: '20.00 CREDIT',
    stock: 50,
    cost_minor: 2000,
  },
  { name: '2 more spins', type: 'spin_chance', value: '2', display_value: '+2 SPINS', cost_minor: 0 },
] as const

const SEGMENTS = [
  { reward_slug: 'ten', reward_label: '10% OFF', probability: '0.15', prize: 0, reward_color: '#2F6FED' },
  {
    reward_slug: 'none-1',
    reward_label: 'Try again',
    probability: '0.20',
    prize: null,
    reward_color: '#3B4256',
  },
  {
    reward_slug: 'delivery',
    reward_label: 'Free delivery',
    probability: '0.15',
    prize: 1,
    reward_color: '#0E9F8A',
  },
  {
    reward_slug: 'points',
    reward_label: '100 points',
    probability: '0.20',
    prize: 2,
    reward_color: '#B7791F',
  },
  {
    reward_slug: 'none-2',
    reward_label: 'So close',
    probability: '0.15',
    prize: null,
    reward_color: '#3B4256',
  },
  {
    reward_slug: 'credit',
    reward_label: '20.00 credit',
    probability: '0.02',
    prize: 3,
    reward_color: '#C2417C',
  },
  { reward_slug: 'spins', reward_label: '+2 spins', probability: '0.13', prize: 4, reward_color: '#7C5CE0' },
] as const

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
        prize_id: prize === null ? null : ids[prize]!,
        per_user_limit: null,
        reward_description: null,
      })),
    },
  })
}
