// The vector groups as plain functions without Node, so that a browser can run every case too.
import { beaconSignatureValid, randomnessMatches } from '../../src/fairness/beacon.ts'
import { fromBase64, fromHex, toHex, utf8 } from '../../src/fairness/bytes.ts'
import { jcs } from '../../src/fairness/canonical.ts'
import * as commit from '../../src/fairness/commit.ts'
import { NOBLE_HASH } from '../../src/fairness/hash.ts'
import * as merkle from '../../src/fairness/merkle.ts'
import * as rolls from '../../src/fairness/rolls.ts'
import { derive } from '../../src/fairness/transcript.ts'
import { verifyPairReveal, verifyTranscript } from '../../src/fairness/verify.ts'

type Case = Record<string, any>
type Checks = Record<string, (c: Case) => [actual: unknown, expected: unknown]>

const throws = (work: () => unknown) => {
  try {
    work()
    return false
  } catch {
    return true
  }
}
const stream = (c: Case) => rolls.words(fromHex(c.key), c.ctx)
const stub = (c: Case) => {
  const list = c.words.map((word: string) => BigInt(`0x${word}`))
  return { word: () => list.shift() }
}
const entrant = (i: number) => toHex(NOBLE_HASH.sha256(utf8(`entrant ${i}`)))
const leaves = (n: number, more: (i: number) => object = () => ({})) =>
  Array.from({ length: n }, (_, i) => ({ e: entrant(i), i, ...more(i) })) as any[]
const rootOf = (list: object[]) => toHex(merkle.merkleRoot(list.map((leaf) => merkle.leafHashOf(leaf))))
const outcome = (c: Case, entries?: any, groupNo?: number) =>
  derive({
    kind: c.commit.kind,
    config: c.config,
    key: fromHex(c.key),
    ctx: c.ctx,
    entries,
    ...(groupNo !== undefined && { groupNo }),
  }).outcome
const listed = (list: any[]) => ({ n: list.length, list })
const stakesOf = (c: Case) => {
  let start = 0
  return leaves(c.n, (i) => {
    const w = c.weightRule.includes('i*i') ? 1 + i * i : 100 + i
    start += w
    return { s: start - w, w }
  })
}

const FAIR: Checks = {
  seedHash: (c) => [commit.seedHash(fromHex(c.seed)), c.seedHash],
  jcs: (c) => [jcs(c.value), c.jcs],
  jcsReject: (c) => [throws(() => jcs(JSON.parse(c.json))), true],
  configHash: (c) => [commit.configHash(c.config), c.configHash],
  commitHash: (c) => [commit.commitHash(c.doc), c.commitHash],
  ctx: (c) => [rolls.context(c.kind, c.fields), c.ctx],
  ctxReject: (c) => [throws(() => rolls.context(c.kind, c.fields)), true],
  block: (c) => [toHex(rolls.block(fromHex(c.key), c.ctx, c.i)), c.hmac],
  words: (c) => {
    const source = stream(c)
    return [c.words.map(() => source.word().toString(16).padStart(16, '0')), c.words]
  },
  uniform: (c) => {
    const source = stream(c)
    return [c.results.map(() => rolls.uniform(source, c.n)), c.results]
  },
  uniformStub: (c) => [rolls.uniform(stub(c), c.n), c.result],
  uniformReject: (c) => [throws(() => rolls.uniform({ word: () => 0n }, c.n)), true],
  weighted: (c) => [rolls.weighted(stream(c), c.weights), c.result],
  weightedReject: (c) => [throws(() => rolls.weighted({ word: () => 0n }, c.weights)), true],
  wheel: (c) => {
    const spin = (nonce: number) => {
      const ctx = rolls.context('wheel', [c.commitHash, c.clientSeed, nonce, c.entropy])
      return rolls.weighted(rolls.words(fromHex(c.serverSeed), ctx), c.weights)
    }
    return [c.indices.map((_: number, i: number) => spin(c.firstNonce + i)), c.indices]
  },
  shuffle: (c) => {
    const found = rolls.shuffle(stream(c), c.n)
    return c.perm ? [found, c.perm] : [found.slice(0, 5), c.first5]
  },
  sample: (c) => [rolls.sample(stream(c), c.n, c.k), c.picks],
  weightedSample: (c) => [rolls.weightedSample(stream(c), c.weights, c.k), c.order],
  merkleRoot: (c) => [rootOf(leaves(c.n)), c.root],
  inclusion: (c) => {
    const given = { index: c.index, size: c.size, leafHash: fromHex(c.leafHash), root: fromHex(c.root) }
    return [merkle.verifyInclusion({ ...given, proof: c.proof.map(fromHex) }), c.ok]
  },
  consistency: (c) => {
    const given = { first: c.first, second: c.second, root1: fromHex(c.root1), root2: fromHex(c.root2) }
    return [merkle.verifyConsistency({ ...given, proof: c.proof.map(fromHex) }), c.ok]
  },
  draw: (c) => [outcome(c, listed(leaves(c.n))), c.outcome],
  drawVariants: (c) => [outcome(c, listed(c.list)), c.outcome],
  jackpotPicks: (c) => [outcome(c, listed(c.list)), c.outcome],
  round: (c) => [outcome(c).index, c.index],
  guess: (c) => [
    outcome(c, listed(leaves(c.n, (i) => ({ g: c.config.min + ((i * c.a) % c.m) })))),
    c.outcome,
  ],
  guessLists: (c) => [outcome(c, listed(c.list)), c.outcome],
  jackpot: (c) => [outcome(c, listed(stakesOf(c))), c.outcome],
  tie: (c) => {
    const found = outcome(c, listed(leaves(c.scores.length, (i) => ({ score: c.scores[i] }))), c.groupNo)
    return [
      [found['members'], found['order']],
      [c.members, c.order],
    ]
  },
  mystery: (c) => [outcome(c).index, c.index],
  log: (c) => {
    let head: Uint8Array | null = null
    const heads: string[] = []
    for (const event of c.events) {
      head = merkle.logHead(head, event)
      heads.push(toHex(head))
    }
    return [heads, c.heads]
  },
  seedChain: (c) => {
    const chain: string[] = c.secretToTerminal
    return [chain.slice(0, -1).map((seed) => toHex(NOBLE_HASH.sha256(fromHex(seed)))), chain.slice(1)]
  },
  entrant: (c) => [commit.entrantHash(c.drawId, c.userId, c.salt), c.e],
  beaconRound: (c) => [
    [
      commit.committedRound(c.closesAt, c.marginMs),
      commit.timeOfRound(c.round),
      commit.latestRound(c.closesAt),
    ],
    [c.round, c.timeOfRoundMs, c.latestRoundAtClose],
  ],
  checkpoint: (c) => {
    const checkpoint = { origin: c.origin, size: c.size, root: fromHex(c.root) }
    const opened = merkle.openCheckpoint(c.note, [c.vkey])
    return [
      [merkle.signCheckpoint(checkpoint, fromHex(c.keySeed)), opened.size],
      [c.note, c.size],
    ]
  },
  commitJws: (c) => {
    const signed = commit.signCommit(c.doc, { kid: c.kid, privateKey: fromHex(c.keySeed) })
    return [
      [signed, commit.checkCommitJws(c.jws, c.doc, { [c.kid]: c.publicKey })],
      [c.jws, true],
    ]
  },
  trust: (c) => [commit.trustLabel(c as any, c.config, c.client), c.label],
  transcript: (c) => {
    const { steps: _steps, ...answer } = verifyTranscript(c.transcript, c.options)
    return [answer, c.result]
  },
  pairReveal: (c) => [verifyPairReveal(c.reveal, { known: c.known }).code, c.code],
}

