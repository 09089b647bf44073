/** The public log: chained, a tree whose proofs hold at any size, and checkpoints that outsiders can hold against us. */
import assert from 'node:assert/strict'
import { logLeafHash, logRowHash } from '../../src/db/append.ts'
import { fromHex, toHex } from '../../src/fairness/bytes.ts'
import { jcs } from '../../src/fairness/canonical.ts'
import { merkleRoot, openCheckpoint, verifyConsistency, verifyInclusion } from '../../src/fairness/merkle.ts'
import { NODE_HASH } from '../../src/node-hash.ts'
import { makeCheckpoints, originOf } from '../../src/proofs/checkpoints.ts'
import { proveConsistency, proveInclusion, rootAt } from '../../src/proofs/log.ts'
import { eventually, type Stage, startStage } from '../games/kit.ts'

let stage: Stage
let tenant_id: string

const leaves: Uint8Array[] = []
const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))

/** Fills the log to a size with rows as the server writes them. */
async function fill(size: number): Promise<void> {
  const [head] = await stage.rows<{ log_size: number; log_hash: string }>(
    'select log_size, log_hash from tenant_heads where tenant_id = $1',
    [tenant_id],
  )
  let hash = head!.log_hash
  for (let from = head!.log_size; from < size; from += 20_000) {
    const rows = times(Math.min(20_000, size - from), (i) => {
      const seq = from + i
      const event = jcs({
        type: 'config',
        gameId: 'g',
        configHash: '0'.repeat(64),
        seq,
        at: '2026-06-15T10:00:00.000Z',
      })
      hash = logRowHash(hash, event)
      leaves[seq] = fromHex(logLeafHash(event))
      return { seq, event, leaf_hash: logLeafHash(event), row_hash: hash }
    })
    await stage.rows(
      `insert into fair_log (tenant_id, seq, type, event, leaf_hash, row_hash)
       select $1, r.seq, 'config', r.event, r.leaf_hash, r.row_hash
       from json_to_recordset($2::json) as r(seq bigint, event text, leaf_hash text, row_hash text)`,
      [tenant_id, JSON.stringify(rows)],
    )
  }
  await stage.rows('update tenant_heads set log_size = $2, log_hash = $3 where tenant_id = $1', [
    tenant_id,
    size,
    hash,
  ])
}

const checkpoint = (from = stage.checkpoints) => from.make(tenant_id)
const roots = new Map<number, Uint8Array>()

/** The root by the plain definition, over all leaves at once. */
function rootOver(size: number): Uint8Array {
  const root = roots.get(size) ?? merkleRoot(leaves.slice(0, size), NODE_HASH)
  roots.set(size, root)
  return root
}

/** Sizes around every place where the shape of the tree or of what is stored changes. */
const SIZES = [1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 1000, 65_535, 65_536, 65_537, 66_000]

