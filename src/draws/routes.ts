/** A draw over HTTP: its public page, its list, proofs, its film; forfeits and redraws of staff. */
import { z } from 'zod'
import type { App } from '../app.ts'
import type { Actor } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { LIST_QUERY } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { makeAnywhere } from '../tenants/anywhere.ts'
import { askRedraw, decideOnRedraw, forfeitPlace } from './draws.ts'
import { readDraw, readList, readProof, readReplay, redrawView } from './read.ts'
import type { Draws } from './service.ts'

const TAGS = ['Draws']
const uuid = '01a1f938-87bf-72bd-8203-e461f26d8a24'
const hash = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
const at = '2026-11-20T12:00:00.000Z'
const json = z.record(z.string(), z.unknown())
const params = z.strictObject({ draw_id: z.uuid() })

const winner = z.looseObject({
  place: z.int(),
  player: z.string(),
  entry_index: z.int(),
  prize: z.string().nullable(),
  is_alternate: z.boolean(),
  reveal_at: z.string(),
})

const redraw = z.strictObject({
  reason: z.string(),
  places: z.array(z.int()),
  asked_by: z.string(),
  asked_at: z.string(),
  decision: z.string().nullable(),
  decided_by: z.string().nullable(),
  decided_at: z.string().nullable(),
  new_draw_id: z.string().nullable(),
})

const redrawExample = {
  reason: 'Nobody claimed the first prize.',
  places: [1],
  asked_by: 'player-7k2mq',
  asked_at: at,
  decision: null,
  decided_by: null,
  decided_at: null,
  new_draw_id: null,
}

export const drawShape = z
  .strictObject({
    draw_id: z.string(),
    game: z.string(),
    game_id: z.string(),
    draw_name: z.string(),
    seq: z.int(),
    status: z.string(),
    says: z.string(),
    trust: z.string(),
    trust_says: z.string(),
    commit_hash: z.string(),
    config: json,
    opens_at: z.string(),
    closes_at: z.string(),
    paused_until: z.string().nullable(),
    extensions: z.array(
      z.strictObject({ from: z.string(), closes_at: z.string(), at: z.string(), log_index: z.int() }),
    ),
    draw_at: z.string(),
    entry_count: z.int(),
    entries_root: z.string().nullable(),
    frozen_at: z.string().nullable(),
    beacon: z.strictObject({ chain: z.string(), round: z.int(), out_at: z.string().nullable() }).nullable(),
    drawn_at: z.string().nullable(),
    settle_at: z.string().nullable(),
    settled_at: z.string().nullable(),
    cancelled: z.strictObject({ reason: z.string(), says: z.string(), at: z.string() }).nullable(),
    place_count: z.int(),
    reveals: z.array(z.strictObject({ place: z.int(), reveal_at: z.string() })),
    winners: z.array(winner),
    redraw_of: z.string().nullable(),
    redraw_reason: z.string().nullable(),
    redraws: z.array(redraw),
    verify: z.string().nullable(),
    server_time: z.string(),
  })
  .meta({
    id: 'Draw',
    example: {
      draw_id: uuid,
      game: 'raffle',
      game_id: uuid,
      draw_name: 'Final',
      seq: 1,
      status: 'settled',
      says: 'Everything is shown, the prizes are granted, the secret is out and anybody can check it.',
      trust: 'operator',
      trust_says: 'Tamper-evident only: after the fact you can see that nothing was altered.',
      commit_hash: hash,
      config: { v: 1, kind: 'raffle', prizes: [{ id: 'first', qty: 1 }], reserves: 0 },
      opens_at: at,
      closes_at: at,
      paused_until: null,
      extensions: [],
      draw_at: at,
      entry_count: 100,
      entries_root: hash,
      frozen_at: at,
      beacon: null,
      drawn_at: at,
      settle_at: at,
      settled_at: at,
      cancelled: null,
      place_count: 1,
      reveals: [{ place: 1, reveal_at: at }],
      winners: [
        {
          place: 1,
          player: 'player-7k2mq',
          entry_index: 42,
          prize: 'first',
          is_alternate: false,
          reveal_at: at,
          ticket_number: '43',
          status: 'announced',
        },
      ],
      redraw_of: null,
      redraw_reason: null,
      redraws: [],
      verify: `/api/v1/verify/${uuid}`,
      server_time: at,
    },
  })

