/**
 * The use cases of every draw: committed to, moved on by what is due, called off, drawn again. Each move is one
 * transaction under the lock of the draw's row, so that any process may make it at any time and it is made once.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import type { CommitDoc } from '../fairness/commit.ts'
import { context, sampling, take, type WordSource, words } from '../fairness/rolls.ts'
import type { Config, Leaf } from '../fairness/transcript.ts'
import { playerNames } from '../games/players.ts'
import { newId } from '../ids.ts'
import { NODE_HASH } from '../node-hash.ts'
import type { BeaconRound, RoundEntropy } from '../proofs/round-entropy.ts'
import { commitShared, outcomeKey, revealShared, roundOutAt } from '../proofs/shared-draw.ts'
import { loadCheckpointed } from '../proofs/store.ts'
import { endPause } from './close.ts'
import type { DrawGame, DrawGames, NewDrawInput } from './game.ts'
import {
  type CancelReason,
  canMove,
  type DrawStatus,
  due,
  type Fallback,
  mayPersonCancel,
  revealTimes,
} from './lifecycle.ts'
import { addEntries, rootOfList } from './list.ts'
import {
  type DrawChange,
  type DrawRow,
  decideRedraw,
  insertDraw,
  insertRedraw,
  insertWinners,
  isDecided,
  loadDraw,
  loadDrawsForUpdate,
  loadEntries,
  loadEntriesAt,
  loadLastSeq,
  loadOpenRedrawForUpdate,
  loadRootCoveredAt,
  loadWinners,
  type RedrawRow,
  updateDraw,
  type WinnerRow,
} from './store.ts'
import { audit, tell } from './tell.ts'

export type DrawDeps = { games: DrawGames; entropy: RoundEntropy }

export function gameOf(games: DrawGames, name: string): DrawGame<any> {
  const game = games.get(name)
  if (game === undefined) throw new Error(`there is no game called ${name}`)
  return game
}

/**
 * Commits to a draw: config, entries rule, close and entropy are fixed and in the log from here on. It opens when a
 * checkpoint covers that. Refuses entropy_unavailable; a config that its game does not take is a bug of the caller.
 */
export async function createDraw(
  tx: Tx,
  game: DrawGame<any>,
  input: NewDrawInput,
  entropy: RoundEntropy,
): Promise<DrawRow> {
  const { game_id, draw_name, opens_at, closes_at, draw_at } = input
  const config = game.configSchema.parse(input.config) as Config
  const seq = (await loadLastSeq(tx, game_id, game.kind)) + 1
  const { doc, commit_hash, seed_id, trust } = await commitShared(tx, {
    kind: game.kind,
    gameId: game_id,
    seq,
    config,
    config_version: 1,
    opens_at,
    closes_at,
    margin_ms: Math.max(game.margin_ms, draw_at.getTime() - closes_at.getTime()),
    fallback: game.fallback,
    entropy,
  })
  const id = input.id ?? newId()
  await insertDraw(tx, {
    id,
    game: game.game,
    game_id,
    draw_name,
    kind: game.kind,
    seq,
    commit_hash,
    seed_id,
    opens_at,
    closes_at,
    draw_at,
    after_draw_id: input.after_draw_id ?? null,
    redraw_of: input.redraw_of ?? null,
    is_filled: input.is_copied !== true,
    beacon_round: doc.beacon?.round ?? null,
  })
  const draw = (await loadDraw(tx, id))!
  tell(tx, draw, 'draw.scheduled', {
    draw_name,
    seq,
    commit_hash,
    trust,
    opens_at: opens_at.toISOString(),
    closes_at: closes_at.toISOString(),
    draw_at: draw_at.toISOString(),
    ...(draw.redraw_of && { redraw_of: draw.redraw_of }),
  })
  audit(tx, draw, 'draw.scheduled', null, { draw_name, game: game.game, game_id, commit_hash })
  await game.moved?.(tx, draw)
  return draw
}

/** What a step may need from outside the transaction; obtained before it and checked inside. */
export type Obtained = { beacon?: BeaconRound }

export type Advanced = {
  status: DrawStatus
  /** What was done; null when nothing was due. */
  did: string | null
  /** When to ask again; null when it waits for something other than time. */
  again_at: Date | null
}

