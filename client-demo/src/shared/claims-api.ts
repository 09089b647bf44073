/** Claims, their messages, pictures and complaints over HTTP, for both sides and for staff. */
import { API, ask, askFile, askTagged, type Page, sendFile } from './api.ts'
import type { GameView } from './guess-api.ts'
import { serverClock } from './server-clock.ts'

export const CLAIM_STATUSES = ['offered', 'pending', 'completed', 'disputed', 'forfeited'] as const
export type ClaimStatus = (typeof CLAIM_STATUSES)[number]
export type Side = 'winner' | 'creator'

export type ClaimBrief = {
  claim_id: string
  game_id: string
  title: string
  reward: { type: string; text: string | null }
  place: number
  status: ClaimStatus
  status_says: string
  status_at: string
  window_ends_at: string
  winner: string
  creator: string
  created_at: string
}
export type ClaimProof = {
  proof_id: string
  side: Side
  width: number
  height: number
  url: string
  created_at: string
}
export type Complaint = {
  complaint_id: string
  status: 'pending' | 'reviewed' | 'resolved'
  message: string
  answer_due_at: string
  answer: string | null
  answered_at: string | null
  reviewed_at: string | null
  outcome: Outcome | null
  decision_note: string | null
  resolved_at: string | null
  created_at: string
}
export const OUTCOMES = ['fulfilled', 'unfulfilled', 'dismissed'] as const
export type Outcome = (typeof OUTCOMES)[number]
export type ClaimMove = { from: ClaimStatus | null; to: ClaimStatus; at: string; by: string; reason: string }
export type Claim = ClaimBrief & {
  you_are: Side | 'staff'
  claim_info: string | null
  play_id: number | null
  complaint_opens_at: string
  history: ClaimMove[]
  proofs: ClaimProof[]
  complaint: Complaint | null
  server_time: string
}
export type Message = {
  message_id: number
  side: Side
  is_mine: boolean
  message: string
  created_at: string
}

const path = (id: string) => `${API}/claims/${encodeURIComponent(id)}`

export async function readClaim(token: string, id: string): Promise<Claim> {
  const sent_ms = Date.now()
  const claim = await ask<Claim>('GET', path(id), { token })
  serverClock.answered(Date.parse(claim.server_time), sent_ms)
  return claim
}

export type ClaimQuery = { side: Side; status?: string; game_id?: string; cursor?: string | null }

/** Claims of mine, newest first. */
export function readClaims(
  token: string,
  { side, status, game_id, cursor }: ClaimQuery,
): Promise<Page<ClaimBrief>> {
  const query = new URLSearchParams({
    side,
    limit: '20',
    ...(status && { status }),
    ...(game_id && { game_id }),
    ...(cursor && { cursor }),
  })
  return ask('GET', `${API}/claims?${query}`, { token })
}

export const claimReward = (token: string, game_id: string, place: number, info: string): Promise<Claim> =>
  ask('POST', `${API}/claims`, { token, body: { game_id, place, ...(info !== '' && { info }) } })

export const confirmClaim = (token: string, id: string): Promise<Claim> =>
  ask('POST', `${path(id)}/confirm`, { token })

/** Gives the own place of a game up. */
export async function giveUp(token: string, game_id: string): Promise<void> {
  const { draw } = await ask<GameView>('GET', `${API}/games/${game_id}`, { token })
  await ask('POST', `${API}/draws/${draw?.draw_id}/forfeit`, { token, body: {} })
}

export type Code = { picture: Blob; text: string }

/** A new code of a claim: its picture, and what the picture says. */
export async function makeCode(token: string, id: string): Promise<Code> {
  const picture = await askFile(`${path(id)}/qr.svg`, token)
  return { picture, text: codeIn(await picture.text()) ?? '' }
}

/** What the picture of a code says, read from the description in its file. */
export const codeIn = (svg: string): string | undefined => /<desc>([\w.-]+)<\/desc>/.exec(svg)?.[1]

export const scanCode = (token: string, code: string): Promise<Claim> =>
  ask('POST', `${API}/claims/scan`, { token, body: { token: code } })

/** A page of the thread, newest first. */
export const readMessages = (token: string, id: string, cursor: string | null): Promise<Page<Message>> =>
  ask('GET', `${path(id)}/messages?limit=50${cursor === null ? '' : `&cursor=${cursor}`}`, { token })

