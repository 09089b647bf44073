/** Guess games over HTTP. Rooms call the same functions. */
import { z } from 'zod'
import type { App } from '../../app.ts'
import type { Tx } from '../../db/tx.ts'
import { drawShape } from '../../draws/routes.ts'
import type { Draws } from '../../draws/service.ts'
import { exampleOf } from '../../http/resource.ts'
import { type Route, route } from '../../http/route.ts'
import { PERIOD_QUERY, PERIOD_SHAPE, periodOf } from '../../insight/period.ts'
import { loadTerms } from '../../prizes/store.ts'
import {
  cancelGame,
  endReel,
  readActiveGames,
  readLeaders,
  readMyGuesses,
  readMyStats,
  readReelGame,
} from './games.ts'
import type { Guess } from './guess.ts'
import { gameResource } from './resource.ts'
import { guessRequest, reelId } from './schemas.ts'

const TAGS = ['Guess games']
const uuid = '01a1f938-87bf-72bd-8203-e461f26d8a24'
const hash = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
const at = '2026-11-20T12:00:00.000Z'
const params = z.strictObject({ id: z.uuid() })
const reel = z.strictObject({
  reel_id: reelId.meta({ example: 'r-1' }),
})
const tenantQuery = z.strictObject({
  tenant: z
    .string()
    .max(64)
    .optional()
    .meta({ example: 'demo', description: 'Tenant code; needed without a token.' }),
})

const gameShape = z
  .strictObject({
    game_id: z.string(),
    title: z.string(),
    description: z.string().nullable(),
    image_url: z.string().nullable(),
    link_url: z.string().nullable(),
    creator: z.string(),
    creator_name: z.string(),
    company_id: z.string().nullable(),
    mode: z.string(),
    rule: z.string().nullable(),
    rule_says: z.string().nullable(),
    tie_says: z.string(),
    guess_min: z.int().nullable(),
    guess_max: z.int().nullable(),
    guess_policy: z.string(),
    guesses_per_user: z.int(),
    number_of_winners: z.int(),
    reward: z.strictObject({ type: z.string(), text: z.string().nullable(), is_claimed: z.boolean() }),
    reel_id: z.string().nullable(),
    is_public: z.boolean(),
    status: z.string(),
    opens_at: z.string().nullable(),
    closes_at: z.string(),
    entry_count: z.int(),
    participant_count: z.int(),
    draw: drawShape.nullable(),
    winning_numbers: z.array(z.int()).nullable(),
    not_awarded: z.int().nullable(),
    server_time: z.string(),
  })
  .meta({
    id: 'GuessGame',
    example: {
      game_id: uuid,
      title: 'Guess the weight',
      description: null,
      image_url: null,
      link_url: null,
      creator: 'player-7k2mq',
      creator_name: 'player-7k2mq',
      company_id: null,
      mode: 'guess',
      rule: 'nearest',
      rule_says: 'Who is nearest to the number wins.',
      tie_says: 'Of equally good guesses the earlier one wins.',
      guess_min: 1,
      guess_max: 1000,
      guess_policy: 'one_per_user',
      guesses_per_user: 1,
      number_of_winners: 3,
      reward: { type: 'product', text: 'A pumpkin', is_claimed: true },
      reel_id: 'r-1',
      is_public: true,
      status: 'open',
      opens_at: at,
      closes_at: at,
      entry_count: 0,
      participant_count: 0,
      draw: null,
      winning_numbers: null,
      not_awarded: null,
      server_time: at,
    },
  })

const answerShape = z
  .strictObject({
    submission_id: z.string(),
    game_id: z.string(),
    seq: z.int(),
    value: z.int().nullable(),
    replaces: z.string().nullable(),
    guesses_left: z.int(),
    entry_count: z.int(),
    entry_index: z.int().nullable(),
    entrant: z.string().nullable(),
    salt: z.string().nullable(),
    accepted_at: z.string(),
    receipt: z.string(),
  })
  .meta({
    id: 'GuessAnswer',
    example: {
      submission_id: uuid,
      game_id: uuid,
      seq: 41,
      value: 512,
      replaces: null,
      guesses_left: 0,
      entry_count: 42,
      entry_index: 41,
      entrant: hash,
      salt: '00112233445566778899aabbccddeeff',
      accepted_at: at,
      receipt: 'eyJhbGciOiJFZERTQSJ9.e30.c2ln',
    },
  })