/** Entries that are copied in one transaction. */
const FILL_COUNT = 5_000

/**
 * Makes the one step of a draw that is due, if one is. Locks the row first: two processes make each step once.
 * Refuses game_not_found.
 */
export async function advance(
  tx: Tx,
  { draw_id, obtained, games }: { draw_id: string; obtained: Obtained; games: DrawGames },
): Promise<Advanced> {
  const [draw] = await loadDrawsForUpdate(tx, [draw_id])
  if (draw === undefined) refuse('game_not_found')
  const game = gameOf(games, draw.game)
  const step = due(await factsOf(tx, draw, obtained, games), tx.now)
  switch (step.step) {
    case 'none':
      return { status: draw.status, did: null, again_at: step.wait_until }
    case 'fill':
      await fill(tx, draw, game)
      break
    case 'postpone':
      await postpone(tx, draw)
      break
    case 'resume':
      await endPause(tx, draw, game)
      break
    case 'reveal':
      await showNext(tx, draw, game)
      break
    case 'cancel':
      await cancel(tx, draw, game, step.reason)
      break
    case 'move':
      if (step.to === 'open') await move(tx, draw, game, 'open', {})
      else if (step.to === 'closed') await close(tx, draw, game)
      else if (step.to === 'drawing') await move(tx, draw, game, 'drawing', {})
      else if (step.to === 'drawn') await decide(tx, draw, game, obtained)
      else await settle(tx, draw, game)
  }
  return { status: draw.status, did: step.step === 'move' ? step.to : step.step, again_at: tx.now }
}

async function factsOf(tx: Tx, draw: DrawRow, obtained: Obtained, games: DrawGames) {
  const doc = JSON.parse(draw.doc) as CommitDoc
  const winners = draw.status === 'drawn' ? await loadWinners(tx, draw.id) : []
  return {
    ...draw,
    is_commit_covered:
      draw.status !== 'scheduled' || (await loadCheckpointed(tx, [draw.commit_hash])).has(draw.commit_hash),
    root_covered_at: draw.status === 'closed' ? await loadRootCoveredAt(tx, draw.commit_hash) : null,
    is_fillable: draw.after_draw_id === null || (await isDecided(tx, draw.after_draw_id)),
    fills_from: gameOf(games, draw.game).fills === 'at_close' ? draw.closes_at : null,
    round_at: roundOutAt(doc, draw.beacon_round),
    fallback: (doc.fallback ?? {}) as Fallback,
    has_value: doc.beacon === undefined || obtained.beacon !== undefined,
    reveal_at: inOrderOfShowing(winners)[draw.revealed_count]?.reveal_at ?? null,
  }
}

/** Winners as they are shown: by time, of one time the last place first. */
export function inOrderOfShowing(winners: readonly WinnerRow[]): WinnerRow[] {
  return [...winners].sort((a, b) => a.reveal_at.getTime() - b.reveal_at.getTime() || b.place - a.place)
}

/** Makes a move that the table of states allows, and brings `draw` up to date. The caller holds the row's lock. */
async function move(
  tx: Tx,
  draw: DrawRow,
  game: DrawGame<any>,
  to: DrawRow['status'],
  change: DrawChange,
  data: Record<string, unknown> = {},
): Promise<void> {
  const from = draw.status
  if (!canMove(from, to)) throw new Error(`a draw that is ${from} cannot become ${to}`)
  await updateDraw(tx, draw.id, { ...change, status: to })
  Object.assign(draw, change, { status: to })
  tell(tx, draw, `draw.${to}`, data)
  audit(tx, draw, `draw.${to}`, from, data)
  await game.moved?.(tx, draw)
}

async function fill(tx: Tx, draw: DrawRow, game: DrawGame<any>): Promise<void> {
  if (game.entries === undefined) throw new Error(`${game.game} does not say who is on a copied list`)
  const { entries, after } = await game.entries(tx, draw, draw.fill_after, FILL_COUNT)
  await addEntries(tx, draw, entries, { is_filled: after === null, fill_after: after })
}

