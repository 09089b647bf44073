/**
 * The one payer: every movement of money, points and coins is a transfer that is posted here, once per obligation,
 * in the transaction of whatever owes it.
 */
import { hash as digest } from 'node:crypto'
import type { AuditEntry } from '../db/append.ts'
import type { Verdict } from '../db/batch.ts'
import type { Tx } from '../db/tx.ts'
import { type ErrorCode, Refusal, type RefusalDetail, refuse } from '../errors.ts'
import { newId } from '../ids.ts'
import {
  type AccountName,
  accountKey,
  type Balance,
  floorOf,
  negated,
  type Posting,
  postingFault,
  settle,
} from './rules.ts'
import {
  type AccountRow,
  loadAccounts,
  loadByObligation,
  loadCorrected,
  loadWithCorrections,
  lockCorrections,
  openAndLockAccounts,
  type PostingRecord,
  type PostingRow,
  recordTransfers,
  type TransferRecord,
} from './store.ts'

/** What is to be posted. */
export type TransferInput = {
  /** What is owed, derived from the thing itself (`prize:<play>:<order>`); 1 to 200 characters. */
  obligation: string
  /** Kind of business, dotted: `prize.applied`. */
  transfer_type: string
  postings: readonly Posting[]
  /** For people: shown in statements. */
  reason?: string
  metadata?: Record<string, unknown>
  /** The transfer that this one corrects by a difference. */
  corrects_id?: string
  /** Who allowed this correction to leave an account below zero (S1-26). */
  approved_by?: string
  /** For batches, where one transaction acts for many. Defaults to the actor of the transaction. */
  by?: NonNullable<AuditEntry['by']>
}

/** What stands in the ledger for an obligation. `replayed` when it stood there before. */
export type PostedTransfer = { transfer_id: string; postings: PostingRow[]; replayed: boolean }

/** A transfer as it is decided on; only `reverseTransfer` makes reversals. */
type Intent = TransferInput & { is_reversal?: boolean }

/** What was posted for an obligation, before or in this very batch. */
type Posted = { transfer_id: string; content_hash: string; postings: PostingRow[] }

/**
 * Posts one transfer: its postings, the balances that they leave, and a row of the audit chain. Amounts are integer
 * minor units and add up to zero in each currency; accounts are opened when they are named first. An obligation that was
 * met before is answered with what was posted then. Lock order: ledger accounts come after everything of games and
 * wallet, before the heads; what one use case posts should be posted in one call.
 *
 * Refuses obligation_conflict, transfer_not_found, transfer_not_correctable, insufficient_funds, in this order.
 * Postings that are no transfer are a bug of the caller. Source: features.md 4.2; reliability.md 4.1.
 */
export async function postTransfer(tx: Tx, input: TransferInput): Promise<PostedTransfer> {
  return postOne(tx, input)
}

/**
 * Posts many transfers, in order, each seeing the balances that those before it left. Answers each with its own result
 * or refusal: one that is refused leaves the others alone. Four statements whatever their number.
 */
export async function postTransfers(
  tx: Tx,
  inputs: readonly TransferInput[],
): Promise<Verdict<PostedTransfer>[]> {
  return postAll(tx, inputs)
}

export type Reversal = { transfer_id: string; reason: string; approved_by?: string }

/**
 * Takes a transfer back: posts the opposite of what stands of it after its corrections. A second call answers the first
 * reversal. Refuses transfer_not_found, transfer_not_correctable (a correction, or nothing stands), and
 * insufficient_funds when an account has spent it meanwhile and nobody approved a debt.
 */
export async function reverseTransfer(tx: Tx, input: Reversal): Promise<PostedTransfer> {
  const { transfer_id, reason, approved_by } = input
  await lockCorrections(tx, [transfer_id])
  const [first, ...corrections] = await loadWithCorrections(tx, transfer_id)
  if (first === undefined) refuse('transfer_not_found')
  const reversal = corrections.find((each) => each.is_reversal)
  if (reversal) return { transfer_id: reversal.id, postings: reversal.postings, replayed: true }
  if (first.corrects_id !== null) refuse('transfer_not_correctable')
  const postings = negated([first, ...corrections].flatMap((each) => each.postings.map(postingOf)))
  if (postings.length === 0)
    refuse('transfer_not_correctable', { detail: 'Nothing of this transfer stands.' })
  return postOne(tx, {
    obligation: `reversal:${transfer_id}`,
    transfer_type: first.transfer_type,
    reason,
    postings,
    corrects_id: transfer_id,
    is_reversal: true,
    ...(approved_by !== undefined && { approved_by }),
  })
}

