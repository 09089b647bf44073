/** Who is who in a claim: the winner, and the person or company that hands the reward over. */
import type { Tx } from '../db/tx.ts'
import { isMember } from '../games/guess/store.ts'
import { notify } from '../insight/inbox.ts'
import type { Side } from './rules.ts'
import { type ClaimRow, loadMembers } from './store.ts'

type Parties = Pick<ClaimRow, 'user_id' | 'creator_id' | 'company_id'>

/** The actor's side, or null for everybody else. For a company its members of now speak, and nobody who left it. */
export async function sideOf(tx: Tx, claim: Parties): Promise<Side | null> {
  const { userId } = tx.actor
  if (claim.user_id === userId) return 'winner'
  return (await handsOver(tx, claim)) ? 'creator' : null
}

/** Whether the actor hands this reward over: its creator, or a member of the company. Nobody does so to himself. */
export async function handsOver(tx: Tx, claim: Parties): Promise<boolean> {
  const { userId } = tx.actor
  if (claim.user_id === userId) return false
  if (claim.company_id === null) return claim.creator_id === userId
  return isMember(tx, claim.company_id, userId)
}

/** The user ids of a side. */
export async function peopleOf(tx: Tx, claim: Parties, side: Side): Promise<string[]> {
  if (side === 'winner') return [claim.user_id]
  return claim.company_id === null ? [claim.creator_id] : loadMembers(tx, claim.company_id)
}

/** Who is accountable for it: the company, or the person. */
export function partyOf(claim: Pick<Parties, 'creator_id' | 'company_id'>): Party {
  return claim.company_id === null
    ? { party_kind: 'person', party_id: claim.creator_id }
    : { party_kind: 'company', party_id: claim.company_id }
}

export type Party = { party_kind: 'person' | 'company'; party_id: string }

/** Tells sides of a claim something, but for the actor. `data` names the claim. */
export async function tellSides(
  tx: Tx,
  claim: Parties & { id: string; game_id: string },
  notes: readonly { side: Side; kind: string; message: string; data?: Record<string, unknown> }[],
): Promise<void> {
  const told = []
  for (const { side, kind, message, data } of notes)
    for (const user_id of await peopleOf(tx, claim, side))
      if (user_id !== tx.actor.userId)
        told.push({
          user_id,
          kind,
          message: message.slice(0, 500),
          data: { claim_id: claim.id, game_id: claim.game_id, ...data },
        })
  await notify(tx, told)
}
