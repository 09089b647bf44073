/** The code that a winner shows and a creator scans: signed by the server, for one claim, until a time. */
import { generate } from 'lean-qr'
import { toSvgSource } from 'lean-qr/extras/svg'
import { z } from 'zod'
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { newId } from '../ids.ts'
import { QR_TTL_MS } from './rules.ts'

const codeSchema = z.strictObject({
  id: z.uuid(),
  claim: z.uuid(),
  tenant: z.uuid(),
  /** Milliseconds since 1970 UTC. */
  exp: z.int(),
})

/** Longer than any code of ours. */
export const CODE_LENGTH_MAX = 1_000

/** A new code for a claim. Each has an id of its own; whichever is scanned first completes the claim. */
export function makeCode(tx: Tx, claim_id: string): string {
  return tx.keys.signDocument('claim-code', {
    id: newId(),
    claim: claim_id,
    tenant: tx.actor.tenantId,
    exp: tx.now.getTime() + QR_TTL_MS,
  })
}

/** What a code stands for. Refuses qr_invalid for what this server did not sign for this tenant, qr_expired. */
export function readCode(tx: Tx, token: string): { code_id: string; claim_id: string } {
  const read = codeSchema.safeParse(tx.keys.openDocument('claim-code', token))
  if (!read.success || read.data.tenant !== tx.actor.tenantId) refuse('qr_invalid')
  if (tx.now.getTime() >= read.data.exp) refuse('qr_expired')
  return { code_id: read.data.id, claim_id: read.data.claim }
}

/**
 * The picture of a code, as the text of an SVG document. Its description is what the picture says, for whoever cannot
 * scan it; a code has no character that XML would read as its own.
 */
export function pictureOf(token: string): string {
  const picture = toSvgSource(generate(token), {
    xmlDeclaration: true,
    on: 'black',
    off: 'white',
    width: 400,
    height: 400,
  })
  return picture.replace(/<svg[^>]*>/, (opening) => `${opening}<desc>${token}</desc>`)
}
