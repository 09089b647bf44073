/** `/api/v1/games`: what a creator writes. A draft may change; what was published keeps its promise. */
import { z } from 'zod'
import { guardCreator } from '../../claims/accountability.ts'
import type { Role } from '../../db/tx.ts'
import { refuse } from '../../errors.ts'
import { type MadeResource, resource } from '../../http/resource.ts'
import { entryRulesSchema } from './entry-rules.ts'
import { mayChange } from './games.ts'
import { faultsOf, GUESS_MAX, GUESS_POLICIES, MATCH_RULES, MODES, REWARD_TYPES } from './rules.ts'
import { reelId } from './schemas.ts'
import { isMember } from './store.ts'

/** Only pages: the server never fetches it, and a browser must not run it (S0-01). */
const pageUrl = z
  .string()
  .max(500)
  .refine((text) => /^https?:\/\//i.test(text) && URL.canParse(text), 'an http or https address')
const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text))
const guess = z.int().min(-GUESS_MAX).max(GUESS_MAX)

const fields = {
  title: z.string().trim().min(1).max(120),
  description: z.string().max(2_000).nullable(),
  image_url: pageUrl.nullable(),
  link_url: pageUrl.nullable(),
  mode: z.enum(MODES),
  rule: z.enum(MATCH_RULES).nullable(),
  guess_min: guess.nullable(),
  guess_max: guess.nullable(),
  guess_policy: z.enum(GUESS_POLICIES),
  guesses_per_user: z.int().min(1).max(100),
  number_of_winners: z.int().min(1).max(1_000),
  number_of_alternates: z.int().min(0).max(1_000),
  reward_type: z.enum(REWARD_TYPES),
  reward_text: z.string().max(500).nullable(),
  prize_id: z.int().min(1).nullable(),
  reel_id: reelId.nullable(),
  is_public: z.boolean(),
  entry_rules: entryRulesSchema.nullable(),
  opens_at: instant.nullable(),
  closes_at: instant,
  claim_window_hours: z.int().min(1).max(2_160),
}

const example = {
  title: 'Guess the weight',
  mode: 'guess',
  rule: 'nearest',
  guess_min: 1,
  guess_max: 1000,
  number_of_winners: 3,
  reward_type: 'product',
  prize_id: 2,
  opens_at: '2026-11-20T12:00:00Z',
  closes_at: '2026-11-21T12:00:00Z',
  reel_id: 'r-1',
}

export const gameCreate = z
  .strictObject({
    ...fields,
    company_id: z.uuid().nullable().default(null),
    description: fields.description.default(null),
    image_url: fields.image_url.default(null),
    link_url: fields.link_url.default(null),
    rule: fields.rule.default(null),
    guess_min: fields.guess_min.default(null),
    guess_max: fields.guess_max.default(null),
    guess_policy: fields.guess_policy.default('one_per_user'),
    guesses_per_user: fields.guesses_per_user.default(1),
    number_of_winners: fields.number_of_winners.default(1),
    number_of_alternates: fields.number_of_alternates.default(0),
    reward_text: fields.reward_text.default(null),
    prize_id: fields.prize_id.default(null),
    reel_id: fields.reel_id.default(null),
    is_public: fields.is_public.default(true),
    entry_rules: fields.entry_rules.default(null),
    opens_at: fields.opens_at.default(null),
    claim_window_hours: fields.claim_window_hours.default(168),
  })
  .meta({ id: 'GameCreate', example })

const gameUpdate = z
  .strictObject(fields)
  .partial()
  .meta({ id: 'GameUpdate', example: { title: 'Guess the weight of the pumpkin' } })

const shape = z
  .strictObject({
    id: z.string(),
    creator_id: z.string(),
    company_id: z.string().nullable(),
    ...fields,
    opens_at: z.string().nullable(),
    closes_at: z.string(),
    status: z.string(),
    draw_id: z.string().nullable(),
    hash_value: z.string().nullable(),
    submission_count: z.int(),
    participant_count: z.int(),
    published_at: z.string().nullable(),
    row_version: z.int(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({
    id: 'Game',
    example: {
      id: '01a1f938-87bf-72bd-8203-e461f26d8a24',
      creator_id: 'carla',
      company_id: null,
      ...example,
      description: null,
      image_url: null,
      link_url: null,
      guess_policy: 'one_per_user',
      guesses_per_user: 1,
      number_of_alternates: 0,
      reward_text: null,
      is_public: true,
      entry_rules: null,
      claim_window_hours: 168,
      status: 'draft',
      draw_id: null,
      hash_value: null,
      submission_count: 0,
      participant_count: 0,
      published_at: null,
      row_version: 1,
      created_at: '2026-11-20T12:00:00.000Z',
      updated_at: '2026-11-20T12:00:00.000Z',
    },
  })

const MAKERS: readonly Role[] = ['creator', 'operator']
const STAFF: readonly Role[] = ['operator', 'service', 'auditor']

export function gameResource(): MadeResource {
  return resource({
    path: '/api/v1/games',
    entity: 'game',
    title: 'guess game',
    tag: 'Guess games',
    table: {
      name: 'games',
      id: { column: 'id', kind: 'uuid' },
      columns: ['creator_id', 'company_id', ...Object.keys(fields)],
      json: ['entry_rules'],
      reads: ['status', 'draw_id', 'hash_value', 'submission_count', 'participant_count', 'published_at'],
      gone: 'is_active',
    },
    roles: { read: ['creator', ...STAFF], create: MAKERS, update: MAKERS, remove: MAKERS },
    owner: { column: 'creator_id', sees_all: STAFF },
    create: gameCreate,
    update: gameUpdate,
    shape,
    refusals: ['game_published', 'reel_in_use', 'forbidden', 'creator_blocked'],
    async beforeWrite(tx, input, existing) {
      if (existing !== undefined) {
        if (!(await mayChange(tx, existing as never))) refuse('not_found')
        if (existing['status'] !== 'draft')
          refuse('game_published', { facts: { status: existing['status'] } })
      } else if (
        input.company_id !== null &&
        !tx.actor.roles.includes('operator') &&
        !(await isMember(tx, input.company_id, tx.actor.userId))
      ) {
        refuse('forbidden', { detail: 'Only a member of a company acts for it.' })
      }
      if (existing === undefined)
        await guardCreator(tx, { creator_id: tx.actor.userId, company_id: input.company_id })
      const errors = faultsOf({ ...existing, ...input })
      if (errors.length > 0) refuse('invalid_input', { errors })
      return existing === undefined ? { ...input, creator_id: tx.actor.userId } : input
    },
    async beforeRemove(tx, row) {
      if (!(await mayChange(tx, row as never))) refuse('not_found')
      if (!['draft', 'settled', 'cancelled'].includes(row['status']))
        refuse('in_use', {
          detail: 'Cancel the game, or wait for its end, before you delete it.',
          facts: { status: row['status'] },
        })
    },
  })
}
