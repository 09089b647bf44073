/** Reports over HTTP: `/gamification/analytics/…`, for operators and auditors. */
import { z } from 'zod'
import type { Role, UseCase } from '../db/tx.ts'
import { type Route, route } from '../http/route.ts'
import {
  readFunnel,
  readHours,
  readPopularity,
  readPractice,
  readRedemption,
  readRetention,
  readWinRates,
  recordMetric,
} from './analytics.ts'
import { PERIOD_QUERY, PERIOD_SHAPE } from './period.ts'

const TAGS = ['Analytics']
const PATH = '/api/v1/gamification/analytics'
const WHO: readonly Role[] = ['operator', 'auditor']
/** A report reads a year of plays; a person asks a few times a minute. */
const RATE = { points: 60, duration_s: 60 }

const gameId = z.coerce
  .number()
  .int()
  .min(1)
  .max(1_000_000_000_000)
  .optional()
  .meta({ example: 1, description: 'One game of `gamification_games`; all of them by default.' })

const ratio = z
  .strictObject({ numerator: z.int(), denominator: z.int(), decimal: z.string() })
  .nullable()
  .meta({ description: 'Exact, with the decimal to six places; null of nothing.' })
const interval = z.strictObject({ low: z.string(), high: z.string(), confidence: z.string() }).nullable()

const period = { from: '2026-01-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' }
const rate = {
  plays: 1000,
  wins: 98,
  win_rate: { numerator: 98, denominator: 1000, decimal: '0.098000' },
  interval: { low: '0.081082', high: '0.117995', confidence: '0.95' },
}
const rateShape = { plays: z.int(), wins: z.int(), win_rate: ratio, interval }

type Query = { from?: string | undefined; to?: string | undefined; game_id?: number | undefined }

function report(
  name: string,
  summary: string,
  description: string,
  answer: z.ZodType,
  useCase: UseCase<Query, unknown>,
  per_game = true,
): Route {
  return route({
    method: 'get',
    path: `${PATH}/${name}`,
    summary,
    description,
    tags: TAGS,
    roles: WHO,
    query: z.strictObject(per_game ? { ...PERIOD_QUERY, game_id: gameId } : PERIOD_QUERY),
    answer,
    rate: RATE,
    run: ({ run, query }) => run(useCase, query as Query),
  })
}

