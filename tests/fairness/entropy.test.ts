// The three entropy sources, with relays that answer, lie, stall or are gone. No network: fetch and clock are ours.
import assert from 'node:assert/strict'
import { timeOfRound } from '../../src/fairness/beacon.ts'
import { type CommitDoc, seedHash, trustLabel } from '../../src/fairness/commit.ts'
import { drandSource, localSource, recordedSource, type SeedStore } from '../../src/fairness/entropy.ts'
import { RECORDED_ROUNDS } from '../../src/fairness/recorded-rounds.ts'
import { NODE_HASH } from '../../src/node-hash.ts'

type Relay = (round: number, signal: AbortSignal) => Promise<string> | string

const recorded = (round: number) => RECORDED_ROUNDS.find((value) => value.round === round)!
const honest: Relay = (round) => {
  const { chain: _chain, ...answer } = recorded(round)
  return JSON.stringify(answer)
}
const dead: Relay = () => {
  throw new Error('connection refused')
}
// Answers never; the caller's own timeout is what ends it.
const stalled: Relay = (_round, signal) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))

function network(relays: Record<string, Relay>) {
  const timeouts: number[] = []
  return {
    timeouts,
    clock: {
      now_ms: timeOfRound(1000),
      now() {
        return this.now_ms
      },
      timeout(duration_ms: number) {
        timeouts.push(duration_ms)
        const controller = new AbortController()
        setImmediate(() => controller.abort())
        return controller.signal
      },
    },
    async fetch(url: string, { signal }: { signal: AbortSignal }) {
      const match = /^(https:\/\/[a-z]+)\/[0-9a-f]{64}\/public\/(\d+)$/.exec(url)
      const text = await relays[match![1]!]!(Number(match![2]), signal)
      return { ok: true, text: async () => text }
    },
  }
}

const beaconDoc = (round: number, more: object = {}): CommitDoc => ({
  v: 1,
  kind: 'draw',
  mode: 'beacon',
  configHash: '00'.repeat(32),
  beacon: { chain: RECORDED_ROUNDS[0]!.chain, round },
  ...more,
})

function seedStore(): SeedStore & { seeds: Map<string, Uint8Array> } {
  const seeds = new Map<string, Uint8Array>()
  return {
    seeds,
    async create() {
      const seed = new Uint8Array(32).fill(seeds.size + 1)
      seeds.set(seedHash(seed), seed)
      return seedHash(seed)
    },
    open: async (hash) => seeds.get(hash) ?? null,
  }
}