/** Puts the beacon round off before it is out (fair-1.md section 7.3): logged, so that a verifier follows it. */
async function postpone(tx: Tx, draw: DrawRow): Promise<void> {
  const { fallback } = JSON.parse(draw.doc) as CommitDoc
  const from = draw.beacon_round!
  const to = from + fallback!.postponeBy!
  const change = { beacon_round: to, postpone_count: draw.postpone_count + 1 }
  await updateDraw(tx, draw.id, change)
  Object.assign(draw, change)
  tx.log({ type: 'postpone', commitHash: draw.commit_hash, from, to })
  tell(tx, draw, 'draw.postponed', { from, to })
  audit(tx, draw, 'draw.postponed', draw.status, { from, to })
}

async function close(tx: Tx, draw: DrawRow, game: DrawGame<any>): Promise<void> {
  const entries_root = rootOfList(draw)
  tx.log({ type: 'root', commitHash: draw.commit_hash, n: draw.entry_count, root: entries_root })
  const data = { entry_count: draw.entry_count, entries_root }
  await move(tx, draw, game, 'closed', { entries_root, frozen_at: tx.now }, data)
}

async function decide(tx: Tx, draw: DrawRow, game: DrawGame<any>, { beacon }: Obtained): Promise<void> {
  const doc = JSON.parse(draw.doc) as CommitDoc
  const config = JSON.parse(draw.config) as Config
  const { key, randomness } = await outcomeKey(tx, doc, draw.seed_id, beacon, draw.beacon_round)
  const ctx = context(draw.kind, [draw.commit_hash, draw.entries_root!, draw.entry_count, randomness])
  const outcome = await outcomeOf(tx, draw, game, config, () => words(key, ctx, NODE_HASH))
  const places = game.places(config, outcome)
  const winner_count = places.filter((each) => each.prize !== null).length
  const times = revealTimes(tx.now, winner_count, places.length - winner_count, game.reveal(config))
  const settle_at = new Date(Math.max(tx.now.getTime(), ...times.map((at) => at.getTime())))
  const rows = new Map(
    (
      await loadEntriesAt(
        tx,
        draw.id,
        places.map((each) => each.entry_index),
      )
    ).map((row) => [row.entry_index, row]),
  )
  const winners = places.map(({ entry_index, prize }, i) => {
    const { user_id, ref_id } = rows.get(entry_index)!
    return { place: i + 1, entry_index, user_id, ref_id, prize, reveal_at: times[i]! }
  })
  if (beacon !== undefined) tx.log({ type: 'beacon', commitHash: draw.commit_hash, ...beacon })
  tx.log({ type: 'result', commitHash: draw.commit_hash, ctx, outcome })
  const change = {
    ctx,
    outcome,
    place_count: places.length,
    drawn_at: tx.now,
    settle_at,
    ...(beacon !== undefined && { beacon }),
  }
  // Who won is told when it is shown, not before.
  const data = {
    place_count: places.length,
    reveals: winners.map(({ place, reveal_at }) => ({ place, reveal_at: reveal_at.toISOString() })),
    settle_at: settle_at.toISOString(),
  }
  await move(tx, draw, game, 'drawn', change, data)
  await insertWinners(tx, draw.id, winners)
  await game.drawn?.(tx, draw, await loadWinners(tx, draw.id))
}

/** Leaves that are read at once where an outcome needs all of them, and looked at in one turn of the event loop. */
const LEAF_PAGE = 2_000

/** Decides over as many leaves as the game reads: none, the drawn ones (more of them as long as one is missing), or all. */
async function outcomeOf(
  tx: Tx,
  draw: DrawRow,
  game: DrawGame<any>,
  config: Config,
  rolls: () => WordSource,
): Promise<Record<string, unknown>> {
  const n = draw.entry_count
  const reads = game.reads(config)
  if (reads === 'none') return game.decide(config, { n }, rolls())
  const list: Leaf[] = []
  list.length = n
  const keep = (leaf: Leaf, index: number) => {
    list[index] = leaf
  }
  if (reads === 'all') {
    const narrowing = game.narrows?.(config, rolls()) ?? null
    for (let from = 0; from < n; from += LEAF_PAGE) {
      await readLeaves(loadEntries(tx, draw.id, from, from + LEAF_PAGE), narrowing?.see ?? keep)
      await nextTurn()
    }
    return game.decide(config, { n, list: narrowing?.leaves() ?? list }, rolls())
  }
  // The stream says which leaves come next, whatever they are: read them until they decide it.
  for (let count = game.drawCount(config); ; count *= 2) {
    const drawn = take(sampling(rolls(), n), Math.min(n, count))
    await readLeaves(loadEntriesAt(tx, draw.id, drawn), keep)
    const is_enough = game.isEnough?.(
      config,
      drawn.map((index) => list[index]!),
    )
    if (is_enough === true || drawn.length === n) return game.decide(config, { n, list }, rolls())
  }
}

