/** Games of the wallet (`gamification_games`, seeds/002): every kind of game that plays are recorded under. */
import { z } from 'zod'
import { refuse } from '../errors.ts'
import { LIST_QUERY, listOf, type MadeResource, resource } from '../http/resource.ts'
import { decodeCursor, encodeCursor } from '../http/resource-store.ts'
import { type Route, route } from '../http/route.ts'
import { readPlayTraces } from './traces.ts'

const color = z.string().regex(/^#[0-9A-Fa-f]{6}$/)
const theme = z.strictObject({
  background_color: color.nullish(),
  background_image: z.httpUrl().max(500).nullish(),
  accent_color: color.nullish(),
})
const SETTINGS_CHARS_MAX = 10_000
const settings = z
  .record(z.string().max(64), z.json())
  .refine(
    (value) => JSON.stringify(value).length <= SETTINGS_CHARS_MAX,
    `At most ${SETTINGS_CHARS_MAX} characters of JSON.`,
  )

const example = {
  id: 1,
  game_name: 'Spin to Win',
  game_type: 'spin_wheel',
  wheel_game_id: '01a1f938-87bf-72bd-8203-e461f26d8a24',
  settings: { banner: 'Every day one spin' },
  theme: { background_color: '#102030' },
  play_limits: { plays_per_day: 3, cooldown_ms: 0 },
  schedule: { valid_days: [1, 2, 3, 4, 5] },
  row_version: 2,
  created_at: '2026-11-20T12:00:00.000Z',
  updated_at: '2026-11-20T12:00:00.000Z',
}

/**
 * `/api/v1/gamification/games`. A game is made by what it belongs to: publishing a wheel, drawing a game, granting a
 * prize. Its limits and schedule are those that the game itself was published with and enforces (S2-13), so they are
 * shown here and changed there; so is the look of a wheel. Free settings are changed here.
 */
export function gameResource(): MadeResource {
  return resource({
    path: '/api/v1/gamification/games',
    entity: 'gamification_game',
    title: 'game',
    tag: 'Games',
    table: {
      name: 'gamification_games',
      id: { column: 'id', kind: 'bigint' },
      columns: ['game_name', 'settings', 'theme'],
      json: ['settings', 'theme'],
      reads: ['game_type', 'wheel_game_id', 'play_limits', 'schedule'],
      gone: 'is_active',
    },
    roles: { read: ['operator', 'service', 'auditor'], update: ['operator'] },
    update: z
      .strictObject({ game_name: z.string().trim().min(1).max(200), settings, theme })
      .partial()
      .meta({ id: 'WalletGameUpdate', example: { settings: { banner: 'Every day one spin' } } }),
    shape: z
      .strictObject({
        id: z.int(),
        game_name: z.string(),
        game_type: z.string(),
        wheel_game_id: z.uuid().nullable(),
        settings: z.record(z.string(), z.any()),
        theme: z.record(z.string(), z.any()),
        play_limits: z.record(z.string(), z.any()),
        schedule: z.record(z.string(), z.any()),
        row_version: z.int(),
        created_at: z.string(),
        updated_at: z.string(),
      })
      .meta({ id: 'WalletGame', example }),
    filters: { game_type: z.string().max(32).optional().meta({ example: 'spin_wheel' }) },
    beforeWrite(_tx, input, existing) {
      const errors = ['game_name', 'theme']
        .filter((name) => existing?.['wheel_game_id'] != null && input[name] !== undefined)
        .map((name) => ({
          pointer: `/${name}`,
          detail: 'A wheel shows its own; change the wheel and publish it.',
        }))
      if (errors.length > 0) refuse('invalid_input', { errors })
      // Which game it is of stays written in it.
      const { game_id } = existing?.['settings'] ?? {}
      const { settings: given, ...rest } = input
      return given === undefined
        ? rest
        : { ...rest, settings: { ...given, ...(game_id !== undefined && { game_id }) } }
    },
  })
}

const trace = z.strictObject({
  id: z.int(),
  uuid: z.uuid(),
  user_id: z.string(),
  game_id: z.int(),
  game_name: z.string(),
  is_winner: z.boolean(),
  prize_status: z.string().nullable(),
  game_data: z.record(z.string(), z.any()),
  event_id: z.string(),
  ip_address: z
    .string()
    .nullable()
    .meta({ description: 'As it came, later `h:` and a fingerprint, later null.' }),
  user_agent: z.string().nullable(),
  created_at: z.string(),
})
const traceExample = {
  id: 123,
  uuid: '01a1f938-87bf-72bd-8203-e461f26d8a25',
  user_id: 'alice',
  game_id: 1,
  game_name: 'Spin to Win',
  is_winner: true,
  prize_status: 'locked',
  game_data: { reward_slug: 'ten' },
  event_id: '01a1f938-87bf-72bd-8203-e461f26d8a26',
  ip_address: '192.0.2.1',
  user_agent: 'Mozilla/5.0',
  created_at: '2026-11-20T12:00:00.000Z',
}

/** The games, and every play with its traces for staff (S2-11). */
export function gameRoutes(): Route[] {
  return [
    ...gameResource().routes,
    route({
      method: 'get',
      path: '/api/v1/gamification/plays',
      summary: 'Plays with address, browser and data of the game, newest first',
      tags: ['Games'],
      roles: ['operator', 'auditor'],
      query: z.strictObject({
        ...LIST_QUERY,
        user_id: z.string().max(128).optional().meta({ example: 'alice' }),
        game_id: z
          .string()
          .regex(/^[1-9]\d{0,14}$/)
          .optional()
          .meta({ example: '1' }),
      }),
      answer: listOf(trace, traceExample),
      async run({ run, query: { limit, cursor, user_id, game_id } }) {
        const found = cursor === undefined ? undefined : decodeCursor(cursor, 'bigint')
        if (cursor !== undefined && found === undefined)
          refuse('invalid_input', {
            errors: [{ pointer: '/cursor', detail: 'This is no cursor of this list.' }],
          })
        const after = found ? { at: new Date(Number(found.created_us)).toISOString(), id: found.id } : null
        const { data, next } = await run(readPlayTraces, {
          user_id: user_id ?? null,
          game_id: game_id === undefined ? null : Number(game_id),
          after,
          limit,
        })
        const next_cursor =
          next && encodeCursor({ created_us: String(new Date(next.at).getTime()), id: next.id })
        return { data, next_cursor }
      },
    }),
  ]
}
