/**
 * Giving prizes out, many at once: stock, plays, effects and audit rows of whatever owes them. The one place, beside the
 * spin's own statement, that makes a play with a prize.
 *
 * Lock order: limited definitions in the order of their ids, then what effects lock (ledger accounts), then heads.
 */
import type { Verdict } from '../db/batch.ts'
import type { Tx } from '../db/tx.ts'
import { Refusal } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Effect } from './discount.ts'
import { effectWhenWon } from './effect-rules.ts'
import { takeEffects, type Use } from './effects.ts'
import {
  countLimited,
  insertPlays,
  loadLimitedPrizesForUpdate,
  loadPrizes,
  type PlayRecord,
  takePlayIds,
} from './grant-store.ts'
import { issueOf, type PrizeRow } from './issue.ts'
import { takeCodes } from './partner-codes.ts'
import { loadTerms } from './store.ts'

/** More at once than any caller needs; a larger award is given in parts, each with its own key. */
export const GRANT_COUNT_MAX = 1_000

export type PrizeGrant = {
  user_id: string
  prize_id: number
  /** The game it is shown under, `gamification_games.id`. */
  game_id: number
  /** What it was given for: the chance event, or the grant's own id. */
  event_id: string
  /** Kept with the play, shown to nobody. */
  game_data?: Record<string, unknown>
}

export type Granted = {
  play_id: number
  play_uuid: string
  prize_status: 'locked' | 'unlocked'
  cost_minor: number
}

/**
 * Gives each user a prize, in order, and answers each with its play or its refusal; a refused one leaves the others
 * alone. Set-based: the number of statements does not grow with the number of grants. The caller makes sure that the
 * same event is not granted twice, by a unique key of its own in the same transaction.
 *
 * Refuses not_found (no such definition, or none that can be given out) and prize_out_of_stock. More than
 * GRANT_COUNT_MAX are a bug of the caller.
 */
export async function grantPrizes(tx: Tx, grants: readonly PrizeGrant[]): Promise<Verdict<Granted>[]> {
  if (grants.length > GRANT_COUNT_MAX) throw new RangeError(`more than ${GRANT_COUNT_MAX} grants`)
  if (grants.length === 0) return []
  const definitions = await loadDefinitions(tx, grants)
  const { currency } = await loadTerms(tx)
  const play_ids = await takePlayIds(tx, grants.length)
  const taken = new Map<number, number>()
  const plays: PlayRecord[] = []
  const uses: Use[] = []

  const verdicts = grants.map((grant, i): Verdict<Granted> => {
    const prize = definitions.get(grant.prize_id)
    if (prize === undefined) return refused('not_found', 'There is no such prize to give.')
    const count = taken.get(prize.id) ?? 0
    if (prize.stock !== null && prize.won_count + count >= prize.stock) return refused('prize_out_of_stock')
    taken.set(prize.id, count + 1)
    const effect = effectWhenWon(prize, currency)
    const play = playOf(tx, grant, prize, effect, play_ids[i]!)
    plays.push(play)
    if (effect !== null) uses.push({ play, effect, order_id: null })
    const { uuid: play_uuid, id: play_id, prize_status } = play
    return { answer: { play_id, play_uuid, prize_status, cost_minor: prize.cost_minor } }
  })

  await write(tx, plays, definitions, taken)
  await takeEffects(tx, uses)
  await takeCodes(tx, plays.filter(({ prize_id }) => definitions.get(prize_id)!.takes_codes).map(codeWanted))
  return verdicts
}

const codeWanted = ({ id, prize_id }: PlayRecord) => ({ play_id: id, prize_id })

function refused(code: 'not_found' | 'prize_out_of_stock', detail?: string): { refusal: Refusal } {
  return { refusal: new Refusal(code, detail === undefined ? {} : { detail }) }
}

/** Definitions by id; limited ones are locked, and read again under the lock. */
async function loadDefinitions(tx: Tx, grants: readonly PrizeGrant[]): Promise<Map<number, PrizeRow>> {
  const ids = [...new Set(grants.map(({ prize_id }) => prize_id))].sort((a, b) => a - b)
  const definitions = new Map((await loadPrizes(tx, ids)).map((row) => [row.id, row]))
  const limited = [...definitions.values()].filter((row) => row.stock !== null).map((row) => row.id)
  if (limited.length > 0)
    for (const row of await loadLimitedPrizesForUpdate(tx, limited)) definitions.set(row.id, row)
  return definitions
}

function playOf(tx: Tx, grant: PrizeGrant, prize: PrizeRow, effect: Effect | null, id: number): PlayRecord {
  const { user_id, game_id, event_id, game_data = {} } = grant
  return {
    id,
    uuid: newId(),
    game_id,
    user_id,
    game_data,
    event_id,
    bundle_play_id: null,
    ...issueOf(prize, effect, tx.now),
  }
}

async function write(
  tx: Tx,
  plays: readonly PlayRecord[],
  definitions: ReadonlyMap<number, PrizeRow>,
  taken: ReadonlyMap<number, number>,
): Promise<void> {
  if (plays.length === 0) return
  const of = (is_limited: boolean) =>
    [...taken].filter(([id]) => (definitions.get(id)!.stock !== null) === is_limited)
  const limited = of(true).map(([id, count]) => ({ id, count }))
  const written = await insertPlays(tx, plays, limited)
  if (written.plays !== plays.length || written.prizes !== limited.length)
    throw new Error(`grants meant ${plays.length} plays and wrote ${written.plays}`)
  // Whoever sets a stock counts what was given; what he could not see yet must not go beyond it.
  const unlimited = of(false).map(([id]) => id)
  if (unlimited.length > 0 && (await countLimited(tx, unlimited)) > 0) throw new StockSet()
  for (const { uuid, id, user_id, prize_id, prize_status, game_data } of plays) {
    tx.audit({
      action: 'grant',
      entity_type: 'game_play',
      entity_id: uuid,
      new_values: { play_id: id, user_id, prize_id, prize_status, for: game_data },
    })
  }
}

/** A stock was set meanwhile. Class 40: the runner begins again, as PostgreSQL makes it do when transactions clash. */
export class StockSet extends Error {
  readonly code = '40001'
}
