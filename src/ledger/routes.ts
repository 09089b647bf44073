/** The ledger over HTTP: it is read here and never written. What posts is a use case of the game or the wallet. */
import { z } from 'zod'
import { exampleOf, LIST_QUERY, listOf } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { readAccounts, readBalances, readMyStatement, readStatement, readTransfers } from './read.ts'

const TAGS = ['Ledger']
const id = '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14'
const other = '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f15'
const at = '2026-11-20T12:00:00.000Z'

const currency = z
  .string()
  .regex(/^[A-Z]{3,8}$/)
  .optional()
  .meta({ example: 'EUR', description: 'ISO 4217, or a unit of the tenant (PTS, COIN).' })

const account = z
  .strictObject({
    id: z.uuid(),
    owner_id: z.string(),
    account_kind: z.string(),
    currency: z.string(),
    balance_minor: z.int(),
    floor_minor: z.int(),
    created_at: z.iso.datetime(),
  })
  .meta({
    example: {
      id,
      owner_id: 'alice',
      account_kind: 'wallet_credit',
      currency: 'EUR',
      balance_minor: 2000,
      floor_minor: 0,
      created_at: at,
    },
  })

const myLine = z
  .strictObject({
    transfer_id: z.uuid(),
    transfer_type: z.string(),
    reason: z.string().nullable(),
    corrects_id: z.uuid().nullable(),
    is_reversal: z.boolean(),
    account_kind: z.string(),
    currency: z.string(),
    amount_minor: z.int(),
    balance_after_minor: z.int(),
    created_at: z.iso.datetime(),
  })
  .meta({
    example: {
      transfer_id: id,
      transfer_type: 'prize.applied',
      reason: '20.00 wallet credit',
      corrects_id: null,
      is_reversal: false,
      account_kind: 'wallet_credit',
      currency: 'EUR',
      amount_minor: 2000,
      balance_after_minor: 2000,
      created_at: at,
    },
  })

const line = myLine.extend({ obligation: z.string() })
const lineExample = { ...exampleOf(myLine), obligation: 'prize:1:order-1' }

const posting = z.strictObject({
  account_id: z.uuid(),
  account_kind: z.string(),
  owner_id: z.string(),
  currency: z.string(),
  amount_minor: z.int(),
  balance_after_minor: z.int(),
})

const transfer = z
  .strictObject({
    id: z.uuid(),
    obligation: z.string(),
    transfer_type: z.string(),
    reason: z.string().nullable(),
    content_hash: z.string(),
    corrects_id: z.uuid().nullable(),
    is_reversal: z.boolean(),
    approved_by: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
    created_by: z.string(),
    created_at: z.iso.datetime(),
    postings: z.array(posting),
  })
  .meta({
    example: {
      id,
      obligation: 'prize:1:order-1',
      transfer_type: 'prize.applied',
      reason: '20.00 wallet credit',
      content_hash: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      corrects_id: null,
      is_reversal: false,
      approved_by: null,
      metadata: {},
      created_by: 'shop',
      created_at: at,
      postings: [
        {
          account_id: other,
          account_kind: 'house',
          owner_id: '-',
          currency: 'EUR',
          amount_minor: -2000,
          balance_after_minor: -2000,
        },
        {
          account_id: id,
          account_kind: 'wallet_credit',
          owner_id: 'alice',
          currency: 'EUR',
          amount_minor: 2000,
          balance_after_minor: 2000,
        },
      ],
    },
  })

const balance = z.strictObject({ account_kind: z.string(), currency: z.string(), balance_minor: z.int() })

/** Routes of `/me/balances`, `/me/ledger` and `/ledger`. */
export function ledgerRoutes(): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/me/balances',
      summary: 'What the caller holds: credit, points, coins, free bets',
      tags: ['Players'],
      roles: ['player'],
      answer: z.strictObject({ data: z.array(balance) }).meta({
        example: {
          data: [
            { account_kind: 'loyalty_points', currency: 'PTS', balance_minor: 150 },
            { account_kind: 'wallet_credit', currency: 'EUR', balance_minor: 2000 },
          ],
        },
      }),
      run: ({ run }) => run(readBalances, undefined),
    }),
    route({
      method: 'get',
      path: '/api/v1/me/ledger',
      summary: "The caller's statement, newest first, with the balance after each line",
      tags: ['Players'],
      roles: ['player'],
      query: z.strictObject({ ...LIST_QUERY, currency }),
      answer: listOf(myLine, exampleOf(myLine)),
      run: ({ run, query }) => run(readMyStatement, given(query)),
    }),
    route({
      method: 'get',
      path: '/api/v1/ledger/accounts',
      summary: 'Accounts of the tenant, the one that was opened last first',
      tags: TAGS,
      roles: ['operator', 'auditor'],
      query: z.strictObject({
        ...LIST_QUERY,
        owner_id: z.string().min(1).max(128).optional().meta({ example: 'alice' }),
        account_kind: z.string().max(16).optional().meta({ example: 'wallet_credit' }),
        currency,
      }),
      answer: listOf(account, exampleOf(account)),
      run: ({ run, query }) => run(readAccounts, given(query)),
    }),
    route({
      method: 'get',
      path: '/api/v1/ledger/accounts/{id}/statement',
      summary: 'The statement of an account, newest first',
      tags: TAGS,
      roles: ['operator', 'auditor'],
      params: z.strictObject({ id: z.uuid() }),
      query: z.strictObject(LIST_QUERY),
      answer: listOf(line, lineExample),
      refusals: ['not_found'],
      run: ({ run, params, query }) => run(readStatement, { account_id: params.id, ...given(query) }),
    }),
    route({
      method: 'get',
      path: '/api/v1/ledger/transfers',
      summary: 'Transfers with their postings, newest first',
      description: 'A correction or reversal is a transfer of its own and names the one it belongs to.',
      tags: TAGS,
      roles: ['operator', 'auditor'],
      query: z.strictObject({
        ...LIST_QUERY,
        obligation: z
          .string()
          .min(1)
          .max(200)
          .optional()
          .meta({ example: 'prize:1:order-1', description: 'Only the transfer that met this obligation.' }),
      }),
      answer: listOf(transfer, exampleOf(transfer)),
      run: ({ run, query }) => run(readTransfers, given(query)),
    }),
  ]
}

/** A query without the members that were not given. */
function given<Q extends object>(query: Q): { [K in keyof Q]: Exclude<Q[K], undefined> } {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as any
}