/** Routes of `/gamification/analytics`, and of the metrics of a tenant's own. */
export function analyticsRoutes(): Route[] {
  return [
    report(
      'win_rate',
      'Win rate of each game and version, beside its published odds',
      'With the 95 % score interval. `is_outside` compares rolls, so `exhausted` ones count: the prize was rolled and nothing was left.',
      z
        .strictObject({
          ...PERIOD_SHAPE,
          data: z.array(
            z.strictObject({
              game_id: z.int(),
              game_name: z.string(),
              game_type: z.string(),
              ...rateShape,
              versions: z.array(
                z.strictObject({
                  config_version: z.int().nullable(),
                  ...rateShape,
                  exhausted: z.int(),
                  published: ratio,
                  is_outside: z.boolean(),
                }),
              ),
            }),
          ),
        })
        .meta({
          example: {
            ...period,
            data: [
              {
                game_id: 1,
                game_name: 'Spin to Win',
                game_type: 'spin_wheel',
                ...rate,
                versions: [
                  {
                    config_version: 1,
                    ...rate,
                    exhausted: 0,
                    published: { numerator: 1, denominator: 10, decimal: '0.100000' },
                    is_outside: false,
                  },
                ],
              },
            ],
          },
        }),
      readWinRates,
    ),
    report(
      'redemption',
      'How much of what was won was used',
      'Of the prizes won in the period, whenever they were applied. Null when nothing was won.',
      z.strictObject({ ...PERIOD_SHAPE, won: z.int(), applied: z.int(), redemption_rate: ratio }).meta({
        example: {
          ...period,
          won: 4,
          applied: 3,
          redemption_rate: { numerator: 3, denominator: 4, decimal: '0.750000' },
        },
      }),
      readRedemption,
    ),
    report(
      'popularity',
      'Wins of each type of prize',
      'The counts add up to all wins of the period.',
      z
        .strictObject({
          ...PERIOD_SHAPE,
          wins: z.int(),
          data: z.array(
            z.strictObject({ prize_type: z.string(), wins: z.int(), applied: z.int(), share: ratio }),
          ),
        })
        .meta({
          example: {
            ...period,
            wins: 4,
            data: [
              {
                prize_type: 'discount_percentage',
                wins: 3,
                applied: 2,
                share: { numerator: 3, denominator: 4, decimal: '0.750000' },
              },
              {
                prize_type: 'free_delivery',
                wins: 1,
                applied: 1,
                share: { numerator: 1, denominator: 4, decimal: '0.250000' },
              },
            ],
          },
        }),
      readPopularity,
      false,
    ),
    report(
      'funnel',
      'From play to win to unlock to use',
      'Of the plays of the period; `expired` counts what has run out, whether or not it was ever unlocked.',
      z
        .strictObject({
          ...PERIOD_SHAPE,
          plays: z.int(),
          won: z.int(),
          unlocked: z.int(),
          applied: z.int(),
          expired: z.int(),
          won_of_plays: ratio,
          unlocked_of_won: ratio,
          applied_of_unlocked: ratio,
        })
        .meta({
          example: {
            ...period,
            plays: 8,
            won: 4,
            unlocked: 3,
            applied: 3,
            expired: 1,
            won_of_plays: { numerator: 4, denominator: 8, decimal: '0.500000' },
            unlocked_of_won: { numerator: 3, denominator: 4, decimal: '0.750000' },
            applied_of_unlocked: { numerator: 3, denominator: 3, decimal: '1.000000' },
          },
        }),
      readFunnel,
    ),
    report(
      'retention',
      'Who comes back',
      "Players by the day of their first play in the tenant's calendar, and how many of them played on the 1st, 7th and 30th day after it.",
      z
        .strictObject({
          ...PERIOD_SHAPE,
          time_zone: z.string(),
          data: z.array(
            z.strictObject({
              day: z.string(),
              players: z.int(),
              returned: z.array(z.strictObject({ after_days: z.int(), players: z.int(), share: ratio })),
            }),
          ),
        })
        .meta({
          example: {
            ...period,
            time_zone: 'Europe/Berlin',
            data: [
              {
                day: '2026-01-01',
                players: 10,
                returned: [
                  {
                    after_days: 1,
                    players: 4,
                    share: { numerator: 4, denominator: 10, decimal: '0.400000' },
                  },
                ],
              },
            ],
          },
        }),
      readRetention,
      false,
    ),
    report(
      'hours',
      'Plays, wins and payout per hour, beside the payout that the odds lead to expect',
      'Hours of UTC, rolled up every few minutes into `game_analytics`. Payout is what the prizes cost (`cost_minor`).',
      z
        .strictObject({
          ...PERIOD_SHAPE,
          data: z.array(
            z.strictObject({
              hour: z.iso.datetime(),
              game_id: z.int(),
              plays: z.int(),
              wins: z.int(),
              payout_minor: z.int(),
              expected_payout_minor: z.string(),
            }),
          ),
        })
        .meta({
          example: {
            ...period,
            data: [
              {
                hour: '2026-01-01T10:00:00.000Z',
                game_id: 1,
                plays: 100,
                wins: 10,
                payout_minor: 4000,
                expected_payout_minor: '4125.5',
              },
            ],
          },
        }),
      readHours,
    ),
    route({
      method: 'get',
      path: '/api/v1/gamification/practice',
      summary: 'What administrators should look at again',
      description:
        'Expiry outside of 7 to 30 days, prizes that cost something and never run out, prizes that nobody uses, old expired prizes that were not cleaned up. Everything here is allowed.',
      tags: TAGS,
      roles: WHO,
      answer: z
        .strictObject({
          data: z.array(z.strictObject({ code: z.string(), about: z.string(), message: z.string() })),
        })
        .meta({
          example: {
            data: [
              {
                code: 'expiry_long',
                about: 'prize 1',
                message: '10% off expires after 90 days; 7 to 30 days are usual.',
              },
            ],
          },
        }),
      rate: RATE,
      run: ({ run }) => run(readPractice, undefined),
    }),
    route({
      method: 'post',
      path: '/api/v1/analytics/metrics',
      summary: 'Keep a metric of your own',
      description: 'A rule over it (`/alert-rules`, kind `metric`) raises its alert at once.',
      tags: TAGS,
      roles: ['operator', 'service'],
      once: 'optional',
      status: 201,
      body: z
        .strictObject({
          metric_name: z.string().regex(/^[a-z][a-z0-9_.]{0,63}$/, 'a-z, 0-9, _ and ., at most 64'),
          metric_value: z
            .string()
            .regex(/^-?(0|[1-9]\d{0,14})(\.\d{1,6})?$/, 'a decimal with at most six places'),
          metric_unit: z.string().min(1).max(16),
          metric_tags: z.record(z.string().max(64), z.string().max(200)).default({}),
          metric_timestamp: z.iso.datetime().optional(),
          source_game: z.string().min(1).max(64).optional(),
          game_type: z.string().min(1).max(32).optional(),
        })
        .meta({
          id: 'MetricCreate',
          example: { metric_name: 'refunds', metric_value: '12', metric_unit: 'count' },
        }),
      answer: z.strictObject({ id: z.uuid(), metric_timestamp: z.iso.datetime() }).meta({
        example: {
          id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14',
          metric_timestamp: '2026-01-01T00:00:00.000Z',
        },
      }),
      run: ({ run, body: { metric_timestamp, source_game, ...metric } }) =>
        run(recordMetric, {
          ...metric,
          analytics_type: 'custom',
          source_game: source_game ?? null,
          metric_timestamp: metric_timestamp === undefined ? undefined : new Date(metric_timestamp),
        }),
    }),
  ]
}
