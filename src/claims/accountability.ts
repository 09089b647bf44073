/**
 * Who does not hand over answers for it (S0-19): failures are counted per creator, too many of them stop a creator from
 * creating games until a date, and an appeal that somebody else decides lifts that before.
 */
import { loadCompaniesOf } from '../companies/store.ts'
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { isMember } from '../games/guess/store.ts'
import { playerNames } from '../games/players.ts'
import type { IfMatch } from '../http/resource.ts'
import { decodeCursor, encodeCursor } from '../http/resource-store.ts'
import { newId } from '../ids.ts'
import { notify } from '../insight/inbox.ts'
import {
  appealBlock,
  type BlockRow,
  type CreatorCounts,
  countFailures,
  decideBlock,
  endBlockOf,
  endDueBlocks,
  insertBlock,
  loadBlock,
  loadBlockForUpdate,
  loadBlocks,
  loadCounts,
  loadCountsOfName,
  loadNewestBlock,
  loadPartiesOfName,
  loadSettings,
  lockParty,
  saveSettings,
} from './block-store.ts'
import { failUnanswered } from './complaint-store.ts'
import {
  blockedUntil,
  type ClaimSettings,
  failuresCountFrom,
  fulfilmentRate,
  isHolding,
  SETTINGS_DEFAULT,
} from './rules.ts'
import { type Party, partyOf } from './sides.ts'
import { loadClaims, loadMembers } from './store.ts'

/** The settings in force; version 0 before anybody changed them. */
export async function readSettings(tx: Tx): Promise<ClaimSettings & { row_version: number }> {
  return (await loadSettings(tx)) ?? { ...SETTINGS_DEFAULT, row_version: 0 }
}

/** Replaces the settings. Complaints keep the time of their answer, blocks their date. Refuses precondition_failed. */
export async function changeSettings(
  tx: Tx,
  { settings, versions }: { settings: ClaimSettings; versions: IfMatch },
): Promise<ClaimSettings & { row_version: number }> {
  const { row_version, ...before } = await readSettings(tx)
  if (versions !== '*' && !versions.includes(row_version))
    refuse('precondition_failed', { facts: { row_version } })
  const saved = (await saveSettings(tx, settings, row_version)) ?? refuse('precondition_failed')
  tx.audit({
    action: 'update',
    entity_type: 'claim_settings',
    entity_id: tx.actor.tenantId,
    old_values: { ...before, row_version },
    new_values: saved,
  })
  return saved
}

/** How a creator keeps promises. `fulfilment_bps` counts what ended; null while nothing did. */
export type CreatorRecord = CreatorCounts & { fulfilment_bps: number | null }

const NOTHING: CreatorCounts = { completed_count: 0, failed_count: 0, open_complaints: 0 }

function recordOf({ completed_count, failed_count, open_complaints }: CreatorCounts): CreatorRecord {
  return {
    completed_count,
    failed_count,
    open_complaints,
    fulfilment_bps: fulfilmentRate(completed_count, failed_count),
  }
}

const keyOf = ({ party_kind, party_id }: Party): string => `${party_kind}:${party_id}`

/** The records of several creators at once. */
export async function readRecords(
  tx: Tx,
  parties: readonly Party[],
): Promise<(party: Party) => CreatorRecord> {
  const counts = new Map((await loadCounts(tx, parties)).map((row) => [keyOf(row), row]))
  return (party) => recordOf(counts.get(keyOf(party)) ?? NOTHING)
}

/** The block that holds now, read by its date: one that is over stands in no way, whether a job has run or not. */
async function standingBlock(tx: Tx, party: Party): Promise<BlockRow | undefined> {
  const block = await loadNewestBlock(tx, party)
  return block !== undefined && isHolding(block, tx.now) ? block : undefined
}

/** What a decision left of a creator's record. */
export type Effect = { failed_count: number; blocked_until: string | null }

