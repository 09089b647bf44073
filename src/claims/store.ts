/** Every statement over claims and their moves. One exported function per statement. */
import type { Tx } from '../db/tx.ts'
import type { RewardType } from '../games/guess/rules.ts'
import type { ClaimReason, ClaimStatus } from './rules.ts'

export type ClaimRow = {
  id: string
  game_id: string
  place: number
  prize_place: number
  user_id: string
  creator_id: string
  company_id: string | null
  creator_name: string
  claim_status: ClaimStatus
  status_at: Date
  status_by: string
  status_reason: ClaimReason
  window_ends_at: Date
  claim_info: string | null
  scan_token_id: string | null
  play_id: number | null
  promoted_from: string | null
  row_version: number
  created_at: Date
  /** Of its game. */
  title: string
  reward_type: RewardType
  reward_text: string | null
  prize_id: number | null
  wallet_game_id: number
  claim_window_hours: number
}

const COLUMNS = `c.id, c.game_id, c.place, c.prize_place, c.user_id, c.creator_id, c.company_id, c.creator_name, c.claim_status,
  c.status_at, c.status_by, c.status_reason, c.window_ends_at, c.claim_info, c.scan_token_id, c.play_id, c.promoted_from,
  c.row_version, c.created_at, g.title, g.reward_type, g.reward_text, g.prize_id, g.wallet_game_id, g.claim_window_hours`
const CLAIMS = 'reward_claims c join games g on g.id = c.game_id'

export function loadClaim(tx: Tx, id: string) {
  return tx.one<ClaimRow>(`select ${COLUMNS} from ${CLAIMS} where c.id = $1`, [id], 'claim')
}

export function loadClaims(tx: Tx, ids: readonly string[]) {
  return tx.rows<ClaimRow>(`select ${COLUMNS} from ${CLAIMS} where c.id = any($1::uuid[])`, [ids])
}

/** The same with its row locked. */
export function loadClaimForUpdate(tx: Tx, id: string) {
  return tx.one<ClaimRow>(
    `select ${COLUMNS} from ${CLAIMS} where c.id = $1 for no key update of c`,
    [id],
    'claim_lock',
  )
}

/** What a user was offered in a game, in the order of places, locked. */
export function loadClaimsOfUserForUpdate(tx: Tx, game_id: string, user_id: string) {
  return tx.rows<ClaimRow>(
    `select ${COLUMNS} from ${CLAIMS} where c.game_id = $1 and c.user_id = $2 order by c.place for no key update of c`,
    [game_id, user_id],
    'claims_of_user_lock',
  )
}

export type GameFacts = {
  id: string
  status: string
  is_public: boolean
  reward_type: RewardType
}

/** A game as claims ask for it: one that was deleted keeps its winners. */
export function loadClaimGame(tx: Tx, id: string) {
  return tx.one<GameFacts>(
    `select id, status, is_public, reward_type from games where id = $1 and status <> 'draft'`,
    [id],
    'claim_game',
  )
}

export type NewClaim = Pick<
  ClaimRow,
  | 'id'
  | 'game_id'
  | 'place'
  | 'prize_place'
  | 'user_id'
  | 'creator_id'
  | 'company_id'
  | 'creator_name'
  | 'promoted_from'
> & { status_reason: ClaimReason; window_ends_at: Date }

/** Offers places, all of one statement. */
export async function insertClaims(tx: Tx, claims: readonly NewClaim[]): Promise<void> {
  await tx.rows(
    `insert into reward_claims (id, game_id, place, prize_place, user_id, creator_id, company_id, creator_name, claim_status,
       status_at, status_by, status_reason, window_ends_at, promoted_from, created_at, updated_at)
     select id, game_id, place, prize_place, user_id, creator_id, company_id, creator_name, 'offered',
            $2, $3, status_reason, window_ends_at, promoted_from, $2, $2
     from json_to_recordset($1::json) as r(id uuid, game_id uuid, place int, prize_place int, user_id text, creator_id text,
       company_id uuid, creator_name text, status_reason text, window_ends_at timestamptz, promoted_from uuid)
     order by place`,
    [JSON.stringify(claims), tx.now, tx.actor.userId],
  )
}

export type ClaimMove = {
  status: ClaimStatus
  reason: ClaimReason
  claim_info?: string | null
  scan_token_id?: string | null
  play_id?: number | null
}

/** Moves a claim on from the state it was read in. False when somebody has moved it meanwhile. */
export async function moveClaim(
  tx: Tx,
  { id, claim_status }: Pick<ClaimRow, 'id' | 'claim_status'>,
  { status, reason, claim_info, scan_token_id, play_id }: ClaimMove,
): Promise<boolean> {
  const rows = await tx.rows(
    `update reward_claims
     set claim_status = $3, status_at = $4, status_by = $5, status_reason = $6, claim_info = coalesce(claim_info, $7),
         scan_token_id = $8, play_id = $9, row_version = row_version + 1, updated_at = $4
     where id = $1 and claim_status = $2 returning id`,
    [
      id,
      claim_status,
      status,
      tx.now,
      tx.actor.userId,
      reason,
      claim_info ?? null,
      scan_token_id ?? null,
      play_id ?? null,
    ],
    'claim_move',
  )
  return rows.length === 1
}

