/** Prizes to test with: defined, won on a wheel that gives nothing else, and unlocked, all over HTTP. */
import assert from 'node:assert/strict'
import type { Answer, HttpOptions } from '../http/harness.ts'
import { type Product, startProduct } from '../http/product.ts'

export const TEN_OFF = {
  name: '10% Discount',
  description: 'Get 10% off your next order',
  type: 'discount_percentage',
  value: '10.00',
  display_value: '10% OFF',
  prize_color: '#8DC63F',
  prize_image: 'https://example.com/storage/prize.png',
  min_order_amount: '50.00',
  valid_order_types: ['delivery', 'takeaway'],
}

/** The seed's request body for apply. */
export const ORDER = { order_id: 456, order_amount: 75.5, order_type: 'delivery' }

export type Shop = Product & {
  operator: string
  service: string
  player(user: string): Promise<string>
  /** A prize of this user, locked; its play id. */
  win(user: string, definition?: Record<string, unknown>): Promise<number>
  /** The same, unlocked. */
  open(user: string, definition?: Record<string, unknown>): Promise<number>
  unlock(user: string, play_id: number): Promise<Answer>
  apply(play_id: unknown, json: unknown, key?: string): Promise<Answer>
  validate(play_id: unknown, json: unknown, token?: string): Promise<Answer>
  /** A POST of the service to `gamification/<path>`, under a key of its own. */
  serve(path: string, json: unknown, key?: string): Promise<Answer>
  /** Puts a wallet policy in force, whatever was there. */
  policy(policy: Record<string, unknown>): Promise<Answer>
  list(user: string, query?: string): Promise<Answer>
  row(play_id: number): Promise<Record<string, any>>
}

export async function startShop(options: HttpOptions = {}): Promise<Shop> {
  const http = await startProduct({ fresh_ms_max: 0, ...options })
  // Deadlines are exact to the millisecond, so time stands still between two moves of it.
  let now_ms = http.clock.now().getTime()
  http.clock.now = () => new Date(now_ms)
  http.clock.advance = (duration_ms) => {
    now_ms += duration_ms
    return new Date(now_ms)
  }
  const operator = await http.token('operator', { sub: 'boss' })
  const service = await http.token('service', { sub: 'shop' })
  let count = 0
  const made = async (path: string, json?: unknown, token = operator) => {
    const headers = { 'idempotency-key': `kit-${++count}` }
    const answer = await http.ask('POST', `/api/v1/${path}`, {
      token,
      headers,
      ...(json !== undefined && { json }),
    })
    assert.ok(answer.status === 200 || answer.status === 201, `${path}: ${answer.text}`)
    return answer.body
  }
  /** A wheel per definition: won again, it is spun again. */
  const wheels = new Map<string, string>()
  const shop: Shop = {
    ...http,
    operator,
    service,
    player: (user) => http.token('player', { sub: user }),
    async win(user, definition = TEN_OFF) {
      const known = JSON.stringify(definition)
      let slug = wheels.get(known)
      if (slug === undefined) {
        slug = `kit-${wheels.size}`
        wheels.set(known, slug)
        const prize = await made('prizes', { name: 'A prize', ...definition })
        const rewards = [{ reward_slug: 'it', reward_label: 'It', probability: '1', prize_id: prize.id }]
        await made('wheels', { wheel_name: 'Spin to Win', wheel_slug: slug, rewards })
        await made(`wheels/${slug}/publish`)
      }
      await made('spin-chances', { user_id: user, count: 1, reason: 'test' })
      const spun = await made(
        `wheels/${slug}/spins`,
        { request_id: `kit-${++count}` },
        await shop.player(user),
      )
      return spun.play_id
    },
    async open(user, definition) {
      const play_id = await shop.win(user, definition)
      assert.equal((await shop.unlock(user, play_id)).status, 200)
      return play_id
    },
    unlock: async (user, play_id) =>
      http.ask('POST', `/api/v1/gamification/unlock/${play_id}`, { token: await shop.player(user) }),
    apply: (play_id, json, key) => shop.serve(`apply/${play_id}`, json, key),
    serve: (path, json, key = `serve-${++count}`) =>
      http.ask('POST', `/api/v1/gamification/${path}`, {
        token: service,
        json,
        headers: { 'idempotency-key': key },
      }),
    policy: (policy) =>
      http.ask('PUT', '/api/v1/wallet-policy', {
        token: operator,
        json: policy,
        headers: { 'if-match': '*' },
      }),
    validate: (play_id, json, token = service) =>
      http.ask('POST', `/api/v1/gamification/validate/${play_id}`, { token, json }),
    list: async (user, query = '') =>
      http.ask('GET', `/api/v1/gamification/my_prizes${query}`, { token: await shop.player(user) }),
    async row(play_id) {
      const [row] = await http.database.query('select * from gamification_game_plays where id = $1', [
        play_id,
      ])
      return row as Record<string, any>
    },
  }
  return shop
}
