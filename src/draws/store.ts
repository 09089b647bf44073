/** Every statement over draws, their lists and their winners. One exported function per statement. */
import type { Tx } from '../db/tx.ts'
import type { BeaconRound } from '../proofs/round-entropy.ts'
import type { StoredNode } from '../proofs/stored-tree.ts'
import type { CancelReason, DrawStatus } from './lifecycle.ts'

export type DrawRow = {
  id: string
  game: string
  game_id: string
  draw_name: string
  kind: string
  seq: number
  status: Exclude<DrawStatus, 'draft'>
  commit_hash: string
  seed_id: string | null
  opens_at: Date
  closes_at: Date
  draw_at: Date
  after_draw_id: string | null
  redraw_of: string | null
  is_filled: boolean
  fill_after: string | null
  entry_count: number
  tree: string[]
  entries_root: string | null
  frozen_at: Date | null
  beacon_round: number | null
  postpone_count: number
  /** Nobody enters from the first to the second; null for a draw that is not paused. */
  paused_at: Date | null
  paused_until: Date | null
  extension_count: number
  beacon: BeaconRound | null
  ctx: string | null
  outcome: Record<string, unknown> | null
  place_count: number
  revealed_count: number
  drawn_at: Date | null
  settle_at: Date | null
  settled_at: Date | null
  cancel_reason: CancelReason | null
  cancelled_at: Date | null
  created_at: Date
  /** Of its commitment. */
  doc: string
  config: string
  jws: string
}

const SELECT_DRAW = `select d.id, d.game, d.game_id, d.draw_name, d.kind, d.seq, d.status, d.commit_hash, d.seed_id, d.opens_at, d.closes_at,
    d.draw_at, d.after_draw_id, d.redraw_of, d.is_filled, d.fill_after, d.entry_count, d.tree, d.entries_root, d.frozen_at,
    d.beacon_round, d.postpone_count, d.paused_at, d.paused_until, d.extension_count, d.beacon, d.ctx, d.outcome, d.place_count, d.revealed_count, d.drawn_at, d.settle_at,
    d.settled_at, d.cancel_reason, d.cancelled_at, d.created_at, c.doc, c.config, c.jws
  from draws d join fair_commitments c on c.commit_hash = d.commit_hash`

export function loadDraw(tx: Tx, id: string) {
  return tx.one<DrawRow>(`${SELECT_DRAW} where d.id = $1`, [id], 'draw')
}

/** Draws, locked in one order: whoever adds to a list or moves a draw holds its row. */
export function loadDrawsForUpdate(tx: Tx, ids: readonly string[]) {
  return tx.rows<DrawRow>(
    `${SELECT_DRAW} where d.id = any($1::uuid[]) order by d.id for no key update of d`,
    [ids],
    'draws_for_update',
  )
}

/** All draws of a game in the order in which they were committed to. */
export function loadDrawsOfGame(tx: Tx, game_id: string) {
  return tx.rows<DrawRow>(`${SELECT_DRAW} where d.game_id = $1 order by d.seq`, [game_id], 'draws_of_game')
}

export async function loadLastSeq(tx: Tx, game_id: string, kind: string): Promise<number> {
  const row = await tx.one<{ last: number | null }>(
    'select max(seq) as last from draws where game_id = $1 and kind = $2',
    [game_id, kind],
  )
  return row?.last ?? 0
}

/** Draws of the tenant that are not over. */
export async function loadRunningDraws(tx: Tx): Promise<string[]> {
  const rows = await tx.rows<{ id: string }>(
    `select id from draws where status not in ('settled', 'cancelled') order by closes_at, id`,
    [],
    'running_draws',
  )
  return rows.map((row) => row.id)
}

export type NewDraw = Pick<
  DrawRow,
  | 'id'
  | 'game'
  | 'game_id'
  | 'draw_name'
  | 'kind'
  | 'seq'
  | 'commit_hash'
  | 'seed_id'
  | 'opens_at'
  | 'closes_at'
  | 'draw_at'
  | 'after_draw_id'
  | 'redraw_of'
  | 'is_filled'
  | 'beacon_round'