export type MoveRow = {
  from_status: ClaimStatus | null
  to_status: ClaimStatus
  moved_at: Date
  moved_by: string
  reason: ClaimReason
}

export function loadMoves(tx: Tx, claim_id: string) {
  return tx.rows<MoveRow>(
    'select from_status, to_status, moved_at, moved_by, reason from claim_moves where claim_id = $1 order by seq',
    [claim_id],
  )
}

export type ClaimPage = { created_us: string; id: string } | null

/** Claims of a winner, newest first, after a place in the list. */
export function loadClaimsOfWinner(
  tx: Tx,
  { user_id, game_id, status, after, limit }: ClaimListQuery & { user_id: string },
) {
  return tx.rows<ClaimRow & { cursor_us: number }>(
    `select ${COLUMNS}, (extract(epoch from c.created_at) * 1000000)::bigint as cursor_us from ${CLAIMS}
     where c.user_id = $1 and ($2::uuid is null or c.game_id = $2) and ($3::text is null or c.claim_status = $3)
       and ($4::bigint is null
            or (c.created_at, c.id) < (timestamptz 'epoch' + $4::bigint * interval '1 microsecond', $5::uuid))
     order by c.created_at desc, c.id desc limit $6`,
    [user_id, game_id, status, after?.created_us ?? null, after?.id ?? null, limit],
  )
}

export type ClaimListQuery = {
  game_id: string | null
  status: ClaimStatus | null
  after: ClaimPage
  limit: number
}

/** Claims that a person, or a company of that person, has to hand over; newest first. */
export function loadClaimsOfCreator(
  tx: Tx,
  { user_id, game_id, status, after, limit }: ClaimListQuery & { user_id: string },
) {
  return tx.rows<ClaimRow & { cursor_us: number }>(
    `select ${COLUMNS}, (extract(epoch from c.created_at) * 1000000)::bigint as cursor_us from ${CLAIMS}
     where ((c.company_id is null and c.creator_id = $1)
            or c.company_id in (select m.company_id from company_members m where m.user_id = $1))
       and ($2::uuid is null or c.game_id = $2) and ($3::text is null or c.claim_status = $3)
       and ($4::bigint is null
            or (c.created_at, c.id) < (timestamptz 'epoch' + $4::bigint * interval '1 microsecond', $5::uuid))
     order by c.created_at desc, c.id desc limit $6`,
    [user_id, game_id, status, after?.created_us ?? null, after?.id ?? null, limit],
  )
}

/** Offers whose window is over, oldest first; rows that somebody else is moving are left to them. */
export function loadDueOffersForUpdate(tx: Tx, limit: number) {
  return tx.rows<ClaimRow>(
    `select ${COLUMNS} from ${CLAIMS}
     where c.claim_status = 'offered' and c.window_ends_at <= $1
     order by c.window_ends_at, c.id limit $2 for no key update of c skip locked`,
    [tx.now, limit],
    'claims_due',
  )
}

/** The claim that stands on a place of a prize, of staff's choice or of a user's own; locked. */
export function loadStandingClaimForUpdate(
  tx: Tx,
  { game_id, prize_place, user_id }: { game_id: string; prize_place: number | null; user_id: string | null },
) {
  return tx.one<ClaimRow>(
    `select ${COLUMNS} from ${CLAIMS}
     where c.game_id = $1 and c.claim_status in ('offered', 'pending')
       and ($2::int is null or c.prize_place = $2) and ($3::text is null or c.user_id = $3)
     order by c.prize_place limit 1 for no key update of c`,
    [game_id, prize_place, user_id],
  )
}

/**
 * The next alternate of a game who was offered nothing yet. The game's row is locked by the caller, so that two places
 * that fall free at once go to two people.
 */
export function loadNextAlternate(tx: Tx, game_id: string) {
  return tx.one<{ place: number; user_id: string }>(
    `select w.place, w.user_id from winner_history w
     where w.game_id = $1 and w.is_alternate
       and not exists (select from reward_claims c where c.game_id = w.game_id and c.place = w.place)
     order by w.place limit 1`,
    [game_id],
  )
}

export async function lockClaimGame(tx: Tx, game_id: string): Promise<void> {
  await tx.rows('select id from games where id = $1 for no key update', [game_id], 'claim_game_lock')
}

/** Who is told of what concerns the side that hands over. */
export async function loadMembers(tx: Tx, company_id: string): Promise<string[]> {
  const rows = await tx.rows<{ user_id: string }>(
    'select user_id from company_members where company_id = $1 order by user_id',
    [company_id],
  )
  return rows.map((row) => row.user_id)
}
