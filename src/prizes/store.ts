/** Statements over prize definitions. */
import type { Tx } from '../db/tx.ts'

/** True while an active wheel has a reward with this prize. */
export async function isPrizeInUse(tx: Tx, id: number): Promise<boolean> {
  const row = await tx.one<{ used: boolean }>(
    `select exists (select 1 from wheel_rewards r join wheel_games w on w.id = r.wheel_game_id
                    where r.prize_id = $1 and r.is_active and w.is_active) as used`,
    [id],
  )
  return row!.used
}