>

export async function insertDraw(tx: Tx, draw: NewDraw): Promise<void> {
  await tx.rows(
    `insert into draws (id, game, game_id, draw_name, kind, seq, status, commit_hash, seed_id, opens_at, closes_at, draw_at,
                        after_draw_id, redraw_of, is_filled, beacon_round, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, 'scheduled', $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16)`,
    [
      draw.id,
      draw.game,
      draw.game_id,
      draw.draw_name,
      draw.kind,
      draw.seq,
      draw.commit_hash,
      draw.seed_id,
      draw.opens_at,
      draw.closes_at,
      draw.draw_at,
      draw.after_draw_id,
      draw.redraw_of,
      draw.is_filled,
      draw.beacon_round,
      tx.now,
    ],
  )
}

const CHANGEABLE = [
  'status',
  'closes_at',
  'draw_at',
  'paused_at',
  'paused_until',
  'extension_count',
  'is_filled',
  'fill_after',
  'entry_count',
  'tree',
  'entries_root',
  'frozen_at',
  'beacon_round',
  'postpone_count',
  'beacon',
  'ctx',
  'outcome',
  'place_count',
  'revealed_count',
  'drawn_at',
  'settle_at',
  'settled_at',
  'cancel_reason',
  'cancelled_at',
] as const satisfies readonly (keyof DrawRow)[]

export type DrawChange = Partial<Pick<DrawRow, (typeof CHANGEABLE)[number]>>

/** Changes what is named and leaves the rest. The caller holds the row's lock. */
export async function updateDraw(tx: Tx, id: string, change: DrawChange): Promise<void> {
  const names = CHANGEABLE.filter((name) => change[name] !== undefined)
  const values = names.map((name) => {
    const value = change[name]
    return name === 'beacon' || name === 'outcome' ? JSON.stringify(value) : value
  })
  await tx.rows(
    `update draws set ${names.map((name, i) => `${name} = $${i + 3}`).join(', ')}, updated_at = $2, row_version = row_version + 1
     where id = $1`,
    [id, tx.now, ...values],
  )
}

/** Whether the draw that this one's list is made from is decided. */
export async function isDecided(tx: Tx, id: string): Promise<boolean> {
  const row = await tx.one<{ decided: boolean }>(
    `select status in ('drawn', 'settled', 'cancelled') as decided from draws where id = $1`,
    [id],
  )
  return row?.decided ?? false
}

/** When a signed checkpoint first covered the root of this commitment's list; null while none does. */
export async function loadRootCoveredAt(tx: Tx, commit_hash: string): Promise<Date | null> {
  const row = await tx.one<{ covered_at: Date | null }>(
    `select min(c.created_at) as covered_at
     from fair_log l join fair_checkpoints c on c.log_size > l.seq
     where l.commit_hash = $1 and l.type = 'root'`,
    [commit_hash],
  )
  return row?.covered_at ?? null
}

export type EntrantRow = { user_id: string; entrant: string; entrant_salt: string }

/** The pseudonyms that these users have in a draw already. */
export function loadEntrants(tx: Tx, draw_id: string, user_ids: readonly string[]) {
  return tx.rows<EntrantRow>(
    'select user_id, entrant, entrant_salt from draw_entrants where draw_id = $1 and user_id = any($2::text[])',
    [draw_id, user_ids],
    'draw_entrants',
  )
}

export async function insertEntrants(
  tx: Tx,
  draw_id: string,
  entrants: readonly EntrantRow[],
): Promise<void> {
  await tx.rows(
    `insert into draw_entrants (draw_id, user_id, entrant, entrant_salt, created_at)
     select $1, r.user_id, r.entrant, r.entrant_salt, $5 from unnest($2::text[], $3::text[], $4::text[]) as r(user_id, entrant, entrant_salt)`,
    [
      draw_id,
      entrants.map((each) => each.user_id),
      entrants.map((each) => each.entrant),
      entrants.map((each) => each.entrant_salt),
      tx.now,
    ],
    'insert_entrants',
  )
}

