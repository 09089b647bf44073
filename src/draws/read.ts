/** What everybody may see of a draw: its state in a sentence, its list by pseudonym, its winners as they are shown. */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { type CommitDoc, TRUST_SENTENCES, type TrustLabel, trustLabel } from '../fairness/commit.ts'
import type { Config } from '../fairness/transcript.ts'
import { playerNames } from '../games/players.ts'
import { roundOutAt } from '../proofs/shared-draw.ts'
import { isPaused } from './close.ts'
import { gameOf, inOrderOfShowing, type WinnerView, winnerViews } from './draws.ts'
import type { DrawGames } from './game.ts'
import { CANCEL_REASONS, DRAW_STATES, type DrawStatus } from './lifecycle.ts'
import { type InclusionView, proveEntry } from './list.ts'
import {
  type DrawRow,
  loadDraw,
  loadEntries,
  loadEntriesAt,
  loadMoves,
  loadRedrawOf,
  loadRedraws,
  loadWinners,
  type RedrawRow,
} from './store.ts'

export type DrawView = {
  draw_id: string
  game: string
  game_id: string
  draw_name: string
  seq: number
  status: DrawStatus
  says: string
  trust: TrustLabel
  trust_says: string
  commit_hash: string
  config: Record<string, unknown>
  opens_at: string
  closes_at: string
  /** Nobody enters until then; null when it is not paused. */
  paused_until: string | null
  /** How the close was put off, in order, each with its place in the public log. */
  extensions: { from: string; closes_at: string; at: string; log_index: number }[]
  draw_at: string
  entry_count: number
  entries_root: string | null
  frozen_at: string | null
  beacon: { chain: string; round: number; out_at: string | null } | null
  drawn_at: string | null
  settle_at: string | null
  settled_at: string | null
  cancelled: { reason: string; says: string; at: string } | null
  place_count: number
  reveals: { place: number; reveal_at: string }[]
  winners: WinnerView[]
  redraw_of: string | null
  redraw_reason: string | null
  redraws: RedrawView[]
  verify: string | null
  server_time: string
}

export type RedrawView = {
  reason: string
  places: number[]
  asked_by: string
  asked_at: string
  decision: string | null
  decided_by: string | null
  decided_at: string | null
  new_draw_id: string | null
}

/** Refuses game_not_found for a draw that is not there. */
async function drawOrRefuse(tx: Tx, draw_id: string): Promise<DrawRow> {
  return (await loadDraw(tx, draw_id)) ?? refuse('not_found')
}

const iso = (at: Date | null): string | null => at?.toISOString() ?? null

/** A draw as its public page shows it. Refuses not_found. */
export async function readDraw(
  tx: Tx,
  { draw_id, games }: { draw_id: string; games: DrawGames },
): Promise<DrawView> {
  return drawView(tx, await drawOrRefuse(tx, draw_id), games)
}

export async function drawView(tx: Tx, draw: DrawRow, games: DrawGames): Promise<DrawView> {
  const doc = JSON.parse(draw.doc) as CommitDoc
  const config = JSON.parse(draw.config) as Config
  const trust = trustLabel(doc, config)
  const order = inOrderOfShowing(await loadWinners(tx, draw.id))
  // What was told stays told, also when a clock is set back.
  const shown = order
    .filter((winner, i) => i < draw.revealed_count || winner.reveal_at <= tx.now)
    .sort((a, b) => a.place - b.place)
  return {
    draw_id: draw.id,
    game: draw.game,
    game_id: draw.game_id,
    draw_name: draw.draw_name,
    seq: draw.seq,
    status: draw.status,
    says: DRAW_STATES[draw.status],
    trust,
    trust_says: TRUST_SENTENCES[trust],
    commit_hash: draw.commit_hash,
    config,
    opens_at: draw.opens_at.toISOString(),
    closes_at: draw.closes_at.toISOString(),
    paused_until: isPaused(draw, tx.now) ? draw.paused_until!.toISOString() : null,
    extensions: draw.extension_count === 0 ? [] : await extensionsOf(tx, draw, doc),
    draw_at: draw.draw_at.toISOString(),
    entry_count: draw.entry_count,
    entries_root: draw.entries_root,
    frozen_at: iso(draw.frozen_at),
    beacon: beaconView(doc, draw),
    drawn_at: iso(draw.drawn_at),
    settle_at: iso(draw.settle_at),
    settled_at: iso(draw.settled_at),
    cancelled: draw.cancel_reason && {
      reason: draw.cancel_reason,
      says: CANCEL_REASONS[draw.cancel_reason],
      at: draw.cancelled_at!.toISOString(),
    },
    place_count: draw.place_count,
    reveals: order.map(({ place, reveal_at }) => ({ place, reveal_at: reveal_at.toISOString() })),
    winners: await winnerViews(tx, gameOf(games, draw.game), draw, shown),
    redraw_of: draw.redraw_of,
    redraw_reason: draw.redraw_of === null ? null : ((await loadRedrawOf(tx, draw.id))?.reason ?? null),
    redraws: await Promise.all((await loadRedraws(tx, draw.id)).map((row) => redrawView(tx, row))),
    verify: draw.status === 'settled' ? `/api/v1/verify/${draw.id}` : null,
    server_time: tx.now.toISOString(),
  }
}