const PUBLIC: Checks = {
  hmacSha256: (c) => [
    toHex(NOBLE_HASH.hmacSha256(fromHex(c.key), fromHex(c.msg))).slice(0, c.mac.length),
    c.mac,
  ],
  merkleInclusion: (c) => {
    const given = { index: c.index, size: c.size, leafHash: fromBase64(c.leafHash), root: fromBase64(c.root) }
    return [merkle.verifyInclusion({ ...given, proof: (c.proof ?? []).map(fromBase64) }), c.ok]
  },
  merkleConsistency: (c) => {
    const given = { first: c.first, second: c.second, root1: fromBase64(c.root1), root2: fromBase64(c.root2) }
    // A note in the file allows a verifier that demands 32-byte roots to refuse the one case that has others.
    const expected = c.ok && given.root1.length === 32
    return [merkle.verifyConsistency({ ...given, proof: (c.proof ?? []).map(fromBase64) }), expected]
  },
  jcs: (c) =>
    c.fair1 === 'accept'
      ? [toHex(utf8(jcs(JSON.parse(c.input)))), c.canonicalUtf8Hex]
      : [throws(() => jcs(JSON.parse(c.input))), true],
  signedNote: (c) => [!throws(() => merkle.openNote(c.note, [c.vkey])), c.ok],
}

/** Runs every case of both files. `checked` counts cases, so that a file that shrank does not pass unseen. */
export function runVectors(fair: any, pub: any): { checked: number; failures: string[] } {
  const failures: string[] = []
  let checked = 0
  const compare = (name: string, [actual, expected]: [unknown, unknown]) => {
    checked++
    if (JSON.stringify(actual) !== JSON.stringify(expected))
      failures.push(`${name}: ${JSON.stringify(actual)}`)
  }
  const runGroup = (name: string, check: Checks[string] | undefined, list: Case[]) => {
    if (!check) failures.push(`${name}: nobody checks this group`)
    list.forEach((c, i) => {
      try {
        compare(`${name} ${i}`, check!(sorted(c) as Case).map(sorted) as [unknown, unknown])
      } catch (error) {
        failures.push(`${name} ${i}: threw ${String(error)}`)
      }
    })
  }
  for (const [name, group] of Object.entries<any>(fair.groups)) runGroup(name, FAIR[name], group.cases)
  for (const [name, check] of Object.entries(PUBLIC))
    runGroup(`public ${name}`, check, pub.groups[name].cases)
  const { rounds, mustFail } = pub.groups.drandQuicknet
  for (const c of rounds) {
    compare(`beacon ${c.round}`, [beaconSignatureValid(c.round, c.signature) && randomnessMatches(c), true])
  }
  for (const c of mustFail) {
    compare(`beacon ${c.why}`, [beaconSignatureValid(c.round, c.signature, NOBLE_HASH, c.dst), false])
  }
  return { checked, failures }
}

// The order of members says nothing; equal values must compare equal as text.
function sorted(value: any): any {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, sorted(value[name])]),
  )
}

// In a page this file is the whole script; the test calls it by this name.
Object.assign(globalThis, { runVectors })
