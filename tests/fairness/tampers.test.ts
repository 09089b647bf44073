// The tamper matrix: every member of a document of every kind is changed and removed; a code comes out, never a crash.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { jcs } from '../../src/fairness/canonical.ts'
import { commitHash, signCommit } from '../../src/fairness/commit.ts'
import type { Transcript } from '../../src/fairness/transcript.ts'
import {
  type FailureCode,
  leftOpen,
  verifyEntry,
  verifyPairReveal,
  verifyText,
  verifyTranscript,
} from '../../src/fairness/verify.ts'
import { NODE_HASH } from '../../src/node-hash.ts'
import {
  everyKind,
  makeReveal,
  makeTranscript,
  OTHER_ORIGIN,
  SIGNING_KEY,
  VERIFIER,
  withProofs,
} from './make.ts'
import { propertyOptions } from './seed.ts'

const CODES = new Set<FailureCode>([
  'FORMAT_INVALID',
  'COMMIT_MISMATCH',
  'SIGNATURE_INVALID',
  'CONFIG_MISMATCH',
  'BEACON_MISMATCH',
  'ROUND_MISMATCH',
  'SEED_MISMATCH',
  'NOT_YET_REVEALED',
  'PROOF_INVALID',
  'CTX_MISMATCH',
  'OUTCOME_MISMATCH',
  'LOG_INCONSISTENT',
  'NONCE_GAP',
  'TRUST_MISMATCH',
])
// BLS costs 20 ms a time; the hash over the signature, which stays on, already catches a changed one.
const OPTIONS = { ...VERIFIER, bls: false, hash: NODE_HASH }
// Members that FAIR/1 does not tie to chance (logIndex points into the log, which the transcript does not carry), and
// members that are optional.
const FREE = [/^award/, /^prevTranscript/, /^postpones\.0\.logIndex$/]
const OPTIONAL = [/^draws$/, /^log$/, /^entries\.list$/, /^entries\.total$/]

type Path = (string | number)[]

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  const below = Object.keys(value).flatMap((name) => {
    const step = Array.isArray(value) ? Number(name) : name
    return pathsOf((value as Record<string, unknown>)[name], [...path, step])
  })
  return path.length === 0 ? below : [path, ...below]
}

function altered(document: unknown, path: Path, alter: (value: any) => unknown): any {
  const copy = structuredClone(document) as any
  let parent = copy
  for (const step of path.slice(0, -1)) parent = parent[step]
  const last = path.at(-1)!
  const next = alter(parent[last])
  if (next !== undefined) parent[last] = next
  else if (Array.isArray(parent)) parent.splice(last as number, 1)
  else delete parent[last]
  return copy
}

function other(value: unknown): unknown {
  if (typeof value === 'number') return value + 1
  if (typeof value === 'boolean') return !value
  if (typeof value !== 'string') return Array.isArray(value) ? {} : []
  // Keeps the alphabet, so that the value stays well-formed and the deeper check has to find it.
  return value.slice(0, -1) + (value.endsWith('0') ? '1' : '0')
}

const ALTERATIONS: Record<string, (value: unknown) => unknown> = {
  changed: other,
  removed: () => undefined,
  'set to null': () => null,
  'set to an odd type': (value) => (typeof value === 'object' ? 'text' : { odd: [value === undefined] }),
}

