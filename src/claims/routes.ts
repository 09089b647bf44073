/** Claims over HTTP: claiming, showing the code, scanning it. */
import { z } from 'zod'
import type { App } from '../app.ts'
import { exampleOf, LIST_QUERY, listOf } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { claimReward, confirmClaim, listClaims, readClaim, readCodePicture, scanCode } from './claims.ts'
import { CODE_LENGTH_MAX } from './codes.ts'
import { complaintRoutes } from './complaint-routes.ts'
import { creatorRoutes } from './creator-routes.ts'
import { claimPartRoutes } from './part-routes.ts'
import { CLAIM_STATUSES } from './rules.ts'
import { claimBriefShape, claimParams, claimShape, exampleId, prose, TAGS } from './schemas.ts'

/** `/claims…`, and what follows from them: complaints, and the record of creators. */
export function claimRoutes({ app }: { app: Pick<App, 'run'> }): Route[] {
  return [...handingOverRoutes(), ...claimPartRoutes(app), ...complaintRoutes(), ...creatorRoutes()]
}

function handingOverRoutes(): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/claims',
      summary: 'Claim what I won in a game',
      description:
        'Once: a second call answers the claim that stands. `info` is for the creator: where it goes, who comes for it.',
      tags: TAGS,
      roles: ['player'],
      once: 'optional',
      status: 201,
      body: z
        .strictObject({
          game_id: z.uuid(),
          place: z.int().min(1).max(1_000).optional(),
          info: prose(2_000).optional(),
        })
        .meta({ id: 'ClaimRequest', example: { game_id: exampleId, info: 'I come on Saturday.' } }),
      answer: claimShape,
      rate: { points: 60, duration_s: 60 },
      refusals: ['game_not_found', 'nothing_to_claim', 'not_a_winner', 'claim_window_over'],
      run: ({ run, body: { game_id, place, info } }) =>
        run(claimReward, { game_id, place: place ?? null, info: info ?? null }),
    }),
    route({
      method: 'get',
      path: '/api/v1/claims',
      summary: 'My claims, newest first: those that I won, or those that I hand over',
      tags: TAGS,
      roles: ['player', 'creator', 'operator'],
      query: z.strictObject({
        ...LIST_QUERY,
        side: z
          .enum(['winner', 'creator'])
          .default('winner')
          .meta({ example: 'creator', description: 'creator: what I, or a company of mine, hand over.' }),
        game_id: z.uuid().optional(),
        status: z.enum(CLAIM_STATUSES).optional().meta({ example: 'pending' }),
      }),
      answer: listOf(claimBriefShape, exampleOf(claimBriefShape)),
      run: ({ run, query: { side, limit, cursor, game_id, status } }) =>
        run(listClaims, {
          side,
          limit,
          cursor: cursor ?? null,
          game_id: game_id ?? null,
          status: status ?? null,
        }),
    }),
    route({
      method: 'get',
      path: '/api/v1/claims/{id}',
      summary: 'A claim with its history, pictures and complaint',
      description:
        'For its winner, its creator and staff; staff sees pictures and what the winner wrote while a complaint is open.',
      tags: TAGS,
      roles: ['player', 'creator', 'operator', 'auditor'],
      params: claimParams,
      answer: claimShape,
      run: ({ run, params: { id } }) => run(readClaim, { claim_id: id }),
    }),
    route({
      method: 'get',
      path: '/api/v1/claims/{id}/qr.svg',
      summary: 'The code that the creator scans when the reward is handed over',
      description:
        'A new one at every call, good for a day. Whichever is scanned first completes the claim; after it none works. `desc` in the picture is the text of the code.',
      tags: TAGS,
      roles: ['player'],
      params: claimParams,
      answer: z.string().meta({ example: '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 77 77"/>' }),
      media: 'image/svg+xml; charset=utf-8',
      // Opened by itself it is a document: it may run nothing.
      headers: () => ({
        'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      }),
      rate: { points: 60, duration_s: 60 },
      refusals: ['qr_used', 'claim_not_open'],
      run: ({ run, params: { id } }) => run(readCodePicture, { claim_id: id }),
    }),
    route({
      method: 'post',
      path: '/api/v1/claims/scan',
      summary: 'Scan the code of a winner: the reward is handed over',
      description:
        'By the creator of the game or a member of the company. A second scan says that it was used.',
      tags: TAGS,
      roles: ['creator', 'operator'],
      body: z
        .strictObject({ token: z.string().min(1).max(CODE_LENGTH_MAX) })
        .meta({ id: 'ClaimScan', example: { token: 'eyJhbGciOiJFZERTQSJ9.e30.c2ln' } }),
      answer: claimShape,
      rate: { points: 120, duration_s: 60 },
      refusals: ['qr_invalid', 'qr_expired', 'qr_used', 'not_claim_party', 'claim_not_open'],
      run: ({ run, body }) => run(scanCode, body),
    }),
    route({
      method: 'post',
      path: '/api/v1/claims/{id}/confirm',
      summary: 'Say that the reward came',
      description: 'For rewards that are sent: it completes the claim as a scan does.',
      tags: TAGS,
      roles: ['player'],
      params: claimParams,
      answer: claimShape,
      refusals: ['qr_used', 'claim_not_open'],
      run: ({ run, params: { id } }) => run(confirmClaim, { claim_id: id }),
    }),
  ]
}
