// From a transcript's members to its context string and its outcome: the rules of every kind of chance event.
import { jcs } from './canonical.ts'
import type { BeaconValue, CommitDoc, Kind, TrustLabel } from './commit.ts'
import { type Hash, type Key, NOBLE_HASH } from './hash.ts'
import {
  context,
  type Draw,
  sample,
  sampling,
  shuffle,
  take,
  totalWeight,
  uniform,
  type WordSource,
  weighted,
  weightedSampling,
  words,
} from './rolls.ts'

/** One leaf of an entries tree. `e` entrant hash, `i` index from 0; the rest as fair-1.md, section 10, lists it. */
export type Leaf = {
  e: string
  i: number
  c?: string
  g?: number | number[]
  p?: unknown
  s?: number
  w?: number
  t?: number
  score?: number
  [key: string]: unknown
}

/** Entries of a transcript: root and count always, the leaves or proofs of some where published. */
export type Entries = {
  root: string
  n: number
  total?: number
  list?: Leaf[]
  proofs?: { leaf: Leaf; proof: string[] }[]
  listUrl?: string
}

/** A config document. FAIR/1 reads the members that fair-1.md, section 5, lists per kind and hashes all of it. */
export type Config = { v?: 1; kind: string; hints?: unknown; [key: string]: any }

/** The transcript of fair-1.md, section 14. */
export type Transcript = {
  v: 'fair/1'
  trust: TrustLabel
  commit: { doc: CommitDoc; hash: string; jws?: string }
  config: Config
  client?: { seed: string; nonce: number; entropy: string }
  roundNo?: number
  groupNo?: number
  entries?: Entries
  beacon?: BeaconValue
  postpones?: { from?: number; to?: number; logIndex: number; closesAt?: string }[]
  serverSeed?: string
  ctx: string
  draws?: Draw[]
  outcome: Record<string, any>
  award?: unknown
  log?: { index: number; event: Record<string, any>; proof: string[]; checkpoint: string }
  prevTranscript?: string
}

/** The reveal of a closed seed pair, with every spin it ever made. */
export type PairReveal = {
  v: 'fair/1'
  type: 'pair-reveal'
  commit: { doc: CommitDoc; hash: string; jws?: string }
  config: Config
  clientSeed: string
  serverSeed?: string
  spins: { nonce: number; entropy: string; result: number }[]
}

/** True for a guess game whose target exists while it is open; it has the short context and needs no entries. */
export function isInteractive(kind: string, config: { hints?: unknown }): boolean {
  return kind === 'guess' && config.hints === true
}

/**
 * Builds the context string that a transcript must carry, from its other members.
 * Refuses (RangeError, TypeError) members that are missing or no context fields. Source: fair-1.md, section 6.
 */
export function contextOf(
  transcript: Pick<Transcript, 'commit' | 'config' | 'client' | 'roundNo' | 'groupNo' | 'entries' | 'beacon'>,
): string {
  const { doc, hash: commit_hash } = transcript.commit
  const { client, entries } = transcript
  const randomness = doc.mode === 'commit' ? '-' : transcript.beacon?.randomness
  switch (doc.kind) {
    case 'wheel':
    case 'mystery':
      return context(doc.kind, [commit_hash, client!.seed, client!.nonce, client!.entropy])
    case 'round':
      return context('round', [commit_hash, transcript.roundNo!, entries!.root, randomness!])
    case 'draw':
      return context('draw', [commit_hash, entries!.root, entries!.n, randomness!])
    case 'jackpot':
      return context('jackpot', [commit_hash, entries!.root, entries!.total!, randomness!])
    case 'guess':
      if (isInteractive(doc.kind, transcript.config)) return context('guess', [commit_hash, '-', 0, '-'])
      return context('guess', [commit_hash, entries!.root, entries!.n, randomness!])
    case 'tie':
      return context('tie', [commit_hash, entries!.root, transcript.groupNo!, randomness!])
    default:
      throw new RangeError('unknown kind')
  }
}

/** What decides an outcome. `entries` may lack its list; `groupNo` is for ties. */
export type Given = {
  kind: Kind
  config: Config
  key: Key
  ctx: string
  entries?: Pick<Entries, 'n' | 'total' | 'list' | 'proofs'>
  groupNo?: number
}

