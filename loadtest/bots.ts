/**
 * The players and spectators of a load test, on a thread of their own. Players and some spectators are SDK clients,
 * of which a share decodes every state; the other spectators are bare sockets that keep each different frame they were sent once,
 * so that a crowd costs the generator little and is still compared in full.
 *
 * Spins are open-loop: they are due at fixed times whatever the server does, and a reply's time counts from then.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { createHistogram, monitorEventLoopDelay, type RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { Room } from '@colyseus/sdk'
import type WebSocket from 'ws'
import { type BareSocket, openBareSocket } from './bare-socket.ts'
import type { Evidence, Reply, SeenState, Told } from './check.ts'

export type Bot = { token: string | null; address: string | null }

export type BotPlan = {
  endpoint: string
  tenant: string
  game: string
  /** `decodes`: it follows every state; the others read replies and announcements, and let states pass. */
  players: (Bot & { user_id: string; decodes: boolean })[]
  /** `decodes`: an SDK client; `pauses`: it stops reading for a while. */
  spectators: (Bot & { decodes: boolean; pauses: boolean })[]
  /** Spins per second of this thread's players. */
  rate: number
  duration_ms: number
  /** Between two joins of one of the threads that join. */
  delay_ms: number
  pause_ms: number
  /** One thread reads the log of the wheel's events for all. */
  follows_log: boolean
}

/** What a thread says once a second; counts are totals, percentiles are of that second. */
export type Beat = {
  players: number
  spectators: number
  sent: number
  replied: number
  errors: Record<string, number>
  patches: number
  messages: number
  bytes: number
  p50_ms: number
  p95_ms: number
  p99_ms: number
  loop_p99_ms: number
}

export type FromBots =
  | { type: 'joined' }
  | { type: 'quiet' }
  | { type: 'beat'; beat: Beat }
  | {
      type: 'done'
      evidence: Evidence
      log: { seq: number; type: string; data: Record<string, unknown> }[]
      latency: RecordableHistogram
      pauses: number
    }

const JOINING_AT_ONCE = 16
/** One in twenty spins is asked for again, after its reply or beside it. */
const REPEATED_ONE_IN = 20
const SETTLE_MS = 20_000
const TRIES_MAX = 3
/** Events reach a room within a patch or two; longer than this is a fault that the check should see. */
const CATCH_UP_MS_MAX = 5_000
const LOG_EVERY_MS = 600
/** How many states right after a pause are compared. */
const STATES_AFTER_PAUSE = 8
/** The first byte of a frame (Colyseus 0.18). */
const JOIN_ROOM = 10
const ROOM_DATA = 13
const ROOM_STATE = 14
const ROOM_STATE_PATCH = 15
const CODE_MASK = 0x1f

type SdkRoom = Room<any, any>
type Player = { user_id: string; room: SdkRoom; decodes: boolean }

// The SDK takes the global WebSocket if there is one; that of Node can neither send headers nor stop reading.
Reflect.deleteProperty(globalThis, 'WebSocket')
const { Client, Room: RoomClass } = await import('@colyseus/sdk')