export type EntryRow = { entry_index: number; user_id: string; ref_id: string; leaf: string }

export async function insertEntries(tx: Tx, draw_id: string, entries: readonly EntryRow[]): Promise<void> {
  await tx.rows(
    `insert into draw_entries (draw_id, entry_index, user_id, ref_id, leaf, created_at)
     select $1, r.entry_index, r.user_id, r.ref_id, r.leaf, $6
     from unnest($2::int[], $3::text[], $4::uuid[], $5::text[]) as r(entry_index, user_id, ref_id, leaf)`,
    [
      draw_id,
      entries.map((each) => each.entry_index),
      entries.map((each) => each.user_id),
      entries.map((each) => each.ref_id),
      entries.map((each) => each.leaf),
      tx.now,
    ],
    'insert_entries',
  )
}

export async function insertDrawNodes(tx: Tx, draw_id: string, nodes: readonly StoredNode[]): Promise<void> {
  await tx.rows(
    `insert into draw_nodes (draw_id, level, node_index, hash)
     select $1, r.level, r.node_index, r.hash from unnest($2::smallint[], $3::bigint[], $4::text[]) as r(level, node_index, hash)`,
    [
      draw_id,
      nodes.map((node) => node.level),
      nodes.map((node) => node.node_index),
      nodes.map((node) => node.hash),
    ],
    'insert_draw_nodes',
  )
}

/** Entries `from <= entry_index < to`, in order. */
export function loadEntries(tx: Tx, draw_id: string, from: number, to: number) {
  return tx.rows<EntryRow>(
    `select entry_index, user_id, ref_id, leaf from draw_entries
     where draw_id = $1 and entry_index >= $2 and entry_index < $3 order by entry_index`,
    [draw_id, from, to],
    'draw_entries',
  )
}

/** Entries at these places of the list. */
export function loadEntriesAt(tx: Tx, draw_id: string, indexes: readonly number[]) {
  return tx.rows<EntryRow>(
    'select entry_index, user_id, ref_id, leaf from draw_entries where draw_id = $1 and entry_index = any($2::int[])',
    [draw_id, indexes],
    'draw_entries_at',
  )
}

/** Entries that stand for these things of the game. */
export function loadEntriesOf(tx: Tx, draw_id: string, ref_ids: readonly string[]) {
  return tx.rows<EntryRow>(
    'select entry_index, user_id, ref_id, leaf from draw_entries where draw_id = $1 and ref_id = any($2::uuid[])',
    [draw_id, ref_ids],
    'draw_entries_of',
  )
}

/** Hashes of stored complete subtrees of one level, `from <= index < to`. */
export async function loadDrawNodes(
  tx: Tx,
  draw_id: string,
  level: number,
  from: number,
  to: number,
): Promise<string[]> {
  const rows = await tx.rows<{ hash: string }>(
    `select hash from draw_nodes where draw_id = $1 and level = $2 and node_index >= $3 and node_index < $4 order by node_index`,
    [draw_id, level, from, to],
    'draw_nodes',
  )
  return rows.map((row) => row.hash)
}

export type WinnerRow = {
  place: number
  entry_index: number
  user_id: string
  ref_id: string
  prize: string | null
  is_alternate: boolean
  reveal_at: Date
}

