// Every vector of the kinds of chance event, of complete documents, and of their tampers.
import assert from 'node:assert/strict'
import { toHex } from '../../src/fairness/bytes.ts'
import { jcs } from '../../src/fairness/canonical.ts'
import { commitHash, configHash } from '../../src/fairness/commit.ts'
import { NOBLE_HASH } from '../../src/fairness/hash.ts'
import { words } from '../../src/fairness/rolls.ts'
import { selfTest } from '../../src/fairness/self-test.ts'
import { contextOf, derive, tieGroups } from '../../src/fairness/transcript.ts'
import { verifyPairReveal, verifyText, verifyTranscript } from '../../src/fairness/verify.ts'
import { NODE_HASH } from '../../src/node-hash.ts'
import { everyKind, makeReveal } from './make.ts'
import { bytes, type Case, cases, GROUP_NAMES, leaves, rootOfLeaves } from './vectors.ts'

// Counts the words that a derivation consumed, from the accepted and refused words of its trace.
function wordsOf(draws: { rejected: number; word: string | null }[]): number {
  return draws.reduce((sum, draw) => sum + draw.rejected + (draw.word === null ? 0 : 1), 0)
}

function shared(c: Case, entries: any, more: object = {}) {
  const transcript = {
    commit: { doc: c.commit, hash: c.commitHash },
    config: c.config,
    entries,
    ...more,
  } as any
  if (c.beacon) transcript.beacon = c.beacon
  return transcript
}

function checkShared(
  c: Case,
  entries: any,
  outcome: object,
  more: { roundNo?: number; groupNo?: number } = {},
) {
  assert.equal(configHash(c.config), c.commit.configHash)
  assert.equal(commitHash(c.commit), c.commitHash)
  if (entries) assert.equal(entries.root, c.entriesRoot ?? c.standingsRoot)
  assert.equal(contextOf(shared(c, entries, more)), c.ctx)
  for (const hash of [NOBLE_HASH, NODE_HASH]) {
    const given = { kind: c.commit.kind, config: c.config, key: bytes(c.key), ctx: c.ctx, entries, ...more }
    const derived = derive(given, hash)
    assert.equal(derived.complete, true)
    assert.equal(jcs(derived.outcome), jcs(outcome))
    if (c.wordsConsumed !== undefined) assert.equal(wordsOf(derived.draws), c.wordsConsumed)
  }
}

const listed = (list: Case[], more: object = {}) => ({
  root: rootOfLeaves(list),
  n: list.length,
  list,
  ...more,
})

describe('FAIR/1 outcomes', () => {
  it('S0-13 the raffle vectors give the same winners and reserves again, in every mode', () => {
    for (const c of cases('draw')) checkShared(c, listed(leaves(c.n)), c.outcome)
  })

  it('S0-13 raffles with one prize per entrant, weights or replacement give every vector', () => {
    for (const c of cases('drawVariants')) checkShared(c, listed(c.list), c.outcome)
  })

  it('S0-32c jackpots by stake and pick-N give every vector', () => {
    for (const c of cases('jackpot')) {
      const weight = c.weightRule.includes('i*i') ? (i: number) => 1 + i * i : (i: number) => 100 + i
      let start = 0
      const list = leaves(c.n, (i) => {
        start += weight(i)
        return { s: start - weight(i), w: weight(i) }
      })
      assert.equal(start, c.total)
      checkShared(c, listed(list, { total: c.total }), c.outcome)
    }
    for (const c of cases('jackpotPicks')) checkShared(c, listed(c.list, { total: c.list.length }), c.outcome)
  })

  it('S1-18 live rounds give every vector, with entries and with the empty root', () => {
    for (const c of cases('round')) {
      const empty = c.entriesRoot.startsWith('e3b0c442')
      const entries = empty ? { root: c.entriesRoot, n: 0 } : listed(leaves(3))
      const outcome = { id: c.config.segments[c.index].id, index: c.index }
      checkShared(c, entries, outcome, { roundNo: c.roundNo })
    }
  })

  it('S0-32c guess games give every vector: sealed, interactive, every match and rule there', () => {
    for (const c of cases('guess')) {
      if (c.config.hints) {
        checkShared(c, undefined, c.outcome)
        continue
      }
      const list = leaves(c.n, (i) => ({ g: c.config.min + ((i * c.a) % c.m) }))
      checkShared(c, listed(list), c.outcome)
    }
    for (const c of cases('guessLists')) checkShared(c, listed(c.list), c.outcome)
  })

  it('S0-32c ties are broken in the order of the vectors, group by group', () => {
    for (const c of cases('tie')) {
      const list = leaves(c.scores.length, (i) => ({ score: c.scores[i] }))
      assert.deepEqual(tieGroups(list as any)[c.groupNo], c.members)
      const { groupNo, members, order } = c
      checkShared(c, listed(list), { groupNo, members, order }, { groupNo })
    }
  })

  it('S0-32c a mystery prize is the one of the vector', () => {
    for (const c of cases('mystery')) {
      const client = { seed: c.clientSeed, nonce: c.nonce, entropy: c.entropy }
      const outcome = { id: c.config.segments[c.index].id, index: c.index }
      checkShared(c, undefined, outcome, { client } as object)
    }
  })

  it('P-46 no group of the vector file is left without a test', () => {
    const tested =
      'seedHash jcs jcsReject configHash commitHash ctx ctxReject block words uniform uniformStub uniformReject ' +
      'weighted weightedReject wheel shuffle sample weightedSample merkleRoot inclusion consistency draw drawVariants ' +
      'jackpotPicks round guess guessLists jackpot tie mystery log seedChain entrant beaconRound checkpoint commitJws ' +
      'trust transcript pairReveal'
    assert.deepEqual([...GROUP_NAMES].sort(), tested.split(' ').sort())
  })
})

