/**
 * The spin as it is usually written: one transaction per spin, one plain statement per table. It writes the same rows
 * as src/games/wheel/spin.ts, under the same role and policies, with the same outcome, event, audit and log entries.
 * Locks are taken as late as they can be and every statement is prepared: this is a baseline, not a straw man.
 */
import { hash as digest } from 'node:crypto'
import type { App } from '../../src/app.ts'
import { auditHash, logLeafHash, logRowHash } from '../../src/db/append.ts'
import type { Actor, GameEvent, Tx } from '../../src/db/tx.ts'
import { Refusal } from '../../src/errors.ts'
import { jcs } from '../../src/fairness/canonical.ts'
import { context } from '../../src/fairness/rolls.ts'
import { nameOf } from '../../src/games/players.ts'
import type { Award } from '../../src/games/wheel/rules.ts'
import {
  awardOf,
  chancesLeft,
  LANDING_LEAD_MS,
  type Landing,
  landingOf,
  type Segment,
  takeChance,
  whyNotSpin,
} from '../../src/games/wheel/rules.ts'
import type { ActiveSeed, GrantRow, WheelInForce } from '../../src/games/wheel/store.ts'
import { makeVersions, type Version } from '../../src/games/wheel/versions.ts'
import type { SpinRequest } from '../../src/games/wheel/wheel.ts'
import { newCode, newId } from '../../src/ids.ts'
import { spinIndex } from '../../src/node-hash.ts'
import type { PrizeRow } from '../../src/prizes/issue.ts'
import { makePairKeys, type PairKeys } from '../../src/proofs/pair-keys.ts'

export type SpinSingly = (actor: Actor, request: SpinRequest) => Promise<string>

const DAY_MS = 86_400_000

/** Makes the baseline; `publish` is called after commit, as the product's own runner does. */
export function makeStatementSpins(
  app: App,
  publish: (events: readonly GameEvent[]) => void = () => {},
): SpinSingly {
  const versions = makeVersions()
  const keys = makePairKeys()
  return (actor, request) =>
    app.run(actor, (tx, input) => spinOne(tx, input, { versions, keys, publish }), request)
}

type Memory = {
  versions: ReturnType<typeof makeVersions>
  keys: PairKeys
  publish: (events: readonly GameEvent[]) => void
}

type Spin = {
  wheel: WheelInForce
  version: Version
  seed: ActiveSeed
  entropy: string
  index: number
  roll: number
  rolled: Segment
  award: Award
  prize: PrizeRow | undefined
  grant_id: string
  session_id: string
  play_uuid: string
  play_id: number
  prize_status: string | null
  landing: Landing
}

