/** A guess game as its creator publishes it and as everybody sees it. */
import { guardCreator } from '../../claims/accountability.ts'
import type { Tx } from '../../db/tx.ts'
import { cancelDraws, createDraw } from '../../draws/draws.ts'
import type { DrawGames } from '../../draws/game.ts'
import { type DrawView, drawView } from '../../draws/read.ts'
import { loadDraw } from '../../draws/store.ts'
import { refuse } from '../../errors.ts'
import type { RoundEntropy } from '../../proofs/round-entropy.ts'
import { LOBBY } from '../lobby.ts'
import { creatorName, playerNames } from '../players.ts'
import { GIVEAWAY_GAME, GUESS_GAME } from './game.ts'
import {
  configOf,
  faultsOf,
  isClaimed,
  notAwardedOf,
  RULE_SENTENCES,
  TIE_SENTENCES,
  winningNumbersOf,
} from './rules.ts'
import {
  type GameRow,
  insertWalletGame,
  isMember,
  loadActiveGames,
  loadGame,
  loadGameForUpdate,
  loadGameOfReel,
  loadLeaders,
  loadMyGuesses,
  loadPlayerStats,
  updateGame,
} from './store.ts'

/** True for who may change a game: its maker, a member of its company, staff of the tenant. */
export async function mayChange(tx: Tx, game: Pick<GameRow, 'creator_id' | 'company_id'>): Promise<boolean> {
  const { userId, roles } = tx.actor
  if (roles.includes('operator') || game.creator_id === userId) return true
  return game.company_id !== null && (await isMember(tx, game.company_id, userId))
}

async function ownGame(tx: Tx, game_id: string): Promise<GameRow> {
  const game = await loadGameForUpdate(tx, game_id)
  if (game === undefined || !(await mayChange(tx, game))) refuse('game_not_found')
  return game
}

/**
 * Publishes a draft: terms and entropy are committed to, and nothing of them changes from here on.
 * Refuses game_not_found, game_published, creator_blocked, invalid_input (every fault at once), reel_in_use,
 * entropy_unavailable.
 */
export async function publishGame(
  tx: Tx,
  { game_id, entropy }: { game_id: string; entropy: RoundEntropy },
): Promise<{ draw_id: string }> {
  const game = await ownGame(tx, game_id)
  if (game.status !== 'draft') refuse('game_published')
  await guardCreator(tx, game)
  const opens_at = game.opens_at !== null && game.opens_at > tx.now ? game.opens_at : tx.now
  const errors = faultsOf({ ...game, opens_at })
  if (errors.length > 0) refuse('invalid_input', { errors })

  await updateGame(tx, game.id, {
    wallet_game_id: await insertWalletGame(tx, game),
    creator_name: await creatorName(tx, game),
  })
  const record = game.mode === 'draw' ? GIVEAWAY_GAME : GUESS_GAME
  try {
    const draw = await createDraw(
      tx,
      record,
      {
        game_id: game.id,
        draw_name: game.title,
        config: configOf(game),
        opens_at,
        closes_at: game.closes_at,
        draw_at: game.closes_at,
        is_copied: game.guess_policy === 'replace_until_close',
      },
      entropy,
    )
    return { draw_id: draw.id }
  } catch (error) {
    // The index decides which of two games has a reel (S0-04).
    if ((error as { constraint?: unknown }).constraint === 'games_one_per_reel')
      refuse('reel_in_use', { facts: { reel_id: game.reel_id } })
    throw error
  }
}

/** Calls a game off before it closed, with a reason. Refuses game_not_found, draw_closed. */
export async function cancelGame(
  tx: Tx,
  { game_id, why, games }: { game_id: string; why: string; games: DrawGames },
): Promise<{ status: string }> {
  const game = await ownGame(tx, game_id)
  if (game.draw_id === null) refuse('draw_closed', { facts: { status: game.status } })
  await cancelDraws(tx, { draw_ids: [game.draw_id], why, games })
  return { status: 'cancelled' }
}

export type GameView = {
  game_id: string
  title: string
  description: string | null
  image_url: string | null
  link_url: string | null
  creator: string
  /** Who answers for the reward: the name of the record at `/creators/{name}`. With a company it is the company's. */
  creator_name: string
  company_id: string | null
  mode: string
  rule: string | null
  rule_says: string | null
  tie_says: string
  guess_min: number | null
  guess_max: number | null
  guess_policy: string
  guesses_per_user: number
  number_of_winners: number
  reward: { type: string; text: string | null; is_claimed: boolean }
  reel_id: string | null
  is_public: boolean
  status: string
  opens_at: string | null
  closes_at: string
  entry_count: number
  participant_count: number
  draw: DrawView | null
  /** Once every winner was shown. */
  winning_numbers: number[] | null
  not_awarded: number | null
  server_time: string
}