describe('Tamper matrix', () => {
  const documents = everyKind()

  it('S0-32c a document of every kind, mode and rule verifies step by step', () => {
    for (const [name, document] of Object.entries(documents)) {
      const answer = verifyText(jcs(document), { ...VERIFIER, hash: NODE_HASH })
      assert.deepEqual([answer.status, answer.code], ['verified', null], name)
      assert.equal(answer.trust, document.trust)
      for (const step of answer.steps) assert.notEqual(step.status, 'failed')
    }
  })

  for (const [name, document] of Object.entries(documents)) {
    it(`P-47 no member of a transcript (${name}) can be changed or removed unseen, and nothing crashes`, () => {
      for (const path of pathsOf(document)) {
        const place = path.join('.')
        // Three leaves stand for all: each attempt verifies two signatures, and a list has dozens of leaves.
        if (path[1] === 'list' && Number(path[2] ?? 0) > 2) continue
        for (const [how, alter] of Object.entries(ALTERATIONS)) {
          const tampered = altered(document, path, alter)
          if (jcs(tampered) === jcs(document)) continue
          const answer = verifyTranscript(tampered, OPTIONS)
          const may_pass =
            FREE.some((free) => free.test(place)) ||
            (how === 'removed' && OPTIONAL.some((optional) => optional.test(place))) ||
            isUnusedTotal(document, place)
          if (answer.ok && may_pass) continue
          assert.equal(answer.ok, false, `${place} ${how} was not noticed`)
          assert.ok(answer.code && CODES.has(answer.code), `${place} ${how}: ${answer.code}`)
          assert.equal(answer.trust === null, answer.status === 'failed')
        }
      }
    })
  }

  // A list that starts with the stakes needs its total; elsewhere the member is not read.
  function isUnusedTotal(document: Transcript, place: string) {
    return place === 'entries.total' && document.commit.doc.kind !== 'jackpot'
  }

  it('S1-11v odds that differ by one unit fail, whichever segment they are of', () => {
    const { wheel } = documents
    wheel!.config.segments.forEach((_segment: unknown, i: number) => {
      const tampered = altered(wheel, ['config', 'segments', i, 'weight'], (weight) => weight + 1)
      assert.equal(verifyTranscript(tampered, OPTIONS).code, 'CONFIG_MISMATCH')
    })
  })

  it('S1-11v odds that were changed together with the commitment fail at its signature', () => {
    const fresh = makeTranscript({
      kind: 'wheel',
      mode: 'pair',
      config: { kind: 'wheel', segments: [{ id: 'a', weight: 1 }] },
      members: { client: documents['wheel']!.client! },
    })
    fresh.commit.jws = documents['wheel']!.commit.jws!
    assert.equal(verifyTranscript(fresh, OPTIONS).code, 'SIGNATURE_INVALID')
    fresh.commit.jws = signCommit(fresh.commit.doc, {
      ...SIGNING_KEY,
      privateKey: new Uint8Array(32).fill(9),
    })
    assert.equal(verifyTranscript(fresh, OPTIONS).code, 'SIGNATURE_INVALID')
  })

  it('P-47 no member of a pair reveal can be changed or removed unseen', () => {
    const reveal = makeReveal(12)
    const known = reveal.spins
    assert.equal(verifyPairReveal(reveal, { ...OPTIONS, known }).status, 'verified')
    for (const path of pathsOf(reveal)) {
      for (const [how, alter] of Object.entries(ALTERATIONS)) {
        const answer = verifyPairReveal(altered(reveal, path, alter), { ...OPTIONS, known })
        assert.equal(answer.ok, false, `${path.join('.')} ${how} was not noticed`)
        assert.ok(answer.code && CODES.has(answer.code))
      }
    }
  })

  it('P-41 a discarded spin shows as NONCE_GAP unless it was the last one, which only who knows of it can show', () => {
    const reveal = makeReveal(12)
    for (let i = 0; i < 12; i++) {
      const without = { ...reveal, spins: reveal.spins.filter((spin) => spin.nonce !== i) }
      assert.equal(verifyPairReveal(without, OPTIONS).code, i === 11 ? null : 'NONCE_GAP')
      assert.equal(verifyPairReveal(without, { ...OPTIONS, known: reveal.spins }).code, 'NONCE_GAP')
    }
  })

  it('P-47 any JSON value at all is answered with a verdict', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        for (const answer of [
          verifyTranscript(value),
          verifyPairReveal(value),
          verifyText(JSON.stringify(value)),
        ]) {
          assert.deepEqual([answer.ok, answer.code], [false, 'FORMAT_INVALID'])
        }
      }),
      propertyOptions(300),
    )
    for (const odd of [undefined, () => 1, Symbol('s'), 1n, new Date(0), new Map()]) {
      assert.equal(verifyTranscript(odd).code, 'FORMAT_INVALID')
    }
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    assert.equal(verifyTranscript(cycle).code, 'FORMAT_INVALID')
  })

  it('P-47 any value in place of any member of a transcript is answered with a verdict', () => {
    const names = Object.keys(documents)
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(), fc.jsonValue(), (name, at, value) => {
        const document = documents[name]!
        const paths = pathsOf(document)
        const answer = verifyTranscript(
          altered(document, paths[at % paths.length]!, () => value),
          OPTIONS,
        )
        assert.ok(answer.code === null || CODES.has(answer.code))
      }),
      propertyOptions(400),
    )
  })

  it('P-47 text that is not its own canonical form is refused: spaces, order, doubled keys, 1.0, depth, size', () => {
    const text = jcs(documents['wheel'])
    assert.equal(verifyText(text, OPTIONS).ok, true)
    const reordered = JSON.stringify({ v: 'fair/1', ...documents['wheel'] })
    const spelled = text.replace('"nonce":3', '"nonce":3.0')
    const doubled = text.replace('{"award"', '{"award":1,"award"')
    for (const bad of [`${text}\n`, ` ${text}`, reordered, spelled, doubled, '', '{', `\ufeff${text}`]) {
      assert.notEqual(bad, text)
      assert.equal(verifyText(bad, OPTIONS).code, 'FORMAT_INVALID')
    }
    const deep = { ...documents['wheel'], award: JSON.parse('['.repeat(32) + ']'.repeat(32)) }
    assert.equal(verifyTranscript(deep, OPTIONS).code, 'FORMAT_INVALID')
    const endless = '['.repeat(5_000_000)
    assert.equal(verifyText(endless, OPTIONS).code, 'FORMAT_INVALID')
    assert.equal(verifyText(`"${'a'.repeat(32 * 1024 * 1024)}"`, OPTIONS).code, 'FORMAT_INVALID')
  })
})