const myGuess = z.strictObject({
  submission_id: z.string(),
  seq: z.int(),
  value: z.int().nullable(),
  is_in_force: z.boolean(),
  entry_index: z.int().nullable(),
  entrant: z.string().nullable(),
  salt: z.string().nullable(),
  accepted_at: z.string(),
})

export type GuessRouteDeps = { app: App; draws: Draws; guess: Guess }

/** Makes the routes of guess games, reels, players' records and the leaderboard. */
export function guessRoutes({ app, draws, guess }: GuessRouteDeps): Route[] {
  const { games } = draws
  const spanOf = async (tx: Tx, wish: { from?: string | undefined; to?: string | undefined }) =>
    periodOf(wish, tx.now, (await loadTerms(tx)).time_zone)
  // Reading a game is for everybody and shows what is published; its row as it is written is its maker's.
  const resource = gameResource().routes.map((each) =>
    each.method === 'get' ? { ...each, path: each.path.replace('/games', '/creator/games') } : each,
  )

  return [
    ...resource,
    route({
      method: 'get',
      path: '/api/v1/games',
      summary: 'Games that can be played now or soon, the one that closes first first',
      tags: TAGS,
      roles: 'anyone',
      query: tenantQuery,
      answer: z
        .strictObject({ data: z.array(gameShape), next_cursor: z.null() })
        .meta({ example: { data: [exampleOf(gameShape)], next_cursor: null } }),
      rate: { points: 300, duration_s: 60 },
      refusals: ['game_not_found'],
      run: async ({ query, visitor }) => ({
        data: await app.run(await visitor(query.tenant), readActiveGames, { games }),
        next_cursor: null,
      }),
    }),
    route({
      method: 'get',
      path: '/api/v1/games/{id}',
      summary: 'A game as everybody may see it',
      description: "Guesses of others are sealed until the winners are drawn. Drafts are their maker's.",
      tags: TAGS,
      roles: 'anyone',
      params,
      query: tenantQuery,
      answer: gameShape,
      rate: { points: 300, duration_s: 60 },
      refusals: ['game_not_found'],
      run: async ({ params: { id }, query, visitor }) => guess.read(await visitor(query.tenant), id),
    }),
    route({
      method: 'post',
      path: '/api/v1/games/{id}/publish',
      summary: 'Commit to a draft: what is promised stays',
      description: 'The terms, the close and the entropy go into the public log before the first guess.',
      tags: TAGS,
      roles: ['creator', 'operator'],
      params,
      answer: gameShape,
      refusals: [
        'game_not_found',
        'game_published',
        'creator_blocked',
        'reel_in_use',
        'entropy_unavailable',
        'fairness_locked',
      ],
      run: ({ params: { id }, actor }) => guess.publish(actor, id),
    }),
    route({
      method: 'post',
      path: '/api/v1/games/{id}/cancel',
      summary: 'Call a game off before it closes, with a reason',
      tags: TAGS,
      roles: ['creator', 'operator'],
      params,
      body: z
        .strictObject({ reason: z.string().trim().min(1).max(500) })
        .meta({ example: { reason: 'The prize was stolen.' } }),
      answer: z.strictObject({ status: z.string() }).meta({ example: { status: 'cancelled' } }),
      refusals: ['game_not_found', 'draw_closed'],
      run: ({ params: { id }, body: { reason }, run }) =>
        run(cancelGame, { game_id: id, why: reason, games }),
    }),
    route({
      method: 'post',
      path: '/api/v1/games/{id}/guesses',
      summary: 'Guess, or enter a draw',
      description:
        'Once per `request_id`: a repeat gets the first answer. The receipt is signed; with `entry_index` it names the place on the list, which is sealed at the close.',
      tags: TAGS,
      roles: ['player'],
      params,
      body: guessRequest.meta({ id: 'GuessRequest', example: { request_id: 'g-1', value: 512 } }),
      answer: answerShape,
      status: 201,
      rate: { points: 300, duration_s: 60 },
      refusals: [
        'game_not_found',
        'game_not_open',
        'guess_invalid',
        'no_guesses_left',
        'guess_taken',
        'idempotency_key_reused',
      ],
      run: async ({ params: { id }, body, actor }) =>
        (await guess.guess(actor, { game_id: id, ...body })).answer,
    }),
    route({
      method: 'get',
      path: '/api/v1/games/{id}/guesses',
      summary: 'My guesses in a game, replaced ones too',
      tags: TAGS,
      roles: ['player'],
      params,
      query: z.strictObject({ mine: z.literal('1').default('1') }),
      answer: z.strictObject({ data: z.array(myGuess), next_cursor: z.null() }).meta({
        example: {
          data: [
            {
              submission_id: uuid,
              seq: 41,
              value: 512,
              is_in_force: true,
              entry_index: 41,
              entrant: hash,
              salt: '00112233445566778899aabbccddeeff',
              accepted_at: at,
            },
          ],
          next_cursor: null,
        },
      }),
      refusals: ['game_not_found'],
      run: async ({ params: { id }, run }) => ({
        data: await run(readMyGuesses, { game_id: id }),
        next_cursor: null,
      }),
    }),
    route({
      method: 'get',
      path: '/api/v1/games/{id}/winners',
      summary: 'Winners as far as they were shown, and the numbers once all were',
      tags: TAGS,
      roles: 'anyone',
      params,
      query: tenantQuery,
      answer: z
        .strictObject({
          status: z.string(),
          winners: z.array(z.record(z.string(), z.unknown())),
          winning_numbers: z.array(z.int()).nullable(),
          not_awarded: z.int().nullable(),
          verify: z.string().nullable(),
        })
        .meta({
          example: {
            status: 'settled',
            winners: [{ place: 1, player: 'player-7k2mq', guess: 512 }],
            winning_numbers: [510],
            not_awarded: 0,
            verify: `/api/v1/verify/${uuid}`,
          },
        }),
      rate: { points: 300, duration_s: 60 },
      refusals: ['game_not_found'],
      run: async ({ params: { id }, query, visitor }) => {
        const { status, draw, winning_numbers, not_awarded } = await guess.read(
          await visitor(query.tenant),
          id,
        )
        return {
          status,
          winners: draw?.winners ?? [],
          winning_numbers,
          not_awarded,
          verify: draw?.verify ?? null,
        }
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/reels/{reel_id}/game',
      summary: 'The game that a reel leads to, with its close',
      tags: TAGS,
      roles: 'anyone',
      params: reel,
      query: tenantQuery,
      answer: gameShape,
      rate: { points: 300, duration_s: 60 },
      refusals: ['game_not_found'],
      run: async ({ params: { reel_id }, query, visitor }) =>
        app.run(await visitor(query.tenant), readReelGame, { reel_id, games }),
    }),
    route({
      method: 'post',
      path: '/api/v1/reels/{reel_id}/ended',
      summary: 'A reel ended: its viewers are shown the game at once',
      tags: TAGS,
      roles: ['service', 'operator', 'creator'],
      params: reel,
      answer: gameShape,
      refusals: ['game_not_found'],
      run: ({ params: { reel_id }, run }) => run(endReel, { reel_id, games }),
    }),
    route({
      method: 'get',
      path: '/api/v1/me/stats',
      summary: 'My record in guess games: entries, games, wins, and the newest run of won games',
      tags: ['Players'],
      roles: ['player'],
      query: z.strictObject(PERIOD_QUERY),
      answer: z
        .strictObject({ ...PERIOD_SHAPE, entries: z.int(), games: z.int(), wins: z.int(), streak: z.int() })
        .meta({ example: { from: at, to: at, entries: 12, games: 7, wins: 2, streak: 1 } }),
      refusals: ['invalid_input'],
      run: ({ run, query }) =>
        run(async (tx, wish: typeof query) => readMyStats(tx, await spanOf(tx, wish)), query),
    }),
    route({
      method: 'get',
      path: '/api/v1/leaderboards/winners',
      summary: 'Who won most guess games; of equals who reached it first',
      tags: TAGS,
      roles: 'anyone',
      query: tenantQuery.extend({
        ...PERIOD_QUERY,
        limit: z.coerce.number().int().min(1).max(100).default(20).meta({ example: 20 }),
      }),
      answer: z
        .strictObject({
          data: z.array(
            z.strictObject({
              rank: z.int(),
              player: z.string(),
              is_me: z.boolean(),
              wins: z.int(),
              games: z.int(),
            }),
          ),
          next_cursor: z.null(),
        })
        .meta({
          example: {
            data: [{ rank: 1, player: 'player-7k2mq', is_me: false, wins: 3, games: 9 }],
            next_cursor: null,
          },
        }),
      rate: { points: 120, duration_s: 60 },
      refusals: ['invalid_input', 'game_not_found'],
      run: async ({ query: { tenant, limit, ...wish }, visitor }) => ({
        data: await app.run(
          await visitor(tenant),
          async (tx, asked: typeof wish) => readLeaders(tx, { ...(await spanOf(tx, asked)), limit }),
          wish,
        ),
        next_cursor: null,
      }),
    }),
  ]
}