export async function gameView(tx: Tx, game: GameRow, games: DrawGames): Promise<GameView> {
  const row = game.draw_id === null ? undefined : await loadDraw(tx, game.draw_id)
  const draw = row === undefined ? null : await drawView(tx, row, games)
  const is_over = row?.status === 'settled'
  return {
    game_id: game.id,
    title: game.title,
    description: game.description,
    image_url: game.image_url,
    link_url: game.link_url,
    creator: (await playerNames(tx))(game.creator_id),
    creator_name: await creatorName(tx, game),
    company_id: game.company_id,
    mode: game.mode,
    rule: game.rule,
    rule_says: game.rule === null ? null : RULE_SENTENCES[game.rule],
    tie_says: TIE_SENTENCES[game.mode],
    guess_min: game.guess_min,
    guess_max: game.guess_max,
    guess_policy: game.guess_policy,
    guesses_per_user: game.guesses_per_user,
    number_of_winners: game.number_of_winners,
    reward: { type: game.reward_type, text: game.reward_text, is_claimed: isClaimed(game.reward_type) },
    reel_id: game.reel_id,
    is_public: game.is_public,
    status: game.status,
    opens_at: game.opens_at?.toISOString() ?? null,
    closes_at: game.closes_at.toISOString(),
    entry_count: game.submission_count,
    participant_count: game.participant_count,
    draw,
    winning_numbers: is_over ? winningNumbersOf(row.outcome) : null,
    not_awarded: is_over ? notAwardedOf(game.number_of_winners, draw!.winners) : null,
    server_time: tx.now.toISOString(),
  }
}

/** A game that this actor may see. Drafts are their maker's; what is not public needs a token. */
export async function visibleGame(tx: Tx, game_id: string): Promise<GameRow | undefined> {
  const game = await loadGame(tx, game_id)
  if (game === undefined) return undefined
  if (game.status === 'draft' && !(await mayChange(tx, game))) return undefined
  if (!game.is_public && tx.actor.userId === '') return undefined
  return game
}

/** Refuses game_not_found for unknown, deleted and invisible games alike. */
export async function readGame(
  tx: Tx,
  { game_id, games }: { game_id: string; games: DrawGames },
): Promise<GameView> {
  const game = (await visibleGame(tx, game_id)) ?? refuse('game_not_found')
  return gameView(tx, game, games)
}

const ACTIVE_COUNT_MAX = 100

/** Games that can be played now or soon, the one that closes first first (S0-11). */
export async function readActiveGames(tx: Tx, { games }: { games: DrawGames }): Promise<GameView[]> {
  const views: GameView[] = []
  for (const game of await loadActiveGames(tx, tx.now, ACTIVE_COUNT_MAX))
    if (game.is_public || tx.actor.userId !== '') views.push(await gameView(tx, game, games))
  return views
}

/** The game that a reel leads to. Refuses game_not_found. */
export async function readReelGame(
  tx: Tx,
  { reel_id, games }: { reel_id: string; games: DrawGames },
): Promise<GameView> {
  const game = (await loadGameOfReel(tx, reel_id)) ?? refuse('game_not_found')
  if (!game.is_public && tx.actor.userId === '') refuse('game_not_found')
  return gameView(tx, game, games)
}

/**
 * A reel ended: whoever watched it is told at once that its game can be played (S0-17). Telling twice is harmless.
 * Refuses game_not_found when no active game is on the reel.
 */
export async function endReel(
  tx: Tx,
  { reel_id, games }: { reel_id: string; games: DrawGames },
): Promise<GameView> {
  const game = await loadGameOfReel(tx, reel_id)
  if (game === undefined || (game.status !== 'open' && game.status !== 'scheduled')) refuse('game_not_found')
  const { id: game_id, title, is_public, closes_at } = game
  tx.emit({
    gameId: LOBBY,
    type: 'lobby.reel_ended',
    data: { reel_id, game_id, title, is_public, status: game.status, closes_at: closes_at.toISOString() },
  })
  return gameView(tx, game, games)
}

export type MyGuess = {
  submission_id: string
  seq: number
  value: number | null
  is_in_force: boolean
  entry_index: number | null
  entrant: string | null
  salt: string | null
  accepted_at: string
}

/** The actor's own guesses with the history of edits (P-05). Refuses game_not_found. */
export async function readMyGuesses(tx: Tx, { game_id }: { game_id: string }): Promise<MyGuess[]> {
  const game = (await visibleGame(tx, game_id)) ?? refuse('game_not_found')
  if (game.draw_id === null) return []
  const rows = await loadMyGuesses(tx, game.id, game.draw_id, tx.actor.userId)
  return rows.map(({ id, seq, guess, replaced_by, entry_index, entrant, salt, created_at }) => ({
    submission_id: id,
    seq,
    value: guess,
    is_in_force: replaced_by === null,
    entry_index,
    entrant,
    salt,
    accepted_at: created_at.toISOString(),
  }))
}

export type Span = { from: Date; to: Date }

/** The actor's record over a span of time (S0-33). */
export async function readMyStats(tx: Tx, { from, to }: Span) {
  const stats = await loadPlayerStats(tx, tx.actor.userId, from, to)
  return { from: from.toISOString(), to: to.toISOString(), ...stats }
}

/** Who won most over a span of time, by pseudonym; of equals who reached it first. */
export async function readLeaders(tx: Tx, { from, to, limit }: Span & { limit: number }) {
  const rows = await loadLeaders(tx, from, to, limit)
  const nameOf = await playerNames(tx)
  return rows.map(({ user_id, wins, games }, i) => ({
    rank: i + 1,
    player: nameOf(user_id),
    is_me: tx.actor.userId !== '' && user_id === tx.actor.userId,
    wins,
    games,
  }))
}
