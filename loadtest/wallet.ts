/**
 * Scenario `wallet`: players look at their prizes while a shop applies them, and once a second thirty orders want one
 * prize at the same moment. Requests are open-loop: they are due at fixed times whatever the server does, and an
 * answer's time counts from then. Everything goes through the HTTP API, as players and shops do it.
 */
import { randomBytes } from 'node:crypto'
import { createHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Role } from '../src/db/tx.ts'
import type { Tokens } from '../src/http/tokens.ts'
import { type Api, eachOf } from './api.ts'
import type { Finding } from './check.ts'
import type { Course, Second } from './course.ts'
import type { Wishes } from './crowd.ts'
import { type Application, checkWallet, type List, type WalletEvidence } from './wallet-check.ts'

const TTL_S = 6 * 3600
const AT_ONCE = 8
/** One request in so many is an application, the others are lists. */
const APPLIES_ONE_IN = 5
/** So many applications are sent again with their key. */
const REPEATED_ONE_IN = 10
export const CROWD = 30
const EVERY_MS = 1_000
/** Calls of one token a minute are limited; so many users share an operator and a till. */
const USERS_PER_TOKEN = 500
const SETTLE_MS = 20_000
const PAGE = 100
const ORDER = { order_amount: 75.5 }

type Player = { user_id: string; token: string; till: string; play_ids: number[] }
type Stage = { players: Player[]; crowd: Player }

/** Makes the prizes, runs, and compares what was answered with what the wallets say afterwards. */
export async function playWallet(
  api: Api,
  tokens: Tokens,
  tenant: string,
  wishes: Wishes,
  show: (second: Second | null, joined: number) => void,
): Promise<{ course: Course; findings: Finding[] }> {
  const started = performance.now()
  const stage = await prepare(api, tokens, tenant, wishes, (joined) => show(null, joined))
  const join_ms = performance.now() - started
  const { evidence, ...ran } = await runWallet(api, stage, wishes, show)
  const wallets = await eachOf([...stage.players, stage.crowd], AT_ONCE, async ({ user_id, token }) => ({
    user_id,
    applied: await appliedOf(api, token),
  }))
  return {
    course: { ...ran, join_ms, pauses: 0, log: [], refusals: {}, evidence: {} },
    findings: checkWallet(evidence, wallets),
  }
}

/** A wheel that gives the prize every time: each player wins as many as the run can apply, and opens them. */
async function prepare(
  api: Api,
  tokens: Tokens,
  tenant: string,
  { clients, rate, duration_ms }: Wishes,
  ready: (count: number) => void,
): Promise<Stage> {
  const run = randomBytes(4).toString('hex')
  const sign = async (sub: string, roles: Role[]) =>
    (await tokens.sign({ sub: `loadtest-${run}-${sub}`, tenant, roles, ttl_s: TTL_S })).token
  const operator = await sign('operator', ['operator'])
  const prize = await api.ask<{ id: number }>('POST', '/prizes', operator, {
    name: '10% off',
    type: 'discount_percentage',
    value: '10.00',
  })
  const slug = `loadtest-${run}`
  await api.ask('POST', '/wheels', operator, {
    wheel_name: `Load test ${run}`,
    wheel_slug: slug,
    rewards: [{ reward_slug: 'ten', reward_label: '10% OFF', probability: '1', prize_id: prize.id }],
  })
  await api.ask('POST', `/wheels/${slug}/publish`, operator)

  const seconds = duration_ms / 1_000
  const each = Math.ceil((rate * seconds) / APPLIES_ONE_IN / clients) + 1
  let count = 0
  const make = async (i: number, wins: number): Promise<Player> => {
    const group = Math.floor(i / USERS_PER_TOKEN)
    const staff = await sign(`operator-${group}`, ['operator'])
    const user_id = `loadtest-${run}-${i}`
    const token = (await tokens.sign({ sub: user_id, tenant, roles: ['player'], ttl_s: TTL_S })).token
    await api.ask('POST', '/spin-chances', staff, { user_id, count: wins, reason: 'load test' })
    const play_ids: number[] = []
    for (let n = 0; n < wins; n++) {
      const { play_id } = await api.ask<{ play_id: number }>('POST', `/wheels/${slug}/spins`, token, {
        request_id: `win-${n}`,
      })
      await api.ask('POST', `/gamification/unlock/${play_id}`, token)
      play_ids.push(play_id)
    }
    ready(++count)
    return { user_id, token, till: await sign(`till-${group}`, ['service']), play_ids }
  }
  const players = await eachOf(
    Array.from({ length: clients }, (_, i) => i),
    AT_ONCE,
    (i) => make(i, each),
  )
  return { players, crowd: await make(clients, Math.ceil(seconds)) }
}

