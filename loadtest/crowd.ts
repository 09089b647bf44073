/** Who comes to a load test: addresses, who of them decodes every state, and how they are divided among threads. */
import type { Role } from '../src/db/tx.ts'
import type { Tokens } from '../src/http/tokens.ts'

export type Wishes = {
  clients: number
  spectators: number
  rate: number
  duration_ms: number
  delay_ms: number
}

export type Bot = { token: string | null; address: string | null }

/** `decodes`: it follows every state; the others read replies and announcements, and let states pass. */
export type PlayerBot = Bot & { user_id: string; decodes: boolean }

export type Player = PlayerBot & { token: string }

/** What a thread of bots has to know, whatever is played. */
export type CrowdPlan = {
  endpoint: string
  tenant: string
  /** The room, and the game whose rooms they enter. */
  room: string
  game: string
  players: PlayerBot[]
  /** `decodes`: an SDK client, the others are bare sockets; `pauses`: it stops reading for a while. */
  spectators: (Bot & { decodes: boolean; pauses: boolean })[]
  /** Requests per second of this thread's players. */
  rate: number
  duration_ms: number
  /** Between two joins of one of the lines that join. */
  delay_ms: number
  /** The first of the threads: what one client does for all is done there. */
  is_first: boolean
}

/** Where and as whom a scenario plays. */
export type Ground = {
  endpoint: string
  tenant: string
  tokens: Tokens
  /** Every bot can come from an address of its own. */
  has_addresses: boolean
}

const TTL_S = 6 * 3600
/** A thread decodes states for this many clients before it lags behind its own schedule. */
const CLIENTS_PER_THREAD = 1_250
const THREADS_MAX = 4
/** Of players and of spectators this share, but not less than four, decodes every state; every second spectator pauses. */
const DECODING_SHARE = 0.05
const DECODING_MAX = 60

const decodingOf = (clients: number): number =>
  Math.min(clients, DECODING_MAX, Math.max(4, Math.ceil(clients * DECODING_SHARE)))

const addressOf = ({ has_addresses }: Ground, i: number): string | null =>
  has_addresses ? `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}` : null

/** A token of somebody with these roles. */
export async function sign({ tokens, tenant }: Ground, sub: string, roles: Role[]): Promise<string> {
  return (await tokens.sign({ sub, tenant, roles, ttl_s: TTL_S })).token
}

/** The players of a run, each with a token. */
export function makePlayers(ground: Ground, run: string, { clients }: Wishes): Promise<Player[]> {
  return Promise.all(
    Array.from({ length: clients }, async (_, i): Promise<Player> => {
      const user_id = `loadtest-${run}-${i}`
      return {
        user_id,
        token: await sign(ground, user_id, ['player']),
        address: addressOf(ground, i + 1),
        decodes: i < decodingOf(clients),
      }
    }),
  )
}

/** Divides players, and spectators who are made here, among threads. */
export function divide(
  ground: Ground,
  players: readonly Player[],
  { room, game }: { room: string; game: string },
  wishes: Wishes,
): CrowdPlan[] {
  const { clients, spectators: count, rate, duration_ms, delay_ms } = wishes
  const decoding = decodingOf(count)
  const spectators = Array.from({ length: count }, (_, i) => ({
    token: null,
    address: addressOf(ground, clients + i + 1),
    decodes: i < decoding,
    pauses: i < decoding && i % 2 === 1,
  }))
  const threads = Math.min(THREADS_MAX, clients, Math.ceil((clients + count) / CLIENTS_PER_THREAD))
  return Array.from({ length: threads }, (_, thread): CrowdPlan => {
    const mine = players.filter((_player, i) => i % threads === thread)
    return {
      endpoint: ground.endpoint,
      tenant: ground.tenant,
      room,
      game,
      players: mine,
      spectators: spectators.filter((_spectator, i) => i % threads === thread),
      rate: (rate * mine.length) / players.length,
      duration_ms,
      delay_ms,
      is_first: thread === 0,
    }
  })
}
