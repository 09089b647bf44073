/** Bots of the demo tenant. They play as people do: a token, a socket, a visit, a spin now and then. */
import { randomBytes, randomInt } from 'node:crypto'
import { Client, type Room } from '@colyseus/sdk'
import type { Tokens } from '../http/tokens.ts'
import { newId } from '../ids.ts'
import { DEMO_TENANT, DEMO_WHEEL } from './demo.ts'

export type Bots = { stop(): Promise<void> }

export type BotOptions = {
  url: string
  tokens: Tokens
  count: number
  /** Tops up a bot that has run out, as an operator would. */
  grant(user_id: string): Promise<unknown>
  report(where: string, error: unknown): void
}

const PAUSE_MS = { least: 5_000, most: 18_000 }
const THINKING_MS = { least: 2_000, most: 60_000 }
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
export function startBots({ url, tokens, count, grant, report }: BotOptions): Bots {
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

  /** Guesses once in every game that the lobby lists, and stays until its winners are shown. */
  async function guess(user_id: string): Promise<void> {
    const client = await clientOf(user_id)
    const lobby: Room = await client.joinOrCreate('lobby')
    lobby.onMessage('*', () => {})
    const left = watchLeaving(lobby)
    const until = performance.now() + RENEW_AFTER_MS
    const played: string[] = []
    try {
      while (!left() && !stop.signal.aborted && performance.now() < until) {
        const listed: { kind: string; status: string; gameId: string }[] = [
          ...(lobby.state?.games?.values() ?? []),
        ]
        const open = listed.find(
          ({ kind, status, gameId }) => kind === 'guess' && status === 'open' && !played.includes(gameId),
        )
        if (open === undefined) await pause(LOOK_AGAIN_MS)
        else {
          played.push(open.gameId)
          await guessIn(client, open.gameId)
        }
        played.splice(0, Math.max(0, played.length - PLAYED_KEPT))
      }
    } finally {
      if (!left()) await lobby.leave()
    }
  }

  async function guessIn(client: Client, game: string): Promise<void> {
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

  async function live(user_id: string, act: (user_id: string) => Promise<void>): Promise<void> {
    while (!stop.signal.aborted) {
      await act(user_id).catch((error: unknown) => report('bot', error))
      if (!stop.signal.aborted) await pause(BACK_AFTER_MS)
    }
  }

  const names = Array.from({ length: count }, (_, index) => `bot-${index + 1}`)
  const lives = names.flatMap((name) => [live(name, play), live(name, guess)])
  return {
    async stop() {
      stop.abort()
      await Promise.all(lives)
    },
  }
}
