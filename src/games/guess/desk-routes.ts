/** `/api/v1/admin/…`: what operators and auditors read of guess games, as pages or as files (S0-27). */
import { z } from 'zod'
import type { Role, UseCase } from '../../db/tx.ts'
import { listOf } from '../../http/resource.ts'
import { type Route, route } from '../../http/route.ts'
import {
  type DeskAnswer,
  type DeskWish,
  readDeskGameHistory,
  readDeskGames,
  readDeskSubmissions,
  readDeskWinnerHistory,
  readDeskWinningNumbers,
} from './desk.ts'
import { MODES } from './rules.ts'
import { reelId } from './schemas.ts'

const WHO: readonly Role[] = ['operator', 'auditor']
/** A page of a thousand rows is a whole table scan at worst; a person reads a few a minute. */
const RATE = { points: 120, duration_s: 60 }
const LIMIT_MAX = 1_000

const uuid = '01a1f938-87bf-72bd-8203-e461f26d8a24'
const hash = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
const at = '2026-11-20T12:00:00.000Z'

const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text))
const flag = z.enum(['true', 'false']).transform((text) => text === 'true')
const user = z.string().min(1).max(128)
const PAGE = {
  limit: z.coerce.number().int().min(1).max(LIMIT_MAX).default(50).meta({ example: 50 }),
  from: instant.optional().meta({ example: at, description: 'Rows that were made then or later.' }),
  to: instant.optional().meta({ example: at, description: 'Rows that were made before.' }),
  format: z.enum(['json', 'csv']).optional().meta({
    description: '`csv` is a file, as with `Accept: text/csv`; the next page is in the header Link.',
  }),
}
const cursor = z.uuid().optional().meta({ description: '`next_cursor` of the page before.' })
const PLACE_CURSOR = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.[1-9][0-9]{0,8}$/

type Declared = {
  name: string
  summary: string
  description?: string
  filters: z.ZodRawShape
  cursor?: z.ZodType
  row: z.ZodRawShape
  example: Record<string, unknown>
  useCase: UseCase<DeskWish<any>, DeskAnswer>
}

function list({ name, summary, description, filters, row, example, useCase, ...more }: Declared): Route {
  const names = Object.keys(filters)
  return route({
    method: 'get',
    path: `/api/v1/admin/${name}`,
    summary,
    ...(description !== undefined && { description }),
    tags: ["Operator's desk"],
    roles: WHO,
    query: z.strictObject({ ...PAGE, cursor: more.cursor ?? cursor, ...filters }),
    answer: listOf(z.strictObject(row), example),
    csv: Object.keys(row),
    rate: RATE,
    refusals: ['invalid_input'],
    run: ({ run, query, is_csv: is_export }) => {
      const given = query as Record<string, unknown>
      const asked = Object.fromEntries(names.map((each) => [each, given[each] ?? null]))
      const { limit, from = null, to = null } = query
      return run(useCase, { ...asked, limit, from, to, after: given['cursor'] ?? null, is_export })
    },
  })
}

const text = z.string().nullable()
const gameId = { game_id: z.uuid().optional().meta({ example: uuid }) }