function postingOf({ account_kind, owner_id, currency, amount_minor }: PostingRow): Posting {
  return { account_kind, owner_id, currency, amount_minor }
}

async function postOne(tx: Tx, intent: Intent): Promise<PostedTransfer> {
  const [verdict] = await postAll(tx, [intent])
  if ('refusal' in verdict!) throw verdict.refusal
  return verdict!.answer
}

async function postAll(tx: Tx, intents: readonly Intent[]): Promise<Verdict<PostedTransfer>[]> {
  for (const intent of intents) assertSound(intent)
  if (intents.length === 0) return []
  const whyNotCorrect = await correctionsOf(tx, intents)
  const accounts = await lockAccounts(tx, intents)
  // After the lock: whoever posted one of these obligations held an account of ours until its commit.
  const obligations = [...new Set(intents.map((intent) => intent.obligation))]
  const posted = new Map<string, Posted>(
    (await loadByObligation(tx, obligations)).map((row) => [
      row.obligation,
      { transfer_id: row.id, content_hash: row.content_hash, postings: row.postings },
    ]),
  )
  const batch = new Batch(accounts, posted, whyNotCorrect, tx.actor.userId)
  const verdicts = intents.map((intent) => batch.decide(intent))
  await record(tx, batch)
  return verdicts
}

function assertSound(intent: Intent): void {
  const { obligation, postings, corrects_id, approved_by } = intent
  const fault =
    postingFault(postings) ??
    (obligation.length < 1 || obligation.length > 200
      ? 'an obligation has 1 to 200 characters'
      : undefined) ??
    (approved_by !== undefined && corrects_id === undefined ? 'only a correction can be approved' : undefined)
  if (fault !== undefined) throw new Error(`this is no transfer: ${fault}`)
}

type WhyNotCorrect = (transfer_id: string) => ErrorCode | undefined

async function correctionsOf(tx: Tx, intents: readonly Intent[]): Promise<WhyNotCorrect> {
  const ids = [...new Set(intents.flatMap(({ corrects_id }) => corrects_id ?? []))]
  if (ids.length === 0) return () => undefined
  await lockCorrections(tx, ids)
  const found = new Map((await loadCorrected(tx, ids)).map((row) => [row.id, row]))
  return (transfer_id) => {
    const row = found.get(transfer_id)
    if (row === undefined) return 'transfer_not_found'
    return row.corrects_id !== null || row.is_reversed ? 'transfer_not_correctable' : undefined
  }
}

/** All accounts that are named, locked in the order of their keys, so that two batches never wait for each other. */
async function lockAccounts(tx: Tx, intents: readonly Intent[]): Promise<Map<string, AccountRow>> {
  const named = new Map<string, AccountName>()
  for (const { postings } of intents) for (const each of postings) named.set(accountKey(each), each)
  const names = [...named].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, name]) => name)
  await openAndLockAccounts(
    tx,
    names.map((name) => ({ ...name, id: newId(), floor_minor: floorOf(name.account_kind) })),
  )
  return new Map((await loadAccounts(tx, names)).map((row) => [accountKey(row), row]))
}

/** Decides transfers one after the other over balances in memory, and keeps what is to be written. */
class Batch {
  readonly transfers: TransferRecord[] = []
  readonly postings: PostingRecord[] = []
  readonly audit: AuditEntry[] = []
  readonly balances: Map<string, Balance>
  readonly accounts: ReadonlyMap<string, AccountRow>
  readonly #posted: Map<string, Posted>
  readonly #whyNotCorrect: WhyNotCorrect
  readonly #userId: string