describe('Entropy sources', () => {
  it('P-43 drand takes the first answer that verifies, and drops and counts a lying relay on the way', async () => {
    const lies: Relay[] = [
      () => honest(1001, new AbortController().signal),
      () => JSON.stringify({ ...recorded(1001), round: 1000 }),
      () => JSON.stringify({ ...recorded(1000), randomness: '00'.repeat(32) }),
      () => JSON.stringify({ ...recorded(1000), signature: `c0${'00'.repeat(47)}` }),
      () => '{"round":1000}',
      () => 'null',
      () => '<html>',
    ]
    for (const liar of lies) {
      const net = network({ 'https://liar': liar, 'https://honest': honest })
      const dropped: unknown[] = []
      const source = drandSource({
        relays: ['https://liar/', 'https://honest'],
        ...net,
        hash: NODE_HASH,
        onDropped: (relay, round) => dropped.push([relay, round]),
      })
      const obtained = await source.obtain(beaconDoc(1000))
      assert.deepEqual(obtained, { status: 'ready', value: { beacon: recorded(1000) } })
      assert.deepEqual(source.counts()['https://liar/'], { asked: 1, dropped: 1, failed: 0 })
      assert.deepEqual(source.counts()['https://honest'], { asked: 1, dropped: 0, failed: 0 })
      assert.deepEqual(dropped, [['https://liar/', 1000]])
    }
  })

  it('P-43 drand gives each relay 3 s and goes on to the next when one is dead or stalled', async () => {
    const net = network({ 'https://dead': dead, 'https://stalled': stalled, 'https://honest': honest })
    const relays = ['https://dead', 'https://stalled', 'https://honest']
    const source = drandSource({ relays, ...net, hash: NODE_HASH })
    assert.equal((await source.obtain(beaconDoc(1000))).status, 'ready')
    assert.deepEqual(net.timeouts, [3000, 3000, 3000])
    assert.deepEqual(
      relays.map((relay) => source.counts()[relay]!.failed),
      [1, 1, 0],
    )
  })

  it('P-43 drand asks nobody before the round is out, and asks again one period later when no relay has it', async () => {
    const net = network({ 'https://dead': dead })
    const source = drandSource({ relays: ['https://dead'], ...net })
    const early = await source.obtain(beaconDoc(1001))
    assert.deepEqual(early, { status: 'not_yet', retry_at: timeOfRound(1001) })
    assert.equal(source.counts()['https://dead']!.asked, 0)
    const late = await source.obtain(beaconDoc(1000))
    assert.deepEqual(late, { status: 'not_yet', retry_at: net.clock.now() + 3000 })
  })

  it('P-43 a beacon that cannot be reached is not ready, and no other source takes its place', async () => {
    const unreachable = drandSource({ relays: ['https://dead'], ...network({ 'https://dead': dead }) })
    assert.equal(await unreachable.ready(), false)
    const net = network({ 'https://honest': honest })
    net.clock.now_ms = timeOfRound(1002)
    assert.equal(await drandSource({ relays: ['https://honest'], ...net, hash: NODE_HASH }).ready(), true)
    assert.throws(() => drandSource({ relays: [], ...net }), RangeError)
  })

  it('P-43 a plan names the first round at or after closing time plus margin; with a seed store it is hybrid', async () => {
    const net = network({})
    const plan = await drandSource({ relays: ['https://x'], ...net }).plan('2023-08-23T15:58:54Z', 30_000)
    assert.deepEqual(plan, {
      mode: 'beacon',
      beacon: { chain: RECORDED_ROUNDS[0]!.chain, round: 1000, marginMs: 30_000 },
    })
    const seeds = seedStore()
    const hybrid = await drandSource({ relays: ['https://x'], ...net, seeds }).plan(
      '2023-08-23T15:58:54Z',
      30_000,
    )
    assert.equal(hybrid.mode, 'hybrid')
    assert.ok(seeds.seeds.has(hybrid.seedHash!))
  })

  it('P-43 the local source needs no network, reveals nothing before it is asked, and its label is operator', async () => {
    const seeds = seedStore()
    const source = localSource({ seeds })
    const plan = await source.plan('2026-01-01T00:00:00Z', 0)
    const doc = beaconDoc(1, { ...plan, beacon: undefined })
    assert.equal(plan.mode, 'commit')
    assert.equal(
      JSON.stringify(plan).includes(Buffer.from([...seeds.seeds.values()][0]!).toString('hex')),
      false,
    )
    const obtained = await source.obtain(doc)
    assert.ok(obtained.status === 'ready')
    assert.equal(source.check(doc, obtained.value), true)
    assert.equal(source.check(doc, { seed: new Uint8Array(32) }), 'SEED_MISMATCH')
    assert.equal(source.check(doc, {}), 'NOT_YET_REVEALED')
    assert.equal(trustLabel(doc, { hints: false }), 'operator')
    assert.deepEqual(await source.obtain({ ...doc, seedHash: '11'.repeat(32) }), {
      status: 'not_yet',
      retry_at: 0,
    })
  })

  it('P-43 the recorded source hands out real rounds that verify, and its label is operator', async () => {
    const source = recordedSource({ hash: NODE_HASH })
    for (const expected of RECORDED_ROUNDS) {
      const doc = beaconDoc(1, await source.plan(0, 0))
      assert.deepEqual(doc.beacon, { chain: expected.chain, round: expected.round, source: 'recorded' })
      const obtained = await source.obtain(doc)
      assert.ok(obtained.status === 'ready')
      assert.equal(source.check(doc, obtained.value), true)
      assert.equal(trustLabel(doc, {}), 'operator')
    }
    await assert.rejects(source.obtain(beaconDoc(5)), RangeError)
  })

  it('P-43 check names the fault of a value: chain, round, randomness, signature', () => {
    const { check } = recordedSource({ hash: NODE_HASH })
    const doc = beaconDoc(1000)
    const beacon = recorded(1000)
    assert.equal(check(doc, { beacon }), true)
    assert.equal(check(doc, {}), 'BEACON_MISMATCH')
    assert.equal(check(doc, { beacon: { ...beacon, chain: '00'.repeat(32) } }), 'BEACON_MISMATCH')
    assert.equal(check(doc, { beacon: recorded(1001) }), 'ROUND_MISMATCH')
    assert.equal(check(doc, { beacon: recorded(1001) }, 1001), true)
    assert.equal(check(doc, { beacon: { ...beacon, randomness: '00'.repeat(32) } }), 'BEACON_MISMATCH')
    assert.equal(check(doc, { beacon: { ...recorded(1001), round: 1000 } }), 'BEACON_MISMATCH')
  })
})
