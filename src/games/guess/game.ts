/**
 * The two games of seeds/000 as draws: a number that is guessed at (kind `guess`), and winners drawn among everybody who
 * entered (kind `draw`). What they decide is FAIR/1's own function; here stands what becomes of it.
 */
import { forfeitPlace, offerPlaces } from '../../claims/offers.ts'
import type { Tx } from '../../db/tx.ts'
import type { DecidedOver, DrawGame, NewEntry } from '../../draws/game.ts'
import type { DrawRow, WinnerRow } from '../../draws/store.ts'
import type { Kind } from '../../fairness/commit.ts'
import type { WordSource } from '../../fairness/rolls.ts'
import { type Config, deriveFrom } from '../../fairness/transcript.ts'
import { newId } from '../../ids.ts'
import { grantPrizes } from '../../prizes/grant.ts'
import { tellLobby } from '../lobby.ts'
import { playerNames } from '../players.ts'
import { guessEntry } from './lobby.ts'
import {
  giveawayConfigSchema,
  guessConfigSchema,
  isClaimed,
  notAwardedOf,
  placesOfGiveaway,
  placesOfGuess,
  winningNumbersOf,
} from './rules.ts'
import {
  type GameRow,
  insertGameHistory,
  insertLostPlays,
  insertWinnerHistory,
  insertWinningNumbers,
  loadGameForUpdate,
  loadSubmissionsInForce,
  loadSubmissionsOf,
  loadWinnerHistory,
  markWinners,
  updateGame,
} from './store.ts'

/** Time for the checkpoint over the list, and for relays to agree on the round (fair-1.md section 7.3). */
const MARGIN_MS = 60_000
const FALLBACK = { onOutage: 'void', deadlineS: 24 * 3_600, postponeBy: 200, maxPostpones: 3 } as const
const REVEAL = { lead_ms: 3_000, step_ms: 2_000 }

const decideBy =
  (kind: Kind) =>
  (config: Config, entries: DecidedOver, rolls: WordSource): Record<string, unknown> =>
    deriveFrom(rolls, { kind, config, entries }).outcome

const shared = {
  margin_ms: MARGIN_MS,
  fallback: FALLBACK,
  reveal: () => REVEAL,
  moved,
  drawn,
  award,
  /** Nothing is paid to guess. */
  refund: async () => {},
  forfeit: (tx: Tx, draw: DrawRow, who: Parameters<typeof forfeitPlace>[2]) =>
    forfeitPlace(tx, draw.game_id, who),
  shown,
}

/** Guess the number; every leaf is looked at. */
export const GUESS_GAME: DrawGame<Config> = {
  ...shared,
  game: 'guess',
  kind: 'guess',
  configSchema: guessConfigSchema as never,
  reads: () => 'all',
  drawCount: () => 0,
  decide: decideBy('guess'),
  places: (config, outcome) =>
    placesOfGuess(config as unknown as { winners: number }, outcome['winners'] as number[]),
  fills: 'at_close',
  entries: entriesInForce,
}

/** A giveaway: winners are drawn among all who entered. */
export const GIVEAWAY_GAME: DrawGame<Config> = {
  ...shared,
  game: 'giveaway',
  kind: 'draw',
  configSchema: giveawayConfigSchema as never,
  reads: (config) => (config['onePrizePerEntrant'] === true ? 'all' : 'none'),
  drawCount: () => 0,
  decide: decideBy('draw'),
  places: (_config, outcome) => placesOfGiveaway(outcome as Parameters<typeof placesOfGiveaway>[0]),
}

/** Where guesses may be replaced, the list is made at the close, of those in force, in the order of their acceptance. */
async function entriesInForce(tx: Tx, draw: DrawRow, after: string | null, limit: number) {
  const rows = await loadSubmissionsInForce(tx, draw.game_id, Number(after ?? -1), limit)
  const entries = rows.map(
    ({ id, user_id, guess }): NewEntry => ({
      user_id,
      ref_id: id,
      facts: guess === null ? {} : { g: guess },
    }),
  )
  return { entries, after: rows.length < limit ? null : String(rows.at(-1)!.seq) }
}

async function gameOfDraw(tx: Tx, draw: DrawRow): Promise<GameRow> {
  const game = await loadGameForUpdate(tx, draw.game_id)
  if (game === undefined) throw new Error(`draw ${draw.id} is of no game`)
  return game
}

async function moved(tx: Tx, draw: DrawRow): Promise<void> {
  const promised =
    draw.status === 'scheduled'
      ? { draw_id: draw.id, hash_value: draw.commit_hash, published_at: tx.now, opens_at: draw.opens_at }
      : {}
  await updateGame(tx, draw.game_id, { status: draw.status, ...promised })
  tellLobby(tx, guessEntry(await gameOfDraw(tx, draw)))
}

