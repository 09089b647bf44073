/**
 * A thread of a game that closes: players who enter until the close, and everybody watching the winners. It keeps when
 * each client heard of each winner, and every different frame that spectators were sent, with the time of the first.
 * See thread.ts.
 */
import { randomInt, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import type WebSocket from 'ws'
import type { CrowdPlan } from './crowd.ts'
import { distinctGuess } from './distinct.ts'
import type { DrawEvidence, Heard, ToldWinner } from './draw-check.ts'
import { codeOf, decodeFrames, makeThread, ROOM_DATA, type SdkPlayer, type SdkRoom, until } from './thread.ts'

export type DrawBotPlan = CrowdPlan & {
  room: 'raffle' | 'guess'
  /** Of the machine's clock, which is the server's too. */
  starts_at_ms: number
  /** What is asked for: tickets of so many, or one of these numbers. */
  ticket_count: number
  popular: number[]
  /** Refusals that belong to the game. */
  expected: string[]
  /** Until the last winner was shown, at the latest. */
  settled_within_ms: number
}

/** One in twenty requests is asked again, after its reply or beside it. */
const REPEATED_ONE_IN = 20
const TRIES_MAX = 3
/** Of purchases so many name their numbers. */
const PICKED_SHARE = 0.3
const PICKED_MAX = 3
const QUANTITY_MAX = 5
/** Of guesses so many are one of a few numbers that everybody likes. */
const POPULAR_SHARE = 0.1
const LOG_EVERY_MS = 600
/** The slowest patch and its way. */
const LAST_PATCH_MS = 1_000

type Asked = { request_id: string; [name: string]: unknown }

function makeAsk(plan: DrawBotPlan): () => Record<string, unknown> {
  if (plan.room === 'guess')
    return () => ({
      value: Math.random() < POPULAR_SHARE ? plan.popular[randomInt(plan.popular.length)] : distinctGuess(),
    })
  return () => {
    if (Math.random() >= PICKED_SHARE) return { quantity: randomInt(1, QUANTITY_MAX + 1) }
    const numbers = Array.from({ length: randomInt(1, PICKED_MAX + 1) }, () =>
      randomInt(1, plan.ticket_count + 1),
    )
    return { numbers: [...new Set(numbers)] }
  }
}

async function run(plan: DrawBotPlan): Promise<void> {
  const what = plan.room === 'raffle' ? 'buy' : 'guess'
  const thread = makeThread(plan, listen)
  const { totals, players, watchers, fail } = thread
  const wish = makeAsk(plan)
  const replies: DrawEvidence['replies'] = []
  const refused: DrawEvidence['refused'] = []
  const open = new Map<string, { player: SdkPlayer; request: Asked }>()
  const told = new Map<string, ToldWinner>()
  const frames = new Map<string, number>()
  const bySdk = new Map<SdkRoom, Heard[]>()
  const bySocket: { frame: string; at_ms: number }[][] = []

  // ----------------------------------------------------------------------------------------- what is heard

  function hear(winner: ToldWinner): number {
    // What is told differently to two clients is kept twice, and one of them will not match its row.
    told.set(JSON.stringify(winner), winner)
    return winner.place
  }

  function listen(room: SdkRoom): void {
    const heard: Heard[] = []
    bySdk.set(room, heard)
    room.onMessage('winner', (winner: ToldWinner) => {
      totals.messages += 1
      heard.push([hear(winner), Date.now()])
    })
  }

  function keepFrame(text: string, at_ms: number): void {
    if (!frames.has(text)) frames.set(text, at_ms)
  }

  function hearOf() {
    const heard: { frame: string; at_ms: number }[] = []
    bySocket.push(heard)
    return (data: Buffer, code: number) => {
      const at_ms = Date.now()
      const frame = data.toString('latin1')
      keepFrame(frame, at_ms)
      if (code === ROOM_DATA && isOfWinner(frame)) heard.push({ frame, at_ms })
    }
  }

  /** Spectators of the SDK too: replies to `since` come this way. */
  function keepFramesOf(room: SdkRoom): void {
    const { ws } = room.connection.transport as unknown as { ws: WebSocket }
    ws.on('message', (data: ArrayBuffer | Buffer) =>
      keepFrame(Buffer.from(data as Buffer).toString('latin1'), Date.now()),
    )
  }

  // ----------------------------------------------------------------------------------------- entering

  async function ask(player: SdkPlayer, request: Asked, due_ms: number | null): Promise<void> {
    const { user_id } = player
    const { request_id, ...asked } = request
    const key = `${user_id} ${request_id}`
    const sent_at_ms = Date.now()
    open.set(key, { player, request })
    try {
      const answer = (await player.room.request(what, request)) as Record<string, unknown>
      open.delete(key)
      replies.push({ user_id, request_id, sent_at_ms, answer })
    } catch (error) {
      const code = codeOf(error)
      // Without an answer the request is asked again at the end.
      if (code === 'no_answer') return fail(code)
      open.delete(key)
      if (!plan.expected.includes(code)) return fail(code)
      refused.push({ user_id, request_id, sent_at_ms, code, asked })
      if (due_ms !== null) thread.refuse(code)
    }
    if (due_ms !== null) thread.answered(due_ms)
  }

  async function enter(due_ms: number): Promise<void> {
    const player = players[Math.floor(Math.random() * players.length)]
    if (player === undefined) return
    const request = { request_id: randomUUID(), ...wish() }
    totals.sent += 1
    const repeats = totals.sent % REPEATED_ONE_IN === 0
    const is_beside = totals.sent % (2 * REPEATED_ONE_IN) === 0
    const first = ask(player, request, due_ms)
    if (repeats && !is_beside) await first
    if (repeats) await ask(player, request, null)
    await first
  }

  async function askAgain(): Promise<void> {
    for (let tries = 0; tries < TRIES_MAX && open.size > 0; tries++)
      await Promise.all([...open.values()].map(({ player, request }) => ask(player, request, null)))
  }

  /** One spectator asks for events all the time: what they hold is on the wire too. */
  async function followLog(): Promise<void> {
    const reader = watchers[0]?.room
    let version = 0
    while (reader !== undefined && plan.is_first && !thread.isOver()) {
      const answer: any = await reader
        .request('since', { version })
        .catch((error: unknown) => fail(`since_${codeOf(error)}`))
      version = answer?.version ?? answer?.snapshot?.version ?? version
      await sleep(LOG_EVERY_MS, undefined, { ref: false })
    }
  }

  // ----------------------------------------------------------------------------------------- the course of it

  await thread.joinAll(async () => {}, hearOf)
  for (const { room } of watchers) keepFramesOf(room)
  await thread.start()
  const wait_ms = plan.starts_at_ms - Date.now()
  if (wait_ms < 0) fail('joined_after_the_start')
  await sleep(Math.max(0, wait_ms))
  // A log of sales names who bought; one of guesses names nobody.
  const following = plan.room === 'guess' ? followLog() : undefined
  await thread.onTime(enter)
  await askAgain()
  const decoding = thread.decoding()
  const isSettled = (room: SdkRoom) => ['settled', 'cancelled'].includes(room.state.phase)
  await until(() => decoding.every(isSettled), plan.settled_within_ms).catch(() =>
    fail('not_settled_in_time'),
  )
  await sleep(LAST_PATCH_MS)
  await thread.quiet()
  await following

  const placeOf = new Map<string, number>()
  const ofWinners = new Set(bySocket.flat().map(({ frame }) => frame))
  decodeFrames(plan.room, 'winner', ofWinners, (winner: ToldWinner, frame) =>
    placeOf.set(frame, hear(winner)),
  )
  const spectators = new Set(watchers.map(({ room }) => room))
  const evidence: DrawEvidence = {
    replies,
    refused,
    unanswered: [...open.values()].map(({ player, request }) => ({
      user_id: player.user_id,
      request_id: request.request_id,
    })),
    told: [...told.values()],
    shows: [
      ...[...bySdk].map(([room, heard]) => ({ is_spectator: spectators.has(room), heard })),
      ...bySocket.map((heard) => ({
        is_spectator: true,
        heard: heard.map(({ frame, at_ms }): Heard => [placeOf.get(frame)!, at_ms]),
      })),
    ],
    states: decoding.map((room) => room.state.toJSON()),
    frames: [...frames].map(([text, at_ms]) => ({ text, at_ms })),
  }
  await thread.end(evidence)
}

/** The type of a message stands at the beginning of its frame. */
const isOfWinner = (frame: string): boolean => frame.slice(0, 16).includes('winner')

await run(workerData as DrawBotPlan)
