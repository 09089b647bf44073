/** Statements over creators: their record, their blocks, and what a tenant decided about both. */
import type { Tx } from '../db/tx.ts'
import type { ClaimSettings } from './rules.ts'
import type { Party } from './sides.ts'

export function loadSettings(tx: Tx) {
  return tx.one<ClaimSettings & { row_version: number }>(
    'select answer_hours, failures_max, failure_days, block_days, row_version from claim_settings',
  )
}

/** Writes them when the row still has this version; 0 is a row that is not there yet. Undefined when it has another. */
export function saveSettings(tx: Tx, settings: ClaimSettings, row_version: number) {
  const { answer_hours, failures_max, failure_days, block_days } = settings
  return tx.one<ClaimSettings & { row_version: number }>(
    `insert into claim_settings as s (answer_hours, failures_max, failure_days, block_days, created_at, updated_at)
     select $1, $2, $3, $4, $5, $5
     where $6 = 0 or exists (select from claim_settings where row_version = $6)
     on conflict (tenant_id) do update set answer_hours = $1, failures_max = $2, failure_days = $3, block_days = $4,
       updated_at = $5, row_version = s.row_version + 1
     where s.row_version = $6
     returning answer_hours, failures_max, failure_days, block_days, row_version`,
    [answer_hours, failures_max, failure_days, block_days, tx.now, row_version],
  )
}

/** What became of the claims of somebody who hands over. A failure is one that staff did not take back. */
export type CreatorCounts = { completed_count: number; failed_count: number; open_complaints: number }

const COUNTS = `count(*) filter (where c.claim_status = 'completed')::int as completed_count,
  count(*) filter (where k.has_failed)::int as failed_count, count(*) filter (where k.is_open)::int as open_complaints`

/** Only a disputed claim has a complaint that is open, or one that was decided against its creator. */
const COMPLAINED = `left join lateral (
    select bool_or(k.complaint_status <> 'resolved') as is_open,
           bool_or(k.failed_at is not null and k.outcome is distinct from 'dismissed') as has_failed
    from complaints k where k.claim_id = c.id and c.claim_status = 'disputed') k on true`

/** The counts of creators; who has no claim is not among them. */
export function loadCounts(tx: Tx, parties: readonly Party[]) {
  const ids = (kind: Party['party_kind']) =>
    parties.filter((party) => party.party_kind === kind).map((party) => party.party_id)
  return tx.rows<Party & CreatorCounts>(
    `select c.party_kind, c.party_id, ${COUNTS}
     from (select 'person' as party_kind, creator_id as party_id, id, claim_status from reward_claims
           where company_id is null and creator_id = any($1::text[])
           union all
           select 'company', company_id::text, id, claim_status from reward_claims where company_id = any($2::uuid[])) c
     ${COMPLAINED} group by c.party_kind, c.party_id`,
    [ids('person'), ids('company')],
  )
}

/** The counts under a public name. */
export async function loadCountsOfName(tx: Tx, creator_name: string): Promise<CreatorCounts> {
  const row = await tx.one<CreatorCounts>(
    `select ${COUNTS} from reward_claims c ${COMPLAINED} where c.creator_name = $1`,
    [creator_name],
  )
  return row!
}

/** Who is called so: everybody who published a game or has to hand something over under this name. */
export async function loadPartiesOfName(tx: Tx, creator_name: string): Promise<Party[]> {
  return tx.rows<Party>(
    `select distinct case when company_id is null then 'person' else 'company' end as party_kind,
            coalesce(company_id::text, creator_id) as party_id
     from (select company_id, creator_id from games where creator_name = $1
           union select company_id, creator_id from reward_claims where creator_name = $1) named`,
    [creator_name],
  )
}

/** How often a party failed after an instant, and when last. What was dismissed or handed over after all is no failure. */
export async function countFailures(
  tx: Tx,
  { party_kind, party_id }: Party,
  after: Date,
): Promise<{ failure_count: number; last_failed_at: Date | null }> {
  const row = await tx.one<{ failure_count: number; last_failed_at: Date | null }>(
    `select count(*)::int as failure_count, max(k.failed_at) as last_failed_at
     from reward_claims c join complaints k on k.claim_id = c.id
     where (c.company_id = $1::uuid or (c.company_id is null and c.creator_id = $2))
       and c.claim_status = 'disputed' and k.failed_at > $3 and k.outcome is distinct from 'dismissed'`,
    [party_kind === 'company' ? party_id : null, party_kind === 'person' ? party_id : null, after],
  )
  return row!
}

/** What is counted of a party is counted by one at a time. Comes after the locks of claims and complaints. */
export async function lockParty(tx: Tx, { party_kind, party_id }: Party): Promise<void> {
  await tx.rows(
    `select pg_advisory_xact_lock(hashtextextended(concat_ws(E'\\n', 'creator', app_tenant_id(), $1::text, $2::text), 0))`,
    [party_kind, party_id],
  )
}