describe('the public log', () => {
  before(async () => {
    stage = await startStage()
    tenant_id = stage.tenants.get('demo')!
  })
  after(async () => {
    await stage.close()
  })

  it('P-49 of any size gives a checkpoint over the very root of its events, which opens with the verifier key', async () => {
    for (const size of SIZES) {
      await fill(size)
      // A process that knows the tree, and one that must read it from what is stored, agree.
      const [kept, fresh] = [await checkpoint(), await checkpoint(makeCheckpoints(stage.app, () => {}))]
      assert.deepEqual(kept, fresh)
      const opened = openCheckpoint(kept.note, [stage.keys.verifierKey(originOf(tenant_id))])
      assert.equal(opened.size, size)
      assert.equal(toHex(opened.root), toHex(rootOver(size)), `size ${size}`)
      assert.equal(kept.root, toHex(opened.root))
    }
  }).timeout(60_000)

  it('P-49 proves that each event is in it, at every size', async () => {
    for (const size of SIZES) {
      const root = rootOver(size)
      for (const index of new Set([
        0,
        1,
        255,
        256,
        257,
        511,
        65_535,
        65_536,
        size >> 1,
        size - 2,
        size - 1,
      ])) {
        if (index < 0 || index >= size) continue
        const proof = (await stage.inTenant((tx) => proveInclusion(tx, index, size))).map(fromHex)
        const given = { index, size, leafHash: leaves[index]!, proof, root }
        assert.ok(verifyInclusion(given), `${index} of ${size}`)
        assert.ok(!verifyInclusion({ ...given, leafHash: leaves[(index + 1) % leaves.length]! }))
      }
      assert.equal(await stage.inTenant((tx) => rootAt(tx, size)), toHex(root))
    }
  }).timeout(60_000)

  it('P-49 proves that every older checkpoint is the beginning of every newer one', async () => {
    for (const [i, second] of SIZES.entries()) {
      for (const first of SIZES.slice(0, i + 1)) {
        const proof = (await stage.inTenant((tx) => proveConsistency(tx, first, second))).map(fromHex)
        const given = { first, second, proof, root1: rootOver(first), root2: rootOver(second) }
        assert.ok(verifyConsistency(given), `${first} of ${second}`)
        if (first > 1 && first < 2_000)
          assert.ok(!verifyConsistency({ ...given, root1: rootOver(first - 1) }))
      }
    }
  }).timeout(60_000)

  it('P-49 refuses sizes that it has not', async () => {
    await assert.rejects(stage.inTenant((tx) => proveInclusion(tx, 66_000, 66_000)))
    await assert.rejects(stage.inTenant((tx) => proveConsistency(tx, 0, 10)))
    await assert.rejects(stage.inTenant((tx) => proveConsistency(tx, 10, 66_001)))
  })

  it('P-45 cannot be changed, emptied or skipped, by the application or by the owner', async () => {
    for (const table of ['fair_log', 'fair_log_nodes', 'fair_checkpoints', 'audit_logs', 'game_events']) {
      for (const sql of [`delete from ${table}`, `update ${table} set tenant_id = tenant_id`]) {
        if (table === 'audit_logs' && sql.startsWith('update')) continue
        if (table === 'game_events' && (await stage.rows('select 1 from game_events')).length === 0) continue
        await assert.rejects(
          stage.inTenant((tx) => tx.rows(sql)),
          /permission denied/,
          sql,
        )
        await assert.rejects(stage.rows(sql), /append-only/, sql)
      }
      await assert.rejects(
        stage.inTenant((tx) => tx.rows(`truncate ${table}`)),
        /permission denied/,
      )
    }
  })

  it('P-49 grows without gap when many processes write at once, and checkpoints never go back', async () => {
    const wheel_id = await stage.aWheel()
    const other = stage.aProcess()
    const players = times(8, (i) => `player-${i}`)
    for (const player of players) await stage.grant(player, 5)
    const sizes: number[] = []
    stage.checkpoints.follow(
      tenant_id,
      (note) => void sizes.push(openCheckpoint(note, [stage.keys.verifierKey(originOf(tenant_id))]).size),
    )
    await Promise.all(
      players.flatMap((player, p) =>
        times(5, (i) =>
          ((p + i) % 2 ? stage : other).wheel.spin(stage.actor(player), { wheel_id, request_id: `r-${i}` }),
        ),
      ),
    )
    await Promise.all(times(10, (i) => checkpoint(i % 2 ? stage.checkpoints : other.checkpoints)))
    const [row] = await stage.rows(
      'select count(*)::int as n, max(seq)::int as last from fair_log where tenant_id = $1',
      [tenant_id],
    )
    assert.equal(row.n, row.last + 1)
    assert.deepEqual(
      sizes,
      [...sizes].sort((a, b) => a - b),
    )
    assert.equal(sizes.at(-1), row.n)
  })

  it('P-49 a checkpoint follows new events by itself', async () => {
    const wheel_id = await stage.aWheel({ slug: 'quiet' })
    await stage.grant('alice', 1)
    await stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: 'last' })
    const [{ size }] = await stage.rows(
      'select max(seq)::int + 1 as size from fair_log where tenant_id = $1',
      [tenant_id],
    )
    await eventually('a checkpoint within 5 s', async () => {
      const [last] = await stage.rows(
        'select max(log_size)::int as size from fair_checkpoints where tenant_id = $1',
        [tenant_id],
      )
      return last.size >= size
    })
  }).timeout(20_000)

  it('P-49 a process that starts takes up what the last one had not checkpointed', async () => {
    const wheel_id = await stage.aWheel({ slug: 'crashed' })
    await stage.grant('bob', 1)
    await stage.wheel.spin(stage.actor('bob'), { wheel_id, request_id: 'last' })
    const next = stage.aProcess()
    assert.equal(next.checkpoints.latest(tenant_id), undefined)
    await next.wheel.advanceRounds(tenant_id)
    const { size } = openCheckpoint(next.checkpoints.latest(tenant_id)!, [
      stage.keys.verifierKey(originOf(tenant_id)),
    ])
    const [row] = await stage.rows('select max(seq)::int + 1 as size from fair_log where tenant_id = $1', [
      tenant_id,
    ])
    assert.equal(size, row.size)
  })
})