/**
 * An outcome and every uniform call that made it. `complete` is false when the list of leaves was needed and absent:
 * then `outcome` holds only the members that do not need it, and `draws` only their calls.
 */
export type Derived = { outcome: Record<string, unknown>; draws: Draw[]; complete: boolean }

/** What decides an outcome beside its stream of words. */
export type Played = Omit<Given, 'key' | 'ctx'>

type Part = { outcome: Record<string, unknown>; complete: boolean }

const whole = (outcome: Record<string, unknown>): Part => ({ outcome, complete: true })

/**
 * Derives the outcome of any kind. Pure: the same arguments give the same bytes, on every machine.
 * Refuses (RangeError, TypeError) configs and leaves that its kind cannot be played with.
 * Source: fair-1.md, section 9.
 */
export function derive(given: Given, hash: Hash = NOBLE_HASH): Derived {
  const source: WordSource & { trace: Draw[] } = Object.assign(words(given.key, given.ctx, hash), {
    trace: [],
  })
  return { ...deriveFrom(source, given), draws: source.trace }
}

/** The outcome of any kind from a stream of words: `derive` for whoever holds the stream and not its key. */
export function deriveFrom(source: WordSource, given: Played): Part {
  switch (given.kind) {
    case 'wheel':
    case 'mystery':
    case 'round':
      return whole(segmentOutcome(source, given.config))
    case 'draw':
      return raffleOutcome(source, given)
    case 'jackpot':
      return given.config.events ? whole(pickOutcome(source, given.config)) : poolOutcome(source, given)
    case 'guess':
      return guessOutcome(source, given)
    case 'tie':
      return whole(tieOutcome(source, given))
    default:
      throw new RangeError('unknown kind')
  }
}

type Weighted = { id: string; weight: number }

function segmentOutcome(source: WordSource, config: Config): Record<string, unknown> {
  const segments: Weighted[] = config.segments
  const index = weighted(
    source,
    segments.map((segment) => segment.weight),
  )
  return { id: segments[index]!.id, index }
}

// --- Raffle -----------------------------------------------------------------------------------------------------

function raffleOutcome(source: WordSource, given: Played): Part {
  const { config } = given
  const prizes: { id: string; qty: number }[] = config.prizes
  const place_count = drawable(prizes.reduce((sum, { qty }) => sum + count(qty), count(config.reserves ?? 0)))
  const order = raffleOrder(source, given, place_count)
  const leaves = given.entries!.list
  const placed = config.onePrizePerEntrant === true ? firstPerEntrant(order, leaves!) : order
  let at = 0
  const next = (qty: number) => {
    at += qty
    return placed.slice(at - qty, at)
  }
  return whole({
    order,
    prizes: prizes.map(({ id, qty }) => ({ id, entries: next(qty) })),
    reserves: next(count(config.reserves ?? 0)),
  })
}

function raffleOrder(source: WordSource, given: Played, place_count: number): number[] {
  const { config } = given
  const n = count(given.entries!.n)
  const weights = config.weighted === true ? weightsOf(given.entries!.list!) : null
  if (config.replacement === true) {
    if (config.onePrizePerEntrant === true) throw new RangeError('replacement excludes one prize per entrant')
    return Array.from({ length: place_count }, () =>
      weights ? weighted(source, weights) : uniform(source, n),
    )
  }
  const picks = weights ? indicesOf(weightedSampling(source, weights)) : sampling(source, n)
  if (config.onePrizePerEntrant !== true) return take(picks, place_count)
  return readUntilDistinct(picks, given.entries!.list!, place_count, count(config.drawLimit ?? n))
}

function* indicesOf(picks: Iterable<{ index: number }>): Generator<number, void, undefined> {
  for (const { index } of picks) yield index
}

// The leaves looked at, skipped ones included; the last is the one that filled the last place.
function readUntilDistinct(
  picks: Iterator<number, void, undefined>,
  leaves: Leaf[],
  place_count: number,
  limit: number,
): number[] {
  const looked_at: number[] = []
  const entrants = new Set<string>()
  while (entrants.size < place_count && looked_at.length < limit) {
    const next = picks.next()
    if (next.done) break
    looked_at.push(next.value)
    entrants.add(leaves[next.value]!.e)
  }
  return looked_at
}

