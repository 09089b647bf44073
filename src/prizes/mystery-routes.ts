/** A mystery in public: its pool with the odds, and a player's own commitments on it. */
import { z } from 'zod'
import type { Tx } from '../db/tx.ts'
import { shareText } from '../games/wheel/rules.ts'
import { clientSeed, commitHashText } from '../games/wheel/schemas.ts'
import { type Route, route } from '../http/route.ts'
import { examplePair, pairShape } from '../proofs/routes.ts'
import type { Mysteries } from './mysteries.ts'
import { readPool } from './mystery.ts'
import type { PoolConfig } from './mystery-rules.ts'

const TAGS = ['Mystery prizes']
const PATH = '/api/v1/mysteries/{prize_id}'
const params = z.strictObject({
  prize_id: z
    .string()
    .regex(/^[1-9]\d{0,14}$/)
    .meta({ example: '12' }),
})
const pool_version = z.int().min(1).max(1_000_000)
const query = z.strictObject({
  pool_version: z
    .string()
    .regex(/^[1-9]\d{0,5}$/)
    .optional()
    .meta({ example: '1', description: 'The one in force, unless another is named.' }),
})

const refOf = (prize_id: string, version: string | number | undefined) => ({
  prize_id: Number(prize_id),
  pool_version: version === undefined ? null : Number(version),
})

const pool = z
  .strictObject({
    prize_id: z.int(),
    pool_version: z.int(),
    config_hash: z.string(),
    total_weight: z.int(),
    segments: z.array(
      z.strictObject({
        id: z.string(),
        prize_id: z.int(),
        prize_name: z.string(),
        prize_type: z.string(),
        prize_value: z.string().nullable(),
        weight: z.int(),
        share: z.string(),
      }),
    ),
  })
  .meta({
    example: {
      prize_id: 12,
      pool_version: 1,
      config_hash: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      total_weight: 4,
      segments: [
        {
          id: 'prize-3',
          prize_id: 3,
          prize_name: '10% off',
          prize_type: 'discount_percentage',
          prize_value: '10.00',
          weight: 3,
          share: '75%',
        },
      ],
    },
  })

async function readOdds(tx: Tx, ref: Parameters<typeof readPool>[1]) {
  const { config, config_hash, ...row } = await readPool(tx, ref)
  const { segments } = JSON.parse(config) as PoolConfig
  const total_weight = segments.reduce((sum, { weight }) => sum + weight, 0)
  return {
    prize_id: row.prize_id,
    pool_version: row.pool_version,
    config_hash,
    total_weight,
    segments: segments.map(({ id, weight, prize }) => ({
      id,
      prize_id: prize.id,
      prize_name: prize.name,
      prize_type: prize.type,
      prize_value: prize.value,
      weight,
      share: shareText(weight, total_weight),
    })),
  }
}

/** `/api/v1/mysteries/…`. */
export function mysteryRoutes(mysteries: Mysteries): Route[] {
  return [
    route({
      method: 'get',
      path: PATH,
      summary: 'What a mystery can turn out to be, with the odds',
      description:
        'The pool that new wins are drawn from; a prize is drawn from the version it was won with.',
      tags: TAGS,
      roles: ['player', 'operator', 'service', 'auditor'],
      params,
      query,
      answer: pool,
      refusals: ['not_found'],
      run: ({ run, params: { prize_id }, query: asked }) =>
        run(readOdds, refOf(prize_id, asked.pool_version)),
    }),
    route({
      method: 'get',
      path: `${PATH}/seed-pair`,
      summary: "The caller's current and next commitment on a mystery's pool",
      description:
        'Both are logged and checkpointed before they are shown. Make the client seed after you have seen `next`.',
      tags: TAGS,
      roles: ['player'],
      params,
      query,
      answer: z.strictObject(pairShape).meta({ example: examplePair }),
      rate: { points: 60, duration_s: 60 },
      refusals: ['not_found'],
      run: ({ actor, params: { prize_id }, query: asked }) =>
        mysteries.seedPair(actor, refOf(prize_id, asked.pool_version)),
    }),
    route({
      method: 'post',
      path: `${PATH}/seed-pair/rotate`,
      summary: 'Reveal the current pair and go on with the next one and a seed of your own',
      description: 'What was drawn from the pair that is revealed can be verified from then on.',
      tags: TAGS,
      roles: ['player'],
      params,
      body: z
        .strictObject({
          client_seed: clientSeed,
          next_commit_hash: commitHashText.optional(),
          pool_version: pool_version.optional(),
        })
        .meta({
          example: {
            client_seed: '00112233445566778899aabbccddeeff',
            next_commit_hash: examplePair.next.commit_hash,
          },
        }),
      answer: z
        .strictObject({
          ...pairShape,
          revealed: z.strictObject({ commit_hash: z.string(), server_seed: z.string(), spins: z.int() }),
        })
        .meta({
          example: {
            ...examplePair,
            revealed: {
              commit_hash: examplePair.next.commit_hash,
              server_seed: examplePair.next.commit_hash,
              spins: 1,
            },
          },
        }),
      rate: { points: 30, duration_s: 60 },
      refusals: ['not_found', 'seed_pair_replaced'],
      run: ({ actor, params: { prize_id }, body: { pool_version: version, ...input } }) =>
        mysteries.rotate(actor, refOf(prize_id, version), input),
    }),
  ]
}
