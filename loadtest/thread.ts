/**
 * What every thread of bots does, whatever it plays. Players and some spectators are SDK clients, of which a share
 * decodes every state; the other spectators are bare sockets that hand over each frame as it came, so that a crowd costs
 * the generator little and is still compared in full.
 *
 * Requests are open-loop: they are due at fixed times whatever the server does, and a reply's time counts from then.
 */
import { createHistogram, monitorEventLoopDelay, type RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import type { Room } from '@colyseus/sdk'
import type { WebSocket } from 'ws'
import { type BareSocket, openBareSocket } from './bare-socket.ts'
import type { Bot, CrowdPlan } from './crowd.ts'

/** What a thread says once a second; counts are totals, percentiles are of that second. */
export type Beat = {
  players: number
  spectators: number
  sent: number
  replied: number
  errors: Record<string, number>
  refusals: Record<string, number>
  patches: number
  messages: number
  bytes: number
  p50_ms: number
  p95_ms: number
  p99_ms: number
  loop_p99_ms: number
}

export type LogEntry = { seq: number; type: string; data: Record<string, unknown> }

/** `Evidence`: lists of what was seen, by name; those of all threads are put together. */
export type FromBots<Evidence> =
  | { type: 'joined' }
  | { type: 'quiet' }
  | { type: 'beat'; beat: Beat }
  | { type: 'done'; evidence: Evidence; log: LogEntry[]; latency: RecordableHistogram; pauses: number }

export type SdkRoom = Room<any, any>
export type SdkPlayer = { user_id: string; room: SdkRoom; decodes: boolean }

const JOINING_AT_ONCE = 16
const SETTLE_MS = 20_000
/** The first byte of a frame (Colyseus 0.18). */
const JOIN_ROOM = 10
export const ROOM_DATA = 13
export const ROOM_STATE = 14
export const ROOM_STATE_PATCH = 15
const CODE_MASK = 0x1f

// The SDK takes the global WebSocket if there is one; that of Node can neither send headers nor stop reading.
Reflect.deleteProperty(globalThis, 'WebSocket')
const { Client, Room: RoomClass } = await import('@colyseus/sdk')

/** Gets frames of a room with their code, as they came off the wire. */
type Ear = (data: Buffer, code: number) => void

export type BotThread = ReturnType<typeof makeThread>

/** Makes the common part of a thread. `listen` arms an SDK room right after it was joined. */
export function makeThread(plan: CrowdPlan, listen: (room: SdkRoom) => void) {
  const latency = createHistogram()
  let second = createHistogram()
  const loop = monitorEventLoopDelay({ resolution: 10 })
  loop.enable()
  const totals = { sent: 0, replied: 0, patches: 0, messages: 0, bytes: 0 }
  const errors: Record<string, number> = {}
  const refusals: Record<string, number> = {}
  const players: SdkPlayer[] = []
  const watchers: { room: SdkRoom; pauses: boolean }[] = []
  const sockets: BareSocket[] = []
  let is_over = false

  const fail = (code: string) => {
    errors[code] = (errors[code] ?? 0) + 1
  }

  // ----------------------------------------------------------------------------------------- joining

  const headersOf = ({ address }: Bot): Record<string, string> =>
    address === null ? {} : { 'x-forwarded-for': address }

  async function joinBySdk(bot: Bot, options: object): Promise<SdkRoom> {
    const client = new Client<any>(plan.endpoint, { headers: headersOf(bot) })
    if (bot.token !== null) client.auth.token = bot.token
    const room: SdkRoom = await client.joinOrCreate(plan.room, options)
    listen(room)
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
    await until(() => room.state?.version > 0, 10_000)
    return room
  }

  /** The SDK goes on to read replies; states are counted, and messages are handed over as they came off the wire. */
  function readLightly(room: SdkRoom, hear: Ear): void {
    const { ws } = room.connection.transport as unknown as { ws: WebSocket }
    const bySdk = ws.onmessage!
    ws.binaryType = 'nodebuffer'
    ws.onmessage = (event) => {
      const data = event.data as Buffer
      const code = data[0]! & CODE_MASK
      if (code === ROOM_STATE || code === ROOM_STATE_PATCH) totals.patches += 1
      else if (code === ROOM_DATA) {
        totals.messages += 1
        hear(data, code)
      } else bySdk(event)
    }
  }

  async function joinLightly(bot: Bot, options: object, hear: Ear): Promise<BareSocket> {
    const answer = await fetch(`${plan.endpoint}/matchmake/joinOrCreate/${plan.room}`, {
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
            return
          }
          if (code === ROOM_DATA) totals.messages += 1
          else if (code === ROOM_STATE || code === ROOM_STATE_PATCH) totals.patches += 1
          hear(data, code)
        },
        gone(reason) {
          reject(reason instanceof Error ? reason : new Error(`closed with ${reason}`))
          if (!is_over) fail(reason instanceof Error ? 'socket' : `left_${reason}`)
        },
      })
    })
  }

  /**
   * Joins everybody, a few at a time. `ready` is asked of each player, `hearOf` makes the ear of each bare socket.
   * `hear` gets the messages of players whose states are not decoded; without it the SDK reads them.
   */
  async function joinAll(
    ready: (room: SdkRoom) => Promise<void>,
    hearOf: () => Ear,
    hear?: Ear,
  ): Promise<void> {
    const watching = { tenant: plan.tenant, game: plan.game, spectate: true }
    const waiting = [
      ...plan.players.map(({ user_id, decodes, ...bot }) => async () => {
        const room = await joinBySdk(bot, { game: plan.game })
        if (!decodes && hear !== undefined) readLightly(room, hear)
        else if (!decodes) letStatesPass(room)
        await ready(room)
        players.push({ user_id, room, decodes })
      }),
      ...plan.spectators.map(({ decodes, pauses, ...bot }) => async () => {
        if (decodes) watchers.push({ room: await joinBySdk(bot, watching), pauses })
        else sockets.push(await joinLightly(bot, watching, hearOf()))
      }),
    ]
    const line = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await next().catch((error: unknown) => fail(`join_${codeOf(error)}`))
        if (plan.delay_ms > 0) await sleep(plan.delay_ms)
      }
    }
    await Promise.all(Array.from({ length: JOINING_AT_ONCE }, line))
  }

  // ----------------------------------------------------------------------------------------- requests on time

  /** Does `one` at fixed times for the planned duration from now on, and waits a while for the last of them. */
  async function onTime(one: (due_ms: number) => Promise<void>): Promise<void> {
    const started = performance.now()
    const step_ms = 1_000 / plan.rate
    const running = new Set<Promise<void>>()
    const total = Math.floor((plan.rate * plan.duration_ms) / 1_000)
    for (let i = 0; i < total; i++) {
      const due_ms = started + i * step_ms
      const wait_ms = due_ms - performance.now()
      if (wait_ms > 1) await sleep(wait_ms)
      const work = one(due_ms)
      running.add(work)
      void work.finally(() => running.delete(work))
    }
    const rest_ms = started + plan.duration_ms - performance.now()
    if (rest_ms > 0) await sleep(rest_ms)
    await Promise.race([Promise.all(running), sleep(SETTLE_MS, undefined, { ref: false })])
  }

  /** A reply to a request that was due at a time. */
  function answered(due_ms: number): void {
    const took_us = Math.max(1, Math.round((performance.now() - due_ms) * 1_000))
    latency.record(took_us)
    second.record(took_us)
    totals.replied += 1
  }

  // ----------------------------------------------------------------------------------------- the course of it

  function beat(): void {
    const of = (share: number) => round(second.percentile(share) / 1_000)
    const has = second.count > 0
    post({
      type: 'beat',
      beat: {
        players: players.length,
        spectators: watchers.length + sockets.length,
        ...totals,
        errors: { ...errors },
        refusals: { ...refusals },
        p50_ms: has ? of(50) : 0,
        p95_ms: has ? of(95) : 0,
        p99_ms: has ? of(99) : 0,
        loop_p99_ms: round(loop.percentile(99) / 1e6),
      },
    })
    second = createHistogram()
    loop.reset()
  }

  const beating = setInterval(beat, 1_000)

  return {
    plan,
    totals,
    players,
    watchers,
    /** Everybody's rooms whose states are decoded. */
    decoding: () => [...players.filter(({ decodes }) => decodes), ...watchers].map(({ room }) => room),
    fail,
    /** A refusal that belongs to the game and is no fault. */
    refuse(code: string) {
      refusals[code] = (refusals[code] ?? 0) + 1
    },
    answered,
    joinAll,
    onTime,
    isOver: () => is_over,
    /** Says that everybody has joined, and waits for the start. */
    async start(): Promise<void> {
      post({ type: 'joined' })
      await told()
      loop.reset()
    },
    /** Until the other threads are quiet too: what they did belongs to what is seen last. */
    async quiet(): Promise<void> {
      post({ type: 'quiet' })
      await told()
      is_over = true
    },
    /** Hands over what was seen and ends the thread. */
    async end<Evidence>(
      evidence: Evidence,
      more: { log: LogEntry[]; pauses: number } = { log: [], pauses: 0 },
    ): Promise<never> {
      clearInterval(beating)
      beat()
      post<Evidence>({ type: 'done', evidence, latency, ...more })
      for (const socket of sockets) socket.end()
      await Promise.all(
        [...players, ...watchers].map(({ room }) => Promise.race([room.leave(), sleep(2_000)])),
      )
      process.exit()
    },
  }
}