export const sendMessage = (token: string, id: string, message: string, key: string): Promise<Message> =>
  ask('POST', `${path(id)}/messages`, { token, key, body: { message } })

export const sendPicture = (
  token: string,
  id: string,
  file: File,
  onProgress: (part: number) => void,
): Promise<ClaimProof> => sendFile(`${path(id)}/proof`, token, file, onProgress)

export const readPicture = (token: string, { url }: ClaimProof): Promise<Blob> => askFile(url, token)

export const complain = (token: string, id: string, message: string): Promise<Complaint> =>
  ask('POST', `${path(id)}/complaints`, { token, body: { message } })

export const answerComplaint = (token: string, id: string, answer: string): Promise<Complaint> =>
  ask('POST', `${API}/complaints/${id}/answer`, { token, body: { answer } })

export type CreatorRecord = { completed_count: number; failed_count: number; fulfilment_bps: number | null }
/** How a creator kept promises; everybody may know, under the name that games show. */
export const readCreator = (tenant: string, name: string): Promise<CreatorRecord> =>
  ask('GET', `${API}/creators/${encodeURIComponent(name)}?tenant=${encodeURIComponent(tenant)}`)

export type Queued = Complaint & {
  claim_id: string
  game_id: string
  title: string
  winner: string
  creator: string
  age_s: number
  creator_record: CreatorRecord
}
export type Effect = { failed_count: number; blocked_until: string | null }

/** The queue of complaints, the oldest first; without a status all that are not resolved. */
export function readComplaints(token: string, status: string, cursor: string | null): Promise<Page<Queued>> {
  const query = new URLSearchParams({ limit: '20', ...(status && { status }), ...(cursor && { cursor }) })
  return ask('GET', `${API}/complaints?${query}`, { token })
}

/** A complaint with its receipt, which only its winner sees. */
export type Receipted = Complaint & { receipt: string | null }

export const readComplaint = (token: string, id: string): Promise<{ body: Receipted; etag: string }> =>
  askTagged('GET', `${API}/complaints/${id}`, { token })

export type Decision = { status: 'reviewed' } | { status: 'resolved'; outcome: Outcome; note?: string }

/** Moves a complaint of the version that was read. */
export const decideComplaint = (
  token: string,
  id: string,
  if_match: string,
  body: Decision,
): Promise<{ body: Complaint & { effect: Effect }; etag: string }> =>
  askTagged('PATCH', `${API}/complaints/${id}`, { token, if_match, body })

export type Block = {
  block_id: string
  failure_count: number
  blocked_until: string
  appeal: string | null
  appealed_at: string | null
  decision: 'lifted' | 'upheld' | null
  decision_note: string | null
}
/** As staff sees it: every block there was. */
export type StaffBlock = Block & { name: string; is_holding: boolean; created_at: string }
export type PartyRecord = CreatorRecord & {
  party_kind: 'person' | 'company'
  party_id: string
  name: string
  recent_failures: number
  failures_max: number
  failure_days: number
  block: Block | null
}

/** The record of the bearer and of his companies. */
export const readMyRecord = async (token: string): Promise<PartyRecord[]> =>
  (await ask<{ data: PartyRecord[] }>('GET', `${API}/me/creator`, { token })).data

export const readBlocks = (token: string, cursor: string | null): Promise<Page<StaffBlock>> =>
  ask('GET', `${API}/creator-blocks?limit=20${cursor === null ? '' : `&cursor=${cursor}`}`, { token })

export const appeal = (token: string, block_id: string, text: string): Promise<unknown> =>
  ask('POST', `${API}/creator-blocks/${block_id}/appeal`, { token, body: { appeal: text } })

export const decideBlock = (
  token: string,
  block_id: string,
  decision: 'lifted' | 'upheld',
  note: string,
): Promise<unknown> =>
  ask('POST', `${API}/creator-blocks/${block_id}/decision`, {
    token,
    body: { decision, ...(note !== '' && { note }) },
  })

export const claimAddress = (tenant: string, id?: string): string => {
  const query = new URLSearchParams({ ...(id && { id }), ...(tenant !== 'demo' && { tenant }) }).toString()
  return `/claim${query && `?${query}`}`
}
