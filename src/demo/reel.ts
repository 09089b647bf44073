/**
 * The demo's live reel, as a platform would run it: its game is there again whenever the last one is over, and its end
 * is told to the viewers each time the clip has played.
 */
import type { App } from '../app.ts'
import type { Tx } from '../db/tx.ts'
import type { Draws } from '../draws/service.ts'
import { Refusal } from '../errors.ts'
import { endReel, publishGame } from '../games/guess/games.ts'
import { gameCreate } from '../games/guess/resource.ts'
import { loadGameOfReel } from '../games/guess/store.ts'
import type { MadeResource } from '../http/resource.ts'
import { systemActor } from '../system.ts'
import { CLIP_MS, reelAt } from './reel-times.ts'
import { findPrize } from './store.ts'

export const DEMO_REEL = 'demo-reel'
/** Short, so that a visitor sees a draw; long enough to think of a number. */
const GAME_MS = 120_000
const LOOK_AGAIN_MS = 1_000
/** The prize of the demo that winners find in their wallet. */
const PRIZE = '10% off'
const OVER = new Set(['settled', 'cancelled'])

export type ReelDeps = { app: App; draws: Draws; games: MadeResource; tenant_id: string }

/** Makes what a keeper calls: it tends the reel of the demo tenant and answers when to look again, in milliseconds. */
export function makeReel({ app, draws, games, tenant_id }: ReelDeps): (tenantId: string) => Promise<number> {
  const actor = { ...systemActor(tenant_id), roles: ['operator'] as const }
  let told = reelAt(app.clock.now().getTime()).showing - 1

  async function open(tx: Tx): Promise<string> {
    const input = gameCreate.parse({
      title: 'How many beans are in the jar?',
      description:
        'You saw the jar. Nobody counted the beans: the number is drawn after the last guess is in.',
      mode: 'guess',
      rule: 'nearest',
      guess_min: 1,
      guess_max: 500,
      guess_policy: 'replace_until_close',
      number_of_winners: 3,
      number_of_alternates: 2,
      reward_type: 'voucher',
      reward_text: '10% off your next order, in your wallet at once',
      prize_id: await findPrize(tx, PRIZE),
      reel_id: DEMO_REEL,
      closes_at: new Date(tx.now.getTime() + GAME_MS).toISOString(),
    })
    const { id } = (await games.create(tx, { input })) as { id: string }
    return (await publishGame(tx, { game_id: id, entropy: draws.entropy })).draw_id
  }

  async function tend(): Promise<void> {
    const game = await app.run(actor, (tx) => loadGameOfReel(tx, DEMO_REEL), undefined)
    if (game === undefined || OVER.has(game.status))
      await draws.promise(
        actor,
        (tx) => open(tx),
        undefined,
        (draw_id) => [draw_id],
      )
    const { showing, elapsed_ms } = reelAt(app.clock.now().getTime())
    if (elapsed_ms < CLIP_MS || showing === told) return
    told = showing
    await app.run(actor, endReel, { reel_id: DEMO_REEL, games: draws.games })
  }

  return async (tenantId) => {
    if (tenantId !== tenant_id) return 60 * LOOK_AGAIN_MS
    try {
      await tend()
    } catch (error) {
      // Another process was first, the game is being drawn just now, or its entropy cannot be had: the next look tells.
      if (!(error instanceof Refusal)) throw error
    }
    const { elapsed_ms } = reelAt(app.clock.now().getTime())
    return elapsed_ms < CLIP_MS ? Math.min(LOOK_AGAIN_MS, CLIP_MS - elapsed_ms) : LOOK_AGAIN_MS
  }
}
