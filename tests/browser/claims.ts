// Guess games that are played to their end, and claims of their winners, for browser tests. The server's clock is moved
// where a person would wait.
import { setTimeout as sleep } from 'node:timers/promises'
import { aGuest, type Player, send, type TestServer } from './server.ts'

let count = 0

/** A new creator's token. */
export const aCreator = (server: TestServer): Promise<string> =>
  server.token(`carla-${process.pid}-${++count}`, 'creator')

/** Asks the API for something. Throws what is not 2xx. */
export async function get<T>({ url }: TestServer, token: string, path: string): Promise<T> {
  const answer = await fetch(`${url}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`)
  return JSON.parse(text) as T
}

/** Moves the server's clock, by an ISO 8601 duration. Answers what time it is there then. */
export async function travel({ url }: TestServer, advance: string): Promise<Date> {
  const { now } = await send<{ now: string }>(url, '', '/test/clock', { advance })
  return new Date(now)
}

/** A published game that closes a minute from now. */
export async function aGame(
  server: TestServer,
  creator: string,
  wish: Record<string, unknown> = {},
): Promise<string> {
  const now = await travel(server, 'PT0S')
  const { id } = await send<{ id: string }>(server.url, creator, '/games', {
    title: 'Guess the weight',
    mode: 'draw',
    reward_type: 'product',
    reward_text: 'A pumpkin',
    closes_at: new Date(now.getTime() + 60_000).toISOString(),
    ...wish,
  })
  await send(server.url, creator, `/games/${id}/publish`)
  await until(async () => (await statusOf(server, creator, id)) === 'open')
  return id
}

export const enter = ({ url }: TestServer, { token }: Player, game_id: string, value?: number) =>
  send(url, token, `/games/${game_id}/guesses`, { request_id: crypto.randomUUID(), value })

/** Past the close and every reveal, until the game is settled. */
export async function toTheEnd(server: TestServer, creator: string, game_id: string): Promise<void> {
  await travel(server, 'PT60S')
  await until(async () => ['drawn', 'settled'].includes(await statusOf(server, creator, game_id)))
  await travel(server, 'PT30S')
  await until(async () => (await statusOf(server, creator, game_id)) === 'settled')
}

const statusOf = async (server: TestServer, token: string, game_id: string): Promise<string> =>
  (await get<{ status: string }>(server, token, `/games/${game_id}`)).status

const WAIT_MS_MAX = 20_000

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const end_ms = Date.now() + WAIT_MS_MAX; !(await isSo()); await sleep(50))
    if (Date.now() > end_ms) throw new Error('it did not come to that')
}

export type WonClaim = { creator: string; winner: Player; game_id: string; claim_id: string }

/** A place that a new guest has won in a game of a new creator and not claimed yet. */
export async function aWonClaim(
  server: TestServer,
  { creator: given, ...wish }: { creator?: string } & Record<string, unknown> = {},
): Promise<WonClaim> {
  const creator = given ?? (await aCreator(server))
  const winner = await aGuest(server)
  const game_id = await aGame(server, creator, { claim_window_hours: 48, ...wish })
  await enter(server, winner, game_id)
  await toTheEnd(server, creator, game_id)
  const { data } = await get<{ data: { claim_id: string }[] }>(
    server,
    winner.token,
    `/claims?game_id=${game_id}`,
  )
  return { creator, winner, game_id, claim_id: data[0]!.claim_id }
}

/** The same, claimed. */
export async function aClaim(
  server: TestServer,
  {
    info = 'I come on Saturday.',
    ...wish
  }: { info?: string; creator?: string } & Record<string, unknown> = {},
): Promise<WonClaim> {
  const won = await aWonClaim(server, wish)
  await send(server.url, won.winner.token, '/claims', { game_id: won.game_id, info })
  return won
}
