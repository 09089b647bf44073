/** Checks in this browser that an entry is on the sealed list. Loaded only when asked for: it brings the signature code. */
import { fromBase64url, fromHex, toHex } from '../../../src/fairness/bytes.ts'
import { checkReceiptJws, entrantHash } from '../../../src/fairness/commit.ts'
import { leafHashOf, proofFromHex, verifyInclusion } from '../../../src/fairness/merkle.ts'
import { fetchKeys } from '../shared/fairness.ts'
import type { DrawView, Proof } from '../shared/guess-api.ts'

/** What a receipt says; `i` is missing where the place on the list was not fixed yet (fair-1.md section 10). */
export type Receipt = { commitHash: string; seq: number; i?: number; leafHash?: string; at: string }

/** The document of a receipt; undefined when the text is none. */
export function readReceipt(jws: string): Receipt | undefined {
  try {
    const parts = jws.trim().split('.')
    if (parts.length !== 3) return undefined
    const receipt = JSON.parse(new TextDecoder().decode(fromBase64url(parts[1]!))) as Receipt
    return typeof receipt.commitHash === 'string' ? receipt : undefined
  } catch {
    return undefined
  }
}

export type CheckName = 'signature' | 'draw' | 'leaf' | 'receipt' | 'root' | 'inclusion' | 'mine'
export type Check = { name: CheckName; is_ok: boolean }

type Given = {
  draw: DrawView
  proof: Proof
  jws?: string | undefined
  receipt?: Receipt | undefined
  /** Who asks, where that is known: the salt opens the pseudonym of the list. */
  me?: { user_id: string; salt: string } | undefined
}

/** Every check that what is given allows, in order. Nothing of it trusts the server but its public keys. */
export async function checkEntry({ draw, proof, jws, receipt, me }: Given): Promise<Check[]> {
  const leaf = leafHashOf(proof.entry)
  const checks: Check[] = []
  const add = (name: CheckName, is_ok: boolean) => checks.push({ name, is_ok })
  if (jws !== undefined && receipt !== undefined) {
    add('signature', checkReceiptJws(jws.trim(), receipt, await fetchKeys()))
    add('draw', receipt.commitHash === draw.commit_hash)
  }
  add('leaf', toHex(leaf) === proof.leaf_hash && proof.entry.i === proof.entry_index)
  if (receipt?.leafHash !== undefined)
    add('receipt', receipt.leafHash === toHex(leaf) && receipt.i === proof.entry_index)
  add('root', proof.entries_root === draw.entries_root && proof.entry_count === draw.entry_count)
  add(
    'inclusion',
    verifyInclusion({
      leafHash: leaf,
      index: proof.entry_index,
      size: draw.entry_count,
      root: fromHex(draw.entries_root ?? ''),
      proof: proofFromHex(proof.proof),
    }),
  )
  if (me !== undefined) add('mine', entrantHash(draw.game_id, me.user_id, me.salt) === proof.entry.e)
  return checks
}