async function run(plan: BotPlan): Promise<void> {
  const latency = createHistogram()
  let second = createHistogram()
  const loop = monitorEventLoopDelay({ resolution: 10 })
  loop.enable()
  const totals = { sent: 0, replied: 0, patches: 0, messages: 0, bytes: 0 }
  const errors: Record<string, number> = {}
  const replies: Reply[] = []
  const open = new Map<string, { player: Player; request: SpinRequest }>()
  const announced = new Map<string, Told & { version: number }>()
  const frames = new Set<string>()
  const states: SeenState[] = []
  const players: Player[] = []
  const watchers: { room: SdkRoom; pauses: boolean }[] = []
  const sockets: BareSocket[] = []
  let pauses = 0
  let is_over = false

  const fail = (code: string) => {
    errors[code] = (errors[code] ?? 0) + 1
  }

  // ----------------------------------------------------------------------------------------- what is heard

  function hear(spun: Told & { version: number }): void {
    const known = announced.get(spun.spin_id)
    if (known === undefined) announced.set(spun.spin_id, toldOf(spun, spun.version))
    // The same spin told differently to two clients is kept as a second announcement, and will not match its row.
    else if (
      known.segment !== spun.segment ||
      known.reward_slug !== spun.reward_slug ||
      known.won !== spun.won
    )
      announced.set(`${spun.spin_id}/${announced.size}`, toldOf(spun, spun.version))
  }

  function listen(room: SdkRoom): void {
    room.onMessage('spun', (spun) => {
      totals.messages += 1
      hear(spun)
    })
    room.onMessage('*', () => {
      totals.messages += 1
    })
    room.onStateChange(() => {
      totals.patches += 1
    })
    room.onLeave((code) => {
      if (!is_over) fail(`left_${code}`)
    })
    room.onDrop(() => {
      if (!is_over) fail('dropped')
    })
  }

  const stateOf = (room: SdkRoom, was_paused: boolean): SeenState => ({
    version: room.state.version,
    recent: [...room.state.recent].map(({ spinId, segment, rewardSlug, won }: any) => ({
      spin_id: spinId,
      segment,
      reward_slug: rewardSlug,
      won,
    })),
    was_paused,
  })

  // ----------------------------------------------------------------------------------------- joining

  const headersOf = ({ address }: Bot): Record<string, string> =>
    address === null ? {} : { 'x-forwarded-for': address }

  async function joinBySdk(bot: Bot, options: object): Promise<SdkRoom> {
    const client = new Client<any>(plan.endpoint, { headers: headersOf(bot) })
    if (bot.token !== null) client.auth.token = bot.token
    const room: SdkRoom = await client.joinOrCreate('wheel', options)
    listen(room)
    await until(() => room.state?.version > 0, 10_000)
    return room
  }

  async function joinPlayer({ user_id, decodes, ...bot }: BotPlan['players'][number]): Promise<void> {
    const room = await joinBySdk(bot, { game: plan.game })
    if (!decodes) letStatesPass(room)
    // As the page does, so that the first spin need not wait for commitments to be made.
    await room.request('seed_pair', {})
    players.push({ user_id, room, decodes })
  }

  async function joinSpectator({ decodes, pauses, ...bot }: BotPlan['spectators'][number]): Promise<void> {
    const options = { tenant: plan.tenant, game: plan.game, spectate: true }
    if (decodes) watchers.push({ room: await joinBySdk(bot, options), pauses })
    else sockets.push(await joinLightly(bot, options))
  }

  async function joinLightly(bot: Bot, options: object): Promise<BareSocket> {
    const answer = await fetch(`${plan.endpoint}/matchmake/joinOrCreate/wheel`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headersOf(bot) },
      body: JSON.stringify(options),
    })
    const seat = (await answer.json()) as { processId: string; roomId: string; sessionId: string }
    if (!answer.ok) throw new Error(`no seat: ${JSON.stringify(seat)}`)
    const url = new URL(`/${seat.processId}/${seat.roomId}?sessionId=${seat.sessionId}`, plan.endpoint)
    return new Promise<BareSocket>((resolve, reject) => {
      const socket = openBareSocket(url, headersOf(bot), {
        message(data) {
          totals.bytes += data.length
          const code = data[0]! & CODE_MASK
          if (code === JOIN_ROOM) {
            socket.send(Uint8Array.of(JOIN_ROOM))
            resolve(socket)
          } else if (code === ROOM_DATA) {
            totals.messages += 1
            frames.add(data.toString('latin1'))
          } else if (code === ROOM_STATE || code === ROOM_STATE_PATCH) totals.patches += 1
        },
        gone(reason) {
          reject(reason instanceof Error ? reason : new Error(`closed with ${reason}`))
          if (!is_over) fail(reason instanceof Error ? 'socket' : `left_${reason}`)
        },
      })
    })
  }

  async function joinAll(): Promise<void> {
    const waiting = [
      ...plan.players.map((bot) => () => joinPlayer(bot)),
      ...plan.spectators.map((bot) => () => joinSpectator(bot)),
    ]
    const line = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await next().catch((error: unknown) => fail(`join_${codeOf(error)}`))
        if (plan.delay_ms > 0) await sleep(plan.delay_ms)
      }
    }
    await Promise.all(Array.from({ length: JOINING_AT_ONCE }, line))
  }

  // ----------------------------------------------------------------------------------------- spinning

  async function ask(player: Player, request: SpinRequest, due_ms: number | null): Promise<void> {
    const key = `${player.user_id} ${request.request_id}`
    open.set(key, { player, request })
    try {
      const answer = (await player.room.request('spin', request)) as Reply['answer']
      open.delete(key)
      replies.push({ user_id: player.user_id, request_id: request.request_id, answer })
      if (due_ms === null) return
      const took_us = Math.max(1, Math.round((performance.now() - due_ms) * 1_000))
      latency.record(took_us)
      second.record(took_us)
      totals.replied += 1
    } catch (error) {
      // A refusal is an answer: nothing is open any more. Without one the request is asked again at the end.
      const code = codeOf(error)
      if (code !== 'no_answer') open.delete(key)
      fail(code)
    }
  }

  async function spin(due_ms: number): Promise<void> {
    const player = players[Math.floor(Math.random() * players.length)]
    if (player === undefined) return
    const request = { request_id: randomUUID(), client_entropy: randomBytes(8).toString('hex') }
    totals.sent += 1
    const repeats = totals.sent % REPEATED_ONE_IN === 0
    const is_beside = totals.sent % (2 * REPEATED_ONE_IN) === 0
    const first = ask(player, request, due_ms)
    if (repeats && !is_beside) await first
    if (repeats) await ask(player, request, null)
    await first
  }

  async function spinOnTime(): Promise<void> {
    const started = performance.now()
    const step_ms = 1_000 / plan.rate
    const running = new Set<Promise<void>>()
    const total = Math.floor((plan.rate * plan.duration_ms) / 1_000)
    for (let i = 0; i < total; i++) {
      const due_ms = started + i * step_ms
      const wait_ms = due_ms - performance.now()
      if (wait_ms > 1) await sleep(wait_ms)
      const one = spin(due_ms)
      running.add(one)
      void one.finally(() => running.delete(one))
    }
    const rest_ms = started + plan.duration_ms - performance.now()
    if (rest_ms > 0) await sleep(rest_ms)
    await Promise.race([Promise.all(running), sleep(SETTLE_MS, undefined, { ref: false })])
  }

  /** Whoever has no answer asks again with the same id: that is what makes a lost reply harmless. */
  async function askAgain(): Promise<void> {
    for (let tries = 0; tries < TRIES_MAX && open.size > 0; tries++) {
      await Promise.all([...open.values()].map(({ player, request }) => ask(player, request, null)))
    }
  }

  // ----------------------------------------------------------------------------------------- pauses and the log

  /** Stops reading, reads again, and keeps the very next states. */
  async function pauseOnce(room: SdkRoom): Promise<void> {
    const { ws } = room.connection.transport as unknown as { ws: WebSocket }
    ws.pause()
    await sleep(plan.pause_ms)
    let left = STATES_AFTER_PAUSE
    const keep = () => {
      if (left-- > 0) states.push(stateOf(room, true))
    }
    room.onStateChange(keep)
    ws.resume()
    pauses += 1
    await until(() => left <= 0 || is_over, 5_000).catch(() => {})
    room.onStateChange.remove(keep)
  }

  async function pauseSome(): Promise<void> {
    const sleepers = watchers.filter(({ pauses }) => pauses)
    while (!is_over && sleepers.length > 0) {
      await sleep(Math.min(1_000, plan.duration_ms / 8), undefined, { ref: false })
      if (!is_over) await Promise.all(sleepers.map(({ room }) => pauseOnce(room)))
    }
  }

  const log: { seq: number; type: string; data: Record<string, unknown> }[] = []

  /** One client reads every event by `since`, the way a client catches up; a gap would show as a snapshot. */
  async function readLog(room: SdkRoom): Promise<void> {
    const from = log.at(-1)?.seq ?? 0
    const answer: any = await room.request('since', { version: from })
    if (answer.snapshot !== undefined) fail('log_gap')
    else log.push(...answer.events)
  }

  async function followLog(): Promise<void> {
    const reader = watchers[0]?.room ?? players[0]?.room
    if (reader === undefined || !plan.follows_log) return
    while (!is_over) {
      await readLog(reader).catch((error: unknown) => fail(`since_${codeOf(error)}`))
      await sleep(LOG_EVERY_MS, undefined, { ref: false })
    }
    await readLog(reader).catch((error: unknown) => fail(`since_${codeOf(error)}`))
  }

  /** What a room has not folded yet, `since` does not tell yet either: the reader asks until it has what was shown. */
  async function catchUp(version: number): Promise<void> {
    const reader = watchers[0]?.room ?? players[0]?.room
    const end = performance.now() + CATCH_UP_MS_MAX
    while (
      plan.follows_log &&
      reader !== undefined &&
      (log.at(-1)?.seq ?? 0) < version &&
      performance.now() < end
    ) {
      await readLog(reader).catch((error: unknown) => fail(`since_${codeOf(error)}`))
      await sleep(LOG_EVERY_MS, undefined, { ref: false })
    }
  }

  // ----------------------------------------------------------------------------------------- the course of it

  function beat(): void {
    const of = (share: number) => round(second.percentile(share) / 1_000)
    const has = second.count > 0
    parentPort!.postMessage({
      type: 'beat',
      beat: {
        players: players.length,
        spectators: watchers.length + sockets.length,
        ...totals,
        errors: { ...errors },
        p50_ms: has ? of(50) : 0,
        p95_ms: has ? of(95) : 0,
        p99_ms: has ? of(99) : 0,
        loop_p99_ms: round(loop.percentile(99) / 1e6),
      },
    } satisfies FromBots)
    second = createHistogram()
    loop.reset()
  }

  const beating = setInterval(beat, 1_000)
  await joinAll()
  parentPort!.postMessage({ type: 'joined' } satisfies FromBots)
  await new Promise((resolve) => parentPort!.once('message', resolve))
  loop.reset()

  const following = followLog()
  const pausing = pauseSome()
  await spinOnTime()
  await askAgain()
  parentPort!.postMessage({ type: 'quiet' } satisfies FromBots)
  // Until the other threads are quiet too: what they spun belongs to the log and to the last states.
  await new Promise((resolve) => parentPort!.once('message', resolve))
  is_over = true
  await Promise.all([following, pausing])
  const newest = Math.max(0, ...[...announced.values()].map(({ version }) => version))
  const decoding = [...players.filter(({ decodes }) => decodes), ...watchers].map(({ room }) => room)
  await until(() => decoding.every((room) => room.state.version >= newest), 5_000).catch(() => {})
  await catchUp(Math.max(newest, ...decoding.map((room) => room.state.version as number)))
  for (const room of decoding) states.push(stateOf(room, false))
  clearInterval(beating)
  beat()
  decodeFrames(frames, hear)
  const unanswered = [...open.values()].map(({ player, request }) => ({
    user_id: player.user_id,
    request_id: request.request_id,
  }))
  const evidence: Evidence = { replies, unanswered, announced: [...announced.values()], states }
  parentPort!.postMessage({ type: 'done', evidence, log, latency, pauses } satisfies FromBots)
  for (const socket of sockets) socket.end()
  await Promise.all([...players, ...watchers].map(({ room }) => Promise.race([room.leave(), sleep(2_000)])))
  process.exit()
}