async function spinOne(tx: Tx, request: SpinRequest, { versions, keys, publish }: Memory): Promise<string> {
  const { userId } = tx.actor
  const entropy = request.client_entropy ?? '-'
  const request_hash = digest('sha256', `${request.wheel_id}\n${entropy}`, 'hex')
  const done = await tx.one<{ answer: string }>(
    'select answer from spin_sessions where user_id = $1 and session_id = $2',
    [userId, request.request_id],
    'one_answered',
  )
  if (done !== undefined) return done.answer

  const wheel = await loadWheel(tx, request.wheel_id)
  const version = await versions.of(tx, wheel.id, wheel.config_version)
  const seed = await lockSeed(tx, wheel.id)
  const grants = await lockGrants(tx)
  const left = chancesLeft(grants, wheel.id)
  const state = {
    ...wheel,
    spin: version.config.spin,
    plays_today: 0,
    last_spin_at: null,
    chances_left: left,
  }
  const refusal = whyNotSpin(state, tx.now)
  if (refusal !== null) throw new Refusal(refusal.code, refusal.detail)
  const grant = takeChance(grants, wheel.id)!

  const ctx = context('wheel', [seed.commit_hash, seed.client_seed, seed.next_nonce, entropy])
  const { index, roll } = spinIndex(keys.of(tx, seed), ctx, version.odds)
  const rolled = version.config.segments[index]!
  const { award, prize } = await giveAward(tx, version, rolled)
  const prize_status = prize === undefined ? null : 'locked'
  const landing = landingOf(
    roll,
    version.odds.total,
    new Date(tx.now.getTime() + LANDING_LEAD_MS),
    version.config.spin.duration_ms,
  )
  await tx.rows(
    'update fair_seeds set next_nonce = next_nonce + 1, updated_at = $2 where id = $1',
    [seed.id, tx.now],
    'one_nonce',
  )
  await tx.rows(
    `update spin_chances set used_chances = used_chances + 1, remaining_chances = remaining_chances - 1, updated_at = $2
     where id = $1`,
    [grant.id, tx.now],
    'one_chance',
  )
  const named = { wheel, version, seed, entropy, index, roll, rolled, award, prize, grant_id: grant.id }
  const spin: Spin = { ...named, session_id: newId(), play_uuid: newId(), play_id: 0, prize_status, landing }
  spin.play_id = await insertPlay(tx, spin)
  const answer = JSON.stringify({
    spin_id: spin.session_id,
    nonce: seed.next_nonce,
    reward_slug: rolled.id,
    segment: index,
    won: prize !== undefined,
    play_id: spin.play_id,
    prize_status,
    chances_left: left - 1,
    award: { status: award.status, reward_slug: award.segment?.id ?? null },
    landing,
    commit_hash: seed.commit_hash,
  })
  await insertSession(tx, spin, request.request_id, request_hash, answer)
  await insertResult(tx, spin)
  const event = await appendEvent(tx, spin)
  await appendChains(tx, spin)
  tx.afterCommit(() => publish([event]))
  return answer
}

async function loadWheel(tx: Tx, id: string): Promise<WheelInForce> {
  const wheel = await tx.one<WheelInForce>(
    `select w.id, w.wheel_status, w.config_version, w.budget_minor is not null as has_budget, t.time_zone, g.id as game_id
     from wheel_games w
     join tenants t on t.id = w.tenant_id
     join gamification_games g on g.wheel_game_id = w.id
     where w.id = $1 and w.is_active`,
    [id],
    'one_wheel',
  )
  if (wheel === undefined) throw new Refusal('game_not_found')
  return wheel
}

async function lockSeed(tx: Tx, wheelId: string): Promise<ActiveSeed> {
  const seed = await tx.one<ActiveSeed>(
    `select id, user_id, game_id, commit_hash, seed_hash, sealed_seed, client_seed, config_version, next_nonce, committed_at
     from fair_seeds where game_id = $1 and user_id = $2 and seed_status = 'active' for no key update`,
    [wheelId, tx.actor.userId],
    'one_seed',
  )
  if (seed === undefined) throw new Refusal('seed_pair_not_found')
  return seed
}

function lockGrants(tx: Tx): Promise<GrantRow[]> {
  return tx.rows<GrantRow>(
    `select id, user_id, wheel_game_id, remaining_chances as remaining from spin_chances
     where user_id = $1 and chance_status = 'active' and awarded_at <= $2 and (expires_at is null or expires_at > $2)
     order by expires_at nulls last, awarded_at, id for no key update`,
    [tx.actor.userId, tx.now],
    'one_grants',
  )
}

/** The prize of a rolled segment; a limited one is locked, and counted in its own statement. */
async function giveAward(
  tx: Tx,
  version: Version,
  rolled: Segment,
): Promise<{ award: Award; prize: PrizeRow | undefined }> {
  const supply = {
    stock_left: new Map<number, number | null>(),
    cost_minor: new Map<number, number>(),
    budget_left_minor: null,
    wins_of_user: new Map<string, number>(),
  }
  let prize: PrizeRow | undefined
  if (rolled.prize_id !== null) {
    prize = await loadPrize(tx, rolled.prize_id, false)
    if (prize !== undefined && prize.stock !== null) prize = await loadPrize(tx, rolled.prize_id, true)
    if (prize !== undefined)
      supply.stock_left.set(prize.id, prize.stock === null ? null : prize.stock - prize.won_count)
  }
  const award = awardOf(version.config, rolled, supply)
  if (award.status !== 'won') return { award, prize: undefined }
  if (prize!.stock !== null) {
    await tx.rows(
      'update gamification_prizes set won_count = won_count + 1, updated_at = $2 where id = $1',
      [prize!.id, tx.now],
      'one_stock',
    )
  }
  return { award, prize }
}

