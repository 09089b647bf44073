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
const BACK_AFTER_MS = 5_000
const TOKEN_TTL_S = 24 * 3600
/** Before the token ends, so that a bot never plays with one that has. */
const RENEW_AFTER_MS = 20 * 3600 * 1000

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

  async function play(user_id: string): Promise<void> {
    const client = new Client(url)
    const { token } = await tokens.sign({
      sub: user_id,
      tenant: DEMO_TENANT,
      roles: ['player'],
      ttl_s: TOKEN_TTL_S,
    })
    client.auth.token = token
    const room: Room = await client.joinOrCreate('wheel', { game: DEMO_WHEEL })
    let gone = false
    room.onLeave(() => {
      gone = true
    })
    room.onMessage('*', () => {})
    const until = performance.now() + RENEW_AFTER_MS
    try {
      await room.request('visit', {})
      while (!gone && !stop.signal.aborted && performance.now() < until) {
        await pause(randomInt(PAUSE_MS.least, PAUSE_MS.most))
        if (gone || stop.signal.aborted) break
        await turn(room, user_id)
      }
    } finally {
      if (!gone) await room.leave()
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

  async function live(index: number): Promise<void> {
    const user_id = `bot-${index + 1}`
    while (!stop.signal.aborted) {
      await play(user_id).catch((error: unknown) => report('bot', error))
      if (!stop.signal.aborted) await pause(BACK_AFTER_MS)
    }
  }

  const lives = Array.from({ length: count }, (_, index) => live(index))
  return {
    async stop() {
      stop.abort()
      await Promise.all(lives)
    },
  }
}