const post = <Evidence>(message: FromBots<Evidence>): void => parentPort!.postMessage(message)
const told = (): Promise<unknown> => new Promise((resolve) => parentPort!.once('message', resolve))

/** Decoding every state of every player would make the generator the slowest part of the test. */
function letStatesPass(room: SdkRoom): void {
  const { serializer } = room as unknown as { serializer: { patch: () => void; setState: () => void } }
  serializer.patch = () => {}
  serializer.setState = () => {}
}

/** Reads frames that bare sockets kept, by the SDK's own decoder; `hear` gets each message of that type. */
export function decodeFrames(
  room_name: string,
  type: string,
  frames: Iterable<string>,
  hear: (message: any, frame: string) => void,
): void {
  const room = new RoomClass<any, any>(room_name)
  let frame = ''
  room.onMessage(type, (message: any) => hear(message, frame))
  room.onMessage('*', () => {})
  for (frame of frames) {
    // Protected, but the SDK's only decoder of a frame.
    room['onMessageCallback']({ data: Buffer.from(frame, 'latin1') } as unknown as MessageEvent)
  }
}

/** The code of a refusal, or `no_answer` where the connection or the time ended first. */
export function codeOf(error: unknown): string {
  const { reason, code } = error as { reason?: { code?: string }; code?: unknown }
  if (typeof reason?.code === 'string') return reason.code
  const is_late = error instanceof Error && /timed? ?out|closed|not open/i.test(error.message)
  return is_late
    ? 'no_answer'
    : typeof code === 'string' || typeof code === 'number'
      ? String(code)
      : String((error as Error).message).slice(0, 60)
}

export async function until(isTrue: () => boolean, limit_ms: number): Promise<void> {
  const end = performance.now() + limit_ms
  while (!isTrue()) {
    if (performance.now() > end) throw new Error('timed out waiting for a state')
    await sleep(10)
  }
}

const round = (value: number): number => Math.round(value * 10) / 10
