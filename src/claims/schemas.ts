/** What claims look like to clients. */
import { z } from 'zod'

export const TAGS = ['Claims']
export const exampleId = '01a1f938-87bf-72bd-8203-e461f26d8a24'
export const at = '2026-11-20T12:00:00.000Z'
const hash = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'

export const claimParams = z.strictObject({ id: z.uuid() })

/** Free text of a person: no control characters but line breaks and tabs. */
export const prose = (length_max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(length_max)
    .regex(/^[^\p{Cc}\p{Cs}]*(?:[\n\r\t][^\p{Cc}\p{Cs}]*)*$/u, 'no control characters')

const briefFields = {
  claim_id: z.string(),
  game_id: z.string(),
  title: z.string(),
  reward: z.strictObject({ type: z.string(), text: z.string().nullable() }),
  place: z.int(),
  status: z.string(),
  status_says: z.string(),
  status_at: z.string(),
  window_ends_at: z.string(),
  winner: z.string(),
  creator: z.string(),
  created_at: z.string(),
}

const brief = {
  claim_id: exampleId,
  game_id: exampleId,
  title: 'Guess the weight',
  reward: { type: 'product', text: 'A pumpkin' },
  place: 1,
  status: 'pending',
  status_says: 'Claimed; the creator hands the reward over.',
  status_at: at,
  window_ends_at: at,
  winner: 'player-7k2mq',
  creator: 'player-3m9xa',
  created_at: at,
}

export const claimBriefShape = z.strictObject(briefFields).meta({ id: 'ClaimBrief', example: brief })

export const proofShape = z
  .strictObject({
    proof_id: z.string(),
    side: z.string(),
    width: z.int(),
    height: z.int(),
    byte_count: z.int(),
    picture_hash: z.string(),
    url: z.string(),
    created_at: z.string(),
  })
  .meta({
    id: 'ClaimProof',
    example: {
      proof_id: exampleId,
      side: 'winner',
      width: 1200,
      height: 900,
      byte_count: 81_234,
      picture_hash: hash,
      url: `/api/v1/claims/${exampleId}/proofs/${exampleId}`,
      created_at: at,
    },
  })

export const complaintFields = {
  complaint_id: z.string(),
  status: z.string(),
  message: z.string(),
  answer_due_at: z.string(),
  answer: z.string().nullable(),
  answered_at: z.string().nullable(),
  reviewed_at: z.string().nullable(),
  outcome: z.string().nullable(),
  decision_note: z.string().nullable(),
  resolved_at: z.string().nullable(),
  created_at: z.string(),
}

export const complaintExample = {
  complaint_id: exampleId,
  status: 'pending',
  message: 'Nothing came, and nobody answers.',
  answer_due_at: at,
  answer: null,
  answered_at: null,
  reviewed_at: null,
  outcome: null,
  decision_note: null,
  resolved_at: null,
  created_at: at,
}

export const claimShape = z
  .strictObject({
    ...briefFields,
    you_are: z.enum(['winner', 'creator', 'staff']),
    claim_info: z.string().nullable(),
    play_id: z.int().nullable(),
    complaint_opens_at: z.string(),
    history: z.array(
      z.strictObject({
        from: z.string().nullable(),
        to: z.string(),
        at: z.string(),
        by: z.string(),
        reason: z.string(),
      }),
    ),
    proofs: z.array(proofShape),
    complaint: z.strictObject(complaintFields).nullable(),
    server_time: z.string(),
  })
  .meta({
    id: 'Claim',
    example: {
      ...brief,
      you_are: 'winner',
      claim_info: 'I come on Saturday.',
      play_id: null,
      complaint_opens_at: at,
      history: [
        { from: null, to: 'offered', at, by: 'system', reason: 'won' },
        { from: 'offered', to: 'pending', at, by: 'winner', reason: 'claimed' },
      ],
      proofs: [],
      complaint: null,
      server_time: at,
    },
  })