type SpinRequest = { request_id: string; client_entropy: string }

/** Decoding every state of every player would make the generator the slowest part of the test. */
function letStatesPass(room: SdkRoom): void {
  const { serializer } = room as unknown as { serializer: { patch: () => void; setState: () => void } }
  serializer.patch = () => {}
  serializer.setState = () => {}
}

/** Frames that bare sockets kept, read by the SDK's own decoder. */
function decodeFrames(frames: ReadonlySet<string>, hear: (spun: Told & { version: number }) => void): void {
  const room = new RoomClass<any, any>('wheel')
  room.onMessage('spun', hear)
  room.onMessage('*', () => {})
  for (const frame of frames) {
    // Protected, but the SDK's only decoder of a frame.
    room['onMessageCallback']({ data: Buffer.from(frame, 'latin1') } as unknown as MessageEvent)
  }
}

const toldOf = ({ spin_id, segment, reward_slug, won }: Told, version: number) => ({
  spin_id,
  segment,
  reward_slug,
  won,
  version,
})

/** The code of a refusal, or `no_answer` where the connection or the time ended first. */
function codeOf(error: unknown): string {
  const { reason, code } = error as { reason?: { code?: string }; code?: unknown }
  if (typeof reason?.code === 'string') return reason.code
  const is_late = error instanceof Error && /timed? ?out|closed|not open/i.test(error.message)
  return is_late
    ? 'no_answer'
    : typeof code === 'string' || typeof code === 'number'
      ? String(code)
      : String((error as Error).message).slice(0, 60)
}

async function until(isTrue: () => boolean, limit_ms: number): Promise<void> {
  const end = performance.now() + limit_ms
  while (!isTrue()) {
    if (performance.now() > end) throw new Error('timed out waiting for a state')
    await sleep(10)
  }
}

const round = (value: number): number => Math.round(value * 10) / 10

await run(workerData as BotPlan)
