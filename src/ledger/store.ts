/** Every statement of the ledger. One exported function per statement; rows come back as they are. */
import type { Tx } from '../db/tx.ts'
import type { AccountKind, AccountName } from './rules.ts'

/**
 * Opens accounts that are not there and locks all of them, in the order in which they are given. The condition that is
 * never true makes the conflict a lock without a write, so that opening and locking are one order and one statement.
 */
export async function openAndLockAccounts(
  tx: Tx,
  accounts: readonly (AccountName & { id: string; floor_minor: number })[],
): Promise<void> {
  await tx.rows(
    `insert into ledger_accounts as a (id, owner_id, account_kind, currency, floor_minor, created_at, updated_at)
     select r.id, r.owner_id, r.account_kind, r.currency, r.floor_minor, $6, $6
     from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[])
          with ordinality as r(id, owner_id, account_kind, currency, floor_minor, place)
     order by r.place
     on conflict (tenant_id, owner_id, account_kind, currency) do update set updated_at = a.updated_at where false`,
    [
      accounts.map((account) => account.id),
      accounts.map((account) => account.owner_id),
      accounts.map((account) => account.account_kind),
      accounts.map((account) => account.currency),
      accounts.map((account) => account.floor_minor),
      tx.now,
    ],
    'ledger_lock',
  )
}

export type AccountRow = AccountName & {
  id: string
  balance_minor: number
  floor_minor: number
}

/** These accounts as they are now. Asked after their lock: a statement sees what was committed before it began. */
export function loadAccounts(tx: Tx, accounts: readonly AccountName[]): Promise<AccountRow[]> {
  return tx.rows(
    `select a.id, a.owner_id, a.account_kind, a.currency, a.balance_minor, a.floor_minor
     from unnest($1::text[], $2::text[], $3::text[]) as r(owner_id, account_kind, currency)
     join ledger_accounts a using (owner_id, account_kind, currency)`,
    [
      accounts.map((account) => account.owner_id),
      accounts.map((account) => account.account_kind),
      accounts.map((account) => account.currency),
    ],
    'ledger_accounts',
  )
}

export type PostingRow = {
  account_id: string
  account_kind: AccountKind
  owner_id: string
  currency: string
  amount_minor: number
  balance_after_minor: number
}

export type TransferRow = {
  id: string
  obligation: string
  transfer_type: string
  reason: string | null
  content_hash: string
  corrects_id: string | null
  is_reversal: boolean
  approved_by: string | null
  metadata: Record<string, unknown>
  created_by: string
  created_at: Date
  postings: PostingRow[]
}

const TRANSFER = `
  select t.id, t.obligation, t.transfer_type, t.reason, t.content_hash, t.corrects_id, t.is_reversal, t.approved_by,
         t.metadata, t.created_by, t.created_at,
         (select json_agg(json_build_object('account_id', a.id, 'account_kind', a.account_kind, 'owner_id', a.owner_id,
                                            'currency', p.currency, 'amount_minor', p.amount_minor,
                                            'balance_after_minor', p.balance_after_minor) order by p.id)
          from ledger_postings p join ledger_accounts a on a.id = p.account_id
          where p.txn_id = t.id) as postings
  from ledger_transfers t`

/** Transfers that were already posted for these obligations. */
export function loadByObligation(tx: Tx, obligations: readonly string[]): Promise<TransferRow[]> {
  return tx.rows(`${TRANSFER} where t.obligation = any($1::text[])`, [obligations], 'ledger_by_obligation')
}

/** A transfer and what corrects it, in the order in which they were posted. */
export function loadWithCorrections(tx: Tx, id: string): Promise<TransferRow[]> {
  return tx.rows(
    `${TRANSFER} where t.id = $1 or t.corrects_id = $1 order by t.corrects_id nulls first, t.id`,
    [id],
  )
}

/** Transfers that are corrected here, and whether they were taken back. */
export function loadCorrected(tx: Tx, ids: readonly string[]) {
  return tx.rows<{ id: string; corrects_id: string | null; is_reversed: boolean }>(
    `select t.id, t.corrects_id,
            exists (select from ledger_transfers r where r.corrects_id = t.id and r.is_reversal) as is_reversed
     from ledger_transfers t where t.id = any($1::uuid[])`,
    [ids],
  )
}

/** Corrections of one transfer queue up: what stands is read by one at a time. */
export async function lockCorrections(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.rows(
    `select pg_advisory_xact_lock(hashtextextended(concat_ws(E'\\n', 'ledger', app_tenant_id(), id), 0))
     from unnest($1::text[]) with ordinality as r(id, place) order by place`,
    [[...ids].sort()],
  )
}

export type TransferRecord = {
  id: string
  obligation: string
  transfer_type: string
  reason: string | null
  posting_count: number
  content_hash: string
  corrects_id: string | null
  is_reversal: boolean
  approved_by: string | null
  metadata: Record<string, unknown>
  created_by: string
}

export type PostingRecord = {
  txn_id: string
  account_id: string
  currency: string
  amount_minor: number
  balance_after_minor: number
}

export type AccountChange = {
  id: string
  balance_before_minor: number
  balance_minor: number
  floor_minor: number
}

/** Another transaction posted the same obligation to other accounts meanwhile. Repeating finds it and says so. */
export class ObligationRace extends Error {
  /** Class 40: the runner repeats the transaction. */
  readonly code = '40001'
}