function firstPerEntrant(order: number[], leaves: Leaf[]): number[] {
  const seen = new Set<string>()
  return order.filter((index) => {
    const { e } = leaves[index]!
    return seen.has(e) ? false : seen.add(e)
  })
}

// --- Jackpot ----------------------------------------------------------------------------------------------------

function poolOutcome(source: WordSource, given: Played): Part {
  const winner_count = count(given.config.winners ?? 1)
  const { list, proofs } = given.entries!
  if (list) {
    const picks = take(weightedSampling(source, weightsOf(list)), winner_count)
    return whole({ r: picks[0]!.roll, winners: picks.map((pick) => pick.index) })
  }
  const r = uniform(source, given.entries!.total!, 'weightedSample')
  const holder = (proofs ?? []).find(({ leaf }) => leaf.s! <= r && r < leaf.s! + leaf.w!)
  if (winner_count === 1 && holder) return whole({ r, winners: [holder.leaf.i] })
  return { outcome: { r }, complete: false }
}

function pickOutcome(source: WordSource, config: Config): Record<string, unknown> {
  const events: { id: string; options: Weighted[] }[] = config.events
  const results = events.map(({ id, options }) => {
    const index = weighted(
      source,
      options.map((option) => option.weight),
    )
    return { event: id, index, option: options[index]!.id }
  })
  return { results }
}

// --- Guess ------------------------------------------------------------------------------------------------------

function guessOutcome(source: WordSource, given: Played): Part {
  const { config } = given
  const low = config.min as number
  const high = config.max as number
  if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high))
    throw new RangeError('guess bounds are integers')
  const targets = sample(source, high - low + 1, drawable(count(config.targets))).map(
    (offset) => low + offset,
  )
  if (isInteractive('guess', config)) return whole({ targets })
  const leaves = given.entries!.list
  if (!leaves) return { outcome: { targets }, complete: false }
  return whole({ targets, winners: guessWinners(source, config, targets, leaves) })
}

function guessWinners(source: WordSource, config: Config, targets: number[], leaves: Leaf[]): number[] {
  const winners: number[] = []
  let left = count(config.prizes)
  for (const members of classesInOrder(config, targets, leaves)) {
    if (left <= 0) break
    const chosen = winnersOfClass(source, config.rule, members, left)
    winners.push(...chosen)
    left -= chosen.length
  }
  return winners
}

function winnersOfClass(source: WordSource, rule: unknown, members: number[], left: number): number[] {
  switch (rule) {
    case 'first':
      return members.slice(0, left)
    case 'draw': {
      // Drawn even when there is a prize for everyone: the order of the prizes is chance too.
      const k = left < members.length ? left : members.length
      return sample(source, members.length, k).map((at) => members[at]!)
    }
    case 'split':
      return members
    default:
      throw new RangeError('unknown rule of a guess game')
  }
}

// Leaf indices grouped by class, best class first, each group in leaf order.
function classesInOrder(config: Config, targets: number[], leaves: Leaf[]): number[][] {
  const classOf = classifier(config, targets, leaves)
  const groups = new Map<number, number[]>()
  for (const leaf of leaves) {
    const rank = classOf(leaf)
    if (rank === null) continue
    const group = groups.get(rank)
    if (group) group.push(leaf.i)
    else groups.set(rank, [leaf.i])
  }
  return [...groups.entries()].sort(([a], [b]) => a - b).map(([, members]) => members)
}

export type Classifier = (leaf: Leaf) => number | null

/**
 * The class of a leaf, lower is better, null wins nothing: for matches that look at one leaf alone. Null for those that
 * have to know every other leaf. Source: fair-1.md, section 9.4.
 */
export function classOfGuess(config: Config, targets: number[]): Classifier | null {
  const knows_others = config.match === 'unique' || config.match === 'lowest_unique'
  return knows_others ? null : classifier(config, targets, [])
}