/** A draw with those winners whose showing is an event already: what the events so far come to, for rooms. */
export async function toldView(tx: Tx, draw: DrawRow, games: DrawGames): Promise<DrawView> {
  const view = await drawView(tx, draw, games)
  const told = new Set(view.reveals.slice(0, draw.revealed_count).map(({ place }) => place))
  return { ...view, winners: view.winners.filter(({ place }) => told.has(place)) }
}

async function extensionsOf(tx: Tx, draw: DrawRow, doc: CommitDoc): Promise<DrawView['extensions']> {
  let from = doc.closesAt!
  const extensions: DrawView['extensions'] = []
  for (const { closes_at, at, log_index } of await loadMoves(tx, draw.commit_hash)) {
    if (closes_at === null) continue
    extensions.push({ from, closes_at, at, log_index })
    from = closes_at
  }
  return extensions
}

function beaconView({ beacon, ...doc }: CommitDoc, draw: DrawRow): DrawView['beacon'] {
  if (beacon === undefined) return null
  const round = draw.beacon_round!
  return { chain: beacon.chain, round, out_at: iso(roundOutAt({ ...doc, beacon }, round)) }
}

/** A request for a redraw as everybody sees it: staff by pseudonym, like everybody else. */
export async function redrawView(tx: Tx, row: RedrawRow): Promise<RedrawView> {
  const name = await playerNames(tx)
  return {
    reason: row.reason,
    places: row.places,
    asked_by: name(row.asked_by),
    asked_at: row.asked_at.toISOString(),
    decision: row.decision,
    decided_by: row.decided_by && name(row.decided_by),
    decided_at: iso(row.decided_at),
    new_draw_id: row.new_draw_id,
  }
}

/** True when the list may be read: with the winners, not before (fair-1.md section 9). */
const isListPublic = ({ status }: DrawRow): boolean => status === 'drawn' || status === 'settled'

export type ListView = { data: Record<string, unknown>[]; next_cursor: string | null }

/** A page of the leaves of a list in order, each as it was hashed. Refuses not_found, not_yet_revealed. */
export async function readList(
  tx: Tx,
  { draw_id, from, limit }: { draw_id: string; from: number; limit: number },
): Promise<ListView> {
  const draw = await drawOrRefuse(tx, draw_id)
  if (!isListPublic(draw))
    refuse('not_yet_revealed', { detail: 'The list is published when the winners are drawn.' })
  const rows = await loadEntries(tx, draw_id, from, from + limit)
  const end = from + rows.length
  return {
    data: rows.map((row) => JSON.parse(row.leaf) as Record<string, unknown>),
    next_cursor: end < draw.entry_count ? String(end) : null,
  }
}

/**
 * Proof that one entry is on the sealed list. Everybody may ask once the winners are drawn; before, an entrant for the
 * own entries. Refuses not_found, not_yet_revealed.
 */
export async function readProof(
  tx: Tx,
  { draw_id, entry, user_id }: { draw_id: string; entry: number; user_id: string | null },
): Promise<InclusionView> {
  const draw = await drawOrRefuse(tx, draw_id)
  if (!isListPublic(draw)) {
    const [row] = await loadEntriesAt(tx, draw_id, [entry])
    if (row === undefined || row.user_id !== user_id) {
      const detail = 'Before the winners are drawn only the entrant sees the own entry: send your token.'
      refuse('not_yet_revealed', { detail })
    }
  }
  return proveEntry(tx, draw, entry)
}

export type ReplayView = {
  draw_id: string
  duration_ms: number
  frames: { after_ms: number; type: string; data: Record<string, unknown> }[]
}

/**
 * A past draw as a film: what was shown, and how long after the close. A player divides the times by its speed.
 * Refuses not_found, not_yet_revealed.
 */
export async function readReplay(
  tx: Tx,
  { draw_id, games }: { draw_id: string; games: DrawGames },
): Promise<ReplayView> {
  const draw = await drawOrRefuse(tx, draw_id)
  if (draw.status !== 'settled') refuse('not_yet_revealed', { facts: { status: draw.status } })
  const begin = draw.frozen_at!.getTime()
  const frame = (at: Date, type: string, data: Record<string, unknown> = {}) => ({
    after_ms: at.getTime() - begin,
    type,
    data,
  })
  const order = inOrderOfShowing(await loadWinners(tx, draw_id))
  const views = await winnerViews(tx, gameOf(games, draw.game), draw, order)
  const { entry_count, entries_root, place_count } = draw
  const frames = [
    frame(draw.frozen_at!, 'draw.closed', { entry_count, entries_root }),
    frame(draw.drawn_at!, 'draw.drawn', { place_count }),
    ...order.map((winner, i) => frame(winner.reveal_at, 'draw.revealed', views[i]!)),
    frame(draw.settled_at!, 'draw.settled'),
  ]
  return { draw_id, duration_ms: frames.at(-1)!.after_ms, frames }
}
