/** The wheel over HTTP. Rooms call the same functions. */
import { z } from 'zod'
import type { App } from '../../app.ts'
import { refuse } from '../../errors.ts'
import { exampleOf, LIST_QUERY, listOf } from '../../http/resource.ts'
import { type Route, route } from '../../http/route.ts'
import { readLobby } from '../lobby.ts'
import { grantChances } from './chances.ts'
import { readGrants, readMyPlays, readMySpins } from './history.ts'
import { changeStatus } from './publish.ts'
import { wheelResource } from './resource.ts'
import { spinRequest } from './schemas.ts'
import { SIMULATED_SPINS_MAX } from './simulate.ts'
import { simulateWheelOf } from './simulate-wheel.ts'
import type { Wheel } from './wheel.ts'

const TAGS = ['Wheels']
const slug = z.strictObject({ slug: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/) })
const tenantQuery = z.strictObject({
  tenant: z
    .string()
    .max(64)
    .optional()
    .meta({ example: 'demo', description: 'Tenant code; needed without a token.' }),
})
const uuid = '01a1f938-87bf-72bd-8203-e461f26d8a24'
const hash = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
const at = '2026-11-20T12:00:00.000Z'

const landing = z.strictObject({ starts_at: z.string(), duration_ms: z.int(), angle: z.number() })
const spinAnswer = z
  .strictObject({
    spin_id: z.string(),
    nonce: z.int(),
    reward_slug: z.string(),
    segment: z.int(),
    won: z.boolean(),
    play_id: z.int(),
    prize_status: z.string().nullable(),
    chances_left: z.int(),
    award: z.strictObject({
      status: z.enum(['won', 'lost', 'substituted', 'exhausted']),
      reward_slug: z.string().nullable(),
    }),
    landing,
    commit_hash: z.string(),
  })
  .meta({
    id: 'SpinAnswer',
    example: {
      spin_id: uuid,
      nonce: 0,
      reward_slug: 'ten',
      segment: 0,
      won: true,
      play_id: 1,
      prize_status: 'locked',
      chances_left: 2,
      award: { status: 'won', reward_slug: 'ten' },
      landing: { starts_at: at, duration_ms: 4000, angle: 2502 },
      commit_hash: hash,
    },
  })

const spinShape = spinAnswer.extend({
  at: z.string(),
  reward_label: z.string(),
  config_version: z.int(),
  client_entropy: z.string(),
  revealed: z.boolean(),
})
const spinExample = {
  ...exampleOf(spinAnswer),
  at,
  reward_label: '10% OFF',
  config_version: 1,
  client_entropy: '-',
  revealed: false,
}

const segmentView = z.strictObject({
  slug: z.string(),
  label: z.string(),
  color: z.string().nullable(),
  weight: z.int(),
  share: z.string(),
  exhausted: z.boolean(),
})
const segmentExample = {
  slug: 'ten',
  label: '10% OFF',
  color: '#8DC63F',
  weight: 1,
  share: '10%',
  exhausted: false,
}
const publishAnswer = z
  .strictObject({
    wheel_id: z.string(),
    config_version: z.int(),
    config_hash: z.string(),
    total_weight: z.int(),
    segments: z.array(segmentView),
    warnings: z.array(z.strictObject({ code: z.string(), about: z.string(), message: z.string() })).meta({
      description: 'What is allowed and worth a second look, such as an expiry outside of 7 to 30 days.',
    }),
  })
  .meta({
    example: {
      wheel_id: uuid,
      config_version: 1,
      config_hash: hash,
      total_weight: 10,
      segments: [segmentExample],
      warnings: [
        {
          code: 'expiry_long',
          about: 'prize 1',
          message: '10% off expires after 90 days; 7 to 30 days are usual.',
        },
      ],
    },
  })