function classifier(config: Config, targets: number[], leaves: Leaf[]): Classifier {
  const hits = new Set(targets)
  // Sorted once, so that each leaf costs a binary search and not a walk over all targets.
  const rising = [...targets].sort((a, b) => a - b)
  switch (config.match ?? 'exact') {
    case 'exact':
      return ({ g }) => (hits.has(g as number) ? 0 : null)
    case 'nearest':
      return ({ g }) => nearest(rising, g)
    case 'nearest_under':
      return ({ g }) => nearestUnder(rising, g)
    case 'unique': {
      const alone = guessedOnce(leaves)
      return ({ g }) => (alone(g) ? nearest(rising, g) : null)
    }
    case 'lowest_unique': {
      const alone = guessedOnce(leaves)
      return ({ g }) => (alone(g) ? (g as number) : null)
    }
    case 'count':
      return ({ g }) => {
        // A list with a number twice would count one hit twice.
        if (!Array.isArray(g) || !isRising(g)) return null
        const hit_count = g.filter((value) => hits.has(value)).length
        return hit_count >= count(config.minMatches ?? 1) ? targets.length - hit_count : null
      }
    default:
      throw new RangeError('unknown match of a guess game')
  }
}

function nearestUnder(rising: number[], g: unknown): number | null {
  if (!Number.isSafeInteger(g)) return null
  const at = firstAtLeast(rising, g as number)
  return at < rising.length ? rising[at]! - (g as number) : null
}

function nearest(rising: number[], g: unknown): number | null {
  if (!Number.isSafeInteger(g)) return null
  const at = firstAtLeast(rising, g as number)
  const above = at < rising.length ? rising[at]! - (g as number) : null
  const below = at > 0 ? (g as number) - rising[at - 1]! : null
  if (above === null || below === null) return above ?? below
  return below < above ? below : above
}

function firstAtLeast(rising: number[], value: number): number {
  let low = 0
  let high = rising.length
  while (low < high) {
    const middle = (low + high - ((low + high) % 2)) / 2
    if (rising[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

function isRising(values: unknown[]): boolean {
  return values.every(
    (value, i) => Number.isSafeInteger(value) && (i === 0 || (values[i - 1] as number) < (value as number)),
  )
}

function guessedOnce(leaves: Leaf[]): (g: unknown) => boolean {
  const counts = new Map<unknown, number>()
  for (const { g } of leaves) counts.set(g, (counts.get(g) ?? 0) + 1)
  return (g) => Number.isSafeInteger(g) && counts.get(g) === 1
}

// --- Tie --------------------------------------------------------------------------------------------------------

/**
 * Groups of two or more neighbours whose members other than `e` and `i` are equal, as leaf indices in rank order.
 * The position in the answer is the group's number. Source: fair-1.md, section 9.7.
 */
export function tieGroups(standings: readonly Leaf[]): number[][] {
  const groups: number[][] = []
  let current: number[] = []
  let current_keys: string | null = null
  for (const { e: _entrant, i, ...keys } of standings) {
    const text = jcs(keys)
    if (text !== current_keys) {
      current = []
      groups.push(current)
    }
    current.push(i)
    current_keys = text
  }
  return groups.filter((group) => group.length >= 2)
}

function tieOutcome(source: WordSource, given: Played): Record<string, unknown> {
  const members = tieGroups(given.entries!.list!)[given.groupNo!]
  if (!members) throw new RangeError('no such group of equals')
  return {
    groupNo: given.groupNo!,
    members,
    order: shuffle(source, members.length).map((at) => members[at]!),
  }
}

// --- Shared -----------------------------------------------------------------------------------------------------

function weightsOf(leaves: readonly Leaf[]): number[] {
  const weights = leaves.map((leaf) => leaf.w as number)
  totalWeight(weights)
  return weights
}

// More places than the largest document (32 MiB) could list; without it a foreign config would draw for ever.
const DRAW_COUNT_MAX = 10_000_000

function drawable(draw_count: number): number {
  if (draw_count > DRAW_COUNT_MAX) throw new RangeError('more draws than a transcript can hold')
  return draw_count
}

function count(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new RangeError('a count is an integer from 0')
  return value as number
}

/** The range of rolls that belongs to each weight, half-open: what a wheel publishes as its odds. */
export function rangesOf(weights: readonly number[]): { start: number; end: number }[] {
  totalWeight(weights)
  let start = 0
  return weights.map((weight) => {
    const range = { start, end: start + weight }
    start += weight
    return range
  })
}