export type BlockRow = Party & {
  id: string
  failure_count: number
  blocked_until: Date
  appeal: string | null
  appealed_by: string | null
  appealed_at: Date | null
  decision: 'lifted' | 'upheld' | null
  decision_note: string | null
  decided_by: string | null
  decided_at: Date | null
  ended_at: Date | null
  row_version: number
  created_at: Date
}

const BLOCK = `id, party_kind, party_id, failure_count, blocked_until, appeal, appealed_by, appealed_at, decision,
  decision_note, decided_by, decided_at, ended_at, row_version, created_at`

/** The newest block of a party, whether it still holds or not. */
export function loadNewestBlock(tx: Tx, { party_kind, party_id }: Party) {
  return tx.one<BlockRow>(
    `select ${BLOCK} from creator_blocks where party_kind = $1 and party_id = $2
     order by created_at desc, id desc limit 1`,
    [party_kind, party_id],
  )
}

export function loadBlock(tx: Tx, id: string) {
  return tx.one<BlockRow>(`select ${BLOCK} from creator_blocks where id = $1`, [id])
}

export function loadBlockForUpdate(tx: Tx, id: string) {
  return tx.one<BlockRow>(`select ${BLOCK} from creator_blocks where id = $1 for no key update`, [id])
}

/** Blocks a party. The index lets one stand: undefined while another does. */
export function insertBlock(
  tx: Tx,
  block: Pick<BlockRow, 'id' | 'party_kind' | 'party_id' | 'failure_count' | 'blocked_until' | 'created_at'>,
) {
  const { id, party_kind, party_id, failure_count, blocked_until, created_at } = block
  return tx.one<BlockRow>(
    `insert into creator_blocks (id, party_kind, party_id, failure_count, blocked_until, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning ${BLOCK}`,
    [id, party_kind, party_id, failure_count, blocked_until, created_at, tx.now],
  )
}

export async function appealBlock(tx: Tx, id: string, appeal: string): Promise<BlockRow> {
  const row = await tx.one<BlockRow>(
    `update creator_blocks set appeal = $2, appealed_by = $3, appealed_at = $4, row_version = row_version + 1, updated_at = $4
     where id = $1 returning ${BLOCK}`,
    [id, appeal, tx.actor.userId, tx.now],
  )
  return row!
}

/** Writes a decision; a lifted block ends with it. */
export async function decideBlock(
  tx: Tx,
  id: string,
  decision: 'lifted' | 'upheld',
  note: string | null,
): Promise<BlockRow> {
  const row = await tx.one<BlockRow>(
    `update creator_blocks
     set decision = $2::text, decision_note = $3, decided_by = $4, decided_at = $5,
         ended_at = case when $2::text = 'lifted' then $5::timestamptz end, row_version = row_version + 1, updated_at = $5
     where id = $1 returning ${BLOCK}`,
    [id, decision, note, tx.actor.userId, tx.now],
  )
  return row!
}

/** Ends the block of a party whose date has passed. The caller holds the party's lock. */
export function endBlockOf(tx: Tx, { party_kind, party_id }: Party) {
  return tx.rows<BlockRow>(
    `update creator_blocks set ended_at = blocked_until, row_version = row_version + 1, updated_at = $1
     where ended_at is null and blocked_until <= $1 and party_kind = $2 and party_id = $3 returning ${BLOCK}`,
    [tx.now, party_kind, party_id],
  )
}

/** Ends blocks whose date has passed; those that somebody else is working on are left to them. */
export function endDueBlocks(tx: Tx, limit: number) {
  return tx.rows<BlockRow>(
    `update creator_blocks set ended_at = blocked_until, row_version = row_version + 1, updated_at = $1
     where id in
       (select id from creator_blocks where ended_at is null and blocked_until <= $1
        order by blocked_until, id limit $2 for no key update skip locked)
     returning ${BLOCK}`,
    [tx.now, limit],
  )
}

export type BlockPage = { after: { created_us: string; id: string } | null; limit: number }

/** Blocks of a tenant, newest first. */
export function loadBlocks(tx: Tx, { after, limit }: BlockPage) {
  return tx.rows<BlockRow & { cursor_us: number }>(
    `select ${BLOCK}, (extract(epoch from created_at) * 1000000)::bigint as cursor_us from creator_blocks
     where $1::bigint is null
        or (created_at, id) < (timestamptz 'epoch' + $1::bigint * interval '1 microsecond', $2::uuid)
     order by created_at desc, id desc limit $3`,
    [after?.created_us ?? null, after?.id ?? null, limit],
  )
}
