/** A small game that closes, on a stage with as many processes as wanted. */
import type { Actor, Tx } from '../../src/db/tx.ts'
import { createDraw } from '../../src/draws/draws.ts'
import { type DrawGame, drawGames } from '../../src/draws/game.ts'
import { addEntries } from '../../src/draws/list.ts'
import { type Draws, makeDraws } from '../../src/draws/service.ts'
import { type DrawRow, loadDraw, loadDrawsForUpdate, loadWinners } from '../../src/draws/store.ts'
import { refuse } from '../../src/errors.ts'
import { newId } from '../../src/ids.ts'
import { localEntropy, type RoundEntropy } from '../../src/proofs/round-entropy.ts'
import { type Process, startStage } from '../games/kit.ts'
import { FAULTY, LOTS, type LotsConfig } from './lots.ts'

export const CONFIG: LotsConfig = {
  v: 1,
  kind: 'raffle',
  prizes: [
    { id: 'car', qty: 1 },
    { id: 'cup', qty: 2 },
  ],
  reserves: 2,
}

export type DrawWish = {
  config?: LotsConfig
  game?: DrawGame<LotsConfig>
  open_s?: number
  draw_s?: number
  game_id?: string
  after_draw_id?: string
  is_copied?: boolean
}

/** Winners appear at an instant: between two moves of it time stands still, however slow the machine is. */
export function standStill(clock: { now(): Date; advance(duration_ms: number): Date }): void {
  let now_ms = clock.now().getTime()
  clock.now = () => new Date(now_ms)
  clock.advance = (duration_ms) => {
    now_ms += duration_ms
    return new Date(now_ms)
  }
}

export async function startDraws(options: { entropy?: RoundEntropy; starts_at?: Date } = {}) {
  const stage = await startStage(options)
  standStill(stage.clock)
  const games = drawGames([LOTS, FAULTY])
  const service = (process: Process, entropy?: RoundEntropy): Draws =>
    makeDraws({
      app: process.app,
      checkpoints: process.checkpoints,
      entropy: entropy ?? options.entropy ?? localEntropy,
      games,
      report: (where, error) => void stage.reports.push([where, error]),
    })
  const first: Process = { ...stage, stop: async () => {} }
  const draws = service(first)
  const tenantId = stage.tenants.get('demo')!

  async function aDraw(wish: DrawWish = {}): Promise<string> {
    const { open_s = 60, draw_s = open_s, game_id = newId(), config = CONFIG } = wish
    const { id } = await draws.promise(
      stage.boss(),
      async (tx: Tx) => {
        const from = tx.now.getTime()
        return createDraw(
          tx,
          wish.game ?? LOTS,
          {
            game_id,
            draw_name: 'Lots',
            config,
            opens_at: tx.now,
            closes_at: new Date(from + open_s * 1000),
            draw_at: new Date(from + draw_s * 1000),
            ...(wish.after_draw_id && { after_draw_id: wish.after_draw_id }),
            ...(wish.is_copied && { is_copied: true }),
          },
          draws.entropy,
        )
      },
      undefined,
      (draw) => [draw.id],
    )
    return id
  }

  /** Lots for these users, as a game's own use case takes them. */
  const enter = (draw_id: string, users: readonly string[], app = stage.app, actor: Actor = stage.boss()) =>
    app.run(
      actor,
      async (tx) => {
        const [draw] = await loadDrawsForUpdate(tx, [draw_id])
        if (draw!.status !== 'open' || tx.now >= draw!.closes_at) refuse('draw_closed')
        return addEntries(
          tx,
          draw!,
          users.map((user_id) => ({ user_id, ref_id: newId(), facts: {} })),
        )
      },
      undefined,
    )

  const row = async (id: string): Promise<DrawRow> => (await stage.inTenant((tx) => loadDraw(tx, id)))!
  const winners = (id: string) => stage.inTenant((tx) => loadWinners(tx, id))
  const granted = () =>
    stage.rows(
      `select new_values->>'user_id' as user_id from audit_logs where action = 'lots.granted' order by seq`,
    )

  return {
    ...stage,
    games,
    draws,
    service,
    tenantId,
    aDraw,
    enter,
    row,
    winners,
    granted,
    goOn: (id: string) => draws.advance(tenantId, id),
    /** Lets so much time pass and does what is due. */
    async pass(id: string, duration_s: number) {
      stage.clock.advance(duration_s * 1000)
      return draws.advance(tenantId, id)
    },
  }
}

export type DrawStage = Awaited<ReturnType<typeof startDraws>>

export const users = (count: number, prefix = 'player'): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i}`)
