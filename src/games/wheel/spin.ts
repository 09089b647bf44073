/**
 * The spin: many players' requests in one transaction. Guards, chance, nonce, outcome, stock, prize, events and
 * audit commit together, or nothing does.
 */

import { hash as digest } from 'node:crypto'
import type { Verdict } from '../../db/batch.ts'
import { type Actor, type Tx, together } from '../../db/tx.ts'
import { type ErrorCode, Refusal, type RefusalDetail } from '../../errors.ts'
import { context } from '../../fairness/rolls.ts'
import { newId } from '../../ids.ts'
import { spinIndex } from '../../node-hash.ts'
import type { Effect } from '../../prizes/discount.ts'
import { beginningOf, effectWhenWon } from '../../prizes/effect-rules.ts'
import { takeEffects, type Use } from '../../prizes/effects.ts'
import { StockSet } from '../../prizes/grant.ts'
import { loadLimitedPrizesForUpdate, loadPrizes, takePlayIds } from '../../prizes/grant-store.ts'
import { issueOf, type PrizeRow } from '../../prizes/issue.ts'
import { takeCodes } from '../../prizes/partner-codes.ts'
import type { PairKeys } from '../../proofs/pair-keys.ts'
import { loadCheckpointed } from '../../proofs/store.ts'
import { dayStart } from '../../schedule.ts'
import { type PlayerNames, playerNames } from '../players.ts'
import {
  type Award,
  awardOf,
  chancesLeft,
  type Grant,
  LANDING_LEAD_MS,
  type Landing,
  landingOf,
  type Segment,
  type Supply,
  takeChance,
  whyNotSpin,
} from './rules.ts'
import {
  type ActiveSeed,
  loadActiveSeedsForUpdate,
  loadAnswered,
  loadBudgetForUpdate,
  loadGrantsForUpdate,
  loadPlayCounts,
  loadWheelsInForce,
  loadWinCounts,
  recordSpins,
  type Spending,
  type SpinRecord,
  type SpinWrites,
  spendSupply,
  type WheelInForce,
} from './store.ts'
import type { Version, Versions } from './versions.ts'

export type SpinInput = { actor: Actor; wheel_id: string; request_id: string; client_entropy: string }

export type SpinAnswer = {
  spin_id: string
  nonce: number
  reward_slug: string
  segment: number
  won: boolean
  play_id: number
  prize_status: string | null
  chances_left: number
  award: { status: Award['status']; reward_slug: string | null }
  landing: Landing
  commit_hash: string
}

/** `text` is the reply as it is stored: a repeated request is answered with the same bytes. */
export type SpinReply = { text: string; replayed: boolean }

/** Raised inside a batch for a player without a pair for the version in force; never leaves `makeWheel`. */
export class PairMissing extends Refusal {
  constructor() {
    super('seed_pair_not_found')
  }
}

/** What the spin keeps between transactions; all of it can be read again. */
export type SpinMemory = { versions: Versions; pairs: PairKeys; playIds: number[] }

const PLAY_ID_BLOCK = 1024

type Member = { input: SpinInput; verdict?: Verdict<SpinReply>; twin?: Member }

type Prepared = {
  member: Member
  wheel: WheelInForce
  version: Version
  seed: ActiveSeed
  nonce: number
  grant: Grant
  chances_left: number
  roll: number
  index: number
}

/**
 * Spins for each of `inputs`, in order, in the transaction's tenant. Answers each with its own reply or refusal.
 *
 * Refuses, in this order: idempotency_key_reused, game_not_found, wheel_not_published, wheel_paused, (PairMissing),
 * wheel_not_open, plays_per_day_reached, cooldown, no_chances_left. Source: architecture.md "Group commit";
 * fair-1.md 9.1; reliability.md 4.1.
 */
export async function spinBatch(
  tx: Tx,
  inputs: readonly SpinInput[],
  memory: SpinMemory,
): Promise<Verdict<SpinReply>[]> {
  const members: Member[] = inputs.map((input) => ({ input }))
  const read = await readAll(tx, inputs, memory)
  answerRepeats(members, read.answered)
  const prepared = await prepare(tx, members, read, memory)
  if (prepared.length > 0) await decideAndRecord(tx, prepared, read.prizes, memory)
  return members.map(verdictOf)
}

