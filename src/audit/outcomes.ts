/**
 * Re-derives what was promised and what was drawn: commitments, seeds, reward tables, every spin and shared spin
 * whose seed is revealed. Uses the public FAIR/1 module and none of the code that made the outcomes.
 */
import { verify } from 'node:crypto'
import { fromHex, toHex, utf8 } from '../fairness/bytes.ts'
import { type CommitDoc, commitHash, configHash, entrantHash, seedHash } from '../fairness/commit.ts'
import { leafHash, merkleRoot } from '../fairness/merkle.ts'
import { context, type Draw, weighted, words } from '../fairness/rolls.ts'
import { NODE_HASH } from '../node-hash.ts'
import { canonical, parsed, publicKeyObject, type SigningKeys } from './chains.ts'
import { attempt, Tally } from './report.ts'
import {
  commitmentPage,
  committedConfig,
  loggedSpins,
  mysteryPage,
  type Reader,
  roundLeaves,
  roundPage,
  type StoredCommitment,
  type StoredMystery,
  type StoredRound,
  type StoredSeed,
  type StoredSpin,
  type StoredVersion,
  seedPage,
  spinPage,
  versionPage,
} from './store.ts'

/** Rows of one read. */
export const PAGE = 1_000
/** Before every uuid. */
export const FIRST_ID = '00000000-0000-0000-0000-000000000000'

/** Checks that every commitment is the hash of its document, binds its config, and is signed. */
export async function checkCommitments(
  reader: Reader,
  tenants: readonly string[],
  keys: SigningKeys,
): Promise<Tally[]> {
  const hashes = new Tally(
    'I27',
    'Every commitment is the hash of its document, and the document binds the stored config.',
  )
  const signatures = new Tally('I27', 'Every commitment is signed with our key.')
  if (keys.size === 0) signatures.note('no fairness key was given', true)
  for (const tenantId of tenants) {
    const read = (after: string) => commitmentPage(reader, tenantId, after, PAGE)
    for await (const row of rowsOf(read, '', (last) => last.commit_hash)) {
      const doc = parsed(row.doc)
      const fault = doc === null ? 'has no document' : attempt(() => faultOfCommitment(row, doc))
      hashes.saw(fault === null ? null : `commitment ${row.commit_hash} ${fault}`)
      if (keys.size === 0) continue
      const is_signed = doc !== null && isSignedCommitment(row.jws, row.doc, keys)
      signatures.saw(
        is_signed ? null : `commitment ${row.commit_hash} is not signed with a key that was given`,
      )
    }
  }
  return [hashes, signatures]
}

/** All rows, a page at a time; the cursor of a page's last row begins the next. */
export async function* rowsOf<R, C>(
  read: (after: C) => Promise<R[]>,
  first: C,
  cursorOf: (last: R) => C,
): AsyncGenerator<R, void, void> {
  for (let after = first; ; ) {
    const page = await read(after)
    yield* page
    if (page.length < PAGE) return
    after = cursorOf(page.at(-1)!)
  }
}

function faultOfCommitment(row: StoredCommitment, doc: Record<string, unknown>): string | null {
  if (canonical(doc) !== row.doc) return 'has a document that is not canonical'
  if (commitHash(doc, NODE_HASH) !== row.commit_hash) return 'is not the hash of its document'
  const config = parsed(row.config)
  if (config === null || canonical(config) !== row.config) return 'has a config that is not canonical'
  if (configHash(config, NODE_HASH) !== doc['configHash']) return 'binds another config'
  const told = [doc['tenantId'], doc['kind'], doc['gameId'], doc['seq'], doc['holder'] ?? '-']
  const stored = [row.tenant_id, row.kind, row.game_id, row.seq, row.holder]
  return told.every((value, i) => value === stored[i]) ? null : 'says something else than its row'
}

/** The JWS must be the one text that we would sign: three header members, this document, a valid signature. */
function isSignedCommitment(jws: string, docText: string, keys: SigningKeys): boolean {
  const at = jws.lastIndexOf('.')
  for (const [kid, raw] of keys) {
    const header = canonical({ alg: 'EdDSA', kid, typ: 'fair1-commit' })!
    const input = `${Buffer.from(header).toString('base64url')}.${Buffer.from(docText).toString('base64url')}`
    if (jws.slice(0, at) !== input) continue
    const signature = Buffer.from(jws.slice(at + 1), 'base64url')
    return (
      signature.toString('base64url') === jws.slice(at + 1) &&
      verify(null, utf8(input), publicKeyObject(raw), signature)
    )
  }
  return false
}

