/** Requests that are done at most once per key: the key and its effect commit together. */
import { Refusal } from '../errors.ts'
import type { Verdict } from './batch.ts'
import type { Tx } from './tx.ts'

/** A request's claim to be done once: kept per tenant, principal and endpoint. */
export type OnceKey = { endpoint: string; key: string; status: number }

export type Claim = OnceKey & {
  principal: string
  /** Of the request (`inputHash`): the key belongs to it alone. */
  request_hash: string
}

/** `body` is the JSON text that was answered first. */
export type Once = { status: number; body: string; replayed: boolean }

type Stored = { position: number; request_hash: string; status: number; answer: string }

/**
 * Runs those of `claims` that nobody has run, all together, and keeps what they answer. `run` gets their places in the
 * list, in order, and gives each its verdict; a refusal stores nothing, because it had no effect.
 *
 * Refuses single claims with idempotency_in_progress while another transaction runs the same, and idempotency_key_reused
 * for another request under the same key.
 */
export async function onceAll(
  tx: Tx,
  claims: readonly Claim[],
  run: (places: readonly number[]) => Promise<readonly Verdict<unknown>[]>,
): Promise<Verdict<Once>[]> {
  const locked = await lockClaims(tx, claims)
  // A statement of its own: what the one who had the lock before wrote is to be seen.
  const stored = new Map((await loadStored(tx, claims)).map((row) => [row.position - 1, row]))
  const first = new Map<string, number>()
  const verdicts = claims.map((claim, i): Verdict<Once> | { twin: number } | undefined => {
    const known = stored.get(i)
    if (!locked.has(i)) return refused('idempotency_in_progress')
    if (known !== undefined) {
      if (known.request_hash !== claim.request_hash) return refused('idempotency_key_reused')
      return { answer: { status: known.status, body: known.answer, replayed: true } }
    }
    const name = `${claim.principal}\n${claim.endpoint}\n${claim.key}`
    const twin = first.get(name)
    if (twin === undefined) {
      first.set(name, i)
      return undefined
    }
    return claims[twin]!.request_hash === claim.request_hash ? { twin } : refused('idempotency_key_reused')
  })
  const places = verdicts.flatMap((verdict, i) => (verdict === undefined ? [i] : []))
  const made = places.length === 0 ? [] : await run(places)
  const kept: (Claim & { answer: string })[] = []
  for (const [n, place] of places.entries()) {
    const verdict = made[n]!
    const claim = claims[place]!
    if ('refusal' in verdict) {
      verdicts[place] = verdict
      continue
    }
    const answer = JSON.stringify(verdict.answer ?? null)
    kept.push({ ...claim, answer })
    verdicts[place] = { answer: { status: claim.status, body: answer, replayed: false } }
  }
  if (kept.length > 0) tx.awaitBeforeCommit(insertKeys(tx, kept))
  return verdicts.map((verdict) => {
    if (!('twin' in verdict!)) return verdict!
    const of = verdicts[verdict.twin] as Verdict<Once>
    return 'answer' in of ? { answer: { ...of.answer, replayed: true } } : of
  })
}

function refused(code: 'idempotency_in_progress' | 'idempotency_key_reused'): { refusal: Refusal } {
  return { refusal: new Refusal(code, code === 'idempotency_in_progress' ? { retry_after_s: 1 } : {}) }
}

const columnsOfClaims = (claims: readonly Claim[]) => [
  claims.map(({ principal }) => principal),
  claims.map(({ endpoint }) => endpoint),
  claims.map(({ key }) => key),
]

/** The places of those whose key nobody else is using now. */
async function lockClaims(tx: Tx, claims: readonly Claim[]): Promise<Set<number>> {
  const rows = await tx.rows<{ position: number; locked: boolean }>(
    `select position::int, pg_try_advisory_xact_lock(
       hashtextextended(concat_ws(E'\\n', app_tenant_id(), principal, endpoint, key), 0)) as locked
     from unnest($1::text[], $2::text[], $3::text[]) with ordinality as r(principal, endpoint, key, position)`,
    columnsOfClaims(claims),
    'lock_claims',
  )
  return new Set(rows.filter(({ locked }) => locked).map(({ position }) => position - 1))
}

function loadStored(tx: Tx, claims: readonly Claim[]) {
  return tx.rows<Stored>(
    `select r.position::int, k.request_hash, k.status, k.answer
     from unnest($1::text[], $2::text[], $3::text[]) with ordinality as r(principal, endpoint, key, position)
     cross join lateral (
       select * from idempotency_keys i
       where i.principal = r.principal and i.endpoint = r.endpoint and i.key = r.key limit 1
     ) k`,
    columnsOfClaims(claims),
    'load_claims',
  )
}

function insertKeys(tx: Tx, kept: readonly (Claim & { answer: string })[]) {
  return tx.rows(
    `insert into idempotency_keys (principal, endpoint, key, state, request_hash, status, answer, created_at)
     select principal, endpoint, key, 'done', request_hash, status, answer, $7
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[])
       as r(principal, endpoint, key, request_hash, status, answer)`,
    [
      ...columnsOfClaims(kept),
      kept.map(({ request_hash }) => request_hash),
      kept.map(({ status }) => status),
      kept.map(({ answer }) => answer),
      tx.now,
    ],
    'insert_keys',
  )
}
