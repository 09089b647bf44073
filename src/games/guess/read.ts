/** What the rooms of a guess game begin with and catch up by. Their number is that of the game's last event. */
import type { GameEvent, Tx } from '../../db/tx.ts'
import type { DrawGames } from '../../draws/game.ts'
import { type DrawView, toldView } from '../../draws/read.ts'
import { loadDraw } from '../../draws/store.ts'
import { refuse } from '../../errors.ts'
import { loadGameVersion, readSince } from '../since.ts'
import { visibleGame } from './games.ts'
import { notAwardedOf, winningNumbersOf } from './rules.ts'
import { type GameRow, loadGame } from './store.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** A published game that this actor may enter; undefined for unknown, foreign and invisible ones alike. */
export async function findGuessGame(
  tx: Tx,
  game: string,
): Promise<Pick<GameRow, 'id' | 'is_public'> | undefined> {
  if (!UUID.test(game)) return undefined
  const found = await visibleGame(tx, game)
  return found === undefined || found.draw_id === null ? undefined : found
}

export type GuessSnapshot = {
  version: number
  game: Pick<
    GameRow,
    'id' | 'title' | 'mode' | 'rule' | 'status' | 'guess_min' | 'guess_max' | 'number_of_winners'
  >
  draw: Pick<
    DrawView,
    | 'draw_id'
    | 'trust'
    | 'commit_hash'
    | 'opens_at'
    | 'closes_at'
    | 'paused_until'
    | 'entries_root'
    | 'settle_at'
    | 'reveals'
    | 'winners'
  > & { cancel_reason: string | null }
  entry_count: number
  /** Once every winner was shown. */
  winning_numbers: number[] | null
  not_awarded: number | null
}

/**
 * Everything a screen needs to begin. Winners are those whose showing is an event already, so that the snapshot is what
 * the events before it come to. Refuses game_not_found.
 */
export async function readGuessSnapshot(
  tx: Tx,
  { game_id, games }: { game_id: string; games: DrawGames },
): Promise<GuessSnapshot> {
  // The number first: an event that commits meanwhile is then folded twice at most, never missed.
  const version = await loadGameVersion(tx, game_id)
  const game = await loadGame(tx, game_id)
  const row = game?.draw_id ? await loadDraw(tx, game.draw_id) : undefined
  if (game === undefined || row === undefined) refuse('game_not_found')
  const { id, title, mode, rule, status, guess_min, guess_max, number_of_winners } = game
  const view = await toldView(tx, row, games)
  const is_over = row.status === 'settled'
  return {
    version,
    game: { id, title, mode, rule, status, guess_min, guess_max, number_of_winners },
    draw: {
      draw_id: view.draw_id,
      trust: view.trust,
      commit_hash: view.commit_hash,
      opens_at: view.opens_at,
      closes_at: view.closes_at,
      // As the events tell it: a pause is over when that is an event.
      paused_until: row.paused_until?.toISOString() ?? null,
      entries_root: view.entries_root,
      settle_at: view.settle_at,
      reveals: view.reveals,
      winners: view.winners,
      cancel_reason: row.cancel_reason,
    },
    entry_count: row.entries_root === null ? game.submission_count : row.entry_count,
    winning_numbers: is_over ? winningNumbersOf(row.outcome) : null,
    not_awarded: is_over ? notAwardedOf(number_of_winners, view.winners) : null,
  }
}

/** The events after a version, or a snapshot when they are too many. Refuses game_not_found. */
export async function readGuessSince(
  tx: Tx,
  { version, ...input }: { game_id: string; version: number; games: DrawGames },
): Promise<{ version: number; events: GameEvent[] } | { snapshot: GuessSnapshot }> {
  return readSince(tx, input.game_id, version, () => readGuessSnapshot(tx, input))
}