/** Checks that every seed is the one its commitment names, and that revealed ones open it. */
export async function checkSeeds(reader: Reader, tenants: readonly string[]): Promise<Tally> {
  const tally = new Tally(
    'I27',
    'Every seed is the one that was committed to, and a revealed one opens its commitment.',
  )
  for (const tenantId of tenants) {
    const read = (after: string) => seedPage(reader, tenantId, after, PAGE)
    for await (const row of rowsOf(read, FIRST_ID, (last) => last.id)) {
      const fault = attempt(() => faultOfSeed(row))
      tally.saw(fault === null ? null : `seed ${row.id} ${fault}`)
    }
  }
  return tally
}

function faultOfSeed(row: StoredSeed): string | null {
  const doc = parsed(row.doc) as Partial<CommitDoc> | null
  if (doc === null || doc.seedHash !== row.seed_hash) return 'has another hash than its commitment'
  if (doc.kind !== row.kind || doc.gameId !== row.game_id || doc.seq !== row.seq)
    return 'is of another game than its commitment'
  if ((doc.holder ?? null) !== row.holder) return 'is of another player than its commitment'
  if (
    row.holder !== null &&
    entrantHash(row.game_id, row.user_id!, row.holder_salt!, NODE_HASH) !== row.holder
  ) {
    return 'is held by a player whose hash is another'
  }
  if (row.server_seed === null) return null
  return isHexSeed(row.server_seed) && seedHash(fromHex(row.server_seed), NODE_HASH) === row.seed_hash
    ? null
    : 'was revealed as something else'
}

const isHexSeed = (text: string): boolean => /^[0-9a-f]{64}$/.test(text)

/** Checks that each published version is its config: hash, segments, weights and the ranges they make. */
export async function checkVersions(reader: Reader): Promise<Tally> {
  const tally = new Tally(
    'I6',
    'Every published version is the config that was hashed, and its reward table follows from it.',
  )
  const first = { tenant_id: FIRST_ID, wheel_game_id: FIRST_ID, config_version: 0 }
  const read = (after: typeof first) => versionPage(reader, after, PAGE)
  for await (const row of rowsOf(read, first, (last) => last)) {
    const fault = attempt(() => faultOfVersion(row))
    tally.saw(fault === null ? null : `version ${row.config_version} of wheel ${row.wheel_game_id} ${fault}`)
  }
  return tally
}

type Segment = { id: string; weight: number }

function segmentsOf(config: string): Segment[] {
  return ((parsed(config)?.['segments'] as Segment[] | undefined) ?? []).map(({ id, weight }) => ({
    id,
    weight,
  }))
}

function faultOfVersion({ config, config_hash, rewards }: StoredVersion): string | null {
  const document = parsed(config)
  if (document === null || canonical(document) !== config) return 'has a config that is not canonical'
  if (configHash(document, NODE_HASH) !== config_hash) return 'has a config that is not the hashed one'
  let start = 0
  const expected = segmentsOf(config).map(({ id, weight }, index) => {
    const range = { slug: id, weight, index, start, end: start + weight - 1 }
    start += weight
    return range
  })
  return canonical(expected) === canonical(rewards)
    ? null
    : 'has a reward table that does not follow from its config'
}

type SpinTallies = { derived: Tally; told: Tally; logged: Tally; waiting: { count: number } }

/** Re-derives every spin whose seed is revealed; compares every spin with what its player was told and what was logged. */
export async function checkSpins(reader: Reader, tenants: readonly string[]): Promise<Tally[]> {
  const tallies: SpinTallies = {
    derived: new Tally(
      'I27',
      'Every spin of a revealed seed re-derives to the same roll, segment and reward.',
    ),
    told: new Tally('I28', 'Every player was told the outcome that is stored.'),
    logged: new Tally('L4', 'Every logged spin names the outcome and the entropy that are stored.'),
    waiting: { count: 0 },
  }
  const tables = makeTables(reader)
  for (const tenantId of tenants) {
    let after = { seed_id: FIRST_ID, nonce: 0 }
    for (;;) {
      const page = await spinPage(reader, tenantId, after, PAGE)
      for (const run of runsOfOneSeed(page))
        await checkRun(reader, tenantId, run, await tables.of(tenantId, run[0]!.commit_hash), tallies)
      if (page.length < PAGE) break
      after = page.at(-1)!
    }
  }
  if (tallies.waiting.count > 0)
    tallies.derived.note(`${tallies.waiting.count} more wait for the reveal of their seed`)
  return [tallies.derived, tallies.told, tallies.logged]
}