type Read = Awaited<ReturnType<typeof readAll>>

/**
 * All that is known to be needed before anything is, in one round trip. Locks pairs, then chances; the prizes are those
 * of the versions that were in force last.
 */
async function readAll(tx: Tx, inputs: readonly SpinInput[], { versions, pairs }: SpinMemory) {
  const requests = inputs.map(({ actor, wheel_id, request_id }) => ({
    user_id: actor.userId,
    wheel_id,
    request_id,
  }))
  const wheel_ids = [...new Set(requests.map((request) => request.wheel_id))]
  const user_ids = [...new Set(requests.map((request) => request.user_id))].sort()
  const prize_ids = new Set(wheel_ids.flatMap((id) => versions.newest(id)?.prize_ids ?? []))
  const [answered, wheels, seeds, grants, prizes] = await together(
    loadAnswered(tx, requests),
    loadWheelsInForce(tx, wheel_ids),
    loadActiveSeedsForUpdate(tx, requests),
    loadGrantsForUpdate(tx, user_ids),
    loadPrizes(tx, [...prize_ids]),
  )
  return {
    answered: new Map(answered.map((row) => [`${row.user_id}\n${row.session_id}`, row])),
    wheels: new Map(wheels.map((row) => [row.id, row])),
    seeds: await readySeeds(tx, seeds, pairs),
    grants: Map.groupBy(grants, (row) => row.user_id),
    prizes: { asked: prize_ids, found: prizes },
  }
}

function verdictOf(member: Member): Verdict<SpinReply> {
  if (member.twin === undefined) return member.verdict!
  const first = member.twin.verdict!
  return 'answer' in first ? { answer: { ...first.answer, replayed: true } } : first
}

function refuseMember(member: Member, code: ErrorCode, detail: RefusalDetail = {}): void {
  member.verdict = { refusal: new Refusal(code, detail) }
}

/** The same request may be sent twice, to two doors, in one batch: it is one spin. */
function answerRepeats(members: readonly Member[], answered: Read['answered']): void {
  const first = new Map<string, Member>()
  for (const member of members) {
    const key = `${member.input.actor.userId}\n${member.input.request_id}`
    const done = answered.get(key)
    const twin = first.get(key)
    if (done !== undefined) {
      if (done.request_hash === requestHash(member.input))
        member.verdict = { answer: { text: done.answer, replayed: true } }
      else refuseMember(member, 'idempotency_key_reused')
    } else if (twin !== undefined) {
      if (requestHash(twin.input) === requestHash(member.input)) member.twin = twin
      else refuseMember(member, 'idempotency_key_reused')
    } else {
      first.set(key, member)
    }
  }
}

function requestHash({ wheel_id, client_entropy }: SpinInput): string {
  return digest('sha256', `${wheel_id}\n${client_entropy}`, 'hex')
}

const isOpenMember = (member: Member): boolean => member.verdict === undefined && member.twin === undefined

/** Guards, chance, nonce and outcome of every member that can spin. */
async function prepare(
  tx: Tx,
  members: readonly Member[],
  { wheels, seeds, grants }: Read,
  memory: SpinMemory,
): Promise<Prepared[]> {
  for (const member of members.filter(isOpenMember)) refuseByWheel(member, wheels.get(member.input.wheel_id))

  const playable = members.filter(isOpenMember)
  if (playable.length === 0) return []
  const versions = new Map<string, Version>()
  for (const wheel of wheels.values()) {
    if (wheel.config_version > 0)
      versions.set(wheel.id, await memory.versions.of(tx, wheel.id, wheel.config_version))
  }
  const limits = await loadLimits(tx, playable, wheels, versions)

  const prepared: Prepared[] = []
  for (const member of playable) {
    const { wheel_id, actor } = member.input
    const wheel = wheels.get(wheel_id)!
    const version = versions.get(wheel_id)!
    const seed = seeds.get(`${wheel_id}\n${actor.userId}`)
    if (seed === undefined || seed.config_version !== wheel.config_version) {
      member.verdict = { refusal: new PairMissing() }
      continue
    }
    const owned = grants.get(actor.userId) ?? []
    const limit = limits.get(`${wheel_id}\n${actor.userId}`) ?? { plays_today: 0, last_spin_at: null }
    const state = {
      ...wheel,
      ...limit,
      spin: version.config.spin,
      chances_left: chancesLeft(owned, wheel_id),
    }
    const refusal = whyNotSpin(state, tx.now)
    if (refusal !== null) {
      refuseMember(member, refusal.code, refusal.detail)
      continue
    }
    limit.plays_today += 1
    limit.last_spin_at = tx.now
    const grant = takeChance(owned, wheel_id)!
    const nonce = seed.next_nonce++
    const ctx = context('wheel', [seed.commit_hash, seed.client_seed, nonce, member.input.client_entropy])
    const { index, roll } = spinIndex(memory.pairs.of(tx, seed), ctx, version.odds)
    prepared.push({
      member,
      wheel,
      version,
      seed,
      nonce,
      grant,
      chances_left: state.chances_left - 1,
      roll,
      index,
    })
  }
  return prepared
}

