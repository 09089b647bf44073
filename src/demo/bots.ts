/** Bots of the demo tenant. They play as people do: a token, a socket, a visit, a spin or a ticket now and then. */
import { randomBytes, randomInt } from 'node:crypto'
import { Client, type Room } from '@colyseus/sdk'
import type { Tokens } from '../http/tokens.ts'
import { newId } from '../ids.ts'
import { DEMO_TENANT, DEMO_WHEEL } from './demo.ts'
import { DEMO_RAFFLE } from './raffle.ts'

export type Bots = { stop(): Promise<void> }

export type BotOptions = {
  url: string
  tokens: Tokens
  count: number
  /** Tops up a bot that has run out, as an operator would. */
  grant(user_id: string): Promise<unknown>
  /** Gives a bot credit to buy with, once for each raffle. */
  credit(user_id: string, raffle_id: string): Promise<unknown>
  report(where: string, error: unknown): void
}

const PAUSE_MS = { least: 5_000, most: 18_000 }
const THINKING_MS = { least: 2_000, most: 60_000 }
/** So that a wall of tickets fills while somebody looks at it. */
const BUYING_MS = { least: 3_000, most: 30_000 }
const TICKETS_MAX = 4
const LOOK_AGAIN_MS = 1_000
const FIRST_STATE_MS = 50
const ENDED = new Set(['settled', 'cancelled'])
/** Games that are over leave the lobby; a few are remembered for those that linger. */
const PLAYED_KEPT = 20
const BACK_AFTER_MS = 5_000
const TOKEN_TTL_S = 24 * 3600
/** Before the token ends, so that a bot never plays with one that has. */
const RENEW_AFTER_MS = 20 * 3600 * 1000

/** Whether the room was left, by whichever side. */
function watchLeaving(room: Room): () => boolean {
  let gone = false
  room.onLeave(() => {
    gone = true
  })
  return () => gone
}

