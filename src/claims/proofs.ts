/** Pictures of a claim: either side shows what it handed over or got. They stay as they are. */
import type { App } from '../app.ts'
import type { Actor, Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { newId } from '../ids.ts'
import { loadNewestComplaint } from './complaint-store.ts'
import { encodePicture, type Picture } from './pictures.ts'
import { insertProof, loadPicture, loadProofs } from './proof-store.ts'
import { PROOFS_PER_SIDE, type Side, whyNotAdd } from './rules.ts'
import { sideOf, tellSides } from './sides.ts'
import { type ClaimRow, loadClaim, loadClaimForUpdate } from './store.ts'
import { isOpen, isStaff, type ProofView, proofView } from './views.ts'

/**
 * Keeps a picture of the actor's side. Who may not, and a claim that takes none, is refused before a byte of it is
 * decoded. Refuses not_found (also for strangers), claim_not_open, proofs_full, body_too_large, picture_refused,
 * unavailable.
 */
export async function uploadProof(
  app: Pick<App, 'run'>,
  actor: Actor,
  { claim_id, bytes }: { claim_id: string; bytes: Uint8Array },
): Promise<ProofView> {
  await app.run(actor, mayUpload, { claim_id })
  const picture = await encodePicture(bytes)
  return app.run(actor, keepProof, { claim_id, picture })
}

async function mayUpload(tx: Tx, { claim_id }: { claim_id: string }): Promise<void> {
  await freeSlot(tx, await loadClaim(tx, claim_id))
}

async function freeSlot(
  tx: Tx,
  row: ClaimRow | undefined,
): Promise<{ row: ClaimRow; side: Side; slot: number }> {
  const side = row === undefined ? null : await sideOf(tx, row)
  if (row === undefined || side === null) refuse('not_found')
  const refusal = whyNotAdd(row, 'proof')
  if (refusal !== null) refuse(refusal.code, refusal.detail)
  const count = (await loadProofs(tx, row.id)).filter((proof) => proof.side === side).length
  if (count >= PROOFS_PER_SIDE) refuse('proofs_full', { facts: { most: PROOFS_PER_SIDE } })
  return { row, side, slot: count + 1 }
}

/** Writes a picture that was encoded. The claim's lock lets two at once take two slots. */
export async function keepProof(
  tx: Tx,
  { claim_id, picture }: { claim_id: string; picture: Picture },
): Promise<ProofView> {
  const { row, side, slot } = await freeSlot(tx, await loadClaimForUpdate(tx, claim_id))
  const proof = await insertProof(tx, { id: newId(), claim_id, side, slot, ...picture })
  tx.audit({
    action: 'claim.proof_added',
    entity_type: 'claim',
    entity_id: claim_id,
    new_values: { proof_id: proof.id, side, slot, picture_hash: proof.picture_hash },
  })
  const other: Side = side === 'winner' ? 'creator' : 'winner'
  await tellSides(tx, row, [
    {
      side: other,
      kind: 'claim_proof',
      message: `A picture was added to the claim of “${row.title}”.`,
      data: { proof_id: proof.id },
    },
  ])
  return proofView(proof)
}

/** The pixels, for both sides, and for staff while a complaint is open. Refuses not_found for everybody else. */
export async function readProof(
  tx: Tx,
  { claim_id, proof_id }: { claim_id: string; proof_id: string },
): Promise<{ picture: Buffer; picture_hash: string }> {
  const row = (await loadClaim(tx, claim_id)) ?? refuse('not_found')
  if ((await sideOf(tx, row)) === null) {
    const is_seen = isStaff(tx) && isOpen(await loadNewestComplaint(tx, claim_id))
    if (!is_seen) refuse('not_found')
    tx.audit({
      action: 'claim.proof_read_by_staff',
      entity_type: 'claim',
      entity_id: claim_id,
      new_values: { proof_id },
    })
  }
  return (await loadPicture(tx, claim_id, proof_id)) ?? refuse('not_found')
}