/** Published and live come before the pair: a paused wheel must not make players rotate. */
function refuseByWheel(member: Member, wheel: WheelInForce | undefined): void {
  if (wheel === undefined) refuseMember(member, 'game_not_found')
  else if (wheel.config_version === 0) refuseMember(member, 'wheel_not_published')
  else if (wheel.wheel_status !== 'live')
    refuseMember(member, 'wheel_paused', { facts: { wheel_status: wheel.wheel_status } })
}

/**
 * The players' active seeds that may be drawn from. One whose commitment no checkpoint covers yet counts as missing:
 * nothing may be drawn from it before its proof is public. A seed that was opened here was covered then, so only new
 * ones are asked.
 */
async function readySeeds(
  tx: Tx,
  rows: readonly ActiveSeed[],
  opened: PairKeys,
): Promise<Map<string, ActiveSeed>> {
  const fresh = rows.filter((row) => !opened.has(row.id)).map((row) => row.commit_hash)
  const covered = fresh.length > 0 ? await loadCheckpointed(tx, fresh) : new Set<string>()
  const ready = rows.filter((row) => opened.has(row.id) || covered.has(row.commit_hash))
  return new Map(ready.map((row) => [`${row.game_id}\n${row.user_id}`, row]))
}

type Limit = { plays_today: number; last_spin_at: Date | null }

/** Only wheels that limit plays pay for the counting. */
async function loadLimits(
  tx: Tx,
  members: readonly Member[],
  wheels: ReadonlyMap<string, WheelInForce>,
  versions: ReadonlyMap<string, Version>,
): Promise<Map<string, Limit>> {
  const limits = new Map<string, Limit>()
  for (const [wheelId, { config }] of versions) {
    if (config.spin.plays_per_day === null && config.spin.cooldown_ms === 0) continue
    const users = [
      ...new Set(members.filter((m) => m.input.wheel_id === wheelId).map((m) => m.input.actor.userId)),
    ]
    const since = dayStart(tx.now, wheels.get(wheelId)!.time_zone)
    for (const { user_id, ...limit } of await loadPlayCounts(tx, wheelId, users, since))
      limits.set(`${wheelId}\n${user_id}`, limit)
  }
  return limits
}