async function readLeaves(
  rows: Promise<{ entry_index: number; leaf: string }[]>,
  see: (leaf: Leaf, index: number) => void,
): Promise<void> {
  for (const { entry_index, leaf } of await rows) see(JSON.parse(leaf) as Leaf, entry_index)
}

/** Shows every winner whose time has come. */
async function showNext(tx: Tx, draw: DrawRow, game: DrawGame<any>): Promise<void> {
  const order = inOrderOfShowing(await loadWinners(tx, draw.id))
  const due = order.slice(draw.revealed_count).filter((winner) => winner.reveal_at <= tx.now)
  const views = await winnerViews(tx, game, draw, due)
  const revealed_count = draw.revealed_count + due.length
  await updateDraw(tx, draw.id, { revealed_count })
  Object.assign(draw, { revealed_count })
  for (const view of views) tell(tx, draw, 'draw.revealed', view)
}

export type WinnerView = {
  place: number
  player: string
  entry_index: number
  prize: string | null
  is_alternate: boolean
  reveal_at: string
}

/** Winners as everybody may see them. */
export async function winnerViews(
  tx: Tx,
  game: DrawGame<any>,
  draw: DrawRow,
  winners: readonly WinnerRow[],
): Promise<WinnerView[]> {
  const shown = (await game.shown?.(tx, winners, draw)) ?? []
  const nameOf = await playerNames(tx)
  return winners.map(({ place, user_id, entry_index, prize, is_alternate, reveal_at }, i) => ({
    place,
    player: nameOf(user_id),
    entry_index,
    prize,
    is_alternate,
    reveal_at: reveal_at.toISOString(),
    ...shown[i],
  }))
}

async function settle(tx: Tx, draw: DrawRow, game: DrawGame<any>): Promise<void> {
  await revealShared(tx, draw.seed_id)
  await move(tx, draw, game, 'settled', { settled_at: tx.now })
  await game.award(tx, draw, await loadWinners(tx, draw.id))
}

async function cancel(
  tx: Tx,
  draw: DrawRow,
  game: DrawGame<any>,
  cancel_reason: CancelReason,
  more: Record<string, unknown> = {},
): Promise<void> {
  tx.log({ type: 'void', commitHash: draw.commit_hash, reason: cancel_reason })
  const change = { cancel_reason, cancelled_at: tx.now }
  await move(tx, draw, game, 'cancelled', change, { reason: cancel_reason, ...more })
  await revealShared(tx, draw.seed_id)
  await game.refund(tx, draw, cancel_reason)
}

/**
 * Calls draws off, with a reason, before their entries closed; what was paid is given back. All of them or none.
 * Refuses game_not_found, draw_closed.
 */
export async function cancelDraws(
  tx: Tx,
  { draw_ids, why, games }: { draw_ids: readonly string[]; why: string; games: DrawGames },
): Promise<void> {
  const draws = await loadDrawsForUpdate(tx, draw_ids)
  if (draws.length !== draw_ids.length) refuse('game_not_found')
  for (const draw of draws) {
    // A clock that passed the close decides like the row that says so.
    if (!mayPersonCancel(draw.status) || tx.now >= draw.closes_at)
      refuse('draw_closed', { facts: { draw_id: draw.id, status: draw.status } })
  }
  for (const draw of draws) await cancel(tx, draw, gameOf(games, draw.game), 'by_person', { why })
}

/**
 * Asks for a second draw over the places of a settled draw that nobody stands on any more. Somebody else decides.
 * Refuses game_not_found, redraw_refused.
 */
