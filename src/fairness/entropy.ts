// The three sources of entropy for shared draws behind one interface: drand, local, recorded. The only file of this
// module that waits; what it waits with (fetch, clock, seed store) is passed in. No source ever stands in for another.
import {
  type BeaconValue,
  beaconSignatureValid,
  committedRound,
  latestRound,
  QUICKNET,
  randomnessMatches,
  timeOfRound,
} from './beacon.ts'
import { isHex, toHex } from './bytes.ts'
import type { CommitBeacon, CommitDoc } from './commit.ts'
import { type Hash, NOBLE_HASH } from './hash.ts'
import { RECORDED_ROUNDS } from './recorded-rounds.ts'
import type { FailureCode } from './verify.ts'

/** What a commitment says about its entropy. */
export type EntropyPlan = { mode: 'commit' | 'hybrid' | 'beacon'; seedHash?: string; beacon?: CommitBeacon }

/** The value a draw is made with: `beacon` in modes hybrid and beacon, `seed` (32 bytes) in modes commit and hybrid. */
export type EntropyValue = { beacon?: BeaconValue; seed?: Uint8Array }

/** `not_yet` carries when to ask again, in milliseconds since 1970; 0 means at once when something changes. */
export type Obtained = { status: 'ready'; value: EntropyValue } | { status: 'not_yet'; retry_at: number }

/**
 * A source of entropy. The commitment fixes which one a draw uses, once and for all.
 * - `ready`: can a draw be committed now? False refuses the creation (`entropy_unavailable`).
 * - `plan`: what the commitment will say, for a closing time and a margin in milliseconds.
 * - `obtain`: the value or "not yet"; ask only after the entries root is checkpointed. `round` is the beacon round
 *   after postponements or along a series, the committed one if absent.
 * - `check`: true, or the failure code that a verifier would give.
 */
export type EntropySource = {
  readonly name: 'drand' | 'local' | 'recorded'
  ready(): Promise<boolean>
  plan(closesAt: string | number, marginMs: number): Promise<EntropyPlan>
  obtain(doc: CommitDoc, round?: number): Promise<Obtained>
  check(doc: CommitDoc, value: EntropyValue, round?: number): true | FailureCode
}

/** Server seeds at rest. `create` makes 32 bytes before any entry and answers their hash; `open` returns them. */
export type SeedStore = {
  create(): Promise<string>
  open(seed_hash: string): Promise<Uint8Array | null>
}

/** The clock and the timer of the caller: milliseconds since 1970, and a signal that aborts after some. */
export type Clock = { now(): number; timeout(duration_ms: number): AbortSignal }

type FetchText = (
  url: string,
  options: { signal: AbortSignal; redirect: 'error' },
) => Promise<{ ok: boolean; text(): Promise<string> }>

/** Per relay: answers asked for, answers that did not verify, and requests that gave none. */
export type RelayCounts = { asked: number; dropped: number; failed: number }

export type DrandOptions = {
  relays: readonly string[]
  fetch: FetchText
  clock: Clock
  /** With a seed store the mode is hybrid, without one beacon. */
  seeds?: SeedStore
  hash?: Hash
  /** Told of every answer that did not verify: a relay that lies or a line that is tampered with. */
  onDropped?(relay: string, round: number): void
}

/** The drand source also tells how its relays behave. */
export type DrandSource = EntropySource & { readonly name: 'drand'; counts(): Record<string, RelayCounts> }

// Decision of fair-1.md, section 7.2: long enough for a slow relay, short enough for a live room to try two.
const RELAY_TIMEOUT_MS = 3_000
const ANSWER_LENGTH_MAX = 4096

/**
 * The public beacon. Asks its relays in turn, 3 s each; the first answer that verifies under the pinned key is used.
 * An answer that does not verify is dropped and counted. A round that is not out yet is `not_yet`.
 * Refuses (RangeError) an empty list of relays. Source: fair-1.md, section 7.2.
 */
export function drandSource(options: DrandOptions): DrandSource {
  const { relays, clock, seeds } = options
  const hash = options.hash ?? NOBLE_HASH
  if (relays.length === 0) throw new RangeError('drand needs at least one relay')
  const counts: Record<string, RelayCounts> = {}
  for (const relay of relays) counts[relay] = { asked: 0, dropped: 0, failed: 0 }

  async function ask(relay: string, round: number): Promise<BeaconValue | null> {
    const count = counts[relay]!
    count.asked++
    const text = await textFrom(options.fetch, clock, `${trimmed(relay)}/${QUICKNET.chain}/public/${round}`)
    if (text === null) {
      count.failed++
      return null
    }
    const value = beaconFrom(text, round)
    if (value && randomnessMatches(value, hash) && beaconSignatureValid(round, value.signature, hash))
      return value
    count.dropped++
    options.onDropped?.(relay, round)
    return null
  }

  async function firstValid(round: number): Promise<BeaconValue | null> {
    for (const relay of relays) {
      const value = await ask(relay, round)
      if (value) return value
    }
    return null
  }

  return {
    name: 'drand',
    counts: () => structuredClone(counts),
    async ready() {
      // The newest round may still be on its way to a relay; the one before must be there.
      const newest = latestRound(clock.now())
      return (await firstValid(newest > 1 ? newest - 1 : newest)) !== null
    },
    async plan(closes_at, margin_ms) {
      const round = committedRound(closes_at, margin_ms)
      const beacon: CommitBeacon = { chain: QUICKNET.chain, round, marginMs: margin_ms }
      return seeds ? { mode: 'hybrid', seedHash: await seeds.create(), beacon } : { mode: 'beacon', beacon }
    },
    async obtain(doc, round = doc.beacon!.round) {
      const out_at = timeOfRound(round)
      if (clock.now() < out_at) return { status: 'not_yet', retry_at: out_at }
      const beacon = await firstValid(round)
      if (!beacon) return { status: 'not_yet', retry_at: clock.now() + QUICKNET.period_ms }
      return withSeed(doc, { beacon }, seeds)
    },
    check: (doc, value, round) => checkValue(doc, value, round, hash),
  }
}