/** Awards in order, and sends everything that is to be written; the runner waits for it before the commit. */
async function decideAndRecord(
  tx: Tx,
  spins: readonly Prepared[],
  read: Read['prizes'],
  memory: SpinMemory,
): Promise<void> {
  const prizes = await loadSupply(tx, spins, read)
  const writes = { spins: [] as SpinRecord[], chances: [] as SpinWrites['chances'][number][] }
  const spent = {
    seeds: new Map<string, number>(),
    grants: new Map<string, number>(),
    prizes: new Map<number, number>(),
    budgets: new Map<string, number>(),
  }
  /** Chances won in this batch: the player's later answers count them too. */
  const gained = new Map<string, number>()
  const unlimited = new Set<number>()
  const uses: Use[] = []
  const codes: { play_id: number; prize_id: number }[] = []
  const nameOf = await playerNames(tx)
  if (memory.playIds.length < spins.length) memory.playIds.push(...(await takePlayIds(tx, PLAY_ID_BLOCK)))

  for (const spin of spins) {
    const supply = prizes.supplyOf(spin)
    const rolled = spin.version.config.segments[spin.index]!
    const award = awardOf(spin.version.config, rolled, supply)
    prizes.keep(spin, supply)
    const prize = award.segment === null ? undefined : prizes.definitions.get(award.segment.prize_id!)!
    const { userId } = spin.member.input.actor
    if (prize?.type === 'spin_chance') add(gained, userId, Number(prize.value))
    spin.chances_left += gained.get(userId) ?? 0
    const effect = prize === undefined ? null : effectWhenWon(prize, spin.wheel.currency)
    const record = recordOf(tx, spin, rolled, award, prize, effect, memory.playIds.shift()!)
    writes.spins.push(record)
    // Chances are written with the spins themselves: they are the commonest of the prizes that do something at once.
    if (effect !== null && effect.kind !== 'chances')
      uses.push(useOf(record, effect, spin.member.input.actor))
    add(spent.seeds, spin.seed.id, 1)
    add(spent.grants, spin.grant.id, 1)
    if (prize !== undefined) {
      if (prize.takes_codes) codes.push({ play_id: record.play_id, prize_id: prize.id })
      // Only a limited stock is counted: an unlimited prize must not become a row that all spins wait for.
      if (prize.stock !== null) add(spent.prizes, prize.id, 1)
      else unlimited.add(prize.id)
      if (spin.wheel.has_budget) add(spent.budgets, spin.wheel.id, prize.cost_minor)
      if (prize.type === 'spin_chance')
        writes.chances.push({
          id: newId(),
          user_id: record.user_id,
          count: Number(prize.value),
          reason: prize.name,
        })
    }
    tell(tx, nameOf, spin, record, rolled, award)
    spin.member.verdict = { answer: { text: record.answer, replayed: false } }
  }

  const list = <K, N extends string>(map: Map<K, number>, name: N) =>
    [...map].map(([id, amount]) => ({ id, [name]: amount })) as ({ id: K } & Record<N, number>)[]
  const intended: SpinWrites = {
    ...writes,
    seeds: list(spent.seeds, 'count'),
    grants: list(spent.grants, 'count'),
  }
  tx.awaitBeforeCommit(recordAll(tx, intended))
  tx.awaitBeforeCommit(
    spendAll(tx, {
      prizes: [...spent.prizes].map(([id, count]) => ({ id, count, is_locked: prizes.locked.has(id) })),
      budgets: list(spent.budgets, 'amount_minor'),
      unlimited: [...unlimited],
    }),
  )
  if (uses.length > 0) await takeEffects(tx, uses)
  if (codes.length > 0) await takeCodes(tx, codes)
  prizes.tellExhausted(tx)
}

async function recordAll(tx: Tx, intended: SpinWrites): Promise<void> {
  const touched = await recordSpins(tx, intended)
  for (const part of ['spins', 'seeds', 'grants'] as const) {
    if (touched![part] !== intended[part].length)
      throw new Error(`a batch meant ${intended[part].length} ${part} and touched ${touched![part]}`)
  }
}

/** After the plays, because whoever sets a stock counts what was won, and waits for plays that he cannot see yet. */
async function spendAll(tx: Tx, spending: Spending): Promise<void> {
  const { prizes, budgets, unlimited } = spending
  if (prizes.length + budgets.length + unlimited.length === 0) return
  const touched = (await spendSupply(tx, spending))!
  if (touched.budgets !== budgets.length)
    throw new Error(`a batch meant ${budgets.length} budgets and touched ${touched.budgets}`)
  // A stock that went quicker than it was thought to, or one that was set: what could not be seen yet must not be
  // given beyond it.
  if (touched.prizes !== prizes.length || touched.limited > 0) throw new StockSet()
}

function useOf({ play_id, play_uuid, user_id, prize_snapshot }: SpinRecord, effect: Effect, by: Actor): Use {
  return { play: { id: play_id, uuid: play_uuid, user_id, prize_snapshot }, effect, order_id: null, by }
}

function add<K>(map: Map<K, number>, key: K, amount: number): void {
  map.set(key, (map.get(key) ?? 0) + amount)
}

