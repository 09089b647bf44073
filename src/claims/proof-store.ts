/** Statements over the pictures of claims. */
import type { Tx } from '../db/tx.ts'
import type { Side } from './rules.ts'

export type ProofRow = {
  id: string
  claim_id: string
  side: Side
  slot: number
  width: number
  height: number
  byte_count: number
  picture_hash: string
  created_at: Date
}

const COLUMNS = 'id, claim_id, side, slot, width, height, byte_count, picture_hash, created_at'

/** The pictures of a claim, oldest first, without their pixels. */
export function loadProofs(tx: Tx, claim_id: string) {
  return tx.rows<ProofRow>(
    `select ${COLUMNS} from claim_proofs where claim_id = $1 order by created_at, id`,
    [claim_id],
  )
}

/** One picture of a claim. */
export async function loadPicture(
  tx: Tx,
  claim_id: string,
  proof_id: string,
): Promise<{ picture: Buffer; picture_hash: string } | undefined> {
  return tx.one('select picture, picture_hash from claim_proofs where claim_id = $1 and id = $2', [
    claim_id,
    proof_id,
  ])
}

/** The caller holds the claim's lock and has chosen a free slot. */
export async function insertProof(
  tx: Tx,
  proof: Omit<ProofRow, 'created_at'> & { picture: Buffer },
): Promise<ProofRow> {
  const { id, claim_id, side, slot, width, height, byte_count, picture_hash, picture } = proof
  const row = await tx.one<ProofRow>(
    `insert into claim_proofs (id, claim_id, side, slot, uploaded_by, width, height, byte_count, picture_hash, picture, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning ${COLUMNS}`,
    [id, claim_id, side, slot, tx.actor.userId, width, height, byte_count, picture_hash, picture, tx.now],
  )
  return row!
}