export async function readEffect(tx: Tx, party: Party): Promise<Effect> {
  const { failed_count } = (await readRecords(tx, [party]))(party)
  const block = await standingBlock(tx, party)
  return { failed_count, blocked_until: block?.blocked_until.toISOString() ?? null }
}

/** Lets only who is not blocked create and publish. Refuses creator_blocked, with the date. */
export async function guardCreator(
  tx: Tx,
  game: { creator_id: string; company_id: string | null },
): Promise<void> {
  const block = await standingBlock(tx, partyOf(game))
  if (block === undefined) return
  const blocked_until = block.blocked_until.toISOString()
  refuse('creator_blocked', {
    detail: `Too many winners got nothing: no new games before ${blocked_until}.`,
    facts: { blocked_until },
  })
}

/** A person is one, a company whoever is a member of it now. */
async function isOf(tx: Tx, { party_kind, party_id }: Party): Promise<boolean> {
  const { userId } = tx.actor
  return party_kind === 'person' ? party_id === userId : isMember(tx, party_id, userId)
}

async function tellParty(tx: Tx, party: Party, kind: string, message: string, data: object): Promise<void> {
  const people = party.party_kind === 'person' ? [party.party_id] : await loadMembers(tx, party.party_id)
  await notify(
    tx,
    people.map((user_id) => ({ user_id, kind, message, data: { ...data } })),
  )
}

/**
 * Counts what creators failed in, and blocks who has failed too often. Comes after the failure is written and before
 * anybody is told of it: all creators are locked, in one order, before the first inbox is.
 */
export async function holdToAccount(tx: Tx, parties: readonly Party[]): Promise<void> {
  const settings = await readSettings(tx)
  const each = new Map(parties.map((party) => [keyOf(party), party]))
  const ordered = [...each.keys()].sort().map((key) => each.get(key)!)
  for (const party of ordered) await lockParty(tx, party)
  for (const party of ordered) {
    for (const over of await endBlockOf(tx, party)) auditEnd(tx, over)
    const last = await loadNewestBlock(tx, party)
    if (last !== undefined && last.ended_at === null) continue
    const from = failuresCountFrom(settings, last?.created_at ?? null, tx.now)
    const { failure_count, last_failed_at } = await countFailures(tx, party, from)
    const blocked_until = blockedUntil(settings, failure_count, tx.now)
    if (blocked_until === null) continue
    // Others may have begun later and counted first: a block is not older than what it is for.
    const created_at = last_failed_at! > tx.now ? last_failed_at! : tx.now
    await block(tx, { ...party, failure_count, blocked_until, created_at })
  }
}

type NewBlock = Pick<BlockRow, 'failure_count' | 'blocked_until' | 'created_at'>

async function block(tx: Tx, { party_kind, party_id, ...facts }: Party & NewBlock): Promise<void> {
  const party = { party_kind, party_id }
  const { failure_count, blocked_until } = facts
  const row = await insertBlock(tx, { id: newId(), ...party, ...facts })
  if (row === undefined) throw new Error(`a second block of ${party_kind} ${party_id} under its lock`)
  const until = blocked_until.toISOString()
  tx.audit({
    action: 'creator.blocked',
    entity_type: 'creator_block',
    entity_id: row.id,
    new_values: { ...party, failure_count, blocked_until: until },
  })
  await tellParty(
    tx,
    party,
    'creator_blocked',
    `Winners got nothing from you, or no answer: no new games before ${until}. You may appeal once.`,
    { block_id: row.id, blocked_until: until, failure_count },
  )
}

function auditEnd(tx: Tx, row: BlockRow): void {
  tx.audit({
    action: 'creator.block_ended',
    entity_type: 'creator_block',
    entity_id: row.id,
    new_values: { party_kind: row.party_kind, party_id: row.party_id, why: 'its date passed' },
  })
}

const DUE_COUNT_MAX = 100

