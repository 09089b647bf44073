/** Statements over shared spins and what players add to them. */
import type { Tx } from '../../db/tx.ts'
import type { RoundStatus } from './rounds.ts'
import type { Landing } from './rules.ts'

export type RoundRow = {
  id: string
  wheel_game_id: string
  round_no: number
  config_version: number
  commit_hash: string
  seed_id: string | null
  round_status: RoundStatus
  opens_at: Date
  closes_at: Date
  entries_root: string | null
  entry_count: number
  beacon: { chain: string; round: number; signature: string; randomness: string } | null
  ctx: string | null
  outcome: { id: string; index: number } | null
  landing: Landing | null
  settle_at: Date | null
  void_reason: string | null
  doc: string
  config: string
  jws: string
}

const SELECT_ROUND = `select r.id, r.wheel_game_id, r.round_no, r.config_version, r.commit_hash, r.seed_id, r.round_status, r.opens_at,
    r.closes_at, r.entries_root, r.entry_count, r.beacon, r.ctx, r.outcome, r.landing, r.settle_at, r.void_reason, c.doc, c.config, c.jws
  from wheel_rounds r join fair_commitments c on c.commit_hash = r.commit_hash`

/** The newest round of a wheel. */
export function loadRound(tx: Tx, wheelId: string) {
  return tx.one<RoundRow>(
    `${SELECT_ROUND} where r.wheel_game_id = $1 order by r.round_no desc limit 1`,
    [wheelId],
    'last_round',
  )
}

export function loadRoundById(tx: Tx, id: string) {
  return tx.one<RoundRow>(`${SELECT_ROUND} where r.id = $1`, [id])
}

export function loadRoundForUpdate(tx: Tx, id: string) {
  return tx.one<RoundRow>(`${SELECT_ROUND} where r.id = $1 for no key update of r`, [id])
}

/** The round of a wheel that is not over, locked. */
export function loadOpenRoundForUpdate(tx: Tx, wheelId: string) {
  return tx.one<RoundRow>(
    `${SELECT_ROUND} where r.wheel_game_id = $1 and r.round_status in ('open', 'closed', 'drawn') for no key update of r`,
    [wheelId],
  )
}

export async function loadLastRoundNo(tx: Tx, wheelId: string): Promise<number> {
  const row = await tx.one<{ last: number | null }>(
    'select max(round_no) as last from wheel_rounds where wheel_game_id = $1',
    [wheelId],
  )
  return row?.last ?? 0
}

export async function insertRound(
  tx: Tx,
  round: {
    id: string
    wheel_game_id: string
    round_no: number
    config_version: number
    commit_hash: string
    seed_id: string | null
    closes_at: Date
  },
): Promise<void> {
  await tx.rows(
    `insert into wheel_rounds (id, wheel_game_id, round_no, config_version, commit_hash, seed_id, round_status, opens_at, closes_at, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, 'open', $8, $7, $8, $8)`,
    [
      round.id,
      round.wheel_game_id,
      round.round_no,
      round.config_version,
      round.commit_hash,
      round.seed_id,
      round.closes_at,
      tx.now,
    ],
  )
}

export type RoundChange = Partial<
  Pick<
    RoundRow,
    | 'round_status'
    | 'entries_root'
    | 'entry_count'
    | 'beacon'
    | 'ctx'
    | 'outcome'
    | 'landing'
    | 'settle_at'
    | 'void_reason'
  >
>

/** Changes what is named and leaves the rest. The caller holds the row's lock. */
export async function updateRound(tx: Tx, id: string, change: RoundChange): Promise<void> {
  await tx.rows(
    `update wheel_rounds set
       round_status = coalesce($2, round_status), entries_root = coalesce($3, entries_root), entry_count = coalesce($4, entry_count),
       beacon = coalesce($5, beacon), ctx = coalesce($6, ctx), outcome = coalesce($7, outcome), landing = coalesce($8, landing),
       settle_at = coalesce($9, settle_at), void_reason = coalesce($11, void_reason), updated_at = $10, row_version = row_version + 1
     where id = $1`,
    [
      id,
      change.round_status ?? null,
      change.entries_root ?? null,
      change.entry_count ?? null,
      change.beacon ? JSON.stringify(change.beacon) : null,
      change.ctx ?? null,
      change.outcome ? JSON.stringify(change.outcome) : null,
      change.landing ? JSON.stringify(change.landing) : null,
      change.settle_at ?? null,
      tx.now,
      change.void_reason ?? null,
    ],
  )
}

export type RoundEntryRow = {
  round_id: string
  entry_index: number
  user_id: string
  entrant: string
  entrant_salt: string
  client_entropy: string
  leaf: string
}

/** All entries of a round in leaf order. */
export function loadRoundEntries(tx: Tx, roundId: string) {
  return tx.rows<RoundEntryRow>(
    `select round_id, entry_index, user_id, entrant, entrant_salt, client_entropy, leaf from wheel_round_entries
     where round_id = $1 order by entry_index`,
    [roundId],
  )
}

/** What one player added to a round. */
export function loadRoundEntry(tx: Tx, roundId: string, user_id: string) {
  return tx.one<RoundEntryRow>(
    `select round_id, entry_index, user_id, entrant, entrant_salt, client_entropy, leaf from wheel_round_entries
     where round_id = $1 and user_id = $2`,
    [roundId, user_id],
    'round_entry',
  )
}

export async function insertRoundEntry(tx: Tx, entry: RoundEntryRow): Promise<void> {
  await tx.rows(
    `insert into wheel_round_entries (round_id, entry_index, user_id, entrant, entrant_salt, client_entropy, leaf, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      entry.round_id,
      entry.entry_index,
      entry.user_id,
      entry.entrant,
      entry.entrant_salt,
      entry.client_entropy,
      entry.leaf,
      tx.now,
    ],
  )
}

/** Rounds of the tenant that are not over. */
export function loadRunningRounds(tx: Tx) {
  return tx.rows<RoundRow>(
    `${SELECT_ROUND} where r.round_status in ('open', 'closed', 'drawn') order by r.closes_at`,
    [],
    'running_rounds',
  )
}

/** Live wheels whose shared spin is due by their own rhythm. */
export function loadRhythmicWheels(tx: Tx) {
  return tx.rows<{ id: string }>(
    `select w.id from wheel_games w
     join wheel_versions v on v.wheel_game_id = w.id and v.config_version = w.config_version
     where w.is_active and w.wheel_status = 'live'
       and (v.spin_config->>'round_every_s')::int is not null
       and not exists (select 1 from wheel_rounds r where r.wheel_game_id = w.id
                       and (r.round_status in ('open', 'closed', 'drawn')
                            or r.opens_at > $1::timestamptz - make_interval(secs => (v.spin_config->>'round_every_s')::int)))`,
    [tx.now],
    'rhythmic_wheels',
  )
}