/**
 * Two full batches. A stock with more left is not locked while a batch is decided and written, because all spins would
 * wait for it; it is taken at the end, if it is still there.
 */
const PLENTY = 512

/** Definitions, stock, budgets and per-user wins for a batch; stocks that may run out in it are locked in id order. */
async function loadSupply(tx: Tx, spins: readonly Prepared[], { asked, found }: Read['prizes']) {
  const wanted = new Set<number>()
  for (const { version, index } of spins) {
    const rolled = version.config.segments[index]!
    if (rolled.prize_id === null) continue
    wanted.add(rolled.prize_id)
    const fallback = version.fallback
    if (fallback?.prize_id != null) wanted.add(fallback.prize_id)
  }
  const definitions = new Map(found.filter((row) => wanted.has(row.id)).map((row) => [row.id, row]))
  const unread = [...wanted].filter((id) => !asked.has(id))
  if (unread.length > 0) for (const row of await loadPrizes(tx, unread)) definitions.set(row.id, row)
  const scarce = [...definitions.values()]
    .filter(({ stock, won_count }) => stock !== null && stock - won_count < PLENTY)
    .map((row) => row.id)
  const locked = new Set(scarce)
  // Read again under the lock: what was read before it may be old.
  if (scarce.length > 0)
    for (const row of await loadLimitedPrizesForUpdate(tx, scarce)) definitions.set(row.id, row)

  const stock_left = new Map(
    [...definitions.values()].map((row) => [row.id, row.stock === null ? null : row.stock - row.won_count]),
  )
  const cost_minor = new Map([...definitions.values()].map((row) => [row.id, row.cost_minor]))
  const before = new Map(stock_left)
  const budgets = await loadBudgets(tx, spins)
  const wins = await loadWins(tx, spins)

  return {
    definitions,
    locked,
    supplyOf(spin: Prepared): Supply {
      const key = `${spin.wheel.id}\n${spin.member.input.actor.userId}`
      return {
        stock_left,
        cost_minor,
        budget_left_minor: budgets.get(spin.wheel.id) ?? null,
        wins_of_user: wins.get(key) ?? new Map(),
      }
    },
    keep(spin: Prepared, supply: Supply): void {
      if (supply.budget_left_minor !== null) budgets.set(spin.wheel.id, supply.budget_left_minor)
      wins.set(`${spin.wheel.id}\n${spin.member.input.actor.userId}`, supply.wins_of_user)
    },
    /** One event per wheel and reward whose last piece went in this batch. */
    tellExhausted(tx: Tx): void {
      for (const version of new Set(spins.map((spin) => spin.version))) {
        for (const segment of version.config.segments) {
          const id = segment.prize_id
          if (id === null || stock_left.get(id) !== 0 || before.get(id) === 0) continue
          tx.emit({ gameId: version.wheelId, type: 'wheel.exhausted', data: { reward_slug: segment.id } })
        }
      }
    },
  }
}

async function loadBudgets(tx: Tx, spins: readonly Prepared[]): Promise<Map<string, number>> {
  const budgets = new Map<string, number>()
  const wheels = [
    ...new Set(
      spins
        .filter(
          ({ wheel, version, index }) =>
            wheel.has_budget && version.config.segments[index]!.prize_id !== null,
        )
        .map(({ wheel }) => wheel.id),
    ),
  ]
  for (const id of wheels.sort()) budgets.set(id, (await loadBudgetForUpdate(tx, id))!.left_minor)
  return budgets
}

async function loadWins(tx: Tx, spins: readonly Prepared[]): Promise<Map<string, Map<string, number>>> {
  const wins = new Map<string, Map<string, number>>()
  for (const version of new Set(spins.map((spin) => spin.version))) {
    const slugs = version.config.segments
      .filter((segment) => segment.per_user_limit !== null)
      .map((segment) => segment.id)
    if (slugs.length === 0) continue
    const mine = spins.filter((spin) => spin.version === version)
    const users = [...new Set(mine.map((spin) => spin.member.input.actor.userId))]
    for (const row of await loadWinCounts(tx, mine[0]!.wheel.game_id, users, slugs)) {
      const key = `${version.wheelId}\n${row.user_id}`
      wins.set(key, (wins.get(key) ?? new Map()).set(row.reward_slug, row.wins))
    }
  }
  return wins
}

