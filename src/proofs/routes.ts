/** The public record: transcripts, commitments, the log and its proofs; and a player's own seed pair. */
import { z } from 'zod'
import type { App } from '../app.ts'
import type { Actor } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { readMonitor } from '../games/wheel/read.ts'
import { shareText } from '../games/wheel/rules.ts'
import { clientSeed, commitHashText, requestId } from '../games/wheel/schemas.ts'
import type { Wheel } from '../games/wheel/wheel.ts'
import { type Route, route } from '../http/route.ts'
import { fitOf } from '../insight/statistics.ts'
import { makeAnywhere } from '../tenants/anywhere.ts'
import { type Checkpoints, originOf } from './checkpoints.ts'
import { proveConsistency } from './log.ts'
import { countUnrevealed, loadCommitment, loadLastCheckpoint, loadLog, loadSeedByCommit } from './store.ts'
import { readPairReveal, readTranscript } from './transcripts.ts'

const TAGS = ['Fairness']
const UUID_TEXT = z.uuid()
const LOG_PAGE_MAX = 1000
const tenantQuery = {
  tenant: z
    .string()
    .max(64)
    .optional()
    .meta({ example: 'demo', description: 'Tenant code; needed without a token.' }),
}
const hash = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
const json = z.record(z.string(), z.unknown())
const commitment = z.strictObject({ commit_hash: z.string(), seq: z.int(), doc: json, jws: z.string() })
/** What a player sees of two commitments. */
export const pairShape = {
  current: commitment.extend({ client_seed: z.string(), next_nonce: z.int() }),
  next: commitment,
}
const exampleCommitment = {
  commit_hash: hash,
  seq: 1,
  doc: { v: 1, kind: 'wheel', mode: 'pair', seq: 1 },
  jws: 'eyJhbGciOiJFZERTQSJ9.e30.c2ln',
}
export const examplePair = {
  current: { ...exampleCommitment, client_seed: '-', next_nonce: 3 },
  next: { ...exampleCommitment, seq: 2 },
}

export type ProofRouteDeps = { app: App; wheel: Wheel; checkpoints: Checkpoints }

/** Counting reads every roll of a version: once in this time for everybody, however many look (abuse 83). */
const MONITOR_KEPT_MS = 5_000
const MONITORS_MAX = 1_000

type Monitor = Awaited<ReturnType<typeof readMonitor>>

/** Shares a count that is under way or fresh among all who ask for it. A refusal is shared while it is under way alone. */
function makeMonitor(app: App, wheel: Wheel): (actor: Actor, game: string) => Promise<Monitor> {
  const kept = new Map<string, { asked_ms: number; answer: Promise<Monitor> }>()
  return (actor, game) => {
    const key = `${actor.tenantId}/${game}`
    const known = kept.get(key)
    const now_ms = performance.now()
    if (known !== undefined && now_ms - known.asked_ms < MONITOR_KEPT_MS) return known.answer
    if (kept.size >= MONITORS_MAX) kept.clear()
    const answer = app.run(actor, readMonitor, { game, versions: wheel.versions })
    kept.set(key, { asked_ms: now_ms, answer })
    answer.catch(() => kept.delete(key))
    return answer
  }
}

