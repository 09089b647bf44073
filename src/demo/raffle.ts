/** The demo's raffle, as an operator would run it: a new one opens whenever the last one is over. */
import type { App } from '../app.ts'
import type { Tx } from '../db/tx.ts'
import type { Draws } from '../draws/service.ts'
import { Refusal } from '../errors.ts'
import { publishRaffle } from '../games/raffle/campaigns.ts'
import type { MadeResource } from '../http/resource.ts'
import { systemActor } from '../system.ts'
import { findPrize, loadLastRaffle } from './store.ts'

/** Slugs of the demo's raffles begin with this and end with their number. */
export const DEMO_RAFFLE = 'summer-raffle-'
/** Long enough to buy, reserve and pay; short enough that a visitor sees the draws. */
const SALE_MS = 240_000
const GRAND_DRAW_AFTER_MS = 45_000
const LOOK_AGAIN_MS = 1_000
const OVER = new Set(['settled', 'cancelled'])

export type DemoRaffleDeps = { app: App; draws: Draws; raffles: MadeResource; tenant_id: string }

/** Makes what a keeper calls: it tends the raffle of the demo tenant and answers when to look again, in milliseconds. */
export function makeDemoRaffle({ app, draws, raffles, tenant_id }: DemoRaffleDeps) {
  const actor = { ...systemActor(tenant_id), roles: ['operator'] as const }

  async function open(tx: Tx, number: number): Promise<string[]> {
    const at = (after_ms: number) => new Date(tx.now.getTime() + after_ms).toISOString()
    const [ten, five, dessert, points] = [
      await findPrize(tx, '10% off'),
      await findPrize(tx, '5.00 off'),
      await findPrize(tx, 'A dessert'),
      await findPrize(tx, '100 points'),
    ]
    const input = {
      campaign_name: `Summer raffle ${number}`,
      campaign_slug: `${DEMO_RAFFLE}${number}`,
      campaign_description: 'Two draws in five minutes, and four numbers that win at once.',
      campaign_type: 'raffle',
      start_time: at(0),
      end_time: at(SALE_MS),
      ticket_price: 200,
      total_tickets: 120,
      is_public: true,
      campaign_config: {
        numbering: 'random',
        bundles: [{ tickets: 3, pay_for: 2 }],
        per_user_max: 12,
        reservation_s: 60,
        claim_days: 1,
        reveal_step_ms: 3_000,
        instant_wins: [{ prize_id: points, count: 4 }],
      },
      draws: [
        {
          draw_name: 'First draw',
          draw_time: at(SALE_MS),
          winning_tickets: 1,
          alternates: 1,
          prize_id: dessert,
        },
        {
          draw_name: 'Grand draw',
          draw_time: at(SALE_MS + GRAND_DRAW_AFTER_MS),
          winning_tickets: 3,
          alternates: 2,
          prizes: [
            { prize_id: ten, qty: 1 },
            { prize_id: five, qty: 2 },
          ],
        },
      ],
    }
    const { id } = (await raffles.create(tx, { input })) as { id: string }
    return (await publishRaffle(tx, { ref: id, entropy: draws.entropy })).draw_ids
  }

  async function tend(): Promise<void> {
    const last = await app.run(actor, (tx) => loadLastRaffle(tx, DEMO_RAFFLE), undefined)
    if (last !== undefined && !OVER.has(last.campaign_status)) return
    await draws.promise(
      actor,
      (tx) => open(tx, (last?.number ?? 0) + 1),
      undefined,
      (draw_ids) => draw_ids,
    )
  }

  return async (tenantId: string): Promise<number> => {
    if (tenantId !== tenant_id) return 60 * LOOK_AGAIN_MS
    try {
      await tend()
    } catch (error) {
      // Another process was first, or the entropy cannot be had: the next look tells.
      if (!(error instanceof Refusal)) throw error
    }
    return LOOK_AGAIN_MS
  }
}