/** The prize of a play that won none. */
const NOTHING_ISSUED = {
  prize_id: null,
  prize_code: null,
  prize_status: null,
  prize_snapshot: null,
  expires_at: null,
  grace_hours: 0,
} as const

function recordOf(
  tx: Tx,
  spin: Prepared,
  rolled: Segment,
  award: Award,
  prize: PrizeRow | undefined,
  effect: Effect | null,
  play_id: number,
): SpinRecord {
  const { input } = spin.member
  const { config, odds, wheelId } = spin.version
  // A result is never stamped before its commitment, even where two processes' clocks differ.
  const result_at = new Date(Math.max(tx.now.getTime(), spin.seed.committed_at.getTime() + 1))
  const landing = landingOf(
    spin.roll,
    odds.total,
    new Date(tx.now.getTime() + LANDING_LEAD_MS),
    config.spin.duration_ms,
  )
  const beginning = beginningOf(effect)
  const issue = prize === undefined ? NOTHING_ISSUED : issueOf(prize, effect, tx.now)
  const session_id = newId()
  const answer: SpinAnswer = {
    spin_id: session_id,
    nonce: spin.nonce,
    reward_slug: rolled.id,
    segment: spin.index,
    won: prize !== undefined,
    play_id,
    prize_status: issue.prize_status,
    chances_left: spin.chances_left,
    award: { status: award.status, reward_slug: award.segment?.id ?? null },
    landing,
    commit_hash: spin.seed.commit_hash,
  }
  return {
    session_id,
    wheel_id: wheelId,
    user_id: input.actor.userId,
    request_id: input.request_id,
    request_hash: requestHash(input),
    chance_id: spin.grant.id,
    result_at,
    duration_ms: config.spin.duration_ms,
    answer: JSON.stringify(answer),
    result_id: newId(),
    reward_id: rolled.reward,
    seed_id: spin.seed.id,
    nonce: spin.nonce,
    config_version: spin.version.config_version,
    roll: spin.roll,
    client_entropy: input.client_entropy,
    win_status: award.status,
    claim_status: prize === undefined ? 'none' : beginning.claim_status,
    paid_amount: beginning.paid_amount,
    result_metadata: { segment: spin.index, landing, award_slug: award.segment?.id ?? null },
    play_id,
    play_uuid: newId(),
    game_id: spin.wheel.game_id,
    ...issue,
    game_data: {
      reward_slug: rolled.id,
      reward_label: rolled.label,
      award_status: award.status,
      award_slug: award.segment?.id ?? null,
    },
    ip: input.actor.ip ?? null,
    agent: input.actor.userAgent?.slice(0, 300) ?? null,
  }
}

function tell(
  tx: Tx,
  nameOf: PlayerNames,
  spin: Prepared,
  record: SpinRecord,
  rolled: Segment,
  award: Award,
): void {
  const { actor } = spin.member.input
  tx.log({
    type: 'spin',
    commitHash: spin.seed.commit_hash,
    entropy: record.client_entropy,
    nonce: spin.nonce,
    result: spin.index,
  })
  tx.emit({
    gameId: record.wheel_id,
    type: 'wheel.spun',
    userId: actor.userId,
    data: {
      spin_id: record.session_id,
      player: nameOf(actor.userId),
      segment: spin.index,
      reward_slug: rolled.id,
      reward_label: rolled.label,
      won: record.prize_id !== null,
      landing: record.result_metadata['landing'],
    },
  })
  tx.audit({
    action: 'spin',
    entity_type: 'game_play',
    entity_id: record.play_uuid,
    by: actor,
    new_values: {
      play_id: record.play_id,
      spin_session_id: record.session_id,
      wheel_game_id: record.wheel_id,
      config_version: record.config_version,
      chance_id: record.chance_id,
      seed_id: record.seed_id,
      nonce: record.nonce,
      reward_slug: rolled.id,
      award_status: award.status,
      ...(record.prize_status !== null && { prize_id: record.prize_id, prize_status: record.prize_status }),
    },
  })
}