const oddsAnswer = z
  .strictObject({
    wheel: z.strictObject({ id: z.string(), wheel_slug: z.string(), wheel_name: z.string() }),
    config_version: z.int(),
    config_hash: z.string(),
    total_weight: z.int(),
    on_exhausted: z.string().nullable(),
    segments: z.array(
      z.strictObject({
        reward_slug: z.string(),
        label: z.string(),
        weight: z.int(),
        probability: z.string(),
        share: z.string(),
        range_start: z.int(),
        range_end: z.int(),
        exhausted: z.boolean(),
        remaining: z.int().nullable(),
        rarity: z.string().nullable(),
      }),
    ),
    tiers: z
      .array(
        z.strictObject({
          rarity: z.string(),
          weight: z.int(),
          probability: z.string(),
          share: z.string(),
        }),
      )
      .meta({ description: 'The odds per rarity; `none` is no prize. Together 100 %.' }),
  })
  .meta({
    example: {
      wheel: { id: uuid, wheel_slug: 'summer-wheel', wheel_name: 'Summer' },
      config_version: 1,
      config_hash: hash,
      total_weight: 10,
      on_exhausted: null,
      segments: [
        {
          reward_slug: 'ten',
          label: '10% OFF',
          weight: 1,
          probability: '1/10',
          share: '10%',
          range_start: 0,
          range_end: 0,
          exhausted: false,
          remaining: null,
          rarity: 'common',
        },
      ],
      tiers: [{ rarity: 'common', weight: 1, probability: '1/10', share: '10%' }],
    },
  })

const simulationAnswer = z
  .strictObject({
    spins: z.int(),
    rewards: z.array(
      z.strictObject({
        reward_slug: z.string(),
        label: z.string(),
        share: z.string(),
        expected: z.string(),
        rolled: z.int(),
        awarded: z.int(),
        runs_out_after: z.int().nullable(),
      }),
    ),
    chi_square: z.string(),
    degrees_of_freedom: z.int(),
    p_value: z.string().nullable(),
    cost_minor: z.int(),
    cost_minor_per_10000_spins: z.int(),
    expected_cost_minor_per_10000_spins: z.int(),
    budget_runs_out_after: z.int().nullable(),
  })
  .meta({
    example: {
      spins: 100000,
      rewards: [
        {
          reward_slug: 'ten',
          label: '10% OFF',
          share: '10%',
          expected: '10000.00',
          rolled: 10040,
          awarded: 10040,
          runs_out_after: null,
        },
      ],
      chi_square: '0.1778',
      degrees_of_freedom: 1,
      p_value: '0.6733',
      cost_minor: 5020000,
      cost_minor_per_10000_spins: 502000,
      expected_cost_minor_per_10000_spins: 500000,
      budget_runs_out_after: null,
    },
  })

const grantShape = z.strictObject({
  id: z.string(),
  user_id: z.string(),
  wheel_game_id: z.string().nullable(),
  chance_type: z.string(),
  chance_status: z.string(),
  award_reason: z.string(),
  chance_count: z.int(),
  used_chances: z.int(),
  remaining_chances: z.int(),
  awarded_at: z.string(),
  expires_at: z.string().nullable(),
})
const grantExample = {
  id: uuid,
  user_id: 'alice',
  wheel_game_id: null,
  chance_type: 'granted',
  chance_status: 'active',
  award_reason: 'welcome',
  chance_count: 3,
  used_chances: 0,
  remaining_chances: 3,
  awarded_at: at,
  expires_at: null,
}

const playShape = z.strictObject({
  play_id: z.int(),
  uuid: z.string(),
  game_name: z.string(),
  game_type: z.string(),
  is_winner: z.boolean(),
  prize_name: z.string().nullable(),
  display_value: z.string().nullable(),
  prize_status: z.string().nullable(),
  won_at: z.string(),
  expires_at: z.string().nullable(),
  event_id: z.string(),
  proof_id: z.string().nullable().meta({
    description: 'What /verify knows it by; null where nothing was drawn, as with a gift of the house.',
  }),
})
const playExample = {
  play_id: 1,
  uuid,
  game_name: 'Summer',
  game_type: 'spin_wheel',
  is_winner: true,
  prize_name: null,
  display_value: null,
  prize_status: 'locked',
  won_at: at,
  expires_at: at,
  event_id: uuid,
  proof_id: uuid,
}

const roundShape = z
  .strictObject({
    round_id: z.string(),
    round_no: z.int(),
    status: z.string(),
    commit_hash: z.string(),
    trust: z.string(),
    opens_at: z.string(),
    closes_at: z.string(),
    entry_count: z.int(),
    segment: z.int().nullable(),
    landing: landing.nullable(),
  })
  .meta({
    example: {
      round_id: uuid,
      round_no: 1,
      status: 'open',
      commit_hash: hash,
      trust: 'operator',
      opens_at: at,
      closes_at: at,
      entry_count: 0,
      segment: null,
      landing: null,
    },
  })

export type WheelRouteDeps = {
  app: App
  wheel: Wheel
  /** How many people are in the rooms of a game now. */
  crowdOf(tenantId: string, gameId: string): { players: number; spectators: number }
}

