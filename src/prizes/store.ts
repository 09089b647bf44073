/** Statements over prize definitions, and over the wallet. */
import type { Tx } from '../db/tx.ts'

/**
 * Counts the wins of a prize that had no stock, for which nobody kept count, and keeps the number. The caller holds
 * the row `for update`, which waits for every win that is being written. Returns it.
 */
export async function recountWins(tx: Tx, id: number): Promise<number> {
  const row = await tx.one<{ won_count: number }>(
    `update gamification_prizes
     set won_count = (select count(*) from gamification_game_plays where prize_id = $1 and is_winner)
     where id = $1 returning won_count`,
    [id],
  )
  return row!.won_count
}

/** True while an active wheel has a reward with this prize. */
export async function isPrizeInUse(tx: Tx, id: number): Promise<boolean> {
  const row = await tx.one<{ used: boolean }>(
    `select exists (select 1 from wheel_rewards r join wheel_games w on w.id = r.wheel_game_id
                    where r.prize_id = $1 and r.is_active and w.is_active) as used`,
    [id],
  )
  return row!.used
}

/** What amounts and hours of this tenant mean. */
export type Terms = { currency: string; time_zone: string }

export async function loadTerms(tx: Tx): Promise<Terms> {
  const row = await tx.one<Terms>('select currency, time_zone from tenants', [], 'load_terms')
  return row!
}