/** Starts bots, each on a connection of its own that it takes up again when it breaks. */
export function startBots({ url, tokens, count, grant, credit, report }: BotOptions): Bots {
  const stop = new AbortController()
  const pause = (duration_ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, duration_ms).unref()
      stop.signal.addEventListener(
        'abort',
        () => {
          clearTimeout(timer)
          resolve()
        },
        { once: true },
      )
    })

  async function clientOf(user_id: string): Promise<Client> {
    const client = new Client(url)
    const { token } = await tokens.sign({
      sub: user_id,
      tenant: DEMO_TENANT,
      roles: ['player'],
      ttl_s: TOKEN_TTL_S,
    })
    client.auth.token = token
    return client
  }

  async function play(user_id: string): Promise<void> {
    const client = await clientOf(user_id)
    const room: Room = await client.joinOrCreate('wheel', { game: DEMO_WHEEL })
    const left = watchLeaving(room)
    room.onMessage('*', () => {})
    const until = performance.now() + RENEW_AFTER_MS
    try {
      await room.request('visit', {})
      while (!left() && !stop.signal.aborted && performance.now() < until) {
        await pause(randomInt(PAUSE_MS.least, PAUSE_MS.most))
        if (left() || stop.signal.aborted) break
        await turn(room, user_id)
      }
    } finally {
      if (!left()) await room.leave()
    }
  }

  async function turn(room: Room, user_id: string): Promise<void> {
    const client_entropy = randomBytes(16).toString('hex')
    // Half of them wish the shared spin luck when one is open; a refusal is an ordinary answer.
    if (randomInt(2) === 0)
      await room.request('join_round', { request_id: newId(), client_entropy }).catch(() => {})
    await room.request('spin', { request_id: newId(), client_entropy }).catch(async (error: unknown) => {
      const { reason } = error as { reason?: { code?: string } }
      if (reason?.code === 'no_chances_left') await grant(user_id)
    })
  }

  type Listed = { kind: string; status: string; gameId: string; slug: string }

  /** Plays once in every open game of a kind that the lobby lists. */
  async function follow(
    user_id: string,
    is_ours: (game: Listed) => boolean,
    playIn: (client: Client, user_id: string, game: string) => Promise<void>,
  ): Promise<void> {
    const client = await clientOf(user_id)
    const lobby: Room = await client.joinOrCreate('lobby')
    lobby.onMessage('*', () => {})
    const left = watchLeaving(lobby)
    const until = performance.now() + RENEW_AFTER_MS
    const played: string[] = []
    try {
      while (!left() && !stop.signal.aborted && performance.now() < until) {
        const listed: Listed[] = [...(lobby.state?.games?.values() ?? [])]
        const open = listed.find(
          (game) => is_ours(game) && game.status === 'open' && !played.includes(game.gameId),
        )
        if (open === undefined) await pause(LOOK_AGAIN_MS)
        else {
          played.push(open.gameId)
          await playIn(client, user_id, open.gameId)
        }
        played.splice(0, Math.max(0, played.length - PLAYED_KEPT))
      }
    } finally {
      if (!left()) await lobby.leave()
    }
  }

  const guess = (user_id: string) => follow(user_id, ({ kind }) => kind === 'guess', guessIn)
  /** Only in the raffles of the demo itself: who makes one to try it has it alone. */
  const enter = (user_id: string) => follow(user_id, ({ slug }) => slug.startsWith(DEMO_RAFFLE), buyIn)

  /** Guesses once, and stays until the winners are shown. */
  async function guessIn(client: Client, _user_id: string, game: string): Promise<void> {
    await pause(randomInt(THINKING_MS.least, THINKING_MS.most))
    if (stop.signal.aborted) return
    const room: Room = await client.joinOrCreate('guess', { game })
    room.onMessage('*', () => {})
    const left = watchLeaving(room)
    try {
      // The first state comes right after the join.
      while (room.state?.phase === undefined && !left() && !stop.signal.aborted) await pause(FIRST_STATE_MS)
      const { mode, range } = room.state ?? {}
      const value = mode === 'draw' ? null : randomInt(range.min, range.max + 1)
      await room.request('guess', { request_id: newId(), value }).catch(() => {})
      while (!left() && !stop.signal.aborted && !ENDED.has(room.state.phase)) await pause(LOOK_AGAIN_MS)
    } finally {
      if (!left()) await room.leave()
    }
  }

  /** Buys a few tickets now and then until it gets no more, and stays until the winners are shown. */
  async function buyIn(client: Client, user_id: string, game: string): Promise<void> {
    const room: Room = await client.joinOrCreate('raffle', { game })
    room.onMessage('*', () => {})
    const left = watchLeaving(room)
    const is_here = () => !left() && !stop.signal.aborted
    let is_buying = true
    try {
      await credit(user_id, game)
      while (is_here() && is_buying) {
        await pause(randomInt(BUYING_MS.least, BUYING_MS.most))
        if (!is_here()) break
        const request = { request_id: newId(), quantity: randomInt(1, TICKETS_MAX + 1) }
        is_buying = await room.request('buy', request).then(
          () => true,
          // Sold out, closed, or all that one may have: an ordinary answer.
          () => false,
        )
      }
      while (is_here() && !ENDED.has(room.state.phase)) await pause(LOOK_AGAIN_MS)
    } finally {
      if (!left()) await room.leave()
    }
  }

  async function live(user_id: string, act: (user_id: string) => Promise<void>): Promise<void> {
    while (!stop.signal.aborted) {
      await act(user_id).catch((error: unknown) => report('bot', error))
      if (!stop.signal.aborted) await pause(BACK_AFTER_MS)
    }
  }

  const names = Array.from({ length: count }, (_, index) => `bot-${index + 1}`)
  const lives = names.flatMap((name) => [live(name, play), live(name, guess), live(name, enter)])
  return {
    async stop() {
      stop.abort()
      await Promise.all(lives)
    },
  }
}