export async function insertWinners(
  tx: Tx,
  draw_id: string,
  winners: readonly Omit<WinnerRow, 'is_alternate'>[],
): Promise<void> {
  await tx.rows(
    `insert into draw_winners (draw_id, place, entry_index, user_id, ref_id, prize, reveal_at, created_at)
     select $1, r.place, r.entry_index, r.user_id, r.ref_id, r.prize, r.reveal_at, $8
     from unnest($2::int[], $3::int[], $4::text[], $5::uuid[], $6::text[], $7::timestamptz[])
          as r(place, entry_index, user_id, ref_id, prize, reveal_at)`,
    [
      draw_id,
      winners.map((each) => each.place),
      winners.map((each) => each.entry_index),
      winners.map((each) => each.user_id),
      winners.map((each) => each.ref_id),
      winners.map((each) => each.prize),
      winners.map((each) => each.reveal_at),
      tx.now,
    ],
  )
}

/** All places of a draw in order. What is not to be seen yet is the reader's business. */
export function loadWinners(tx: Tx, draw_id: string) {
  return tx.rows<WinnerRow>(
    `select place, entry_index, user_id, ref_id, prize, is_alternate, reveal_at from draw_winners where draw_id = $1 order by place`,
    [draw_id],
    'draw_winners',
  )
}

export type RedrawRow = {
  id: string
  draw_id: string
  reason: string
  places: number[]
  asked_by: string
  asked_at: Date
  decision: 'approved' | 'declined' | null
  decided_by: string | null
  decided_at: Date | null
  new_draw_id: string | null
}

const REDRAW_COLUMNS =
  'id, draw_id, reason, places, asked_by, asked_at, decision, decided_by, decided_at, new_draw_id'

export async function insertRedraw(
  tx: Tx,
  redraw: Pick<RedrawRow, 'id' | 'draw_id' | 'reason' | 'places' | 'asked_by'>,
): Promise<void> {
  await tx.rows(
    `insert into draw_redraws (id, draw_id, reason, places, asked_by, asked_at, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $6, $6)`,
    [redraw.id, redraw.draw_id, redraw.reason, redraw.places, redraw.asked_by, tx.now],
  )
}

export function loadOpenRedrawForUpdate(tx: Tx, draw_id: string) {
  return tx.one<RedrawRow>(
    `select ${REDRAW_COLUMNS} from draw_redraws where draw_id = $1 and decision is null for update`,
    [draw_id],
  )
}

/** Everything that was ever asked about drawing a draw again, oldest first. */
export function loadRedraws(tx: Tx, draw_id: string) {
  return tx.rows<RedrawRow>(
    `select ${REDRAW_COLUMNS} from draw_redraws where draw_id = $1 order by asked_at, id`,
    [draw_id],
  )
}

/** The request that led to a draw. */
export function loadRedrawOf(tx: Tx, new_draw_id: string) {
  return tx.one<RedrawRow>(`select ${REDRAW_COLUMNS} from draw_redraws where new_draw_id = $1`, [new_draw_id])
}

export async function decideRedraw(
  tx: Tx,
  decided: Pick<RedrawRow, 'id' | 'decision' | 'decided_by' | 'new_draw_id'>,
): Promise<void> {
  await tx.rows(
    `update draw_redraws set decision = $2, decided_by = $3, new_draw_id = $4, decided_at = $5, updated_at = $5, row_version = row_version + 1
     where id = $1`,
    [decided.id, decided.decision, decided.decided_by, decided.new_draw_id, tx.now],
  )
}

export type MoveRow = {
  type: 'postpone' | 'extend'
  /** Null without a beacon. */
  from: number | null
  to: number | null
  /** Of an extension. */
  closes_at: string | null
  at: string
  log_index: number
}

/** How the beacon round and the close of a draw were moved, in order, from the log. */
export function loadMoves(tx: Tx, commit_hash: string) {
  return tx.rows<MoveRow>(
    `select type, (event::json->>'from')::bigint as "from", (event::json->>'to')::bigint as "to",
            event::json->>'closesAt' as closes_at, event::json->>'at' as at, seq as log_index
     from fair_log where commit_hash = $1 and type in ('postpone', 'extend') order by seq`,
    [commit_hash],
  )
}
