/** Credit to buy with in the demo: given by the house through the ledger, once for each occasion. */
import { z } from 'zod'
import type { Actor, Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { type Route, route } from '../http/route.ts'
import { postTransfer } from '../ledger/post.ts'
import { move, TENANT_OWNER } from '../ledger/rules.ts'
import type { Directory } from '../tenants/directory.ts'
import { shopActor } from './shop.ts'

/** Enough for a raffle or two, so that its limits are met before the end of the money. */
export const CREDIT_MINOR = 5_000
/** The occasion of a guest's first visit. */
const WELCOME = 'welcome'

export type CreditInput = { user_id: string; currency: string; occasion: string }

/** Gives a user of a demo tenant credit, unless it was given for this occasion. */
export async function giveCredit(
  tx: Tx,
  { user_id, currency, occasion }: CreditInput,
): Promise<{ amount_minor: number; currency: string }> {
  const { replayed } = await postTransfer(tx, {
    obligation: `demo-credit:${occasion}:${user_id}`,
    transfer_type: 'demo.credit',
    reason: 'Credit to try the demo with',
    postings: move(
      CREDIT_MINOR,
      currency,
      { account_kind: 'house', owner_id: TENANT_OWNER },
      { account_kind: 'wallet_credit', owner_id: user_id },
    ),
  })
  return { amount_minor: replayed ? 0 : CREDIT_MINOR, currency }
}

/** `/api/v1/demo/credit`. */
export function creditRoutes(directory: Directory): Route[] {
  /** The currency of the caller's tenant. Refuses not_found where there is no demo. */
  async function currencyOf({ tenantId }: Actor): Promise<string> {
    const tenant = await directory.byId(tenantId)
    return tenant?.is_demo ? tenant.currency : refuse('not_found')
  }
  return [
    route({
      method: 'post',
      path: '/api/v1/demo/credit',
      summary: 'Credit for a guest to buy with, once; what was given now is 0 from then on',
      description: 'Of demo tenants only; elsewhere 404.',
      tags: ['Demo shop'],
      roles: ['player'],
      answer: z
        .strictObject({ amount_minor: z.int(), currency: z.string() })
        .meta({ example: { amount_minor: CREDIT_MINOR, currency: 'EUR' } }),
      refusals: ['not_found'],
      async run({ run, actor }) {
        const input = { user_id: actor.userId, currency: await currencyOf(actor), occasion: WELCOME }
        return run(giveCredit, input, shopActor(actor))
      },
    }),
  ]
}