export type DrawRouteDeps = { app: App; draws: Draws }

export function drawRoutes({ app, draws }: DrawRouteDeps): Route[] {
  const { games, entropy } = draws
  const anywhere = makeAnywhere(app.database)

  return [
    route({
      method: 'get',
      path: '/api/v1/draws/{draw_id}',
      summary: 'A draw as everybody may see it',
      description:
        'Winners appear here at their `reveal_at` and not before. `reveals` is the schedule on the server clock.',
      tags: TAGS,
      roles: 'anyone',
      params,
      answer: drawShape,
      rate: { points: 300, duration_s: 60 },
      refusals: ['not_found'],
      run: ({ params: { draw_id } }) =>
        anywhere({ event_id: draw_id }, (actor) => app.run(actor, readDraw, { draw_id, games })),
    }),
    route({
      method: 'get',
      path: '/api/v1/draws/{draw_id}/entries',
      summary: 'The sealed list of a draw, by pseudonym',
      description: 'Leaves in order, as they were hashed. Published when the winners are drawn.',
      tags: TAGS,
      roles: 'anyone',
      params,
      query: z.strictObject({
        limit: LIST_QUERY.limit,
        cursor: z
          .string()
          .regex(/^\d{1,9}$/)
          .optional()
          .meta({ description: '`next_cursor` of the page before.' }),
      }),
      answer: z.strictObject({ data: z.array(json), next_cursor: z.string().nullable() }).meta({
        example: { data: [{ e: hash, i: 0, t: 1, via: 'paid' }], next_cursor: null },
      }),
      rate: { points: 300, duration_s: 60 },
      refusals: ['not_found', 'not_yet_revealed'],
      run: ({ params: { draw_id }, query: { limit, cursor } }) =>
        anywhere({ event_id: draw_id }, (actor) =>
          app.run(actor, readList, { draw_id, from: Number(cursor ?? 0), limit }),
        ),
    }),
    route({
      method: 'get',
      path: '/api/v1/draws/{draw_id}/proof',
      summary: 'Proof that an entry is on the sealed list, without the others',
      description:
        'Exists from the close on: for everybody once the winners are drawn, before that for the entrant. Check it with the root of the draw (RFC 6962).',
      tags: TAGS,
      roles: 'anyone',
      params,
      query: z.strictObject({
        entry: z.coerce.number().int().min(0).max(2_147_483_647).meta({ example: 42 }),
      }),
      answer: z
        .strictObject({
          draw_id: z.string(),
          entry: json,
          leaf_hash: z.string(),
          entry_index: z.int(),
          entry_count: z.int(),
          entries_root: z.string(),
          commit_hash: z.string(),
          proof: z.array(z.string()),
        })
        .meta({
          example: {
            draw_id: uuid,
            entry: { e: hash, i: 42, t: 43, via: 'paid' },
            leaf_hash: hash,
            entry_index: 42,
            entry_count: 100,
            entries_root: hash,
            commit_hash: hash,
            proof: [hash],
          },
        }),
      rate: { points: 300, duration_s: 60 },
      refusals: ['not_found', 'not_yet_revealed'],
      run: ({ params: { draw_id }, query: { entry }, actor }) =>
        anywhere({ event_id: draw_id }, (system) => {
          const user_id = actor?.tenantId === system.tenantId ? actor.userId : null
          return app.run(system, readProof, { draw_id, entry, user_id })
        }),
    }),
    route({
      method: 'get',
      path: '/api/v1/draws/{draw_id}/replay',
      summary: 'A past draw as frames with times, to be played at any speed',
      tags: TAGS,
      roles: 'anyone',
      params,
      answer: z
        .strictObject({
          draw_id: z.string(),
          duration_ms: z.int(),
          frames: z.array(z.strictObject({ after_ms: z.int(), type: z.string(), data: json })),
        })
        .meta({
          example: {
            draw_id: uuid,
            duration_ms: 9000,
            frames: [{ after_ms: 0, type: 'draw.closed', data: { entry_count: 100, entries_root: hash } }],
          },
        }),
      rate: { points: 120, duration_s: 60 },
      refusals: ['not_found', 'not_yet_revealed'],
      run: ({ params: { draw_id } }) =>
        anywhere({ event_id: draw_id }, (actor) => app.run(actor, readReplay, { draw_id, games })),
    }),
    route({
      method: 'post',
      path: '/api/v1/draws/{draw_id}/forfeit',
      summary: 'A winner gives up a place, or staff takes it back with a reason',
      description:
        'The next alternate of the same draw takes the place at once. A player names no place and gives up the own one.',
      tags: TAGS,
      roles: ['player', 'operator'],
      params,
      body: z
        .strictObject({
          place: z.int().min(1).max(1_000_000).optional(),
          reason: z.string().trim().min(1).max(500).optional(),
        })
        .meta({ example: { place: 1, reason: 'The winner is under age.' } }),
      answer: z
        .strictObject({ place: z.int(), status: z.string(), promoted_place: z.int().nullable() })
        .meta({ example: { place: 1, status: 'forfeited', promoted_place: 4 } }),
      once: 'required',
      refusals: ['game_not_found', 'forfeit_refused'],
      run: ({ params: { draw_id }, body: { place, reason }, run, actor }) => {
        if (actor.roles.includes('operator') && (place === undefined || reason === undefined))
          refuse('invalid_input', { detail: 'Say which place, and why.' })
        return run(forfeitPlace, { draw_id, games, place: place ?? null, reason: reason ?? null })
      },
    }),
    route({
      method: 'post',
      path: '/api/v1/draws/{draw_id}/redraws',
      summary: 'Ask for a second draw over places that nobody stands on any more',
      tags: TAGS,
      roles: ['operator'],
      params,
      body: z
        .strictObject({ reason: z.string().trim().min(1).max(500) })
        .meta({ example: { reason: 'Nobody claimed the first prize.' } }),
      answer: redraw.meta({ id: 'Redraw', example: redrawExample }),
      status: 201,
      once: 'required',
      refusals: ['game_not_found', 'redraw_refused'],
      run: ({ params: { draw_id }, body: { reason }, run }) =>
        run(
          async (tx, input: { draw_id: string; reason: string }) =>
            redrawView(tx, await askRedraw(tx, { ...input, games })),
          {
            draw_id,
            reason,
          },
        ),
    }),
    route({
      method: 'post',
      path: '/api/v1/draws/{draw_id}/redraws/decision',
      summary: 'Approve or decline a redraw that somebody else asked for',
      description: 'Approved, it is a draw of its own with its own commitment; both results stay public.',
      tags: TAGS,
      roles: ['operator'],
      params,
      body: z.strictObject({ approve: z.boolean() }).meta({ example: { approve: true } }),
      answer: z
        .strictObject({ decision: z.string(), new_draw_id: z.string().nullable() })
        .meta({ example: { decision: 'approved', new_draw_id: uuid } }),
      refusals: ['game_not_found', 'redraw_refused', 'second_person_needed', 'entropy_unavailable'],
      run: ({ params: { draw_id }, body: { approve }, actor }) => {
        const input = { draw_id, is_approved: approve, games, entropy }
        return draws.promise(actor as Actor, decideOnRedraw, input, ({ new_draw_id }) =>
          new_draw_id === null ? [] : [new_draw_id],
        )
      },
    }),
  ]
}