/** Segments of commitments; most spins of a page share a few. */
function makeTables(reader: Reader): { of(tenantId: string, commit_hash: string): Promise<Segment[]> } {
  const kept = new Map<string, Segment[]>()
  return {
    async of(tenantId, commit_hash) {
      const known = kept.get(commit_hash)
      if (known !== undefined) return known
      const segments = segmentsOf(await committedConfig(reader, tenantId, commit_hash))
      if (kept.size >= 1_000) kept.clear()
      kept.set(commit_hash, segments)
      return segments
    },
  }
}

function runsOfOneSeed(page: readonly StoredSpin[]): StoredSpin[][] {
  const runs: StoredSpin[][] = []
  for (const spin of page) {
    const run = runs.at(-1)
    if (run !== undefined && run[0]!.seed_id === spin.seed_id) run.push(spin)
    else runs.push([spin])
  }
  return runs
}

async function checkRun(
  reader: Reader,
  tenantId: string,
  run: readonly StoredSpin[],
  segments: readonly Segment[],
  tallies: SpinTallies,
): Promise<void> {
  const first = run[0]!
  const { server_seed } = first
  const key = server_seed !== null && isHexSeed(server_seed) ? NODE_HASH.prepare!(fromHex(server_seed)) : null
  const weights = segments.map((segment) => segment.weight)
  const logged = new Map(
    (await loggedSpins(reader, tenantId, first.commit_hash, first.nonce, run.at(-1)!.nonce)).map((row) => [
      row.nonce,
      parsed(row.event),
    ]),
  )
  const say = (spin: StoredSpin, fault: string | null) =>
    fault === null ? null : `spin ${spin.id} (nonce ${spin.nonce}) ${fault}`
  for (const spin of run) {
    tallies.told.saw(say(spin, faultOfAnswer(spin)))
    const event = logged.get(spin.nonce)
    const is_logged = event?.['result'] === spin.segment_index && event['entropy'] === spin.client_entropy
    tallies.logged.saw(say(spin, is_logged ? null : 'is logged with another outcome'))
    if (server_seed === null) tallies.waiting.count += 1
    else
      tallies.derived.saw(
        say(spin, key === null ? 'has a seed that is no seed' : faultOfSpin(spin, key, segments, weights)),
      )
  }
}

function faultOfAnswer({
  answer,
  nonce,
  segment_index,
  reward_slug,
  commit_hash,
}: StoredSpin): string | null {
  const told = parsed(answer)
  const is_same =
    told?.['nonce'] === nonce &&
    told['segment'] === segment_index &&
    told['reward_slug'] === reward_slug &&
    told['commit_hash'] === commit_hash
  return is_same ? null : 'was told as something else'
}

function faultOfSpin(
  spin: StoredSpin,
  key: Parameters<typeof words>[0],
  segments: readonly Segment[],
  weights: readonly number[],
): string | null {
  if (spin.config_version !== spin.seed_config_version)
    return 'was played under another version than its seed'
  if (spin.game_id !== spin.wheel_game_id) return 'was played on another wheel than its seed'
  try {
    const ctx = context('wheel', [spin.commit_hash, spin.client_seed, spin.nonce, spin.client_entropy])
    const source = Object.assign(words(key, ctx, NODE_HASH), { trace: [] as Draw[] })
    const index = weighted(source, weights)
    const roll = source.trace[0]!.result
    if (roll !== spin.roll) return `has the roll ${spin.roll} and derives to ${roll}`
    if (index !== spin.segment_index || segments[index]!.id !== spin.reward_slug)
      return `gave ${spin.reward_slug} and derives to ${segments[index]!.id}`
    return null
  } catch (error) {
    return `cannot be derived: ${(error as Error).message}`
  }
}

/** Re-derives what was drawn for mysteries whose seed is revealed, and what was given instead of what had run out. */
export async function checkMysteries(reader: Reader, tenants: readonly string[]): Promise<Tally[]> {
  const derived = new Tally(
    'I27',
    'Every mystery of a revealed seed re-derives to the same part of its pool.',
  )
  const given = new Tally(
    'P8',
    'Every mystery was drawn from the pool that was committed to, gave a part of it, and is logged so.',
  )
  let waiting_count = 0
  for (const tenantId of tenants) {
    const read = (after: string) => mysteryPage(reader, tenantId, after, PAGE)
    for await (const row of rowsOf(read, FIRST_ID, (last) => last.id)) {
      const say = (fault: string | null) =>
        fault === null ? null : `mystery ${row.id} (nonce ${row.nonce}) ${fault}`
      given.saw(say(attempt(() => faultOfAward(row))))
      if (row.server_seed === null) waiting_count += 1
      else derived.saw(say(attempt(() => faultOfMystery(row, row.server_seed!))))
    }
  }
  if (waiting_count > 0) derived.note(`${waiting_count} more wait for the reveal of their seed`)
  return [derived, given]
}

