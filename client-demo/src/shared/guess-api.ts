/** Guess games and draws over HTTP. */
import { API, ask, type Page } from './api.ts'
import { serverClock } from './server-clock.ts'

export type WinnerView = {
  place: number
  player: string
  entry_index: number
  is_alternate: boolean
  reveal_at: string
  guess?: number | null
  /** Of a raffle. */
  ticket_number?: string
  prize?: string | null
}
export type DrawView = {
  draw_id: string
  game: string
  game_id: string
  draw_name: string
  status: string
  says: string
  trust: string
  commit_hash: string
  config: Record<string, unknown>
  opens_at: string
  closes_at: string
  /** How the close was put off, in order. */
  extensions: { from: string; closes_at: string; at: string; log_index: number }[]
  entry_count: number
  entries_root: string | null
  frozen_at: string | null
  beacon: { chain: string; round: number; out_at: string | null } | null
  drawn_at: string | null
  settled_at: string | null
  cancelled: { reason: string; says: string; at: string } | null
  place_count: number
  reveals: { place: number; reveal_at: string }[]
  winners: WinnerView[]
  verify: string | null
  server_time: string
}
export type GameView = {
  game_id: string
  title: string
  description: string | null
  image_url: string | null
  link_url: string | null
  creator: string
  creator_name: string
  mode: string
  rule_says: string | null
  tie_says: string
  guess_min: number | null
  guess_max: number | null
  guess_policy: string
  guesses_per_user: number
  number_of_winners: number
  reward: { type: string; text: string | null; is_claimed: boolean }
  entry_says: string[]
  status: string
  paused_until: string | null
  opens_at: string | null
  closes_at: string
  entry_count: number
  draw: DrawView | null
  winning_numbers: number[] | null
  server_time: string
}
export type MyGuess = {
  submission_id: string
  seq: number
  value: number | null
  is_in_force: boolean
  /** The label of the rule that added it; null for an own one. */
  bonus: string | null
  entry_index: number | null
  entrant: string | null
  salt: string | null
  accepted_at: string
}
export type GuessAnswer = Omit<MyGuess, 'is_in_force' | 'bonus'> & {
  guesses_left: number
  receipt: string
  bonus_entries: { label: string; submission_id: string; entry_index: number; receipt: string }[]
}
/** Whether this player may enter, rule by rule. */
export type Eligibility = {
  is_eligible: boolean
  rules: { rule: string; says: string; is_met: boolean; possible_from: string | null }[]
  bonus: { offers: { label: string; says: string; is_met: boolean }[]; entries: number } | null
}
export type Leader = { rank: number; player: string; is_me: boolean; wins: number; games: number }
export type Stats = { entries: number; games: number; wins: number; streak: number }
export type Leaf = Record<string, unknown> & { i: number; e: string }
export type Proof = {
  draw_id: string
  entry: Leaf
  leaf_hash: string
  entry_index: number
  entry_count: number
  entries_root: string
  commit_hash: string
  proof: string[]
}
export type Replay = {
  draw_id: string
  duration_ms: number
  frames: { after_ms: number; type: string; data: Record<string, unknown> }[]
}

const by = (tenant: string) => `tenant=${encodeURIComponent(tenant)}`

async function timed<T extends { server_time: string }>(path: string): Promise<T> {
  const sent_ms = Date.now()
  const answer = await ask<T>('GET', `${API}${path}`)
  serverClock.answered(Date.parse(answer.server_time), sent_ms)
  return answer
}

export const readGame = (tenant: string, id: string): Promise<GameView> =>
  timed(`/games/${encodeURIComponent(id)}?${by(tenant)}`)

/** The same for a player, who may see games that are not public. */
export const readGameAs = (token: string, id: string): Promise<GameView> =>
  ask<GameView>('GET', `${API}/games/${encodeURIComponent(id)}`, { token })

export const readEligibility = (token: string, id: string): Promise<Eligibility> =>
  ask<Eligibility>('GET', `${API}/games/${encodeURIComponent(id)}/eligibility`, { token })

export const readReelGame = (tenant: string, reel: string): Promise<GameView> =>
  timed(`/reels/${encodeURIComponent(reel)}/game?${by(tenant)}`)

/** Games that can be played now or soon, the one that closes first first. */
export const readActiveGames = async (tenant: string): Promise<GameView[]> =>
  (await ask<Page<GameView>>('GET', `${API}/games?${by(tenant)}`)).data

export const readLeaders = async (tenant: string, token?: string): Promise<Leader[]> =>
  (await ask<Page<Leader>>('GET', `${API}/leaderboards/winners?limit=10&${by(tenant)}`, { token })).data

export const readStats = (token: string): Promise<Stats> => ask<Stats>('GET', `${API}/me/stats`, { token })

export const readMine = async (token: string, game_id: string): Promise<MyGuess[]> =>
  (await ask<Page<MyGuess>>('GET', `${API}/games/${game_id}/guesses?mine=1`, { token })).data

export const readDraw = (id: string): Promise<DrawView> => timed(`/draws/${encodeURIComponent(id)}`)

export const readEntries = (id: string, cursor: string | null, limit = 25): Promise<Page<Leaf>> =>
  ask('GET', `${API}/draws/${id}/entries?limit=${limit}${cursor === null ? '' : `&cursor=${cursor}`}`)

export const readProof = (id: string, entry: number, token?: string): Promise<Proof> =>
  ask('GET', `${API}/draws/${id}/proof?entry=${entry}`, { token })

export const readReplay = (id: string): Promise<Replay> => ask('GET', `${API}/draws/${id}/replay`)

const inTenant = (tenant: string) => (tenant === 'demo' ? '' : `&${by(tenant)}`)
export const guessAddress = (tenant: string, id: string): string => `/guess?game=${id}${inTenant(tenant)}`
export const drawAddress = (id: string): string => `/draw?id=${id}`
export const watchDrawAddress = (tenant: string, id: string): string =>
  `/watch-draw?game=${id}${inTenant(tenant)}`
export const verifyDrawAddress = (id: string): string => `/verify?event=${id}`