function changed(document: any, { path, set, remove, removeAt }: Case): any {
  const copy = structuredClone(document)
  let parent = copy
  for (const step of path.slice(0, -1)) parent = parent[step]
  const last = path.at(-1)
  if (removeAt) parent.splice(last, 1)
  else if (remove) delete parent[last]
  else parent[last] = set
  return copy
}

for (const [name, hash] of [
  ['pure JavaScript', NOBLE_HASH],
  ['node:crypto', NODE_HASH],
] as const) {
  describe(`FAIR/1 verifier over ${name}`, () => {
    it('S0-32c transcripts of the vectors get the required answer, as object and as text, with BLS', () => {
      for (const c of cases('transcript')) {
        const { steps, ...answer } = verifyTranscript(c.transcript, { ...c.options, hash })
        assert.deepEqual(answer, c.result, c.about)
        assert.deepEqual(
          steps.filter((step) => step.status !== 'ok' && step.status !== 'skipped'),
          [],
        )
        assert.equal(steps.length, 11)
        assert.equal(verifyText(jcs(c.transcript), { ...c.options, hash }).ok, true)
      }
    })

    it('S1-11v every tamper of the vectors, changed odds among them, gets the required code', () => {
      for (const c of cases('transcript')) {
        for (const tamper of c.tampers) {
          const answer = verifyTranscript(changed(c.transcript, tamper), { ...c.options, hash, bls: false })
          assert.deepEqual(
            [answer.code, answer.status],
            [tamper.code, tamper.status],
            JSON.stringify(tamper.path),
          )
          assert.equal(answer.ok, false)
        }
      }
    })

    it('P-41 the pair reveal of the vectors verifies, and every tamper gets the required code', () => {
      for (const c of cases('pairReveal')) {
        const options = { hash, known: c.known }
        assert.equal(verifyPairReveal(c.reveal, options).code, c.code)
        assert.equal(verifyText(jcs(c.reveal), options).status, 'verified')
        for (const tamper of c.tampers) {
          const reveal = tamper.on === 'reveal' ? changed(c.reveal, tamper) : c.reveal
          const known = tamper.on === 'known' ? changed(c.known, tamper) : c.known
          assert.equal(verifyPairReveal(reveal, { hash, known }).code, tamper.code, JSON.stringify(tamper))
        }
      }
    })

    it('the start-up self-test passes over a right hash and names what a wrong one breaks', () => {
      assert.deepEqual(selfTest(hash), [])
      const broken = { ...hash, sha256: (data: Uint8Array) => hash.sha256(hash.sha256(data)) }
      const failures = selfTest(broken)
      assert.ok(failures.some((failure) => failure.startsWith('commitment:')))
      assert.ok(failures.some((failure) => failure.startsWith('inclusion proof:')))
      const deaf = { ...hash, prepare: undefined, hmacSha256: () => new Uint8Array(32) }
      assert.ok(selfTest(deaf as any).some((failure) => failure.startsWith('block:')))
    })
  })
}

describe('FAIR/1 replays', () => {
  it('K-04 the same seeds and inputs give every kind of game again, byte for byte', () => {
    assert.equal(jcs(everyKind()), jcs(everyKind()))
    assert.equal(jcs(makeReveal(300)), jcs(makeReveal(300)))
  })

  it('P-46 a trace names the word that each number came from', () => {
    const [c] = cases('draw')
    const source = words(bytes(c!.key), c!.ctx)
    const given = {
      kind: 'draw' as const,
      config: c!.config,
      key: bytes(c!.key),
      ctx: c!.ctx,
      entries: { n: c!.n },
    }
    for (const draw of derive(given).draws) {
      const word = source.word()
      assert.equal(draw.word, word.toString(16).padStart(16, '0'))
      assert.equal(draw.result, Number(word % BigInt(draw.n)))
    }
    assert.equal(toHex(bytes(c!.key)), c!.key)
  })
})
