/** Pictures and messages of claims over HTTP. */
import { z } from 'zod'
import type { App } from '../app.ts'
import { exampleOf, LIST_QUERY, listOf } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { readMessages, sendMessage } from './messages.ts'
import { readProof, uploadProof } from './proofs.ts'
import { MESSAGE_LENGTH_MAX, UPLOAD_BYTES_MAX } from './rules.ts'
import { at, claimParams, proofShape, prose, TAGS } from './schemas.ts'

const messageShape = z
  .strictObject({
    message_id: z.int(),
    side: z.string(),
    is_mine: z.boolean(),
    message: z.string(),
    created_at: z.string(),
  })
  .meta({
    id: 'ClaimMessage',
    example: {
      message_id: 7,
      side: 'winner',
      is_mine: true,
      message: 'When can I come?',
      created_at: at,
    },
  })

/** A document that may do nothing, and is not shown in place of a page. */
const PICTURE_HEADERS = {
  'Content-Security-Policy': "default-src 'none'; sandbox",
  'Content-Disposition': 'inline; filename="proof.webp"',
  'X-Content-Type-Options': 'nosniff',
  'Cross-Origin-Resource-Policy': 'same-origin',
}

/** `/claims/{id}/proof…` and `/claims/{id}/messages`. */
export function claimPartRoutes(app: Pick<App, 'run'>): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/claims/{id}/proof',
      summary: 'Show a picture to the other side',
      description:
        'multipart/form-data with one file: JPEG, PNG or WebP of at most 5 MB. It is encoded anew, so that place, camera and whatever else the file says are gone. Five for each side; once the claim is completed none is added.',
      tags: TAGS,
      roles: ['player', 'creator', 'operator'],
      params: claimParams,
      upload: { bytes_max: UPLOAD_BYTES_MAX },
      answer: proofShape,
      status: 201,
      rate: { points: 40, duration_s: 60 },
      refusals: ['claim_not_open', 'proofs_full', 'picture_refused'],
      run: ({ actor, params: { id }, body }) => uploadProof(app, actor, { claim_id: id, bytes: body }),
    }),
    route({
      method: 'get',
      path: '/api/v1/claims/{id}/proofs/{proof_id}',
      summary: 'A picture of a claim',
      description: 'For both sides, and for staff while a complaint is open.',
      tags: TAGS,
      roles: ['player', 'creator', 'operator', 'auditor'],
      params: claimParams.extend({ proof_id: z.uuid() }),
      answer: z.string().meta({ format: 'binary', example: 'RIFF…WEBP' }),
      media: 'image/webp',
      headers: () => PICTURE_HEADERS,
      run: async ({ run, params: { id, proof_id } }) =>
        (await run(readProof, { claim_id: id, proof_id })).picture,
    }),
    route({
      method: 'post',
      path: '/api/v1/claims/{id}/messages',
      summary: 'Write to the other side',
      description: 'It is in the inbox of the other side at once, and unread at the next login.',
      tags: TAGS,
      roles: ['player', 'creator', 'operator'],
      once: 'optional',
      params: claimParams,
      body: z
        .strictObject({ message: prose(MESSAGE_LENGTH_MAX) })
        .meta({ id: 'ClaimMessageRequest', example: { message: 'When can I come?' } }),
      answer: messageShape,
      status: 201,
      rate: { points: 30, duration_s: 60 },
      refusals: ['not_claim_party', 'claim_not_open', 'thread_full'],
      run: ({ run, params: { id }, body: { message } }) => run(sendMessage, { claim_id: id, message }),
    }),
    route({
      method: 'get',
      path: '/api/v1/claims/{id}/messages',
      summary: 'The messages about a claim, newest first',
      description: 'For both sides; staff reads while a complaint is open, and the audit log says who did.',
      tags: TAGS,
      roles: ['player', 'creator', 'operator', 'auditor'],
      params: claimParams,
      query: z.strictObject({
        ...LIST_QUERY,
        cursor: z
          .string()
          .regex(/^[1-9]\d{0,14}$/)
          .optional(),
      }),
      answer: listOf(messageShape, exampleOf(messageShape)),
      refusals: ['not_claim_party'],
      run: ({ run, params: { id }, query: { limit, cursor } }) =>
        run(readMessages, {
          claim_id: id,
          limit,
          before: cursor === undefined ? null : Number(cursor),
        }),
    }),
  ]
}