async function textFrom(fetch: FetchText, clock: Clock, url: string): Promise<string | null> {
  try {
    const answer = await fetch(url, { signal: clock.timeout(RELAY_TIMEOUT_MS), redirect: 'error' })
    if (!answer.ok) return null
    const text = await answer.text()
    return text.length <= ANSWER_LENGTH_MAX ? text : null
  } catch {
    return null
  }
}

function beaconFrom(text: string, round: number): BeaconValue | null {
  try {
    const { signature, ...answer } = JSON.parse(text)
    if (answer.round !== round || !isHex(signature, 48) || !isHex(answer.randomness, 32)) return null
    return { chain: QUICKNET.chain, round, signature, randomness: answer.randomness }
  } catch {
    return null
  }
}

function trimmed(relay: string): string {
  return relay.replace(/\/+$/, '')
}

/**
 * The server's own committed seed: no network at all. The label of its draws is `operator`, because the operator can
 * compute outcomes for imagined last entries. Source: fair-1.md, section 7.4.
 */
export function localSource(options: { seeds: SeedStore; hash?: Hash }): EntropySource {
  const hash = options.hash ?? NOBLE_HASH
  return {
    name: 'local',
    ready: async () => true,
    plan: async () => ({ mode: 'commit', seedHash: await options.seeds.create() }),
    obtain: (doc) => withSeed(doc, {}, options.seeds),
    check: (doc, value, round) => checkValue(doc, value, round, hash),
  }
}

/**
 * Recorded rounds of the real beacon, for tests and demonstrations without a network; label `operator`.
 * Takes the rounds in turn, from `first` on. The caller refuses it in production.
 */
export function recordedSource(
  options: { rounds?: readonly BeaconValue[]; first?: number; seeds?: SeedStore; hash?: Hash } = {},
): EntropySource {
  const rounds = options.rounds ?? RECORDED_ROUNDS
  const hash = options.hash ?? NOBLE_HASH
  if (rounds.length === 0) throw new RangeError('no recorded rounds')
  let turn = options.first ?? 0
  return {
    name: 'recorded',
    ready: async () => true,
    async plan() {
      const { chain, round } = rounds[turn++ % rounds.length]!
      const beacon: CommitBeacon = { chain, round, source: 'recorded' }
      if (!options.seeds) return { mode: 'beacon', beacon }
      return { mode: 'hybrid', seedHash: await options.seeds.create(), beacon }
    },
    async obtain(doc, round = doc.beacon!.round) {
      const beacon = rounds.find((value) => value.round === round)
      if (!beacon) throw new RangeError(`round ${round} is not among the recorded ones`)
      return withSeed(doc, { beacon }, options.seeds)
    },
    check: (doc, value, round) => checkValue(doc, value, round, hash),
  }
}

async function withSeed(
  doc: CommitDoc,
  value: EntropyValue,
  seeds: SeedStore | undefined,
): Promise<Obtained> {
  if (doc.mode === 'beacon') return { status: 'ready', value }
  const seed = await seeds?.open(doc.seedHash!)
  return seed ? { status: 'ready', value: { ...value, seed } } : { status: 'not_yet', retry_at: 0 }
}

function checkValue(
  doc: CommitDoc,
  { beacon, seed }: EntropyValue,
  round: number | undefined,
  hash: Hash,
): true | FailureCode {
  if (doc.mode !== 'commit') {
    if (!beacon || beacon.chain !== QUICKNET.chain || doc.beacon?.chain !== QUICKNET.chain)
      return 'BEACON_MISMATCH'
    if (beacon.round !== (round ?? doc.beacon.round)) return 'ROUND_MISMATCH'
    if (!randomnessMatches(beacon, hash)) return 'BEACON_MISMATCH'
    if (!beaconSignatureValid(beacon.round, beacon.signature, hash)) return 'BEACON_MISMATCH'
  }
  if (doc.mode !== 'beacon') {
    if (!seed) return 'NOT_YET_REVEALED'
    if (seed.length !== 32 || toHex(hash.sha256(seed)) !== doc.seedHash) return 'SEED_MISMATCH'
  }
  return true
}