function loadPrize(tx: Tx, id: number, is_locked: boolean): Promise<PrizeRow | undefined> {
  return tx.one<PrizeRow>(
    `select id, name, description, type, value, display_value, prize_color, prize_image, conditions, expires_in_days,
            never_expires, grace_hours, cost_minor, stock, won_count, version
     from gamification_prizes where id = $1 and is_active and deleted_at is null${is_locked ? ' for no key update' : ''}`,
    [id],
    is_locked ? 'one_prize_locked' : 'one_prize',
  )
}

async function insertPlay(tx: Tx, spin: Spin): Promise<number> {
  const { prize, rolled, award } = spin
  const { won_count: _won, stock: _stock, cost_minor: _cost, ...snapshot } = prize ?? ({} as PrizeRow)
  const row = await tx.one<{ id: number }>(
    `insert into gamification_game_plays (uuid, game_id, user_id, prize_id, is_winner, prize_code, prize_status, prize_snapshot,
                                          expires_at, grace_hours, game_data, event_id, ip_address, user_agent, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15) returning id`,
    [
      spin.play_uuid,
      spin.wheel.game_id,
      tx.actor.userId,
      prize?.id ?? null,
      prize !== undefined,
      prize === undefined ? null : newCode(8),
      spin.prize_status,
      prize === undefined ? null : JSON.stringify(snapshot),
      prize === undefined || prize.never_expires
        ? null
        : new Date(tx.now.getTime() + (prize.expires_in_days ?? 7) * DAY_MS),
      prize?.grace_hours ?? 0,
      JSON.stringify({
        reward_slug: rolled.id,
        reward_label: rolled.label,
        award_status: award.status,
        award_slug: award.segment?.id ?? null,
      }),
      spin.session_id,
      tx.actor.ip ?? null,
      tx.actor.userAgent ?? null,
      tx.now,
    ],
    'one_play',
  )
  return row!.id
}

async function insertSession(
  tx: Tx,
  spin: Spin,
  request_id: string,
  request_hash: string,
  answer: string,
): Promise<void> {
  await tx.rows(
    `insert into spin_sessions (id, wheel_game_id, user_id, session_id, request_hash, chance_id, spin_status, spin_started_at,
                                spin_completed_at, spin_duration_ms, answer, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, 'completed', $7, $8, $9, $10, $7, $7)`,
    [
      spin.session_id,
      spin.wheel.id,
      tx.actor.userId,
      request_id,
      request_hash,
      spin.grant_id,
      tx.now,
      resultAt(tx, spin),
      spin.version.config.spin.duration_ms,
      answer,
    ],
    'one_session',
  )
}

const resultAt = (tx: Tx, { seed }: Spin): Date =>
  new Date(Math.max(tx.now.getTime(), seed.committed_at.getTime() + 1))

async function insertResult(tx: Tx, spin: Spin): Promise<void> {
  await tx.rows(
    `insert into spin_results (id, spin_session_id, wheel_reward_id, user_id, seed_id, nonce, config_version, roll, client_entropy,
                               result_status, claim_status, win_status, result_metadata, result_timestamp, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'final', $10, $11, $12, $13, $14, $14)`,
    [
      newId(),
      spin.session_id,
      spin.rolled.reward,
      tx.actor.userId,
      spin.seed.id,
      spin.seed.next_nonce,
      spin.version.config_version,
      spin.roll,
      spin.entropy,
      spin.prize === undefined ? 'none' : 'unclaimed',
      spin.award.status,
      JSON.stringify({
        segment: spin.index,
        landing: spin.landing,
        award_slug: spin.award.segment?.id ?? null,
      }),
      resultAt(tx, spin),
      tx.now,
    ],
    'one_result',
  )
}

