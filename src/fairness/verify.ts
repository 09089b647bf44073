// The verifier: one document in, one answer out, with the step and the code of the first failure. Never throws.
//
// The order of the steps is part of the format (fair-1.md, section 15): two verifiers must name the same fault.
import {
  beaconSignatureValid,
  committedRound,
  QUICKNET,
  randomnessMatches,
  timeMs,
  timeOfRound,
} from './beacon.ts'
import { fromHex, isHex, toHex, utf8 } from './bytes.ts'
import { DEPTH_MAX, jcs } from './canonical.ts'
import {
  type CommitDoc,
  checkCommitJws,
  commitHash,
  configHash,
  type KeyRing,
  type TrustLabel,
  trustLabel,
} from './commit.ts'
import { type Hash, macOf, NOBLE_HASH } from './hash.ts'
import {
  leafHashOf,
  merkleRoot,
  openCheckpoint,
  proofFromHex,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts'
import { context, totalWeight, weighted, words } from './rolls.ts'
import {
  contextOf,
  type Derived,
  derive,
  isInteractive,
  type Leaf,
  type PairReveal,
  type Transcript,
} from './transcript.ts'

export type FailureCode =
  | 'FORMAT_INVALID'
  | 'COMMIT_MISMATCH'
  | 'SIGNATURE_INVALID'
  | 'CONFIG_MISMATCH'
  | 'BEACON_MISMATCH'
  | 'ROUND_MISMATCH'
  | 'SEED_MISMATCH'
  | 'NOT_YET_REVEALED'
  | 'PROOF_INVALID'
  | 'CTX_MISMATCH'
  | 'OUTCOME_MISMATCH'
  | 'LOG_INCONSISTENT'
  | 'NONCE_GAP'
  | 'TRUST_MISMATCH'

export type StepId =
  | 'format'
  | 'commit'
  | 'signature'
  | 'config'
  | 'beacon'
  | 'seed'
  | 'entries'
  | 'context'
  | 'outcome'
  | 'log'
  | 'trust'
  | 'nonces'
  | 'known'

/** One step of the answer. `skipped`: nothing was there to check it with. `pending`: the seed is not out yet. */
export type Step = { id: StepId; status: 'ok' | 'skipped' | 'failed' | 'pending'; code?: FailureCode }

/** The answer. `pending`: nothing failed, but something waits for the seed; then the code is NOT_YET_REVEALED. */
export type Verdict = {
  ok: boolean
  status: 'verified' | 'pending' | 'failed'
  code: FailureCode | null
  trust: TrustLabel | null
  steps: Step[]
}

/**
 * What the verifier brings along. keys: Ed25519 public keys in hex by kid; logs: verifier keys; stored: a checkpoint
 * kept from earlier (or later) with a consistency proof between the two; bls: check the beacon's signature (default).
 */
export type VerifyOptions = {
  keys?: KeyRing
  logs?: readonly string[]
  stored?: { checkpoint: string; proof: string[] }
  bls?: boolean
  hash?: Hash
}

/** Spins that the player remembers; each must be in the reveal and equal. */
export type PairOptions = VerifyOptions & {
  known?: readonly { nonce: number; entropy: string; result: number }[]
}

/** Text of a foreign document, at most. */
export const TEXT_BYTES_MAX = 32 * 1024 * 1024

class Failure extends Error {
  readonly code: FailureCode
  constructor(code: FailureCode) {
    super(code)
    this.code = code
  }
}

function demand(holds: unknown, code: FailureCode): asserts holds {
  if (!holds) throw new Failure(code)
}

type StepResult = 'ok' | 'skipped' | 'pending'
type NamedStep = [id: StepId, check: () => StepResult]

function run(steps: NamedStep[], trust: () => TrustLabel): Verdict {
  const done: Step[] = []
  for (const [id, check] of steps) {
    try {
      const status = check()
      done.push(status === 'pending' ? { id, status, code: 'NOT_YET_REVEALED' } : { id, status })
    } catch (error) {
      // An exception that is no named failure comes from a malformed document: nothing else can throw here.
      const code = error instanceof Failure ? error.code : 'FORMAT_INVALID'
      done.push({ id, status: 'failed', code })
      return { ok: false, status: 'failed', code, trust: null, steps: done }
    }
  }
  if (done.some((step) => step.status === 'pending')) {
    return { ok: false, status: 'pending', code: 'NOT_YET_REVEALED', trust: trust(), steps: done }
  }
  return { ok: true, status: 'verified', code: null, trust: trust(), steps: done }
}

function unreadable(): Verdict {
  const code = 'FORMAT_INVALID'
  return { ok: false, status: 'failed', code, trust: null, steps: [{ id: 'format', status: 'failed', code }] }
}

/**
 * Verifies a document as text: a transcript or a pair reveal. The text must be its own canonical form, which catches
 * duplicate keys, `1.0` and white space; at most 32 MiB and 32 levels.
 */
export function verifyText(text: string, options: PairOptions = {}): Verdict {
  if (text.length > TEXT_BYTES_MAX || utf8(text).length > TEXT_BYTES_MAX) return unreadable()
  let document: unknown
  try {
    document = JSON.parse(text)
    if (jcs(document, DEPTH_MAX) !== text) return unreadable()
  } catch {
    return unreadable()
  }
  return isPairReveal(document) ? verifyPairReveal(document, options) : verifyTranscript(document, options)
}

/** True for a document that calls itself a pair reveal. */
export function isPairReveal(document: unknown): boolean {
  return isObject(document) && document['type'] === 'pair-reveal'
}

// --- Transcript -------------------------------------------------------------------------------------------------

/**
 * Verifies a transcript: steps format, commit, signature, config, beacon, seed, entries, context, outcome, log, trust.
 * Takes any value and never throws. Source: fair-1.md, section 15.
 */
export function verifyTranscript(document: unknown, options: VerifyOptions = {}): Verdict {
  const t = document as Transcript
  const hash = options.hash ?? NOBLE_HASH
  return run(
    [
      ['format', () => checkFormat(document)],
      ['commit', () => checkCommit(t.commit, hash)],
      ['signature', () => checkSignature(t.commit, options.keys)],
      ['config', () => checkConfig(t.commit.doc, t.config, hash)],
      ['beacon', () => checkBeacon(t, options.bls ?? true, hash)],
      ['seed', () => checkSeed(t, hash)],
      ['entries', () => checkEntries(t, hash)],
      ['context', () => checkContext(t)],
      ['outcome', () => checkOutcome(t, hash)],
      ['log', () => checkLog(t, options, hash)],
      ['trust', () => checkTrust(t)],
    ],
    () => labelOf(t),
  )
}

const KIND_OF_CONFIG: Record<string, readonly string[]> = {
  wheel: ['wheel'],
  mystery: ['mystery'],
  round: ['round'],
  draw: ['raffle'],
  jackpot: ['jackpot'],
  guess: ['guess'],
  tie: ['tie', 'bracket'],
}
const CLIENT_SEED = /^(-|[A-Za-z0-9_-]{8,64})$/
const CLIENT_ENTROPY = /^(-|[A-Za-z0-9_-]{16,64})$/

function checkFormat(document: unknown): StepResult {
  demand(isObject(document), 'FORMAT_INVALID')
  jcs(document, DEPTH_MAX)
  const t = document as Transcript
  demand(t.v === 'fair/1' && isObject(t.config), 'FORMAT_INVALID')
  demand(t.outcome !== undefined && t.ctx !== undefined, 'FORMAT_INVALID')
  checkCommitFormat(t.commit)
  checkModeFormat(t)
  checkMembersFormat(t)
  demand(t.serverSeed === undefined || isHex(t.serverSeed, 32), 'FORMAT_INVALID')
  return 'ok'
}

function checkCommitFormat(commit: unknown): void {
  demand(isObject(commit) && isHex(commit['hash'], 32) && isObject(commit['doc']), 'FORMAT_INVALID')
  const doc = commit['doc'] as Record<string, unknown>
  demand(doc['v'] === 1 && isHex(doc['configHash'], 32), 'FORMAT_INVALID')
  demand(typeof doc['kind'] === 'string' && Object.hasOwn(KIND_OF_CONFIG, doc['kind']), 'FORMAT_INVALID')
}

function checkModeFormat(t: Transcript): void {
  const { doc } = t.commit
  const per_player = isPair(doc)
  const allowed = per_player ? ['pair'] : isInteractive(doc.kind, t.config) ? ['commit'] : SHARED_MODES
  demand(allowed.includes(doc.mode), 'FORMAT_INVALID')
  demand(doc.mode === 'beacon' || isHex(doc.seedHash, 32), 'FORMAT_INVALID')
  if (!usesBeacon(doc)) return
  demand(isObject(doc.beacon) && isObject(t.beacon), 'FORMAT_INVALID')
  demand(Number.isSafeInteger(t.beacon.round), 'FORMAT_INVALID')
  demand(isHex(t.beacon.signature, 48) && isHex(t.beacon.randomness, 32), 'FORMAT_INVALID')
}

const SHARED_MODES = ['commit', 'hybrid', 'beacon']

function checkMembersFormat(t: Transcript): void {
  const { doc } = t.commit
  if (isPair(doc)) {
    demand(isObject(t.client), 'FORMAT_INVALID')
    demand(matches(CLIENT_SEED, t.client.seed) && matches(CLIENT_ENTROPY, t.client.entropy), 'FORMAT_INVALID')
    demand(isCount(t.client.nonce), 'FORMAT_INVALID')
    return
  }
  if (isInteractive(doc.kind, t.config)) return
  const entries = t.entries
  demand(isObject(entries) && isHex(entries.root, 32) && isCount(entries.n), 'FORMAT_INVALID')
  if (doc.kind === 'round') demand(isCount(t.roundNo), 'FORMAT_INVALID')
  if (doc.kind === 'tie') demand(isCount(t.groupNo) && entries.list, 'FORMAT_INVALID')
  if (doc.kind === 'jackpot') demand(isCount(entries.total), 'FORMAT_INVALID')
  const needs_list = t.config.weighted === true || t.config.onePrizePerEntrant === true
  if (doc.kind === 'draw' && needs_list) demand(entries.list, 'FORMAT_INVALID')
}

function checkCommit(commit: Transcript['commit'], hash: Hash): StepResult {
  demand(commitHash(commit.doc, hash) === commit.hash, 'COMMIT_MISMATCH')
  return 'ok'
}

function checkSignature(commit: Transcript['commit'], keys: KeyRing | undefined): StepResult {
  if (!keys || Object.keys(keys).length === 0) return 'skipped'
  demand(checkCommitJws(commit.jws, commit.doc, keys), 'SIGNATURE_INVALID')
  return 'ok'
}

function checkConfig(doc: CommitDoc, config: Transcript['config'], hash: Hash): StepResult {
  demand(configHash(config, hash) === doc.configHash, 'CONFIG_MISMATCH')
  demand(KIND_OF_CONFIG[doc.kind]!.includes(config.kind), 'CONFIG_MISMATCH')
  return 'ok'
}

// --- Beacon -----------------------------------------------------------------------------------------------------

function checkBeacon(t: Transcript, with_bls: boolean, hash: Hash): StepResult {
  const { doc } = t.commit
  if (!usesBeacon(doc)) return 'skipped'
  const beacon = t.beacon!
  demand(doc.beacon!.chain === QUICKNET.chain && beacon.chain === QUICKNET.chain, 'BEACON_MISMATCH')
  demand(beacon.round === expectedRound(t), 'ROUND_MISMATCH')
  demand(randomnessMatches(beacon, hash), 'BEACON_MISMATCH')
  if (with_bls) demand(beaconSignatureValid(beacon.round, beacon.signature, hash), 'BEACON_MISMATCH')
  return 'ok'
}

function expectedRound(t: Transcript): number {
  const { doc } = t.commit
  const committed = doc.beacon!.round
  demand(Number.isSafeInteger(committed) && committed >= 1, 'ROUND_MISMATCH')
  if (doc.series) {
    // A round of a series is never postponed: if its root is late it is void.
    demand(!t.postpones || t.postpones.length === 0, 'ROUND_MISMATCH')
    return committed + placeInSeries(doc, t.roundNo, 'ROUND_MISMATCH') * (doc.series.beaconStep ?? 1)
  }
  if (doc.closesAt !== undefined) checkClosing(doc, doc.closesAt, committed)
  return movedRound(t, committed)
}

function placeInSeries(doc: CommitDoc, round_no: number | undefined, code: FailureCode): number {
  const { firstRoundNo, rounds } = doc.series!
  demand(isCount(round_no) && isCount(firstRoundNo) && isCount(rounds), code)
  demand(firstRoundNo <= round_no && round_no < firstRoundNo + rounds, code)
  return round_no - firstRoundNo
}

// Recorded rounds were out before the draw, so their times say nothing.
function checkClosing(doc: CommitDoc, closes_at: string, round: number): void {
  const { marginMs: margin_ms, source } = doc.beacon!
  if (source === 'recorded') return
  if (margin_ms === undefined) demand(timeOfRound(round) >= timeMs(closes_at), 'ROUND_MISMATCH')
  else demand(round === committedRound(closes_at, margin_ms), 'ROUND_MISMATCH')
}

function movedRound(t: Transcript, committed: number): number {
  const { doc } = t.commit
  if (t.postpones === undefined) return committed
  demand(Array.isArray(t.postpones), 'FORMAT_INVALID')
  let round = committed
  let closes_at = doc.closesAt
  let postpone_count = 0
  for (const move of t.postpones) {
    demand(isObject(move) && move.from === round && isCount(move.to), 'ROUND_MISMATCH')
    if (move.closesAt === undefined) {
      postpone_count++
      demand(postpone_count <= (doc.fallback?.maxPostpones ?? 0), 'ROUND_MISMATCH')
      const step = doc.fallback?.postponeBy
      demand(isCount(step) && step >= 1 && move.to === round + step, 'ROUND_MISMATCH')
    } else {
      demand(doc.fallback?.extend === true && closes_at !== undefined, 'ROUND_MISMATCH')
      demand(timeMs(move.closesAt) > timeMs(closes_at) && move.to >= round, 'ROUND_MISMATCH')
      checkClosing(doc, move.closesAt, move.to)
      closes_at = move.closesAt
    }
    round = move.to
  }
  return round
}

// --- Seed -------------------------------------------------------------------------------------------------------

// Longest chain a verifier walks: about ten seconds of hashing. A longer one is refused rather than left to hang.
const CHAIN_LENGTH_MAX = 10_000_000

function checkSeed(t: Transcript, hash: Hash): StepResult {
  const { doc } = t.commit
  if (doc.mode === 'beacon') return 'skipped'
  if (doc.kind === 'round' && doc.series) placeInSeries(doc, t.roundNo, 'SEED_MISMATCH')
  if (t.serverSeed === undefined) return 'pending'
  const hash_count = doc.seedChain === true ? placeInSeries(doc, t.roundNo, 'SEED_MISMATCH') + 1 : 1
  demand(hash_count <= CHAIN_LENGTH_MAX, 'FORMAT_INVALID')
  let value = fromHex(t.serverSeed)
  for (let i = 0; i < hash_count; i++) value = hash.sha256(value)
  demand(toHex(value) === doc.seedHash, 'SEED_MISMATCH')
  return 'ok'
}

// --- Entries ----------------------------------------------------------------------------------------------------

function checkEntries(t: Transcript, hash: Hash): StepResult {
  const { entries, config } = t
  if (isPair(t.commit.doc) || !entries) return 'skipped'
  const by_stake = t.commit.doc.kind === 'jackpot' && !config.events
  const by_picks = t.commit.doc.kind === 'jackpot' && !by_stake
  if (by_picks) demand(entries.total === entries.n, 'PROOF_INVALID')
  for (const part of [entries.list, entries.proofs])
    demand(part === undefined || Array.isArray(part), 'PROOF_INVALID')
  if (entries.list) checkList(entries.list, entries, hash)
  if (entries.list && by_stake) checkStakes(entries.list, entries.total!)
  for (const proven of entries.proofs ?? []) {
    demand(isObject(proven), 'PROOF_INVALID')
    const { leaf, proof } = proven
    demand(provenLeaf(leaf, proof, entries, hash), 'PROOF_INVALID')
    if (by_stake) demand(isStake(leaf) && leaf.s! <= entries.total! - leaf.w!, 'PROOF_INVALID')
  }
  return entries.list || entries.proofs ? 'ok' : 'skipped'
}

type Sized = { root: string; n: number }

function checkList(list: Leaf[], { root, n }: Sized, hash: Hash): void {
  demand(list.length === n, 'PROOF_INVALID')
  demand(
    list.every((leaf, i) => isObject(leaf) && leaf.i === i),
    'PROOF_INVALID',
  )
  const hashes = list.map((leaf) => leafHashOf(leaf, hash))
  demand(toHex(merkleRoot(hashes, hash)) === root, 'PROOF_INVALID')
}

function checkStakes(list: Leaf[], total: number): void {
  let sum = 0
  for (const leaf of list) {
    demand(isStake(leaf) && leaf.s === sum, 'PROOF_INVALID')
    sum += leaf.w!
  }
  demand(sum === total, 'PROOF_INVALID')
}

function isStake(leaf: Leaf): boolean {
  return isCount(leaf.s) && isCount(leaf.w) && leaf.w >= 1
}

function provenLeaf(leaf: unknown, proof: unknown, { root, n }: Sized, hash: Hash): boolean {
  if (!isObject(leaf)) return false
  const nodes = nodesOf(proof)
  if (!nodes) return false
  const index = leaf['i'] as number
  return verifyInclusion(
    { index, size: n, leafHash: leafHashOf(leaf, hash), proof: nodes, root: fromHex(root) },
    hash,
  )
}

function nodesOf(proof: unknown): Uint8Array[] | null {
  try {
    return proofFromHex(proof)
  } catch {
    return null
  }
}

/**
 * True if an entrant's own leaf is in a sealed list, from the receipt's leaf, its proof (hex) and the published root
 * and count. Reveals nothing of other entries; never throws. Source: fair-1.md, section 10.
 */
export function verifyEntry(
  given: { leaf: unknown; proof: unknown; root: string; n: number },
  hash: Hash = NOBLE_HASH,
): boolean {
  try {
    return isHex(given.root, 32) && provenLeaf(given.leaf, given.proof, given, hash)
  } catch {
    return false
  }
}

// --- Context and outcome ----------------------------------------------------------------------------------------

function checkContext(t: Transcript): StepResult {
  demand(contextOf(t) === t.ctx, 'CTX_MISMATCH')
  return 'ok'
}

// A trace may be cut here; before that it must be whole.
const DRAWS_LENGTH_CUT = 1000

function checkOutcome(t: Transcript, hash: Hash): StepResult {
  const { doc } = t.commit
  if (doc.mode !== 'beacon' && t.serverSeed === undefined) return 'skipped'
  const key = fromHex(doc.mode === 'beacon' ? t.beacon!.randomness : t.serverSeed!)
  const derived = derive({ ...t, kind: doc.kind, key }, hash)
  if (derived.complete) demand(jcs(derived.outcome) === jcs(t.outcome), 'OUTCOME_MISMATCH')
  else checkPartly(t, derived)
  if (t.draws !== undefined) checkDraws(t.draws, derived)
  return 'ok'
}

// Without the list of leaves the winners cannot be derived; everything else can, and must be equal.
function checkPartly(t: Transcript, derived: Derived): void {
  demand(isObject(t.outcome), 'OUTCOME_MISMATCH')
  const { winners, ...rest } = t.outcome
  demand(jcs(rest) === jcs(derived.outcome) && Array.isArray(winners), 'OUTCOME_MISMATCH')
  const r = derived.outcome['r'] as number | undefined
  if (r === undefined) return
  // Jackpot: the first winner holds r. A proven leaf can contradict that even when the holder's is not here.
  for (const { leaf } of t.entries!.proofs ?? []) {
    const holds_r = leaf.s! <= r && r < leaf.s! + leaf.w!
    demand(holds_r === (winners[0] === leaf.i), 'OUTCOME_MISMATCH')
  }
}

function checkDraws(claimed: unknown, derived: Derived): void {
  demand(Array.isArray(claimed), 'OUTCOME_MISMATCH')
  const { draws } = derived
  const common = claimed.length < draws.length ? claimed.length : draws.length
  demand(jcs(claimed.slice(0, common)) === jcs(draws.slice(0, common)), 'OUTCOME_MISMATCH')
  demand(claimed.length >= draws.length || claimed.length === DRAWS_LENGTH_CUT, 'OUTCOME_MISMATCH')
  if (derived.complete) demand(claimed.length <= draws.length, 'OUTCOME_MISMATCH')
}

// --- Log and trust ----------------------------------------------------------------------------------------------

function checkLog(t: Transcript, options: VerifyOptions, hash: Hash): StepResult {
  const { logs, stored } = options
  if (!logs || logs.length === 0 || t.log === undefined) return 'skipped'
  try {
    const { log } = t
    const checkpoint = openCheckpoint(log.checkpoint, logs, hash)
    demand(log.event.seq === log.index && eventNames(t, log.event), 'LOG_INCONSISTENT')
    const included = verifyInclusion(
      {
        index: log.index,
        size: checkpoint.size,
        leafHash: leafHashOf(log.event, hash),
        proof: proofFromHex(log.proof),
        root: checkpoint.root,
      },
      hash,
    )
    demand(included, 'LOG_INCONSISTENT')
    if (stored) {
      const kept = openCheckpoint(stored.checkpoint, logs, hash)
      demand(kept.origin === checkpoint.origin, 'LOG_INCONSISTENT')
      const [older, newer] = kept.size <= checkpoint.size ? [kept, checkpoint] : [checkpoint, kept]
      const proof = proofFromHex(stored.proof)
      const sizes = { first: older.size, second: newer.size, root1: older.root, root2: newer.root }
      demand(verifyConsistency({ ...sizes, proof }, hash), 'LOG_INCONSISTENT')
    }
  } catch {
    // A log part that cannot be read is as good as none, and the transcript claims to have one.
    throw new Failure('LOG_INCONSISTENT')
  }
  return 'ok'
}

function eventNames(t: Transcript, event: Record<string, unknown>): boolean {
  if (event['commitHash'] !== t.commit.hash) return false
  if (!isPair(t.commit.doc)) {
    return event['type'] === 'result' && event['ctx'] === t.ctx && jcs(event['outcome']) === jcs(t.outcome)
  }
  const { client } = t
  return (
    event['type'] === 'spin' &&
    event['nonce'] === client!.nonce &&
    event['entropy'] === client!.entropy &&
    event['result'] === t.outcome['index']
  )
}

function labelOf(t: Transcript): TrustLabel {
  return trustLabel(t.commit.doc, t.config, t.client)
}

function checkTrust(t: Transcript): StepResult {
  demand(t.trust === labelOf(t), 'TRUST_MISMATCH')
  return 'ok'
}

// --- Pair reveal ------------------------------------------------------------------------------------------------

/**
 * Verifies the reveal of a seed pair: steps format, commit, signature, config, seed, nonces, known, outcome. Every
 * nonce 0 … N-1 stands in it exactly once, every result re-derives, and every spin the player knows of is there.
 * Takes any value and never throws.
 */
export function verifyPairReveal(document: unknown, options: PairOptions = {}): Verdict {
  const reveal = document as PairReveal
  const hash = options.hash ?? NOBLE_HASH
  return run(
    [
      ['format', () => checkRevealFormat(document)],
      ['commit', () => checkCommit(reveal.commit, hash)],
      ['signature', () => checkSignature(reveal.commit, options.keys)],
      ['config', () => checkConfig(reveal.commit.doc, reveal.config, hash)],
      ['seed', () => checkRevealSeed(reveal, hash)],
      ['nonces', () => checkNonces(reveal)],
      ['known', () => checkKnown(reveal, options.known)],
      ['outcome', () => checkSpins(reveal, hash)],
    ],
    () => revealLabel(reveal),
  )
}

function checkRevealFormat(document: unknown): StepResult {
  demand(isObject(document) && isPairReveal(document), 'FORMAT_INVALID')
  jcs(document, DEPTH_MAX)
  const reveal = document as PairReveal
  demand(reveal.v === 'fair/1' && isObject(reveal.config), 'FORMAT_INVALID')
  checkCommitFormat(reveal.commit)
  const { doc } = reveal.commit
  demand(isPair(doc) && doc.mode === 'pair' && isHex(doc.seedHash, 32), 'FORMAT_INVALID')
  demand(matches(CLIENT_SEED, reveal.clientSeed), 'FORMAT_INVALID')
  demand(reveal.serverSeed === undefined || isHex(reveal.serverSeed, 32), 'FORMAT_INVALID')
  demand(Array.isArray(reveal.spins) && reveal.spins.every(isSpin), 'FORMAT_INVALID')
  return 'ok'
}

function isSpin(spin: unknown): boolean {
  if (!isObject(spin)) return false
  return isCount(spin['nonce']) && matches(CLIENT_ENTROPY, spin['entropy']) && isCount(spin['result'])
}

function checkRevealSeed(reveal: PairReveal, hash: Hash): StepResult {
  if (reveal.serverSeed === undefined) return 'pending'
  demand(toHex(hash.sha256(fromHex(reveal.serverSeed))) === reveal.commit.doc.seedHash, 'SEED_MISMATCH')
  return 'ok'
}

function checkNonces(reveal: PairReveal): StepResult {
  const nonces = new Set(reveal.spins.map((spin) => spin.nonce))
  // As many different nonces as spins, all below their number: 0 … N-1, each once.
  demand(nonces.size === reveal.spins.length, 'NONCE_GAP')
  for (const nonce of nonces) demand(nonce < nonces.size, 'NONCE_GAP')
  return 'ok'
}

function checkKnown(reveal: PairReveal, known: PairOptions['known']): StepResult {
  if (!known || known.length === 0) return 'skipped'
  const listed = new Map(reveal.spins.map((spin) => [spin.nonce, spin]))
  for (const spin of known) demand(listed.has(spin.nonce), 'NONCE_GAP')
  for (const spin of known) {
    const there = listed.get(spin.nonce)!
    demand(there.entropy === spin.entropy && there.result === spin.result, 'OUTCOME_MISMATCH')
  }
  return 'ok'
}

function checkSpins(reveal: PairReveal, hash: Hash): StepResult {
  if (reveal.serverSeed === undefined) return 'skipped'
  const { kind } = reveal.commit.doc
  const weights = (reveal.config.segments as { weight: number }[]).map((segment) => segment.weight)
  totalWeight(weights)
  const mac = macOf(fromHex(reveal.serverSeed), hash)
  for (const { nonce, entropy, result } of reveal.spins) {
    const ctx = context(kind, [reveal.commit.hash, reveal.clientSeed, nonce, entropy])
    demand(weighted(words(mac, ctx, hash), weights) === result, 'OUTCOME_MISMATCH')
  }
  return 'ok'
}

// One label for the whole pair: the weakest that any of its spins has.
function revealLabel(reveal: PairReveal): TrustLabel {
  const every_spin_has_entropy = reveal.spins.length > 0 && reveal.spins.every((spin) => spin.entropy !== '-')
  return reveal.clientSeed !== '-' || every_spin_has_entropy ? 'commit' : 'operator'
}

// --- What was not checked ---------------------------------------------------------------------------------------

/**
 * Sentences for people on what a verified transcript still leaves open: an answer that hides this would say too much.
 * Give it the options that were used.
 */
export function leftOpen(document: unknown, options: VerifyOptions = {}): string[] {
  if (!isObject(document) || !isObject(document['commit'])) return []
  const t = document as unknown as Transcript
  const notes: string[] = []
  if (!options.keys || Object.keys(options.keys).length === 0) {
    notes.push('Who signed the commitment was not checked: no key was given.')
  }
  if (isPairReveal(document)) return notes
  if (!options.logs || options.logs.length === 0 || !t.log) {
    notes.push('The place in the public log was not checked: no log key was given, or no log part is there.')
  }
  if (options.bls === false && usesBeacon(t.commit.doc)) {
    notes.push("The beacon's signature was not checked: that check was switched off.")
  }
  if (!isPair(t.commit.doc) && t.entries && !t.entries.list) {
    notes.push('The full list of entries is not in this document, so only what does not need it was checked.')
  }
  return notes
}

// --- Shapes -----------------------------------------------------------------------------------------------------

function isPair(doc: CommitDoc): boolean {
  return doc.kind === 'wheel' || doc.kind === 'mystery'
}

function usesBeacon(doc: CommitDoc): boolean {
  return doc.mode === 'hybrid' || doc.mode === 'beacon'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function matches(pattern: RegExp, value: unknown): boolean {
  return typeof value === 'string' && pattern.test(value)
}