export async function askRedraw(
  tx: Tx,
  { draw_id, reason, games }: { draw_id: string; reason: string; games: DrawGames },
): Promise<RedrawRow> {
  const [draw] = await loadDrawsForUpdate(tx, [draw_id])
  if (draw === undefined) refuse('game_not_found')
  if (draw.status !== 'settled')
    refuse('redraw_refused', { detail: 'Only a settled draw can be drawn again.' })
  if ((await loadOpenRedrawForUpdate(tx, draw_id)) !== undefined)
    refuse('redraw_refused', { detail: 'A request for this draw waits for its decision.' })
  const places = (await gameOf(games, draw.game).vacancies?.(tx, draw)) ?? []
  if (places.length === 0)
    refuse('redraw_refused', { detail: 'Every place of this draw has a winner who stands, or an alternate.' })
  const id = newId()
  await insertRedraw(tx, { id, draw_id, reason, places, asked_by: tx.actor.userId })
  tell(tx, draw, 'draw.redraw_asked', { reason, places })
  tx.audit({
    action: 'draw.redraw_asked',
    entity_type: 'draw',
    entity_id: draw_id,
    new_values: { redraw_id: id, reason, places },
  })
  return (await loadOpenRedrawForUpdate(tx, draw_id))!
}

/**
 * Decides about a redraw that somebody else asked for. Approved, it is a draw of its own, with its own commitment,
 * beside the first: the sealed list of the first is never drawn twice.
 * Refuses game_not_found, redraw_refused, second_person_needed, entropy_unavailable.
 */
export async function decideOnRedraw(
  tx: Tx,
  { draw_id, is_approved, games, entropy }: { draw_id: string; is_approved: boolean } & DrawDeps,
): Promise<{ decision: 'approved' | 'declined'; new_draw_id: string | null }> {
  const [draw] = await loadDrawsForUpdate(tx, [draw_id])
  if (draw === undefined) refuse('game_not_found')
  const redraw = await loadOpenRedrawForUpdate(tx, draw_id)
  if (redraw === undefined) refuse('redraw_refused', { detail: 'Nobody asked for a redraw of this draw.' })
  if (redraw.asked_by === tx.actor.userId) refuse('second_person_needed')
  const game = gameOf(games, draw.game)
  let new_draw_id: string | null = null
  if (is_approved) {
    const input = await game.redraw!(tx, draw, redraw.places)
    new_draw_id = (await createDraw(tx, game, { ...input, redraw_of: draw_id, is_copied: true }, entropy)).id
  }
  const decision = is_approved ? 'approved' : 'declined'
  await decideRedraw(tx, { id: redraw.id, decision, decided_by: tx.actor.userId, new_draw_id })
  tell(tx, draw, 'draw.redraw_decided', { decision, ...(new_draw_id && { new_draw_id }) })
  tx.audit({
    action: `draw.redraw_${decision}`,
    entity_type: 'draw',
    entity_id: draw_id,
    new_values: { redraw_id: redraw.id, asked_by: redraw.asked_by, new_draw_id },
  })
  return { decision, new_draw_id }
}

export type Forfeited = { place: number; status: string; promoted_place: number | null }

/**
 * Takes a winner off a place, by the winner's own wish (no place is named) or by staff with a reason; the next alternate
 * of the same order takes it. Refuses game_not_found, forfeit_refused, and what the game refuses.
 */
export async function forfeitPlace(
  tx: Tx,
  input: { draw_id: string; place: number | null; reason: string | null; games: DrawGames },
): Promise<Forfeited> {
  const [draw] = await loadDrawsForUpdate(tx, [input.draw_id])
  if (draw === undefined) refuse('game_not_found')
  const is_staff = tx.actor.roles.includes('operator')
  if (draw.status !== 'settled') refuse('forfeit_refused', { facts: { status: draw.status } })
  const game = gameOf(input.games, draw.game)
  if (game.forfeit === undefined) refuse('forfeit_refused')
  return game.forfeit(tx, draw, {
    place: is_staff ? input.place : null,
    user_id: is_staff ? null : tx.actor.userId,
    reason: input.reason,
  })
}
