/** A thread of the wheel: players who spin, spectators of whom some stop reading for a while. See thread.ts. */
import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import type WebSocket from 'ws'
import type { Evidence, Reply, SeenState, Told } from './check.ts'
import type { CrowdPlan } from './crowd.ts'
import {
  codeOf,
  decodeFrames,
  type LogEntry,
  makeThread,
  ROOM_DATA,
  type SdkPlayer,
  type SdkRoom,
  until,
} from './thread.ts'

export type BotPlan = CrowdPlan & { pause_ms: number }

/** One in twenty spins is asked for again, after its reply or beside it. */
const REPEATED_ONE_IN = 20
const TRIES_MAX = 3
/** Events reach a room within a patch or two; longer than this is a fault that the check should see. */
const CATCH_UP_MS_MAX = 5_000
const LOG_EVERY_MS = 600
/** How many states right after a pause are compared. */
const STATES_AFTER_PAUSE = 8

/** Frames of a tick or two: what clients that are a little behind still get. */
const FRESH_MAX = 8

type SpinRequest = { request_id: string; client_entropy: string }

async function run(plan: BotPlan): Promise<void> {
  const thread = makeThread(plan, listen)
  const { totals, players, watchers, fail } = thread
  const replies: Reply[] = []
  const open = new Map<string, { player: SdkPlayer; request: SpinRequest }>()
  const announced = new Map<string, Told & { version: number }>()
  const frames = new Set<string>()
  const states: SeenState[] = []
  let pauses = 0

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
  }

  /** Each different frame is kept once. Most are what another client of the crowd got a moment ago: those cost a comparison. */
  const fresh: Buffer[] = []
  const keepFrame = (data: Buffer, code: number) => {
    if (code !== ROOM_DATA || fresh.some((frame) => frame.equals(data))) return
    fresh.unshift(Buffer.from(data))
    fresh.length = Math.min(fresh.length, FRESH_MAX)
    frames.add(data.toString('latin1'))
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

  // ----------------------------------------------------------------------------------------- spinning

  async function ask(player: SdkPlayer, request: SpinRequest, due_ms: number | null): Promise<void> {
    const key = `${player.user_id} ${request.request_id}`
    open.set(key, { player, request })
    try {
      const answer = (await player.room.request('spin', request)) as Reply['answer']
      open.delete(key)
      replies.push({ user_id: player.user_id, request_id: request.request_id, answer })
      if (due_ms !== null) thread.answered(due_ms)
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
    await until(() => left <= 0 || thread.isOver(), 5_000).catch(() => {})
    room.onStateChange.remove(keep)
  }

  /** Each in a rhythm of its own: together they would come back at one moment, with seconds of frames to decode. */
  async function pauseSome(): Promise<void> {
    const sleepers = watchers.filter(({ pauses }) => pauses)
    const rest_ms = Math.min(1_000, plan.duration_ms / 8)
    const turn_ms = (rest_ms + plan.pause_ms) / sleepers.length
    await Promise.all(
      sleepers.map(async ({ room }, i) => {
        await sleep(turn_ms * i, undefined, { ref: false })
        while (!thread.isOver()) {
          await sleep(rest_ms, undefined, { ref: false })
          if (!thread.isOver()) await pauseOnce(room)
        }
      }),
    )
  }

  const log: LogEntry[] = []

  /** One client reads every event by `since`, the way a client catches up; a gap would show as a snapshot. */
  async function readLog(room: SdkRoom): Promise<void> {
    const from = log.at(-1)?.seq ?? 0
    const answer: any = await room.request('since', { version: from })
    if (answer.snapshot !== undefined) fail('log_gap')
    else log.push(...answer.events)
  }

  async function followLog(): Promise<void> {
    const reader = watchers[0]?.room ?? players[0]?.room
    if (reader === undefined || !plan.is_first) return
    while (!thread.isOver()) {
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
      plan.is_first &&
      reader !== undefined &&
      (log.at(-1)?.seq ?? 0) < version &&
      performance.now() < end
    ) {
      await readLog(reader).catch((error: unknown) => fail(`since_${codeOf(error)}`))
      await sleep(LOG_EVERY_MS, undefined, { ref: false })
    }
  }

  // ----------------------------------------------------------------------------------------- the course of it

  // As the page does, so that the first spin need not wait for commitments to be made.
  const readyToSpin = async (room: SdkRoom) => void (await room.request('seed_pair', {}))
  await thread.joinAll(readyToSpin, () => keepFrame, keepFrame)
  await thread.start()
  const following = followLog()
  const pausing = pauseSome()
  await thread.onTime(spin)
  await askAgain()
  await thread.quiet()
  await Promise.all([following, pausing])
  const newest = Math.max(0, ...[...announced.values()].map(({ version }) => version))
  const decoding = thread.decoding()
  await until(() => decoding.every((room) => room.state.version >= newest), 5_000).catch(() => {})
  await catchUp(Math.max(newest, ...decoding.map((room) => room.state.version as number)))
  for (const room of decoding) states.push(stateOf(room, false))
  decodeFrames(plan.room, 'spun', frames, hear)
  const unanswered = [...open.values()].map(({ player, request }) => ({
    user_id: player.user_id,
    request_id: request.request_id,
  }))
  const evidence: Evidence = { replies, unanswered, announced: [...announced.values()], states }
  await thread.end(evidence, { log, pauses })
}

const toldOf = ({ spin_id, segment, reward_slug, won }: Told, version: number) => ({
  spin_id,
  segment,
  reward_slug,
  won,
  version,
})

await run(workerData as BotPlan)