  constructor(
    accounts: ReadonlyMap<string, AccountRow>,
    posted: Map<string, Posted>,
    whyNotCorrect: WhyNotCorrect,
    userId: string,
  ) {
    this.accounts = accounts
    this.balances = new Map(accounts)
    this.#posted = posted
    this.#whyNotCorrect = whyNotCorrect
    this.#userId = userId
  }

  decide(intent: Intent): Verdict<PostedTransfer> {
    const content_hash = this.#contentHash(intent)
    const first = this.#posted.get(intent.obligation)
    if (first !== undefined) {
      if (first.content_hash !== content_hash) return refusal('obligation_conflict')
      return { answer: { transfer_id: first.transfer_id, postings: first.postings, replayed: true } }
    }
    const why = intent.corrects_id === undefined ? undefined : this.#whyNotCorrect(intent.corrects_id)
    if (why !== undefined) return refusal(why)
    const settled = settle(this.balances, intent.postings, intent.approved_by !== undefined)
    if ('short' in settled) {
      const { posting, missing_minor } = settled.short
      const { account_kind, currency } = posting
      return refusal('insufficient_funds', { facts: { account_kind, currency, missing_minor } })
    }
    for (const [key, balance] of settled.after) this.balances.set(key, balance)
    const postings = settled.lines.map((line) => ({ account_id: this.#idOf(line), ...line }))
    return { answer: this.#keep(intent, content_hash, postings) }
  }

  #keep(intent: Intent, content_hash: string, postings: PostingRow[]): PostedTransfer {
    const transfer_id = newId()
    const { obligation, transfer_type, corrects_id = null, approved_by = null, is_reversal = false } = intent
    this.#posted.set(obligation, { transfer_id, content_hash, postings })
    this.transfers.push({
      id: transfer_id,
      obligation,
      transfer_type,
      reason: intent.reason ?? null,
      posting_count: postings.length,
      content_hash,
      corrects_id,
      is_reversal,
      approved_by,
      metadata: intent.metadata ?? {},
      created_by: intent.by?.userId ?? this.#userId,
    })
    for (const { account_id, currency, amount_minor, balance_after_minor } of postings)
      this.postings.push({ txn_id: transfer_id, account_id, currency, amount_minor, balance_after_minor })
    this.audit.push({
      action: is_reversal ? 'ledger.reversed' : corrects_id === null ? 'ledger.posted' : 'ledger.corrected',
      entity_type: 'ledger_transfer',
      entity_id: transfer_id,
      new_values: { obligation, transfer_type, content_hash, corrects_id, approved_by },
      ...(intent.by && { by: intent.by }),
    })
    return { transfer_id, postings, replayed: false }
  }

  #idOf(name: AccountName): string {
    return this.accounts.get(accountKey(name))!.id
  }

  /** Of what was moved between whom, whatever was said about it. `npm run audit` computes it from the rows. */
  #contentHash({ transfer_type, corrects_id, postings }: Intent): string {
    const lines = postings
      .map((each) => ({ id: this.#idOf(each), ...each }))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map(
        (each) =>
          `${each.account_kind} ${each.currency} ${each.amount_minor} ${JSON.stringify(each.owner_id)}`,
      )
    const text = ['livedraw/ledger/1', transfer_type, corrects_id ?? '-', ...lines].join('\n')
    return digest('sha256', text, 'hex')
  }
}

function refusal(code: ErrorCode, detail: RefusalDetail = {}): { refusal: Refusal } {
  return { refusal: new Refusal(code, detail) }
}

async function record(tx: Tx, { transfers, postings, audit, accounts, balances }: Batch): Promise<void> {
  if (transfers.length === 0) return
  const changes = [...accounts].flatMap(([key, { id, balance_minor: balance_before_minor }]) => {
    const after = balances.get(key)!
    if (after === accounts.get(key)) return []
    return [{ id, balance_before_minor, balance_minor: after.balance_minor, floor_minor: after.floor_minor }]
  })
  const changed = await recordTransfers(tx, transfers, postings, changes)
  if (changed !== changes.length) throw new Error('a balance changed under its lock')
  for (const entry of audit) tx.audit(entry)
}