/** Numbers, winners and who they are, together with the outcome itself (S0-30). Shown when the draw shows them. */
async function drawn(tx: Tx, draw: DrawRow, winners: readonly WinnerRow[]): Promise<void> {
  await insertWinningNumbers(tx, draw.game_id, winningNumbersOf(draw.outcome))
  const guesses = new Map(
    (
      await loadSubmissionsOf(
        tx,
        winners.map(({ ref_id }) => ref_id),
      )
    ).map(({ id, guess }) => [id, guess]),
  )
  await insertWinnerHistory(
    tx,
    draw.game_id,
    winners.map(({ user_id, place, ref_id, is_alternate }) => ({
      id: newId(),
      user_id,
      place,
      submission_id: ref_id,
      guess: guesses.get(ref_id) ?? null,
      is_alternate,
    })),
  )
}

/** Gives what arrives by itself, offers what is handed over, says who won, and files the game (S0-31). */
async function award(tx: Tx, draw: DrawRow, winners: readonly WinnerRow[]): Promise<void> {
  const game = await gameOfDraw(tx, draw)
  const won = winners.filter(({ is_alternate }) => !is_alternate)
  await markWinners(
    tx,
    game.id,
    won.map(({ user_id }) => user_id),
  )
  const paid = !isClaimed(game.reward_type)
  if (paid) await grant(tx, game, draw, won)
  else await offerPlaces(tx, game, won)
  await insertLostPlays(tx, {
    game_id: game.id,
    wallet_game_id: game.wallet_game_id!,
    except: paid ? won.map(({ ref_id }) => ref_id) : [],
  })
  const record = await recordOf(tx, game, draw)
  await insertGameHistory(tx, game.id, record)
  const { winning_numbers, not_awarded } = record
  tx.emit({
    gameId: game.id,
    type: 'game.completed',
    data: { draw_id: draw.id, winning_numbers, not_awarded },
  })
}

async function grant(tx: Tx, game: GameRow, draw: DrawRow, won: readonly WinnerRow[]): Promise<void> {
  const verdicts = await grantPrizes(
    tx,
    won.map(({ user_id, ref_id, place }) => ({
      user_id,
      prize_id: game.prize_id!,
      game_id: game.wallet_game_id!,
      event_id: ref_id,
      game_data: { game: 'guess', title: game.title, place, draw_id: draw.id },
    })),
  )
  verdicts.forEach((verdict, i) => {
    if ('answer' in verdict) return
    // The place stays won: an auditor finds it here, and staff settles it by hand.
    tx.audit({
      action: 'game.prize_not_given',
      entity_type: 'game',
      entity_id: game.id,
      new_values: {
        draw_id: draw.id,
        place: won[i]!.place,
        user_id: won[i]!.user_id,
        code: verdict.refusal.code,
      },
    })
  })
}

/** The closed game as it was shown. */
async function recordOf(tx: Tx, game: GameRow, draw: DrawRow): Promise<Record<string, unknown>> {
  const history = await loadWinnerHistory(tx, game.id)
  const nameOf = await playerNames(tx)
  return {
    title: game.title,
    mode: game.mode,
    rule: game.rule,
    guess_min: game.guess_min,
    guess_max: game.guess_max,
    reward_type: game.reward_type,
    number_of_winners: game.number_of_winners,
    not_awarded: notAwardedOf(game.number_of_winners, history),
    submission_count: game.submission_count,
    participant_count: game.participant_count,
    opens_at: draw.opens_at.toISOString(),
    closes_at: draw.closes_at.toISOString(),
    drawn_at: draw.drawn_at!.toISOString(),
    commit_hash: draw.commit_hash,
    entries_root: draw.entries_root,
    winning_numbers: winningNumbersOf(draw.outcome),
    winners: history.map(({ user_id, place, guess, is_alternate }) => ({
      place,
      player: nameOf(user_id),
      guess,
      is_alternate,
    })),
    verify: `/api/v1/verify/${draw.id}`,
  }
}

/** People see what a winner guessed. */
async function shown(tx: Tx, winners: readonly WinnerRow[]): Promise<Record<string, unknown>[]> {
  const guesses = new Map(
    (
      await loadSubmissionsOf(
        tx,
        winners.map(({ ref_id }) => ref_id),
      )
    ).map(({ id, guess }) => [id, guess]),
  )
  return winners.map(({ ref_id }) => ({ guess: guesses.get(ref_id) ?? null }))
}
