/** A small game that closes, as somebody would write it to begin with: everything that `draws/` asks of one, in one file. */
import { z } from 'zod'
import type { DrawGame, NewEntry } from '../../src/draws/game.ts'
import { sample } from '../../src/fairness/rolls.ts'
import { newId } from '../../src/ids.ts'

const configSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('raffle'),
  prizes: z.array(z.strictObject({ id: z.string(), qty: z.int().min(1) })).min(1),
  reserves: z.int().min(0),
})
export type LotsConfig = z.infer<typeof configSchema>

const count = (config: LotsConfig) => config.prizes.reduce((sum, { qty }) => sum + qty, config.reserves)

/** A bag of lots: who is drawn first has the first prize. What it grants and gives back is in the audit log. */
export const LOTS: DrawGame<LotsConfig> = {
  game: 'lots',
  kind: 'draw',
  configSchema,
  margin_ms: 60_000,
  fallback: { onOutage: 'void', deadlineS: 3_600, postponeBy: 200, maxPostpones: 1 },
  reveal: () => ({ lead_ms: 1_000, step_ms: 2_000 }),
  reads: () => 'none',
  drawCount: count,
  decide(config, { n }, rolls) {
    const order = sample(rolls, n, Math.min(n, count(config)))
    const left = [...order]
    const prizes = config.prizes.map(({ id, qty }) => ({ id, entries: left.splice(0, qty) }))
    return { order, prizes, reserves: left }
  },
  places(_config, outcome) {
    const won = outcome['prizes'].flatMap((prize: { id: string; entries: number[] }) =>
      prize.entries.map((entry_index) => ({ entry_index, prize: prize.id })),
    )
    return [...won, ...outcome['reserves'].map((entry_index: number) => ({ entry_index, prize: null }))]
  },
  /** A copied list: whoever is on the list of the draw before. */
  async entries(tx, draw, after, limit) {
    const rows = await tx.rows<{ entry_index: number; user_id: string }>(
      `select entry_index, user_id from draw_entries where draw_id = $1 and entry_index > $2 order by entry_index limit $3`,
      [draw.after_draw_id ?? draw.redraw_of, Number(after ?? -1), limit],
    )
    const entries = rows.map(({ user_id }): NewEntry => ({ user_id, ref_id: newId(), facts: {} }))
    return { entries, after: rows.length < limit ? null : String(rows.at(-1)!.entry_index) }
  },
  async award(tx, draw, winners) {
    for (const { place, user_id } of winners)
      tx.audit({
        action: 'lots.granted',
        entity_type: 'lot',
        entity_id: draw.id,
        new_values: { place, user_id },
      })
  },
  async refund(tx, draw, reason) {
    tx.audit({ action: 'lots.refunded', entity_type: 'lot', entity_id: draw.id, new_values: { reason } })
  },
  vacancies: async () => [1],
  async redraw(tx, draw) {
    const config = configSchema.parse(JSON.parse(draw.config))
    const closes_at = new Date(tx.now.getTime() + 60_000)
    const { game_id } = draw
    return {
      game_id,
      draw_name: `${draw.draw_name}, again`,
      config: { ...config, prizes: [config.prizes[0]!] },
      opens_at: tx.now,
      closes_at,
      draw_at: closes_at,
    }
  },
}

/** A game whose award fails, as a bug would make it. */
export const FAULTY: DrawGame<LotsConfig> = {
  ...LOTS,
  game: 'faulty',
  award: () => Promise.reject(new Error('this game cannot award')),
}
