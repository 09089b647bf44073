/**
 * The one way in which the close of a draw moves (fair-1.md section 7.3), and pauses, which are made of it: later only, while
 * the draw is open and before the close that is replaced, where the commitment allows it, and in the public log. A close never
 * moves earlier, so nobody can end a draw at a moment that suits somebody.
 */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { committedRound } from '../fairness/beacon.ts'
import type { CommitDoc } from '../fairness/commit.ts'
import type { DrawGame, DrawGames } from './game.ts'
import { type DrawRow, loadDrawsForUpdate, updateDraw } from './store.ts'
import { audit, tell } from './tell.ts'

/** The database counts them too. */
export const EXTENSION_COUNT_MAX = 20
/** A longer interruption is a game that is called off. */
export const PAUSE_MINUTES_MAX = 7 * 24 * 60

export type CloseInput = { draw_id: string; games: DrawGames }

async function openDraw(
  tx: Tx,
  { draw_id, games }: CloseInput,
): Promise<{ draw: DrawRow; game: DrawGame<any> }> {
  const [draw] = await loadDrawsForUpdate(tx, [draw_id])
  if (draw === undefined) refuse('game_not_found')
  // A clock that passed the close decides like the row that says so.
  if (draw.status !== 'open' || tx.now >= draw.closes_at) {
    const status = draw.status === 'open' ? 'closed' : draw.status
    refuse('game_not_open', { facts: { status, closes_at: draw.closes_at.toISOString() } })
  }
  return { draw, game: games.get(draw.game)! }
}

/** True while nobody may enter; the clock ends a pause, whatever the row still says. */
export function isPaused({ paused_until }: Pick<DrawRow, 'paused_until'>, now: Date): boolean {
  return paused_until !== null && now < paused_until
}

async function putOff(tx: Tx, draw: DrawRow, closes_at: Date, why: string): Promise<void> {
  const { beacon, fallback } = JSON.parse(draw.doc) as CommitDoc
  const facts = { closes_at: draw.closes_at.toISOString() }
  if (fallback?.extend !== true)
    refuse('close_fixed', { detail: 'The commitment of this game allows no later close.', facts })
  if (closes_at <= draw.closes_at) refuse('close_fixed', { detail: 'A close moves later only.', facts })
  if (draw.extension_count >= EXTENSION_COUNT_MAX)
    refuse('close_fixed', { detail: `A close moves at most ${EXTENSION_COUNT_MAX} times.`, facts })
  const from = draw.beacon_round
  // A recorded round was out before the draw: its time says nothing, so it stays.
  const to =
    beacon?.marginMs === undefined || beacon.source === 'recorded'
      ? from
      : committedRound(closes_at.toISOString(), beacon.marginMs)
  const was = draw.closes_at
  const change = {
    closes_at,
    draw_at: new Date(draw.draw_at.getTime() + closes_at.getTime() - was.getTime()),
    extension_count: draw.extension_count + 1,
    ...(to !== null && { beacon_round: to }),
  }
  await updateDraw(tx, draw.id, change)
  Object.assign(draw, change)
  // Without a beacon there is no round that could move.
  const rounds = from === null ? {} : { from, to }
  tx.log({ type: 'extend', commitHash: draw.commit_hash, ...rounds, closesAt: closes_at.toISOString() })
  const said = { closes_at: closes_at.toISOString(), why }
  tell(tx, draw, 'draw.extended', { ...said, was: was.toISOString() })
  audit(tx, draw, 'draw.extended', draw.status, { ...said, ...rounds }, { closes_at: was.toISOString() })
}

/** Puts the close off, with a reason. Refuses game_not_found, game_not_open, close_fixed. */
export async function extendDraw(
  tx: Tx,
  { closes_at, why, ...input }: CloseInput & { closes_at: Date; why: string },
): Promise<void> {
  const { draw, game } = await openDraw(tx, input)
  await putOff(tx, draw, closes_at, why)
  await game.moved?.(tx, draw)
}

/**
 * Takes no entries for so many minutes; the close is put off by as many, so that what was left of the time is left after
 * them. It goes on by itself. Refuses game_not_found, game_not_open, game_paused, close_fixed.
 */
export async function pauseDraw(
  tx: Tx,
  { minutes, why, ...input }: CloseInput & { minutes: number; why: string },
): Promise<void> {
  const { draw, game } = await openDraw(tx, input)
  if (isPaused(draw, tx.now))
    refuse('game_paused', { facts: { paused_until: draw.paused_until!.toISOString() } })
  const length_ms = minutes * 60_000
  const paused_until = new Date(tx.now.getTime() + length_ms)
  await putOff(tx, draw, new Date(draw.closes_at.getTime() + length_ms), why)
  await updateDraw(tx, draw.id, { paused_at: tx.now, paused_until })
  Object.assign(draw, { paused_at: tx.now, paused_until })
  const said = { paused_until: paused_until.toISOString(), closes_at: draw.closes_at.toISOString(), why }
  tell(tx, draw, 'draw.paused', said)
  audit(tx, draw, 'draw.paused', draw.status, said)
  await game.moved?.(tx, draw)
}

/** Ends a pause: when its time is over, or earlier by a person. The close stays where the pause put it. */
export async function endPause(tx: Tx, draw: DrawRow, game: DrawGame<any>): Promise<void> {
  const { paused_until } = draw
  await updateDraw(tx, draw.id, { paused_at: null, paused_until: null })
  Object.assign(draw, { paused_at: null, paused_until: null })
  const said = { closes_at: draw.closes_at.toISOString() }
  tell(tx, draw, 'draw.resumed', said)
  audit(tx, draw, 'draw.resumed', draw.status, said, { paused_until: paused_until!.toISOString() })
  await game.moved?.(tx, draw)
}

/**
 * Goes on before the pause is over. What was left of the pause is time for players, because a close never moves earlier.
 * Refuses game_not_found, game_not_open, game_not_paused.
 */
export async function resumeDraw(tx: Tx, input: CloseInput): Promise<void> {
  const { draw, game } = await openDraw(tx, input)
  if (!isPaused(draw, tx.now)) refuse('game_not_paused', { facts: { status: draw.status } })
  await endPause(tx, draw, game)
}
