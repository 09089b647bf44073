/**
 * A list of ten million entries without a database: the tree that the product keeps while entries come in, in the slices
 * that it takes, and what is left to do at the close and at the draw.
 *
 * Plain baselines, one after the other on the same leaves: hashing the list in one go when it closes; a full shuffle;
 * ordering by SHA-256 of a key and the index. Each is measured alone, with the longest stall of the event loop.
 * Run: `node bench/lists.ts [--quick | entries]`.
 */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { toHex, utf8 } from '../src/fairness/bytes.ts'
import { jcs } from '../src/fairness/canonical.ts'
import { EMPTY_TREE, leafHash, nodeHash, rootOf } from '../src/fairness/merkle.ts'
import { context, sample, shuffle, words } from '../src/fairness/rolls.ts'
import { NODE_HASH } from '../src/node-hash.ts'
import { grown, type StoredNode } from '../src/proofs/stored-tree.ts'

type Row = Record<string, string | number>
/** `turn_ms` is CPU time of the longest turn of the event loop: beside other work a delay says little. */
type Measured<T> = {
  value: T
  took_ms: number
  cpu_ms: number
  turn_ms: number
  delay_ms: number
  rss_mb: number
}

const ENTRIES = 10_000_000
const WINNERS = 100
/** Leaves hashed in one turn of the event loop (src/draws/list.ts). */
const SLICE = 200
/** Subtrees that are handed over to be stored before more leaves come. */
const STORED_AT_ONCE = 4_096
const KEY = new Uint8Array(32).fill(7)
const HASH_BYTES = 32

/** Runs the measurement, about three minutes, and returns its table. */
export async function run({
  quick = false,
  entries = ENTRIES,
}: {
  quick?: boolean
  entries?: number
} = {}): Promise<{ name: string; rows: Row[] }> {
  const n = quick ? 100_000 : entries
  const entrant = toHex(NODE_HASH.sha256(utf8('somebody')))
  const leafOf = (i: number) => leafHash(utf8(jcs({ e: entrant, i, t: i + 1, via: 'paid' })), NODE_HASH)

  // As in a server that has drawn before.
  sample(words(KEY, context('draw', ['-', '-', n, '-']), NODE_HASH), n, n / 100)
  const kept = await measured((turn) => keepTree(n, leafOf, turn))
  const closed = await measured(async () => toHex(rootOf(kept.value, NODE_HASH)))
  const drawn = await measured(async () =>
    sample(words(KEY, context('draw', ['-', closed.value, n, '-']), NODE_HASH), n, WINNERS),
  )

  // The baseline need not read or hash its leaves: they lie there, one behind the other. Any bytes do, once both ways
  // were seen to find one root.
  const few = await keepTree(1_000, leafOf, (work) => work())
  const same = Buffer.concat(Array.from({ length: 1_000 }, (_, i) => leafOf(i)))
  assert.equal(rootInOneGo(same, 1_000), toHex(rootOf(few, NODE_HASH)))
  const flat = Buffer.alloc(n * HASH_BYTES, closed.value, 'hex')
  const atOnce = await measured(() => rootInOneGo(flat, n))
  const shuffled = await measured(async () =>
    shuffle(words(KEY, context('draw', ['-', closed.value, n, '-']), NODE_HASH), n).slice(0, WINNERS),
  )
  assert.deepEqual(shuffled.value, drawn.value, 'a sample is the beginning of the shuffle')
  const ordered = await measured(async () => firstByHash(n))
  assert.equal(new Set(ordered.value).size, WINNERS)

  const row = (what: string, way: Measured<unknown>, ours?: Measured<unknown>): Row => ({
    what,
    ms: round(way.took_ms),
    'CPU ms': round(way.cpu_ms),
    'longest turn, CPU ms': round(way.turn_ms),
    'longest delay ms': round(way.delay_ms),
    'memory MB': way.rss_mb,
    'ours is … times': ours === undefined ? '' : Math.round(way.cpu_ms / Math.max(ours.cpu_ms, ours.took_ms)),
  })
  return {
    name: `lists: ${n} entries, ${WINNERS} winners, without a database; ${round((kept.cpu_ms * 1_000) / n)} µs of CPU an entry`,
    rows: [
      row('entries come in: leaf, tree and subtrees to be stored', kept),
      row('close to root, kept tree', closed),
      row('close to root, hashed in one go (leaves at hand)', atOnce, closed),
      row(`draw of ${WINNERS}, sparse sample`, drawn),
      row(`draw of ${WINNERS}, full shuffle`, shuffled, drawn),
      row(`draw of ${WINNERS}, order by sha256(key, index)`, ordered, drawn),
    ],
  }
}