export function proofRoutes({ app, wheel, checkpoints }: ProofRouteDeps): Route[] {
  const anywhere = makeAnywhere(app.database)
  const monitorOf = makeMonitor(app, wheel)

  return [
    route({
      method: 'get',
      path: '/api/v1/verify/{event_id}',
      summary: 'The transcript of a chance event',
      description:
        'Canonical JSON; its SHA-256 is the transcript hash. Without `serverSeed` the event awaits its reveal.',
      tags: TAGS,
      roles: 'anyone',
      params: z.strictObject({ event_id: UUID_TEXT }),
      answer: json.meta({ example: { v: 'fair/1', trust: 'commit', outcome: { id: 'ten', index: 0 } } }),
      rate: { points: 120, duration_s: 60 },
      refusals: ['not_found', 'not_yet_revealed'],
      run: async ({ params }) => {
        const event_id = params.event_id
        const text = await anywhere({ event_id }, (actor) => app.run(actor, readTranscript, { event_id }))
        return JSON.parse(text) as unknown
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/fairness/commitments/{hash}',
      summary: 'A commitment, and what became of it',
      tags: TAGS,
      roles: 'anyone',
      params: z.strictObject({ hash: commitHashText }),
      answer: z
        .strictObject({
          commit_hash: z.string(),
          kind: z.string(),
          game_id: z.string(),
          seq: z.int(),
          doc: json,
          config: json,
          jws: z.string(),
          committed_at: z.string(),
          status: z.string(),
          server_seed: z.string().nullable(),
        })
        .meta({
          example: {
            ...exampleCommitment,
            kind: 'wheel',
            game_id: '01a1f938-87bf-72bd-8203-e461f26d8a24',
            config: { v: 1, kind: 'wheel', segments: [] },
            committed_at: '2026-11-20T12:00:00.000Z',
            status: 'active',
            server_seed: null,
          },
        }),
      refusals: ['not_found'],
      run: ({ params }) =>
        anywhere({ commit_hash: params.hash }, (actor) =>
          app.run(
            actor,
            async (tx, commit_hash: string) => {
              const row = (await loadCommitment(tx, commit_hash)) ?? refuse('not_found')
              const seed = await loadSeedByCommit(tx, commit_hash)
              return {
                commit_hash,
                kind: row.kind,
                game_id: row.game_id,
                seq: row.seq,
                doc: JSON.parse(row.doc),
                config: JSON.parse(row.config),
                jws: row.jws,
                committed_at: row.created_at.toISOString(),
                status: seed?.seed_status ?? 'beacon',
                server_seed: seed?.server_seed ?? null,
              }
            },
            params.hash,
          ),
        ),
    }),
    route({
      method: 'get',
      path: '/api/v1/fairness/commitments/{hash}/reveal',
      summary: 'The reveal of a closed seed pair: its seed and every spin it made',
      tags: TAGS,
      roles: 'anyone',
      params: z.strictObject({ hash: commitHashText }),
      answer: json.meta({
        example: { v: 'fair/1', type: 'pair-reveal', spins: [{ nonce: 0, entropy: '-', result: 2 }] },
      }),
      refusals: ['not_found', 'not_yet_revealed'],
      run: async ({ params }) =>
        JSON.parse(
          await anywhere({ commit_hash: params.hash }, (actor) =>
            app.run(actor, readPairReveal, { commit_hash: params.hash }),
          ),
        ) as unknown,
    }),
    route({
      method: 'get',
      path: '/api/v1/fairness/log',
      summary: 'Events of the public log, from an index on',
      tags: TAGS,
      roles: 'anyone',
      query: z.strictObject({
        ...tenantQuery,
        from: z.coerce.number().int().min(0).default(0).meta({ example: 0 }),
        limit: z.coerce.number().int().min(1).max(LOG_PAGE_MAX).default(100).meta({ example: 100 }),
      }),
      answer: z
        .strictObject({ data: z.array(json), next_from: z.int().nullable(), unrevealed: z.int() })
        .meta({
          example: {
            data: [{ seq: 0, type: 'config', at: '2026-11-20T12:00:00.000Z' }],
            next_from: null,
            unrevealed: 0,
          },
        }),
      run: async ({ query, visitor }) =>
        app.run(
          await visitor(query.tenant),
          async (tx, { from, limit }: { from: number; limit: number }) => {
            const rows = await loadLog(tx, from, limit + 1)
            const open = await countUnrevealed(tx)
            const page = rows.slice(0, limit)
            return {
              data: page.map((row) => JSON.parse(row.event)),
              next_from: rows.length > limit ? from + limit : null,
              unrevealed: open!.unrevealed,
            }
          },
          query,
        ),
    }),
    route({
      method: 'get',
      path: '/api/v1/fairness/checkpoint',
      summary: 'The newest signed checkpoint of the log',
      description:
        'A C2SP signed note. `verifier_key` opens it; take that key from elsewhere to trust it more.',
      tags: TAGS,
      roles: 'anyone',
      query: z.strictObject(tenantQuery),
      answer: z
        .strictObject({
          origin: z.string(),
          size: z.int(),
          root: z.string(),
          note: z.string(),
          verifier_key: z.string(),
        })
        .meta({
          example: {
            origin: 'livedraw/t',
            size: 12,
            root: hash,
            note: 'livedraw/t\n12\n…',
            verifier_key: 'livedraw/t+ab12cd34+AQ…',
          },
        }),
      run: async ({ query, visitor }) => {
        const actor = await visitor(query.tenant)
        const row =
          (await app.run(actor, (tx) => loadLastCheckpoint(tx), undefined)) ??
          (await checkpoints.make(actor.tenantId))
        const origin = originOf(actor.tenantId)
        return {
          origin,
          size: row.log_size,
          root: row.root,
          note: row.note,
          verifier_key: app.keys.verifierKey(origin),
        }
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/fairness/consistency',
      summary: 'Proof that an older log is the beginning of a newer one',
      tags: TAGS,
      roles: 'anyone',
      query: z.strictObject({
        ...tenantQuery,
        from: z.coerce.number().int().min(1).meta({ example: 8 }),
        to: z.coerce.number().int().min(1).meta({ example: 12 }),
      }),
      answer: z
        .strictObject({ from: z.int(), to: z.int(), proof: z.array(z.string()) })
        .meta({ example: { from: 8, to: 12, proof: [hash] } }),
      run: async ({ query, visitor }) =>
        app.run(
          await visitor(query.tenant),
          async (tx, { from, to }: { from: number; to: number }) => {
            const size = (await loadLastCheckpoint(tx))?.log_size ?? 0
            if (from > to || to > size) {
              refuse('invalid_input', {
                errors: [{ pointer: '/to', detail: `Sizes must satisfy from <= to <= ${size}.` }],
              })
            }
            return { from, to, proof: await proveConsistency(tx, from, to) }
          },
          query,
        ),
    }),
    route({
      method: 'get',
      path: '/api/v1/fairness/monitor',
      summary: 'Observed rolls of a wheel beside its published odds',
      tags: TAGS,
      roles: 'anyone',
      query: z.strictObject({ ...tenantQuery, wheel: z.string().max(64).meta({ example: 'summer-wheel' }) }),
      answer: z
        .strictObject({
          wheel: z.string(),
          wheel_name: z.string(),
          config_version: z.int(),
          config_hash: z.string(),
          spins: z.int(),
          chi_square: z.string(),
          degrees_of_freedom: z.int(),
          p_value: z.string().nullable(),
          segments: z.array(
            z.strictObject({
              reward_slug: z.string(),
              reward_label: z.string(),
              share: z.string(),
              expected: z.string(),
              observed: z.int(),
            }),
          ),
        })
        .meta({
          example: {
            wheel: 'summer-wheel',
            wheel_name: 'Summer wheel',
            config_version: 1,
            config_hash: '9f2d7c3b1a0e4f5d6c7b8a9f0e1d2c3b4a5f6e7d8c9b0a1f2e3d4c5b6a7f8e9d',
            spins: 10,
            chi_square: '0.0000',
            degrees_of_freedom: 0,
            p_value: null,
            segments: [
              { reward_slug: 'ten', reward_label: '10% OFF', share: '10%', expected: '1.00', observed: 2 },
            ],
          },
        }),
      rate: { points: 60, duration_s: 60 },
      refusals: ['game_not_found'],
      run: async ({ query, visitor }) => {
        const {
          wheel: head,
          version,
          observed,
          spins,
        } = await monitorOf(await visitor(query.tenant), query.wheel)
        return {
          wheel: head.wheel_slug,
          wheel_name: head.wheel_name,
          config_version: version.config_version,
          config_hash: version.config_hash,
          spins,
          ...fitOf(observed, version.odds.weights),
          segments: version.config.segments.map((segment, i) => ({
            reward_slug: segment.id,
            reward_label: segment.label,
            share: shareText(segment.weight, version.odds.total),
            expected: ((segment.weight * spins) / version.odds.total).toFixed(2),
            observed: observed[i]!,
          })),
        }
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/fairness/seed-pair',
      summary: "The caller's current and next commitment on a wheel",
      description:
        'Both are logged and checkpointed before they are shown. Make the client seed after you have seen `next`.',
      tags: TAGS,
      roles: ['player'],
      query: z.strictObject({ wheel: z.string().max(64).meta({ example: 'summer-wheel' }) }),
      answer: z.strictObject(pairShape).meta({ example: examplePair }),
      refusals: ['game_not_found', 'wheel_not_published'],
      run: ({ actor, query }) => wheel.seedPair(actor, query.wheel),
    }),
    route({
      method: 'post',
      path: '/api/v1/fairness/seed-pair/rotate',
      summary: 'Reveal the current pair and play on with the next one and a seed of your own',
      tags: TAGS,
      roles: ['player'],
      body: z
        .strictObject({
          wheel: z.string().max(64),
          client_seed: clientSeed,
          next_commit_hash: commitHashText.optional(),
          request_id: requestId.optional(),
        })
        .meta({
          example: {
            wheel: 'summer-wheel',
            client_seed: '00112233445566778899aabbccddeeff',
            next_commit_hash: hash,
            request_id: 'rotate-1',
          },
        }),
      answer: z
        .strictObject({
          ...pairShape,
          revealed: z.strictObject({ commit_hash: z.string(), server_seed: z.string(), spins: z.int() }),
        })
        .meta({ example: { ...examplePair, revealed: { commit_hash: hash, server_seed: hash, spins: 3 } } }),
      rate: { points: 30, duration_s: 60 },
      refusals: [
        'game_not_found',
        'wheel_not_published',
        'seed_pair_replaced',
        'idempotency_key_reused',
        'idempotency_in_progress',
      ],
      run: ({ actor, body: { wheel: game, ...input } }) => wheel.rotate(actor, game, input),
    }),
  ]
}