/** Ends blocks whose date has passed. Returns how many; call again while it is not 0. */
export async function endBlocks(tx: Tx): Promise<number> {
  const over = await endDueBlocks(tx, DUE_COUNT_MAX)
  for (const row of over) auditEnd(tx, row)
  return over.length
}

/**
 * Counts silence past the time of an answer as a failure, once per complaint. Returns how many; call again while it is
 * not 0.
 */
export async function failSilent(tx: Tx): Promise<number> {
  const silent = await failUnanswered(tx, DUE_COUNT_MAX)
  const claims = await loadClaims(
    tx,
    silent.map(({ claim_id }) => claim_id),
  )
  for (const { id, claim_id, answer_due_at } of silent)
    tx.audit({
      action: 'complaint.unanswered',
      entity_type: 'complaint',
      entity_id: id,
      new_values: { claim_id, answer_due_at: answer_due_at.toISOString() },
    })
  await holdToAccount(tx, claims.map(partyOf))
  return silent.length
}

export type PublicRecord = CreatorRecord & { creator: string; is_blocked: boolean }

/** The public record under the name that games and claims show. Refuses not_found for a name that nobody has. */
export async function readPublicRecord(tx: Tx, { name }: { name: string }): Promise<PublicRecord> {
  const parties = await loadPartiesOfName(tx, name)
  if (parties.length === 0) refuse('not_found')
  let is_blocked = false
  for (const party of parties) is_blocked ||= (await standingBlock(tx, party)) !== undefined
  return { creator: name, ...recordOf(await loadCountsOfName(tx, name)), is_blocked }
}

export type OwnRecord = Party & {
  name: string
  completed_count: number
  failed_count: number
  recent_failures: number
  failures_max: number
  failure_days: number
  fulfilment_bps: number | null
  block: OwnBlock | null
}

export type OwnBlock = {
  block_id: string
  failure_count: number
  blocked_until: string
  appeal: string | null
  appealed_at: string | null
  decision: 'lifted' | 'upheld' | null
  decision_note: string | null
}

/** More than anybody acts for. */
const COMPANY_COUNT_MAX = 100

/** The actor's own records: as a person, and of every company that the actor acts for. */
export async function readOwnRecords(tx: Tx): Promise<{ data: OwnRecord[] }> {
  const companies = await loadCompaniesOf(tx, tx.actor.userId, COMPANY_COUNT_MAX)
  const parties: Party[] = [
    { party_kind: 'person', party_id: tx.actor.userId },
    ...companies.map(({ id }) => ({ party_kind: 'company' as const, party_id: id })),
  ]
  const settings = await readSettings(tx)
  const records = await readRecords(tx, parties)
  const nameOf = await playerNames(tx)
  const data: OwnRecord[] = []
  for (const party of parties) {
    const { completed_count, failed_count, fulfilment_bps } = records(party)
    const last = await loadNewestBlock(tx, party)
    const from = failuresCountFrom(settings, last?.created_at ?? null, tx.now)
    data.push({
      ...party,
      name: party.party_kind === 'person' ? nameOf(party.party_id) : party.party_id,
      completed_count,
      failed_count,
      recent_failures: (await countFailures(tx, party, from)).failure_count,
      failures_max: settings.failures_max,
      failure_days: settings.failure_days,
      fulfilment_bps,
      block: last !== undefined && isHolding(last, tx.now) ? ownBlock(last) : null,
    })
  }
  return { data }
}

function ownBlock(row: BlockRow): OwnBlock {
  return {
    block_id: row.id,
    failure_count: row.failure_count,
    blocked_until: row.blocked_until.toISOString(),
    appeal: row.appeal,
    appealed_at: row.appealed_at?.toISOString() ?? null,
    decision: row.decision,
    decision_note: row.decision_note,
  }
}

export type BlockView = OwnBlock &
  Party & {
    name: string
    is_holding: boolean
    appealed_by: string | null
    decided_by: string | null
    decided_at: string | null
    ended_at: string | null
    created_at: string
  }