/** What `addEntries` does with leaves, without the statements. */
async function keepTree(n: number, leafOf: (i: number) => Uint8Array, turn: Turn) {
  let tree = EMPTY_TREE
  let nodes: StoredNode[] = []
  for (let from = 0; from < n; from += SLICE) {
    turn(() => {
      const slice = Array.from({ length: Math.min(SLICE, n - from) }, (_, i) => leafOf(from + i))
      tree = grown(tree, slice, nodes).tree
    })
    if (nodes.length >= STORED_AT_ONCE) nodes = []
    await nextTurn()
  }
  return tree
}

/** Level by level in place; a node without a sibling rises as it is. */
function rootInOneGo(hashes: Buffer, n: number): string {
  const at = (i: number) => hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)
  for (let width = n; width > 1; width = Math.ceil(width / 2)) {
    for (let i = 0; 2 * i + 1 < width; i++) at(i).set(nodeHash(at(2 * i), at(2 * i + 1), NODE_HASH))
    if (width % 2 === 1) at((width - 1) / 2).set(at(width - 1))
  }
  return toHex(at(0))
}

/** The first six bytes of a hash decide the order as well as all of them do, and fit a number. */
function firstByHash(n: number): number[] {
  const key = toHex(KEY)
  const ranks = new Float64Array(n)
  for (let i = 0; i < n; i++) ranks[i] = Number.parseInt(hash('sha256', `${key}${i}`, 'hex').slice(0, 12), 16)
  const last = ranks.slice().sort()[WINNERS - 1]!
  const first: number[] = []
  for (let i = 0; i < n; i++) if (ranks[i]! <= last) first.push(i)
  return first.sort((a, b) => ranks[a]! - ranks[b]!)
}

/** Does one turn's work and keeps how much CPU it took. */
type Turn = (work: () => void) => void

const cpuMs = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1_000

/** Work that does not use `turn` is one turn. */
async function measured<T>(work: (turn: Turn) => T | Promise<T>): Promise<Measured<T>> {
  let turn_ms = 0
  let rss = process.memoryUsage.rss()
  const look = () => {
    rss = Math.max(rss, process.memoryUsage.rss())
  }
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  // Its first tick only tells it where to begin.
  await sleep(5)
  const looking = setInterval(look, 20)
  const begun = process.threadCpuUsage()
  const began = performance.now()
  const value = await work((one) => {
    const before = process.threadCpuUsage()
    one()
    turn_ms = Math.max(turn_ms, cpuMs(process.threadCpuUsage(before)))
  })
  const took_ms = performance.now() - began
  const cpu_ms = cpuMs(process.threadCpuUsage(begun))
  look()
  // What blocked the loop shows once it has turned again.
  await sleep(5)
  clearInterval(looking)
  loop.disable()
  return {
    value,
    took_ms,
    cpu_ms,
    turn_ms: turn_ms || cpu_ms,
    delay_ms: loop.max / 1e6,
    rss_mb: Math.round(rss / 1e6),
  }
}

const round = (value: number): number => Math.round(value * 100) / 100

if (import.meta.main) {
  const [given] = process.argv.slice(2).map(Number).filter(Number.isSafeInteger)
  const { name, rows } = await run({
    quick: process.argv.includes('--quick'),
    ...(given !== undefined && { entries: given }),
  })
  console.log(name)
  console.table(rows)
}