/** Routes of the desk. */
export function deskRoutes(): Route[] {
  return [
    list({
      name: 'games',
      summary: 'Guess games, deleted ones too, newest first',
      useCase: readDeskGames,
      filters: {
        status: z
          .enum(['draft', 'scheduled', 'open', 'closed', 'drawing', 'drawn', 'settled', 'cancelled'])
          .optional(),
        mode: z.enum(MODES).optional(),
        title: z.string().trim().min(1).max(120).optional().meta({ description: 'A part of the title.' }),
        creator_id: user.optional(),
        company_id: z.uuid().optional(),
        reel_id: reelId.optional(),
        is_active: flag.optional(),
      },
      row: {
        id: z.string(),
        title: z.string(),
        mode: z.string(),
        rule: text,
        status: z.string(),
        creator_id: z.string(),
        company_id: text,
        reel_id: text,
        guess_min: z.int().nullable(),
        guess_max: z.int().nullable(),
        guess_policy: z.string(),
        guesses_per_user: z.int(),
        number_of_winners: z.int(),
        number_of_alternates: z.int(),
        reward_type: z.string(),
        reward_text: text,
        opens_at: text,
        closes_at: z.string(),
        submission_count: z.int(),
        participant_count: z.int(),
        draw_id: text,
        hash_value: text,
        is_public: z.boolean(),
        is_active: z.boolean(),
        created_at: z.string(),
        published_at: text,
      },
      example: {
        id: uuid,
        title: 'Guess the weight',
        mode: 'guess',
        rule: 'nearest',
        status: 'open',
        creator_id: 'carla',
        company_id: null,
        reel_id: 'r-1',
        guess_min: 1,
        guess_max: 1000,
        guess_policy: 'one_per_user',
        guesses_per_user: 1,
        number_of_winners: 3,
        number_of_alternates: 0,
        reward_type: 'product',
        reward_text: 'A pumpkin',
        opens_at: at,
        closes_at: at,
        submission_count: 42,
        participant_count: 42,
        draw_id: uuid,
        hash_value: hash,
        is_public: true,
        is_active: true,
        created_at: at,
        published_at: at,
      },
    }),
    list({
      name: 'game-submissions',
      summary: 'Guesses and entries, newest first',
      description:
        'The number of a game that is not drawn yet is null with `is_sealed`: staff learns it with everybody else.',
      useCase: readDeskSubmissions,
      filters: { ...gameId, user_id: user.optional(), is_in_force: flag.optional() },
      row: {
        id: z.string(),
        game_id: z.string(),
        title: z.string(),
        game_status: z.string(),
        seq: z.int(),
        user_id: z.string(),
        entry_index: z.int().nullable(),
        guess: z.int().nullable(),
        is_sealed: z.boolean(),
        is_in_force: z.boolean(),
        replaced_by: text,
        created_at: z.string(),
      },
      example: {
        id: uuid,
        game_id: uuid,
        title: 'Guess the weight',
        game_status: 'settled',
        seq: 41,
        user_id: 'alice',
        entry_index: 41,
        guess: 512,
        is_sealed: false,
        is_in_force: true,
        replaced_by: null,
        created_at: at,
      },
    }),
    list({
      name: 'winning-numbers',
      summary: 'Winning numbers of games whose winners were all shown, newest game first',
      useCase: readDeskWinningNumbers,
      filters: gameId,
      cursor: z.string().regex(PLACE_CURSOR).optional(),
      row: {
        game_id: z.string(),
        title: z.string(),
        draw_id: z.string(),
        position: z.int(),
        winning_number: z.int(),
        hash_value: z.string(),
        created_at: z.string(),
      },
      example: {
        game_id: uuid,
        title: 'Guess the weight',
        draw_id: uuid,
        position: 1,
        winning_number: 510,
        hash_value: hash,
        created_at: at,
      },
    }),
    list({
      name: 'game-history',
      summary: 'Games that are over as they were filed, newest game first',
      useCase: readDeskGameHistory,
      filters: gameId,
      row: {
        game_id: z.string(),
        title: z.string(),
        mode: z.string(),
        submission_count: z.int(),
        participant_count: z.int(),
        number_of_winners: z.int(),
        not_awarded: z.int(),
        winning_numbers: z.array(z.int()),
        closes_at: z.string(),
        drawn_at: z.string(),
        commit_hash: z.string(),
        verify: z.string(),
        created_at: z.string(),
        record: z.record(z.string(), z.unknown()),
      },
      example: {
        game_id: uuid,
        title: 'Guess the weight',
        mode: 'guess',
        submission_count: 42,
        participant_count: 42,
        number_of_winners: 3,
        not_awarded: 0,
        winning_numbers: [510],
        closes_at: at,
        drawn_at: at,
        commit_hash: hash,
        verify: `/api/v1/verify/${uuid}`,
        created_at: at,
        record: { title: 'Guess the weight' },
      },
    }),
    list({
      name: 'winner-history',
      summary: 'Winners whose time to be shown has come, newest game first',
      useCase: readDeskWinnerHistory,
      filters: { ...gameId, user_id: user.optional(), is_alternate: flag.optional() },
      cursor: z.string().regex(PLACE_CURSOR).optional(),
      row: {
        id: z.string(),
        game_id: z.string(),
        title: z.string(),
        place: z.int(),
        user_id: z.string(),
        guess: z.int().nullable(),
        is_alternate: z.boolean(),
        submission_id: z.string(),
        draw_id: z.string(),
        reward_type: z.string(),
        reveal_at: z.string(),
        created_at: z.string(),
      },
      example: {
        id: uuid,
        game_id: uuid,
        title: 'Guess the weight',
        place: 1,
        user_id: 'alice',
        guess: 512,
        is_alternate: false,
        submission_id: uuid,
        draw_id: uuid,
        reward_type: 'product',
        reveal_at: at,
        created_at: at,
      },
    }),
  ]
}