function faultOfAward(row: StoredMystery): string | null {
  if (row.config !== row.pool_config) return 'was drawn from another pool than its pair was made for'
  const segments = parsed(row.config)?.['segments'] as { prize?: { id?: unknown } }[] | undefined
  if (segments?.[row.segment_index] === undefined) return 'has a part that its pool has not'
  if (segments[row.award_index]?.prize?.id !== row.prize_id)
    return 'gave a prize that is not the part it names'
  const event = row.event === null ? null : parsed(row.event)
  const is_logged = event?.['result'] === row.segment_index && event['entropy'] === row.client_entropy
  return is_logged ? null : 'is logged with another outcome'
}

function faultOfMystery(row: StoredMystery, server_seed: string): string | null {
  if (!isHexSeed(server_seed)) return 'has a seed that is no seed'
  const ctx = context('mystery', [row.commit_hash, row.client_seed, row.nonce, row.client_entropy])
  const source = Object.assign(words(fromHex(server_seed), ctx, NODE_HASH), { trace: [] as Draw[] })
  const index = weighted(
    source,
    segmentsOf(row.config).map((segment) => segment.weight),
  )
  const roll = source.trace[0]!.result
  if (roll !== row.roll) return `has the roll ${row.roll} and derives to ${roll}`
  return index === row.segment_index ? null : `gave part ${row.segment_index} and derives to ${index}`
}

/** Re-derives every shared spin that was drawn and whose secret is out, and the root over what players added to it. */
export async function checkRounds(reader: Reader, tenants: readonly string[]): Promise<Tally[]> {
  const entries = new Tally(
    'I27',
    'The entries of every closed shared spin make the root that was published.',
  )
  const derived = new Tally('I27', 'Every shared spin with a revealed seed re-derives to the same segment.')
  for (const tenantId of tenants) {
    const read = (after: string) => roundPage(reader, tenantId, after, PAGE)
    for await (const round of rowsOf(read, FIRST_ID, (last) => last.id)) {
      if (round.entries_root !== null) entries.saw(await faultOfEntries(reader, tenantId, round))
      const is_open_to_all = round.server_seed !== null || modeOf(round) === 'beacon'
      if (round.outcome !== null && is_open_to_all) derived.saw(faultOfRound(round))
    }
  }
  return [entries, derived]
}

const modeOf = (round: StoredRound): unknown => parsed(round.doc)?.['mode']

async function faultOfEntries(reader: Reader, tenantId: string, round: StoredRound): Promise<string | null> {
  const leaves = await roundLeaves(reader, tenantId, round.id)
  const is_each_right = leaves.every(
    ({ leaf, entry_index, entrant, client_entropy }, i) =>
      entry_index === i && leaf === canonical({ e: entrant, i, c: client_entropy }),
  )
  const root = toHex(
    merkleRoot(
      leaves.map(({ leaf }) => leafHash(utf8(leaf), NODE_HASH)),
      NODE_HASH,
    ),
  )
  const is_right = is_each_right && leaves.length === round.entry_count && root === round.entries_root
  return is_right ? null : `shared spin ${round.id} has other entries than its root`
}

function faultOfRound(round: StoredRound): string | null {
  const { id, commit_hash, round_no, entries_root, randomness, ctx, outcome } = round
  try {
    const key = fromHex(modeOf(round) === 'beacon' ? randomness : round.server_seed!)
    const expected = context('round', [commit_hash, round_no, entries_root!, randomness])
    if (ctx !== expected) return `shared spin ${id} was drawn from another context`
    const segments = segmentsOf(round.config)
    const index = weighted(
      words(key, expected, NODE_HASH),
      segments.map((segment) => segment.weight),
    )
    const is_right = outcome!.index === index && outcome!.id === segments[index]!.id
    return is_right ? null : `shared spin ${id} gave ${outcome!.id} and derives to ${segments[index]!.id}`
  } catch (error) {
    return `shared spin ${id} cannot be derived: ${(error as Error).message}`
  }
}