async function blockView(tx: Tx, row: BlockRow): Promise<BlockView> {
  return {
    ...ownBlock(row),
    party_kind: row.party_kind,
    party_id: row.party_id,
    name: row.party_kind === 'person' ? (await playerNames(tx))(row.party_id) : row.party_id,
    is_holding: isHolding(row, tx.now),
    appealed_by: row.appealed_by,
    decided_by: row.decided_by,
    decided_at: row.decided_at?.toISOString() ?? null,
    ended_at: row.ended_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
  }
}

/** The blocked side says why it should not be. Once. Refuses not_found for everybody else, appeal_refused. */
export async function appealAgainst(
  tx: Tx,
  { block_id, appeal }: { block_id: string; appeal: string },
): Promise<OwnBlock> {
  const row = await loadBlockForUpdate(tx, block_id)
  if (row === undefined || !(await isOf(tx, row))) refuse('not_found')
  if (!isHolding(row, tx.now) || row.appeal !== null) refuse('appeal_refused')
  const appealed = await appealBlock(tx, row.id, appeal)
  tx.audit({
    action: 'creator.block_appealed',
    entity_type: 'creator_block',
    entity_id: row.id,
    // What was written stays in its row.
    new_values: { party_kind: row.party_kind, party_id: row.party_id },
  })
  return ownBlock(appealed)
}

/**
 * Decides an appeal, once, by somebody who neither appealed nor belongs to the blocked side. A lifted block holds no
 * longer. Refuses not_found, appeal_refused, second_person_needed.
 */
export async function decideAppeal(
  tx: Tx,
  { block_id, decision, note }: { block_id: string; decision: 'lifted' | 'upheld'; note: string | null },
): Promise<BlockView> {
  const party = (await loadBlock(tx, block_id)) ?? refuse('not_found')
  // One that is lifted meanwhile must not stand in the way of a new one.
  await lockParty(tx, party)
  const row = (await loadBlockForUpdate(tx, block_id))!
  if (!isHolding(row, tx.now) || row.appeal === null || row.decision !== null) refuse('appeal_refused')
  if (row.appealed_by === tx.actor.userId || (await isOf(tx, row))) refuse('second_person_needed')
  const decided = await decideBlock(tx, row.id, decision, note)
  tx.audit({
    action: `creator.block_${decision}`,
    entity_type: 'creator_block',
    entity_id: row.id,
    new_values: {
      party_kind: row.party_kind,
      party_id: row.party_id,
      decision,
      note,
      appealed_by: row.appealed_by,
    },
  })
  const message =
    decision === 'lifted'
      ? 'Your appeal was heard: you may create games again.'
      : `Your appeal was heard; the block stays until ${row.blocked_until.toISOString()}.`
  await tellParty(tx, row, decision === 'lifted' ? 'block_lifted' : 'appeal_decided', message, {
    block_id: row.id,
    decision,
    note,
    blocked_until: row.blocked_until.toISOString(),
  })
  return blockView(tx, decided)
}

/** Every block of the tenant, newest first. */
export async function listBlocks(
  tx: Tx,
  { limit, cursor }: { limit: number; cursor: string | null },
): Promise<{ data: BlockView[]; next_cursor: string | null }> {
  const after = cursor === null ? null : (decodeCursor(cursor, 'uuid') ?? refuseCursor())
  const rows = await loadBlocks(tx, { after, limit: limit + 1 })
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const data: BlockView[] = []
  for (const row of page) data.push(await blockView(tx, row))
  return {
    data,
    next_cursor:
      rows.length > limit ? encodeCursor({ created_us: String(last!.cursor_us), id: last!.id }) : null,
  }
}

/** For a cursor that is none of the list's. */
export function refuseCursor(): never {
  return refuse('invalid_input', {
    errors: [{ pointer: '/cursor', detail: 'This is no cursor of this list.' }],
  })
}