describe('Verifier rules', () => {
  const documents = everyKind()
  const restated = (t: Transcript) => {
    // What a dishonest server could still do: state the changed document consistently and sign it again.
    t.commit.hash = commitHash(t.commit.doc)
    t.commit.jws = signCommit(t.commit.doc, SIGNING_KEY)
    return t
  }

  it('P-44 an entrant verifies the own ticket from its leaf and proof alone, without any other entry', () => {
    const proven = withProofs(documents['raffle, hybrid']!, [4])
    const { leaf, proof } = proven.entries!.proofs![0]!
    const given = { leaf, proof, root: proven.entries!.root, n: proven.entries!.n }
    assert.equal(verifyEntry(given, NODE_HASH), true)
    assert.equal(verifyEntry({ ...given, leaf: { ...leaf, i: 5 } }, NODE_HASH), false)
    assert.equal(verifyEntry({ ...given, leaf: { ...leaf, e: '00'.repeat(32) } }, NODE_HASH), false)
    assert.equal(verifyEntry({ ...given, proof: proof.slice(1) }, NODE_HASH), false)
    assert.equal(verifyEntry({ ...given, n: 99 }, NODE_HASH), false)
    assert.equal(verifyEntry({ leaf: null, proof: 7, root: 'x', n: -1 } as any), false)
    const text = JSON.stringify(given)
    for (const one of documents['raffle, hybrid']!.entries!.list!) {
      if (one.i !== leaf.i) assert.equal(text.includes(one.e), false, 'the proof shows another entrant')
    }
  })

  it('P-49 a logged and proven event that tells another story than the transcript is refused', () => {
    const { client } = documents['wheel']!
    const spin = (event: object) =>
      makeTranscript({
        kind: 'wheel',
        mode: 'pair',
        config: documents['wheel']!.config,
        members: { client: client! },
        event,
      })
    assert.equal(verifyTranscript(spin({}), OPTIONS).code, null)
    const stories = [
      { nonce: 9 },
      { entropy: '-' },
      { result: 9 },
      { type: 'result' },
      { commitHash: '00'.repeat(32) },
      { seq: 3 },
    ]
    for (const event of stories) {
      assert.equal(verifyTranscript(spin(event), OPTIONS).code, 'LOG_INCONSISTENT', JSON.stringify(event))
    }
    const list = documents['raffle, commit']!.entries!.list!
    const raffle = (event: object) =>
      makeTranscript({
        kind: 'draw',
        mode: 'commit',
        config: documents['raffle, commit']!.config,
        list,
        event,
      })
    for (const event of [{ ctx: 'fair/1|draw|x' }, { outcome: { order: [] } }, { type: 'spin' }]) {
      assert.equal(verifyTranscript(raffle(event), OPTIONS).code, 'LOG_INCONSISTENT', JSON.stringify(event))
    }
  })

  it('P-49 a stored checkpoint of another log is refused although its root and key are the same', () => {
    const made = (origin: string) =>
      makeTranscript({
        kind: 'wheel',
        mode: 'pair',
        config: documents['wheel']!.config,
        members: { client: documents['wheel']!.client! },
        origin,
      })
    const here = made('livedraw.example/t-1')
    const code = (origin: string) => {
      const stored = { checkpoint: made(origin).log!.checkpoint, proof: [] }
      return verifyTranscript(here, { ...OPTIONS, stored }).code
    }
    assert.equal(code('livedraw.example/t-1'), null)
    assert.equal(code(OTHER_ORIGIN), 'LOG_INCONSISTENT')
  })

  it('S1-11v a config of another kind than its commitment is refused although its hash is committed', () => {
    const made = makeTranscript({
      kind: 'wheel',
      mode: 'pair',
      config: { ...documents['wheel']!.config, kind: 'mystery' },
      members: { client: documents['wheel']!.client! },
    })
    assert.equal(verifyTranscript(made, OPTIONS).code, 'CONFIG_MISMATCH')
  })

  it('P-44 a pick-N jackpot whose total is not its number of tickets is refused', () => {
    const { config, entries } = documents['jackpot, pick-N']!
    const made = makeTranscript({ kind: 'jackpot', mode: 'beacon', config, list: entries!.list!, total: 4 })
    assert.equal(verifyTranscript(made, OPTIONS).code, 'PROOF_INVALID')
  })

  it('P-44 a jackpot with proofs instead of the list is checked as far as they reach', () => {
    const full = documents['jackpot by stake']!
    const [winner] = full.outcome['winners']
    const loser = (winner + 1) % 5
    const by_winner = withProofs(full, [winner])
    assert.equal(verifyTranscript(by_winner, OPTIONS).ok, true)
    by_winner.outcome = { ...full.outcome, winners: [loser] }
    assert.equal(verifyTranscript(by_winner, OPTIONS).code, 'OUTCOME_MISMATCH')
    const by_loser = withProofs({ ...full, outcome: { ...full.outcome, winners: [loser] } }, [loser])
    assert.equal(verifyTranscript(by_loser, OPTIONS).code, 'OUTCOME_MISMATCH')
    const two = withProofs(documents['jackpot, two winners']!, [])
    assert.equal(verifyTranscript(two, OPTIONS).ok, true)
    assert.ok(leftOpen(two, OPTIONS).some((note) => note.includes('list of entries')))
  })

  it('P-44 a guess game without its list is checked for its targets', () => {
    const sealed = withProofs(documents['guess, exact, draw']!, [0])
    assert.equal(verifyTranscript(sealed, OPTIONS).ok, true)
    const [first, second] = sealed.outcome['targets']
    sealed.outcome = { ...sealed.outcome, targets: [second, first] }
    assert.equal(verifyTranscript(sealed, OPTIONS).code, 'OUTCOME_MISMATCH')
  })

  it('P-44 stakes that overlap, leave a hole or miss the total are refused although their root is right', () => {
    for (const [i, member, by] of [
      [2, 's', 1],
      [2, 's', -1],
      [1, 'w', 1],
      [4, 'w', -1],
    ] as const) {
      const { list } = documents['jackpot by stake']!.entries!
      const wrong = structuredClone(list!)
      wrong[i]![member] = wrong[i]![member]! + by
      const made = makeTranscript({
        kind: 'jackpot',
        mode: 'beacon',
        config: { kind: 'jackpot', unit: 'cent' },
        list: wrong,
        total: 50,
      })
      assert.equal(verifyTranscript(made, OPTIONS).code, 'PROOF_INVALID')
    }
  })

  it('P-43 the beacon round moves only as the commitment allows', () => {
    const moved = (name: string, change: (t: Transcript) => void) => {
      const t = structuredClone(documents[name]!)
      change(t)
      return verifyTranscript(restated(t), { ...OPTIONS, logs: [] }).code
    }
    const postponed = 'raffle, postponed'
    assert.equal(
      moved(postponed, (t) => {
        t.commit.doc.fallback!.maxPostpones = 0
      }),
      'ROUND_MISMATCH',
    )
    assert.equal(
      moved(postponed, (t) => {
        t.commit.doc.fallback!.postponeBy = 2
      }),
      'ROUND_MISMATCH',
    )
    assert.equal(
      moved(postponed, (t) => {
        delete t.commit.doc.fallback
      }),
      'ROUND_MISMATCH',
    )
    assert.equal(
      moved(postponed, (t) => {
        delete t.postpones
      }),
      'ROUND_MISMATCH',
    )
    assert.equal(
      moved(postponed, (t) => {
        t.commit.doc.beacon!.marginMs = 60_000
      }),
      'ROUND_MISMATCH',
    )
    const extended = 'raffle, extended'
    assert.equal(
      moved(extended, (t) => {
        t.commit.doc.fallback!.extend = false
      }),
      'ROUND_MISMATCH',
    )
    assert.equal(
      moved(extended, (t) => {
        t.postpones![0]!.closesAt = '2023-08-23T15:59:20Z'
      }),
      'ROUND_MISMATCH',
    )
    assert.equal(
      moved(extended, (t) => {
        t.postpones![0]!.closesAt = '2023-08-23T15:58:50Z'
      }),
      'ROUND_MISMATCH',
    )
    const series = 'round, beacon, series'
    assert.equal(
      moved(series, (t) => {
        t.commit.doc.series!.beaconStep = 2
      }),
      'ROUND_MISMATCH',
    )
    assert.equal(
      moved(series, (t) => {
        t.commit.doc.series!.rounds = 1
      }),
      'ROUND_MISMATCH',
    )
    assert.equal(
      moved(series, (t) => {
        t.postpones = [{ from: 1001, to: 1002, logIndex: 1 }]
      }),
      'ROUND_MISMATCH',
    )
    // Without a margin the round must only be late enough; a recorded round may be of any time.
    const recorded = 'raffle, recorded'
    assert.equal(
      moved(recorded, (t) => {
        delete t.commit.doc.beacon!.source
      }),
      'ROUND_MISMATCH',
    )
  })

  it('P-42 a seed of another place in the chain is refused', () => {
    const t = structuredClone(documents['round, commit, seed chain']!)
    t.roundNo = 2
    assert.equal(verifyTranscript(t, OPTIONS).code, 'SEED_MISMATCH')
    t.roundNo = 9
    assert.equal(verifyTranscript(t, OPTIONS).code, 'SEED_MISMATCH')
    t.commit.doc.series!.rounds = Number.MAX_SAFE_INTEGER - 5
    t.roundNo = Number.MAX_SAFE_INTEGER - 6
    assert.equal(
      verifyTranscript(restated(t), OPTIONS).code,
      'FORMAT_INVALID',
      'an endless chain must not hang',
    )
  })

  it('P-43 a forged beacon signature is refused by BLS even when its hash fits', () => {
    const t = structuredClone(documents['raffle, hybrid']!)
    t.beacon!.signature = `c0${'00'.repeat(47)}`
    t.beacon!.randomness = Buffer.from(NODE_HASH.sha256(Buffer.from(t.beacon!.signature, 'hex'))).toString(
      'hex',
    )
    const answer = verifyTranscript(t, { ...VERIFIER, hash: NODE_HASH })
    assert.deepEqual([answer.code, answer.steps.at(-1)!.id], ['BEACON_MISMATCH', 'beacon'])
  })

  it('P-47 a verifier that was given nothing says what it did not check', () => {
    const t = documents['raffle, hybrid']!
    const answer = verifyTranscript(t, { bls: false, hash: NODE_HASH })
    const skipped = answer.steps.filter((step) => step.status === 'skipped').map((step) => step.id)
    assert.deepEqual(skipped, ['signature', 'log'])
    assert.equal(leftOpen(t, { bls: false }).length, 3)
    assert.deepEqual(leftOpen(t, VERIFIER), [])
  })

  it('S0-32c a transcript before the reveal is pending, and a fault beside the missing seed is still found', () => {
    const { serverSeed: _seed, ...waiting } = documents['raffle, commit']!
    const answer = verifyTranscript(waiting, OPTIONS)
    assert.deepEqual(
      [answer.ok, answer.status, answer.code, answer.trust],
      [false, 'pending', 'NOT_YET_REVEALED', 'operator'],
    )
    assert.equal(verifyTranscript({ ...waiting, trust: 'beacon' }, OPTIONS).code, 'TRUST_MISMATCH')
    assert.equal(verifyTranscript({ ...waiting, ctx: `${waiting.ctx}0` }, OPTIONS).code, 'CTX_MISMATCH')
  })
})
