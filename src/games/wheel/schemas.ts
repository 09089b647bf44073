/** Shapes of the wheel's configuration and requests, shared by its HTTP routes, its room and its rules. */
import { z } from 'zod'
import type { SpinConfig } from './rules.ts'

const DAY_MS = 86_400_000
const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$/, 'HH:MM or HH:MM:SS')

/** How a wheel spins. Every member has a default, so `{}` is a wheel that spins for four seconds without limits. */
export const spinConfigSchema = z
  .strictObject({
    duration_ms: z.int().min(500).max(30_000).default(4_000),
    cooldown_ms: z.int().min(0).max(DAY_MS).default(0),
    plays_per_day: z.int().min(1).max(100_000).nullable().default(null),
    on_exhausted: z.string().max(64).nullable().default(null),
    opens_at: z.iso.datetime().nullable().default(null),
    closes_at: z.iso.datetime().nullable().default(null),
    valid_days: z.array(z.int().min(0).max(7)).max(7).nullable().default(null),
    valid_from_time: time.nullable().default(null),
    valid_until_time: time.nullable().default(null),
    round_every_s: z.int().min(10).max(86_400).nullable().default(null),
    round_join_s: z.int().min(1).max(3_600).default(8),
  })
  .meta({
    id: 'SpinConfig',
    description: 'Duration, limits and opening hours of a wheel. Times of day are local to the tenant.',
  }) satisfies z.ZodType<SpinConfig>

/** 1-64 visible characters made by the client before it sends. */
export const requestId = z.string().regex(/^[\x21-\x7e]{1,64}$/, '1-64 visible ASCII characters')
export const clientEntropy = z.string().regex(/^[A-Za-z0-9_-]{16,64}$/, '16-64 characters of A-Z a-z 0-9 _ -')
export const clientSeed = z.string().regex(/^[A-Za-z0-9_-]{8,64}$/, '8-64 characters of A-Z a-z 0-9 _ -')
export const commitHashText = z.string().regex(/^[0-9a-f]{64}$/, '64 lower-case hex digits')

export const spinRequest = z.strictObject({ request_id: requestId, client_entropy: clientEntropy.optional() })
export const rotateRequest = z.strictObject({
  client_seed: clientSeed,
  next_commit_hash: commitHashText.optional(),
})
export const joinRoundRequest = z.strictObject({ client_entropy: clientEntropy })
export const sinceRequest = z.strictObject({ version: z.int().min(0) })
