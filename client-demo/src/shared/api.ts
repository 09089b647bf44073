/** The HTTP side of the server: JSON in, JSON or a refusal out. */
import { makeId } from './random.ts'
import { refusalOf, ServerRefusal } from './refusal.ts'
import { serverClock } from './server-clock.ts'

export const API = '/api/v1'
/** Longer than any answer of a healthy server; after it the reader is told. */
const ANSWER_MS_MAX = 10_000
/** `Date` has whole seconds, and Node renews it by a timer that a busy loop delays. */
const DATE_GRAIN_MS = 2_000

type Ask = {
  token?: string | undefined
  body?: unknown
  key?: string
  /** The request outlives the page; nobody waits for its answer. */
  keepalive?: boolean
}

/** Sends a request and returns the parsed body. Throws ServerRefusal: the server's code, or `network`, `timeout`. */
export async function ask<T>(
  method: 'GET' | 'POST',
  path: string,
  { token, body, key, keepalive = false }: Ask = {},
): Promise<T> {
  const sent_ms = Date.now()
  const headers: Record<string, string> = { accept: 'application/json' }
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`
  if (method === 'POST') headers['idempotency-key'] = key ?? makeId()
  if (body !== undefined) headers['content-type'] = 'application/json'
  const answer = await send(path, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
    keepalive,
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  })
  serverClock.answered(Date.parse(answer.headers.get('date') ?? ''), sent_ms, DATE_GRAIN_MS)
  const parsed: unknown = await answer.json().catch(() => undefined)
  if (!answer.ok) throw refusalOf(parsed, answer.status === 404 ? 'not_found' : 'internal')
  return parsed as T
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init)
  } catch (error) {
    const code = (error as Error).name === 'TimeoutError' ? 'timeout' : 'network'
    throw new ServerRefusal(code, (error as Error).message)
  }
}

export type Guest = { token: string; user_id: string; expires_at: string }
export type LobbyGame = {
  game_id: string
  /** `wheel`, `guess` and what else there is. */
  kind: string
  slug: string
  name: string
  status: string
  players: number
  spectators: number
  closes_at: string | null
}
export type Odds = {
  wheel: { wheel_slug: string; wheel_name: string }
  config_version: number
  config_hash: string
  total_weight: number
  segments: {
    reward_slug: string
    label: string
    weight: number
    probability: string
    share: string
    remaining: number | null
  }[]
}
export type Play = {
  play_id: number | string
  is_winner: boolean
  prize_name: string | null
  display_value: string | null
  prize_status: string | null
  won_at: string
  expires_at: string | null
  event_id: string
  /** What the verifier knows it by. */
  proof_id: string | null
}
export type SpinRow = {
  spin_id: string
  nonce: number
  reward_label: string
  reward_slug: string
  won: boolean
  commit_hash: string
  revealed: boolean
  award: { status: string; reward_slug: string | null }
}
export type Page<T> = { data: T[]; next_cursor: string | null }
export type Commitment = { commit_hash: string; doc: unknown; jws: string }
export type SeedPair = {
  current: Commitment & { client_seed: string; next_nonce: number }
  next: Commitment
}
export type Rotated = SeedPair & { revealed: { commit_hash: string; server_seed: string; spins: number } }
export type Chances = { chances_left: number; next_expires_at?: string | null }
export type Visit = Chances & { awarded: number }

/** Name and exact odds of a wheel. */
export const readOdds = (tenant: string, wheel: string): Promise<Odds> =>
  ask<Odds>('GET', `${API}/wheels/${encodeURIComponent(wheel)}/odds?tenant=${encodeURIComponent(tenant)}`)

/** Everything that the lobby lists. */
export async function lobbyGames(tenant: string, token?: string): Promise<LobbyGame[]> {
  const path = `${API}/lobby?tenant=${encodeURIComponent(tenant)}`
  return (await ask<{ data: LobbyGame[] }>('GET', path, { token })).data
}