/**
 * Writes transfers, their postings in this order, and the balances that they leave. Returns how many accounts still held
 * what was read of them and were changed.
 */
export async function recordTransfers(
  tx: Tx,
  transfers: readonly TransferRecord[],
  postings: readonly PostingRecord[],
  accounts: readonly AccountChange[],
): Promise<number> {
  try {
    const row = await tx.one<{ changed: number }>(
      RECORD,
      [JSON.stringify(transfers), JSON.stringify(postings), JSON.stringify(accounts), tx.now],
      'ledger_record',
    )
    return row!.changed
  } catch (error) {
    const { code, constraint } = error as { code?: string; constraint?: string }
    if (code === '23505' && constraint === 'ledger_transfers_tenant_id_obligation_key')
      throw new ObligationRace('an obligation was posted meanwhile', { cause: error })
    throw error
  }
}

const RECORD = `
with transfers as (
  insert into ledger_transfers (id, obligation, transfer_type, reason, posting_count, content_hash, corrects_id, is_reversal,
                                approved_by, metadata, created_by, created_at)
  select r.id, r.obligation, r.transfer_type, r.reason, r.posting_count, r.content_hash, r.corrects_id, r.is_reversal,
         r.approved_by, r.metadata, r.created_by, $4
  from json_to_recordset($1::json) as r(id uuid, obligation text, transfer_type text, reason text, posting_count int,
                                        content_hash text, corrects_id uuid, is_reversal boolean, approved_by text,
                                        metadata jsonb, created_by text)
), postings as (
  insert into ledger_postings (txn_id, account_id, currency, amount_minor, balance_after_minor)
  select (p->>'txn_id')::uuid, (p->>'account_id')::uuid, p->>'currency', (p->>'amount_minor')::bigint,
         (p->>'balance_after_minor')::bigint
  from json_array_elements($2::json) with ordinality as r(p, place)
  order by place
), accounts as (
  update ledger_accounts a
  set balance_minor = r.balance_minor, floor_minor = r.floor_minor, updated_at = $4
  from json_to_recordset($3::json) as r(id uuid, balance_before_minor bigint, balance_minor bigint, floor_minor bigint)
  where a.id = r.id and a.balance_minor = r.balance_before_minor
  returning 1
)
select count(*) as changed from accounts`

/** What a user holds, by the kinds that users hold. */
export function loadBalances(tx: Tx, owner_id: string, kinds: readonly string[]): Promise<AccountRow[]> {
  return tx.rows(
    `select id, owner_id, account_kind, currency, balance_minor, floor_minor
     from ledger_accounts where owner_id = $1 and account_kind = any($2::text[]) order by account_kind, currency`,
    [owner_id, kinds],
  )
}

export type StatementRow = {
  id: number
  transfer_id: string
  obligation: string
  transfer_type: string
  reason: string | null
  corrects_id: string | null
  is_reversal: boolean
  account_id: string
  amount_minor: number
  balance_after_minor: number
  created_at: Date
}

/** Postings of these accounts, newest first, before the posting `before`. */
export function loadStatement(
  tx: Tx,
  account_ids: readonly string[],
  before: number | null,
  limit: number,
): Promise<StatementRow[]> {
  return tx.rows(
    `select p.id, p.txn_id as transfer_id, t.obligation, t.transfer_type, t.reason, t.corrects_id, t.is_reversal,
            p.account_id, p.amount_minor, p.balance_after_minor, t.created_at
     from (select l.*
           from unnest($1::uuid[]) as a(id)
           cross join lateral (select * from ledger_postings x
                               where x.account_id = a.id and ($2::bigint is null or x.id < $2)
                               order by x.id desc limit $3) l
           order by l.id desc limit $3) p
     join ledger_transfers t on t.id = p.txn_id
     order by p.id desc`,
    [account_ids, before, limit],
  )
}

/** One account. */
export function loadAccount(tx: Tx, id: string): Promise<AccountRow | undefined> {
  return tx.one(
    'select id, owner_id, account_kind, currency, balance_minor, floor_minor from ledger_accounts where id = $1',
    [id],
  )
}

export type AccountFilter = { owner_id?: string; account_kind?: string; currency?: string }

/** A page of accounts, the one that was opened last first. */
export function loadAccountPage(
  tx: Tx,
  { owner_id, account_kind, currency }: AccountFilter,
  before: string | null,
  limit: number,
): Promise<(AccountRow & { created_at: Date })[]> {
  return tx.rows(
    `select id, owner_id, account_kind, currency, balance_minor, floor_minor, created_at
     from ledger_accounts
     where ($1::text is null or owner_id = $1) and ($2::text is null or account_kind = $2)
       and ($3::text is null or currency = $3) and ($4::uuid is null or id < $4)
     order by id desc limit $5`,
    [owner_id ?? null, account_kind ?? null, currency ?? null, before, limit],
  )
}

/** A page of transfers, newest first. */
export function loadTransferPage(
  tx: Tx,
  obligation: string | undefined,
  before: string | null,
  limit: number,
): Promise<TransferRow[]> {
  return tx.rows(
    `${TRANSFER} where ($1::text is null or t.obligation = $1) and ($2::uuid is null or t.id < $2) order by t.id desc limit $3`,
    [obligation ?? null, before, limit],
  )
}