async function appendEvent(tx: Tx, spin: Spin): Promise<GameEvent> {
  const { tenantId, userId } = tx.actor
  const head = await tx.one<{ last_seq: number }>(
    `insert into game_heads as h (game_id, last_seq) values ($1, 1)
     on conflict (tenant_id, game_id) do update set last_seq = h.last_seq + 1 returning h.last_seq`,
    [spin.wheel.id],
    'one_game_head',
  )
  const data = {
    spin_id: spin.session_id,
    player: nameOf(digest('sha256', `${tenantId}\n${userId}`, 'hex')),
    segment: spin.index,
    reward_slug: spin.rolled.id,
    reward_label: spin.rolled.label,
    won: spin.prize !== undefined,
    landing: spin.landing,
  }
  await tx.rows(
    `insert into game_events (user_id, event_type, event_category, game_id, game_seq, event_data, event_timestamp, created_at)
     values ($1, 'wheel.spun', 'wheel', $2, $3, $4, $5, $5)`,
    [userId, spin.wheel.id, head!.last_seq, JSON.stringify(data), tx.now],
    'one_event',
  )
  const seq = head!.last_seq
  return { tenantId, gameId: spin.wheel.id, seq, type: 'wheel.spun', at: tx.now.toISOString(), data }
}

/** The audit row and the fairness log's row, under the lock of the tenant's heads. */
async function appendChains(tx: Tx, spin: Spin): Promise<void> {
  const { tenantId, userId, ip, userAgent } = tx.actor
  const at = tx.now.toISOString()
  const heads = await tx.one<{
    audit_seq: number
    audit_hash: string | null
    log_size: number
    log_hash: string
  }>('select audit_seq, audit_hash, log_size, log_hash from tenant_heads for no key update', [], 'one_heads')
  const { audit_seq, audit_hash, log_size, log_hash } = heads!
  const values = {
    play_id: spin.play_id,
    spin_session_id: spin.session_id,
    wheel_game_id: spin.wheel.id,
    config_version: spin.version.config_version,
    chance_id: spin.grant_id,
    seed_id: spin.seed.id,
    nonce: spin.seed.next_nonce,
    reward_slug: spin.rolled.id,
    award_status: spin.award.status,
    ...(spin.prize !== undefined && { prize_id: spin.prize.id, prize_status: spin.prize_status }),
  }
  const hashed = {
    seq: audit_seq + 1,
    user_id: userId,
    action: 'spin',
    entity_type: 'game_play',
    entity_id: spin.play_uuid,
    old_values: null,
    new_values: values,
    at,
  }
  const hash = auditHash(tenantId, audit_hash, hashed)
  await tx.rows(
    `insert into audit_logs (seq, user_id, action, entity_type, entity_id, new_values, ip_address, user_agent, prev_hash, hash, created_at)
     values ($1, $2, 'spin', 'game_play', $3, $4, $5, $6, $7, $8, $9)`,
    [
      hashed.seq,
      userId,
      spin.play_uuid,
      JSON.stringify(values),
      ip ?? null,
      userAgent ?? null,
      audit_hash,
      hash,
      tx.now,
    ],
    'one_audit',
  )
  const { commit_hash, next_nonce: nonce } = spin.seed
  const event = jcs({
    type: 'spin',
    commitHash: commit_hash,
    entropy: spin.entropy,
    nonce,
    result: spin.index,
    seq: log_size,
    at,
  })
  const row_hash = logRowHash(log_hash, event)
  await tx.rows(
    `insert into fair_log (seq, type, commit_hash, nonce, event, leaf_hash, row_hash) values ($1, 'spin', $2, $3, $4, $5, $6)`,
    [log_size, commit_hash, nonce, event, logLeafHash(event), row_hash],
    'one_log',
  )
  await tx.rows(
    'update tenant_heads set audit_seq = $1, audit_hash = $2, log_size = $3, log_hash = $4',
    [hashed.seq, hash, log_size + 1, row_hash],
    'one_heads_update',
  )
}
