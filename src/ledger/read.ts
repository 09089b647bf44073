/** Reading the ledger: what a player holds and how it came about, and for operators every account and transfer. */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { USER_KINDS } from './rules.ts'
import {
  type AccountFilter,
  type AccountRow,
  loadAccount,
  loadAccountPage,
  loadBalances,
  loadStatement,
  loadTransferPage,
  type StatementRow,
} from './store.ts'

type Page = { limit: number; cursor?: string }

/** What the actor holds, in minor units per kind and currency; accounts that were never used are not there. */
export async function readBalances(tx: Tx) {
  const rows = await loadBalances(tx, tx.actor.userId, USER_KINDS)
  return {
    data: rows.map(({ account_kind, currency, balance_minor }) => ({
      account_kind,
      currency,
      balance_minor,
    })),
  }
}

/** The actor's own statement, newest first, of all currencies or of one. Metadata and obligations stay inside. */
export async function readMyStatement(tx: Tx, { currency, ...page }: Page & { currency?: string }) {
  const all = await loadBalances(tx, tx.actor.userId, USER_KINDS)
  const accounts = all.filter((account) => currency === undefined || account.currency === currency)
  const { data, next_cursor } = await statementOf(tx, accounts, page)
  return { data: data.map(({ obligation: _inside, ...line }) => line), next_cursor }
}

/** The statement of any account, newest first. Refuses not_found. */
export async function readStatement(tx: Tx, { account_id, ...page }: Page & { account_id: string }) {
  const account = (await loadAccount(tx, account_id)) ?? refuse('not_found')
  return statementOf(tx, [account], page)
}

/** Accounts, the one that was opened last first. */
export async function readAccounts(tx: Tx, { limit, cursor, ...filter }: Page & AccountFilter) {
  const rows = await loadAccountPage(tx, filter, idOf(cursor), limit + 1)
  return paged(rows, limit, (row) => ({ ...row, created_at: row.created_at.toISOString() }))
}

/** Transfers with their postings, newest first; with an obligation the one that met it. */
export async function readTransfers(tx: Tx, { limit, cursor, obligation }: Page & { obligation?: string }) {
  const rows = await loadTransferPage(tx, obligation, idOf(cursor), limit + 1)
  return paged(rows, limit, (row) => ({ ...row, created_at: row.created_at.toISOString() }))
}

async function statementOf(tx: Tx, accounts: readonly AccountRow[], { limit, cursor }: Page) {
  const byId = new Map(accounts.map((account) => [account.id, account]))
  const rows = await loadStatement(tx, [...byId.keys()], postingOf(cursor), limit + 1)
  return paged(rows, limit, (row) => lineOf(row, byId.get(row.account_id)!))
}

function lineOf({ id: _id, account_id: _account, created_at, ...row }: StatementRow, account: AccountRow) {
  const { account_kind, currency } = account
  return { ...row, account_kind, currency, created_at: created_at.toISOString() }
}

/** One page of what was loaded beyond the limit. */
function paged<R extends { id: string | number }, V>(rows: readonly R[], limit: number, view: (row: R) => V) {
  const page = rows.slice(0, limit)
  return { data: page.map(view), next_cursor: rows.length > limit ? String(page.at(-1)!.id) : null }
}

function idOf(cursor: string | undefined): string | null {
  if (cursor === undefined) return null
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(cursor) ? cursor : refuseCursor()
}

function postingOf(cursor: string | undefined): number | null {
  if (cursor === undefined) return null
  return /^\d{1,15}$/.test(cursor) ? Number(cursor) : refuseCursor()
}

function refuseCursor(): never {
  refuse('invalid_input', { errors: [{ pointer: '/cursor', detail: 'This is no cursor of this list.' }] })
}
