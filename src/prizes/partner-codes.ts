/**
 * Prizes of partners (S2-67): an operator uploads codes, and each win takes one, in the transaction that wins. The stock
 * of such a prize is the number of its codes, so that a wheel treats a pool that is empty like any prize that ran out.
 */
import type { App } from '../app.ts'
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { newId } from '../ids.ts'
import { fingerprinter } from '../proofs/tenant-secrets.ts'
import { systemActor } from '../system.ts'
import { whyNotOpen } from './conditions.ts'
import {
  countCodes,
  giveCodes,
  insertAlert,
  insertCodes,
  loadStaleCodesForUpdate,
  lockCodePool,
  resealCode,
  setCodePool,
  showCode,
} from './partner-store.ts'
import { prizeOf, refuseFor, takePlay } from './play.ts'
import { loadTerms, recountWins } from './store.ts'

/** Types that are a code, or come with one. */
export const CODE_TYPES = ['voucher', 'digital'] as const

/** What a sealed code is bound to: it does not open as the code of another prize. */
export const codeBound = (prize_id: number, code_hash: string) => ({
  gameId: `partner:${prize_id}`,
  seedHash: code_hash,
})

export type CodeUpload = { prize_id: number; codes: readonly string[]; low_at?: number | undefined }

/**
 * Adds codes to a prize; from the first upload on each win takes one. Blanks around a code do not count, case does. A
 * code that the tenant has already, for this prize or another, is left out and counted as a duplicate.
 * Refuses not_found, and invalid_input for a prize of another type than CODE_TYPES.
 */
export async function uploadCodes(tx: Tx, { prize_id, codes, low_at }: CodeUpload) {
  const pool = (await lockCodePool(tx, prize_id)) ?? refuse('not_found')
  if (!(CODE_TYPES as readonly string[]).includes(pool.type))
    refuse('invalid_input', { detail: `Codes belong to a ${CODE_TYPES.join(' or a ')} prize.` })
  const hashOf = await fingerprinter(tx, 'partner_codes')
  const distinct = new Map(codes.map((code) => [hashOf(code.trim()), code.trim()]))
  const sealed = [...distinct].map(([code_hash, code]) => ({
    code_hash,
    sealed_code: tx.keys.seal(Buffer.from(code), codeBound(prize_id, code_hash)),
  }))
  const accepted = await insertCodes(tx, prize_id, sealed)
  // What was won before there were codes has none.
  const before = pool.takes_codes ? pool.stock! : await recountWins(tx, prize_id)
  const codes_low_at = low_at ?? pool.codes_low_at
  await setCodePool(tx, { id: prize_id, stock: before + accepted, codes_low_at })
  const duplicates = codes.length - accepted
  tx.audit({
    action: 'partner_codes.uploaded',
    entity_type: 'gamification_prize',
    old_values: { stock: pool.stock },
    new_values: { id: prize_id, stock: before + accepted, accepted, duplicates },
  })
  return { prize_id, accepted, duplicates, low_at: codes_low_at, ...(await countCodes(tx, prize_id)) }
}

const RESEAL_PAGE = 500

/** Seals a tenant's codes again that an older key sealed, a page per transaction. Returns how many. A wrong key throws. */
export async function resealCodes(app: App, tenantId: string): Promise<number> {
  let count = 0
  for (;;) {
    const done = await app.run(systemActor(tenantId), resealPage, undefined)
    count += done
    if (done < RESEAL_PAGE) return count
  }
}

async function resealPage(tx: Tx): Promise<number> {
  const rows = await loadStaleCodesForUpdate(tx, tx.keys.seedKid, RESEAL_PAGE)
  for (const { id, prize_id, code_hash, sealed_code } of rows) {
    const bound = codeBound(prize_id, code_hash)
    await resealCode(tx, id, tx.keys.seal(tx.keys.open(sealed_code, bound), bound))
  }
  return rows.length
}

/** How many codes a prize has, and has left. Refuses not_found. */
export async function readCodes(tx: Tx, { prize_id }: { prize_id: number }) {
  const pool = (await lockCodePool(tx, prize_id)) ?? refuse('not_found')
  const { total, left } = await countCodes(tx, prize_id)
  return {
    prize_id,
    total,
    given: total - left,
    left,
    low_at: pool.codes_low_at,
    is_low: left <= pool.codes_low_at,
  }
}

/**
 * Gives each of these plays, which won a prize that takes codes, a code of it. The caller holds the definitions' locks.
 * Refuses codes_exhausted when a pool is empty. Says so when a pool becomes low, and when its last code went.
 */
export async function takeCodes(
  tx: Tx,
  plays: readonly { play_id: number; prize_id: number }[],
): Promise<void> {
  if (plays.length === 0) return
  for (const { prize_id, given, left: left_count, codes_low_at } of await giveCodes(tx, plays)) {
    const wanted = plays.filter((each) => each.prize_id === prize_id).length
    if (given < wanted) refuse('codes_exhausted', { facts: { prize_id } })
    // What a statement reads is as it was before it wrote.
    const after_count = left_count - given
    const is_crossed = left_count > codes_low_at && after_count <= codes_low_at
    if (after_count > 0 && !is_crossed) continue
    const alert_type = after_count === 0 ? 'codes_empty' : 'codes_low'
    const id = newId()
    await insertAlert(tx, { id, prize_id, alert_type, left_count: after_count })
    tx.audit({
      action: `partner_codes.${alert_type}`,
      entity_type: 'stock_alert',
      entity_id: id,
      new_values: { prize_id, left_count: after_count },
    })
  }
}

/**
 * The code that came with a prize of the actor, once it is opened. Refuses not_found (also where there is none), and the
 * state of the prize: prize_locked, prize_expired, prize_in_escrow.
 */
export async function readPartnerCode(tx: Tx, { play_id }: { play_id: number }) {
  const row = (await takePlay(tx, play_id, tx.actor.userId)) ?? refuse('not_found')
  const { time_zone } = await loadTerms(tx)
  refuseFor(
    whyNotOpen(prizeOf(row), null, tx.now, time_zone).filter(
      ({ code }) => code !== 'prize_applied' && code !== 'prize_held',
    ),
  )
  const found =
    (await showCode(tx, row.id)) ?? refuse('not_found', { detail: 'No code came with this prize.' })
  if (found.is_first)
    tx.audit({
      action: 'partner_code.shown',
      entity_type: 'game_play',
      entity_id: row.uuid,
      new_values: { play_id: row.id, prize_id: found.prize_id },
    })
  const code = tx.keys.open(found.sealed_code, codeBound(found.prize_id, found.code_hash)).toString('utf8')
  return { play_id: row.id, prize_name: String(row.prize_snapshot!['name']), code }
}