export function wheelRoutes({ app, wheel, crowdOf }: WheelRouteDeps): Route[] {
  return [
    ...wheelResource().routes,
    route({
      method: 'get',
      path: '/api/v1/lobby',
      summary: 'Games that can be entered now with how many people are in them',
      tags: ['Lobby'],
      roles: 'anyone',
      query: tenantQuery,
      answer: z
        .strictObject({
          data: z.array(
            z.strictObject({
              game_id: z.string(),
              kind: z.string(),
              slug: z.string(),
              name: z.string(),
              status: z.string(),
              is_public: z.boolean(),
              closes_at: z.string().nullable(),
              players: z.int(),
              spectators: z.int(),
            }),
          ),
        })
        .meta({
          example: {
            data: [
              {
                game_id: uuid,
                kind: 'wheel',
                slug: 'summer-wheel',
                name: 'Summer',
                status: 'live',
                is_public: true,
                closes_at: null,
                players: 3,
                spectators: 12,
              },
            ],
          },
        }),
      run: async ({ query, visitor, actor }) => {
        const who = await visitor(query.tenant)
        const { games } = await app.run(who, (tx) => readLobby(tx), undefined)
        const visible = games.filter((game) => game.is_public || actor !== undefined)
        return { data: visible.map((game) => ({ ...game, ...crowdOf(who.tenantId, game.game_id) })) }
      },
    }),
    route({
      method: 'post',
      path: '/api/v1/wheels/{slug}/publish',
      summary: 'Publish the wheel as its next version and put it live',
      description:
        'Probabilities must add up to exactly 1; otherwise the gap is named. The version is hashed into every later commitment.',
      tags: TAGS,
      roles: ['operator'],
      params: slug,
      answer: publishAnswer,
      refusals: ['game_not_found', 'wheel_not_ready', 'probabilities_incomplete'],
      run: ({ actor, params }) => wheel.publish(actor, params.slug),
    }),
    ...(['pause', 'resume', 'end'] as const).map((verb) =>
      route({
        method: 'post',
        path: `/api/v1/wheels/{slug}/${verb}`,
        summary: `${verb[0]!.toUpperCase()}${verb.slice(1)} the wheel; open rooms know within a second`,
        tags: TAGS,
        roles: ['operator'],
        params: slug,
        answer: z.strictObject({ wheel_status: z.string() }).meta({ example: { wheel_status: 'paused' } }),
        refusals: ['game_not_found', 'wheel_not_published'],
        run: ({ run, params }) =>
          run(changeStatus, {
            game: params.slug,
            status: ({ pause: 'paused', resume: 'live', end: 'ended' } as const)[verb],
          }),
      }),
    ),
    route({
      method: 'get',
      path: '/api/v1/wheels/{slug}/odds',
      summary: 'Exact odds of the version in force',
      tags: TAGS,
      roles: 'anyone',
      params: slug,
      query: tenantQuery,
      answer: oddsAnswer,
      refusals: ['game_not_found'],
      run: async ({ params, query, visitor, actor }) => {
        const who = await visitor(query.tenant)
        const head = await wheel.find(who, params.slug)
        if (head === undefined || (!head.is_public && actor === undefined)) refuse('game_not_found')
        return wheel.odds(who, head.id)
      },
    }),
    route({
      method: 'post',
      path: '/api/v1/wheels/{slug}/simulate',
      summary: 'Spin the wheel as it is now, published or not, without a trace',
      description:
        'The real outcome function over a throw-away seed: rolled beside expected, costs, and when stock and budget run out.',
      tags: TAGS,
      roles: ['operator'],
      params: slug,
      body: z
        .strictObject({ spins: z.int().min(1).max(SIMULATED_SPINS_MAX).default(100_000) })
        .meta({ example: { spins: 100_000 } }),
      answer: simulationAnswer,
      rate: { points: 10, duration_s: 60, cost: 10 },
      refusals: ['game_not_found', 'wheel_not_ready', 'probabilities_incomplete'],
      run: ({ actor, params, body }) => simulateWheelOf(app, actor, params.slug, body.spins),
    }),
    route({
      method: 'post',
      path: '/api/v1/wheels/{slug}/spins',
      summary: 'Spin once',
      description:
        'The `request_id` is made by the client and makes the spin happen once: the same id is answered with the same bytes.',
      tags: TAGS,
      roles: ['player'],
      params: slug,
      body: spinRequest.meta({ example: { request_id: 'r-1', client_entropy: 'c0ffee00c0ffee00' } }),
      answer: spinAnswer,
      rate: { points: 300, duration_s: 60 },
      headers: (answer): Record<string, string> =>
        replays.has(answer) ? { 'Idempotency-Replayed': 'true' } : {},
      refusals: [
        'game_not_found',
        'wheel_not_published',
        'wheel_paused',
        'wheel_not_open',
        'plays_per_day_reached',
        'cooldown',
        'no_chances_left',
        'idempotency_key_reused',
        'fairness_locked',
      ],
      run: async ({ actor, params, body }) => {
        const head = (await wheel.find(actor, params.slug)) ?? refuse('game_not_found')
        const { answer, replayed } = await wheel.spin(actor, {
          wheel_id: head.id,
          request_id: body.request_id,
          ...(body.client_entropy && { client_entropy: body.client_entropy }),
        })
        if (replayed) replays.add(answer)
        return answer
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/wheels/{slug}/spins',
      summary: "The caller's spins of this wheel, newest first",
      tags: TAGS,
      roles: ['player'],
      params: slug,
      query: z.strictObject({ ...LIST_QUERY, mine: z.literal('1').optional().meta({ example: '1' }) }),
      answer: listOf(spinShape, spinExample),
      refusals: ['game_not_found'],
      run: ({ run, params, query }) =>
        run(readMySpins, {
          game: params.slug,
          limit: query.limit,
          ...(query.cursor && { cursor: query.cursor }),
        }),
    }),
    route({
      method: 'post',
      path: '/api/v1/wheels/{slug}/visits',
      summary: 'Take the chances of a page visit, once a day',
      tags: TAGS,
      roles: ['player'],
      params: slug,
      answer: z
        .strictObject({ awarded: z.int(), chances_left: z.int() })
        .meta({ example: { awarded: 1, chances_left: 1 } }),
      refusals: ['game_not_found', 'wheel_paused'],
      run: ({ actor, params }) => wheel.visit(actor, params.slug),
    }),
    route({
      method: 'post',
      path: '/api/v1/wheels/{slug}/rounds',
      summary: 'Open a shared spin that everybody watches',
      tags: TAGS,
      roles: ['operator'],
      params: slug,
      answer: roundShape,
      status: 201,
      refusals: [
        'game_not_found',
        'wheel_not_published',
        'wheel_paused',
        'round_running',
        'entropy_unavailable',
        'fairness_locked',
      ],
      run: ({ actor, params }) => wheel.openRound(actor, params.slug),
    }),
    route({
      method: 'get',
      path: '/api/v1/spin-chances',
      summary: "The caller's spin chances, newest first",
      tags: TAGS,
      roles: ['player'],
      query: z.strictObject(LIST_QUERY),
      answer: listOf(grantShape, grantExample),
      run: ({ run, query }) =>
        run(readGrants, { limit: query.limit, ...(query.cursor && { cursor: query.cursor }) }),
    }),
    route({
      method: 'post',
      path: '/api/v1/spin-chances',
      summary: 'Grant spin chances to a player',
      tags: TAGS,
      roles: ['operator', 'service'],
      once: 'required',
      body: z
        .strictObject({
          user_id: z.string().min(1).max(128),
          count: z.int().min(1).max(1_000_000),
          reason: z.string().trim().min(1).max(200),
          game: z.string().max(64).optional(),
          expires_at: z.iso.datetime().optional(),
        })
        .meta({ example: { user_id: 'alice', count: 3, reason: 'welcome' } }),
      answer: grantShape.meta({ example: grantExample }),
      status: 201,
      refusals: ['game_not_found'],
      run: ({ run, body }) => {
        const { game, expires_at, ...rest } = body
        return run(grantChances, {
          ...rest,
          ...(game !== undefined && { game }),
          ...(expires_at !== undefined && { expires_at }),
        })
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/me/plays',
      summary: "The caller's plays, newest first; a locked prize shows nothing of itself",
      tags: ['Players'],
      roles: ['player'],
      query: z.strictObject({
        ...LIST_QUERY,
        won: z.literal('1').optional().meta({ description: 'Only plays that won.' }),
      }),
      answer: listOf(playShape, playExample),
      run: ({ run, query }) =>
        run(readMyPlays, {
          limit: query.limit,
          won_only: query.won === '1',
          ...(query.cursor && { cursor: query.cursor }),
        }),
    }),
  ]
}

/** Answers that were given before: the header is made from the answer alone. */
const replays = new WeakSet<object>()