async function runWallet(
  api: Api,
  { players, crowd }: Stage,
  { rate, duration_ms }: Wishes,
  show: (second: Second, joined: number) => void,
) {
  const latency = createHistogram()
  let second = createHistogram()
  const loop = monitorEventLoopDelay({ resolution: 10 })
  loop.enable()
  const errors: Record<string, number> = {}
  const evidence: WalletEvidence = { applications: [], lists: [], crowds: [], repeated: [] }
  const seconds: Second[] = []
  const totals = { sent: 0, replied: 0 }
  const free = players.flatMap((player) => player.play_ids.map((play_id) => ({ player, play_id })))
  let is_over = false
  let orders = 0

  const answered = (due_ms: number) => {
    const took_us = Math.max(1, Math.round((performance.now() - due_ms) * 1_000))
    latency.record(took_us)
    second.record(took_us)
    totals.replied += 1
  }
  const fail = (error: unknown) => {
    const code = (error as Error).message.slice(0, 80)
    errors[code] = (errors[code] ?? 0) + 1
  }

  async function list(player: Player, due_ms: number): Promise<void> {
    const asked_at = performance.now()
    const told = await api.ask<List>('GET', `/gamification/my_prizes?per_page=${PAGE}`, player.token)
    answered(due_ms)
    evidence.lists.push({ user_id: player.user_id, asked_at, told })
  }

  async function apply(player: Player, play_id: number, due_ms: number): Promise<Application> {
    const order_id = `order-${player.user_id}-${orders++}`
    const path = `/gamification/apply/${play_id}`
    const body = { order_id, ...ORDER }
    const { status, text } = await api.send('POST', path, player.till, body, order_id)
    answered(due_ms)
    const made = { user_id: player.user_id, play_id, order_id, status, text, answered_at: performance.now() }
    evidence.applications.push(made)
    if (evidence.applications.length % REPEATED_ONE_IN === 0) {
      const again = await api.send('POST', path, player.till, body, order_id)
      evidence.repeated.push({ first: made, again: again.text, status: again.status })
    }
    return made
  }

  /** Thirty orders and one prize. */
  async function contest(play_id: number): Promise<void> {
    totals.sent += CROWD
    const due_ms = performance.now()
    evidence.crowds.push(
      await Promise.all(Array.from({ length: CROWD }, () => apply(crowd, play_id, due_ms))),
    )
  }

  async function one(i: number, due_ms: number): Promise<void> {
    totals.sent += 1
    const next =
      i % APPLIES_ONE_IN === 0 ? free.splice(Math.floor(Math.random() * free.length), 1)[0] : undefined
    if (next === undefined) return list(players[Math.floor(Math.random() * players.length)]!, due_ms)
    await apply(next.player, next.play_id, due_ms)
  }

  async function watch(): Promise<void> {
    const begun = performance.now()
    let before = { at: begun, replied: 0, cpu_s: (await metrics()).get('process_cpu_seconds_total') ?? 0 }
    while (!is_over) {
      await sleep(EVERY_MS)
      const measured = await metrics()
      const now = {
        at: performance.now(),
        replied: totals.replied,
        cpu_s: measured.get('process_cpu_seconds_total') ?? before.cpu_s,
      }
      const took_s = (now.at - before.at) / 1_000
      const of = (share: number) => (second.count === 0 ? 0 : round(second.percentile(share) / 1_000))
      const last: Second = {
        at_s: round((now.at - begun) / 1_000),
        players: players.length,
        spectators: 0,
        spins_per_s: round((now.replied - before.replied) / took_s),
        patches_per_s: 0,
        messages_per_s: 0,
        p50_ms: of(50),
        p95_ms: of(95),
        p99_ms: of(99),
        errors: Object.values(errors).reduce((sum, each) => sum + each, 0),
        server_loop_p99_ms: round(measured.get('livedraw_event_loop_p99_ms') ?? 0),
        server_rss_mb: round((measured.get('process_resident_memory_bytes') ?? 0) / 2 ** 20),
        server_cpu: Math.round(((now.cpu_s - before.cpu_s) / took_s) * 100) / 100,
        generator_loop_p99_ms: round(loop.percentile(99) / 1e6),
      }
      second = createHistogram()
      loop.reset()
      seconds.push(last)
      show(last, players.length)
      before = now
    }
  }
  const metrics = () => api.metrics().catch(() => new Map<string, number>())

  const watching = watch()
  const started = performance.now()
  const running = new Set<Promise<void>>()
  const begin = (work: Promise<void>) => {
    const done = work.catch(fail)
    running.add(done)
    void done.finally(() => running.delete(done))
  }
  const total = Math.floor((rate * duration_ms) / 1_000)
  const contested = [...crowd.play_ids]
  for (let i = 0; i < total; i++) {
    const due_ms = started + (i * 1_000) / rate
    const wait_ms = due_ms - performance.now()
    if (wait_ms > 1) await sleep(wait_ms)
    if (due_ms - started >= EVERY_MS * (crowd.play_ids.length - contested.length))
      begin(contest(contested.shift()!))
    begin(one(i, due_ms))
  }
  await Promise.race([Promise.all(running), sleep(SETTLE_MS, undefined, { ref: false })])
  is_over = true
  await watching
  return { evidence, latency, errors, seconds, ...totals }
}

/** What a wallet shows as applied, all pages. */
async function appliedOf(api: Api, token: string): Promise<number[]> {
  const applied: number[] = []
  for (let page = 1; ; page++) {
    const path = `/gamification/my_prizes?status=applied&per_page=${PAGE}&page=${page}`
    const { data, pagination } = await api.ask<List>('GET', path, token)
    applied.push(...data.map(({ id }) => id))
    if (page >= pagination.total_pages) return applied
  }
}

const round = (value: number): number => Math.round(value * 10) / 10
