// SHA-256 and HMAC for the server, and the hot loop of a wheel. Same bytes as src/fairness, faster ways.
//
// Node 24 charges 10.8 us for createHmac with a Buffer key and about 0.9 us for two one-shot crypto.hash calls over
// prepared pads (fair-1.md, section 17). Asking those for hex or latin1 text matters as much: a Buffer costs more to
// allocate than the hash to compute.
import crypto from 'node:crypto'
import type { Hash, Mac } from './fairness/hash.ts'
import { context, totalWeight, weightedRoll, words } from './fairness/rolls.ts'

const BLOCK_BYTES = 64
// A context is at most a kind and four fields of 128, plus separators and the block number: well below this.
const MESSAGE_BYTES_MAX = 1024

// @types/node 24 leaves latin1, which crypto.hash takes, out of its output encodings.
const LATIN1 = 'latin1' as 'hex'

const HASH_BYTES = 32
/** Scratch space, overwritten by each hash. Digests are public, that of a seed too; what is drawn with a key is a MAC. */
const DIGEST = Buffer.alloc(HASH_BYTES)

/** Hash of the server, for everything that src/fairness computes there. */
export const NODE_HASH: Hash = {
  sha256: bytesOf,
  hmacSha256: (key, data) => macWith(crypto.createSecretKey(key), data),
  prepare: (key) => {
    const object = crypto.createSecretKey(key)
    return (data) => macWith(object, data)
  },
}

/** By way of a text: asked for a Buffer, the same call takes three times as long. */
function bytesOf(data: Uint8Array): Uint8Array {
  DIGEST.write(crypto.hash('sha256', data, LATIN1), 0, HASH_BYTES, 'latin1')
  return new Uint8Array(DIGEST)
}

function macWith(key: crypto.KeyObject, data: Uint8Array): Uint8Array {
  return plain(crypto.createHmac('sha256', key).update(data).digest())
}

// A Buffer's slice() shares memory where a Uint8Array's copies; the pure module must meet one kind only.
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}

/**
 * A seed ready for spinning. It holds key material: keep it in memory only, and `wipeKey` it when its pair closes.
 * The buffers are scratch space too, so one prepared key serves one thread.
 */
export type PreparedKey = {
  readonly inner: Buffer
  readonly outer: Buffer
  wiped: boolean
}

/** Prepares a 32-byte server seed: `key XOR ipad` and `key XOR opad`, each followed by room for a message. */
export function prepareKey(seed: Uint8Array): PreparedKey {
  if (seed.length !== 32) throw new RangeError('a server seed is 32 bytes')
  const inner = Buffer.alloc(BLOCK_BYTES + MESSAGE_BYTES_MAX)
  const outer = Buffer.alloc(BLOCK_BYTES + 32)
  inner.fill(0x36, 0, BLOCK_BYTES)
  outer.fill(0x5c, 0, BLOCK_BYTES)
  for (let i = 0; i < seed.length; i++) {
    inner[i] = seed[i]! ^ 0x36
    outer[i] = seed[i]! ^ 0x5c
  }
  return { inner, outer, wiped: false }
}

/** Overwrites the key material; the key throws from then on instead of giving numbers of another key. */
export function wipeKey(key: PreparedKey): void {
  key.inner.fill(0)
  key.outer.fill(0)
  key.wiped = true
}

/** HMAC-SHA256 of ASCII text as 64 hex digits, by two one-shots over the pads. */
export function hmacHex(key: PreparedKey, text: string): string {
  return crypto.hash('sha256', outerMessage(key, text), 'hex')
}

function outerMessage(key: PreparedKey, text: string): Buffer {
  if (key.wiped) throw new Error('this key was wiped')
  if (text.length > MESSAGE_BYTES_MAX) throw new RangeError('message longer than any context')
  const length = key.inner.write(text, BLOCK_BYTES, 'latin1')
  const digest = crypto.hash('sha256', key.inner.subarray(0, BLOCK_BYTES + length), LATIN1)
  key.outer.write(digest, BLOCK_BYTES, 'latin1')
  return key.outer
}

/** A prepared key as the generator of src/fairness takes it: for draws, shuffles and the rare rejected word. */
export function macOfPrepared(key: PreparedKey): Mac {
  return (data) => Buffer.from(hmacHex(key, Buffer.from(data).toString('latin1')), 'hex')
}

/** Weights with their total and running sums, made once per config version. */
export type WeightTable = {
  readonly weights: readonly number[]
  readonly sums: readonly number[]
  readonly total: number
}

/** Running sums of integer weights. Refuses (RangeError) what `totalWeight` refuses. */
export function weightTable(weights: readonly number[]): WeightTable {
  const total = totalWeight(weights)
  const sums: number[] = []
  let sum = 0
  for (const weight of weights) {
    sum += weight
    sums.push(sum)
  }
  return { weights: weights.slice(), sums, total }
}

/** Index in config order, and the roll in 0 … total-1 that chose it. */
export type Spin = { index: number; roll: number }

// Up to this total the word can be reduced in two steps of plain numbers: (total-1) * 2^32 + 2^32 - 1 < 2^53.
const PLAIN_TOTAL_MAX = 2 ** 21
const UINT32_MAX = 0xffffffff

/**
 * One spin: `weighted` of the stream (key, ctx), equal to the plain path of src/fairness/rolls.ts for every input.
 *
 * `ctx` is a context string; it is not checked again here. Takes a table, or weights (then it sums them each time).
 * Measured by bench/outcome.ts; goal below 2 us.
 */
export function spinIndex(key: PreparedKey, ctx: string, odds: WeightTable | readonly number[]): Spin {
  const table = 'sums' in odds ? odds : weightTable(odds)
  const { total } = table
  if (total > PLAIN_TOTAL_MAX) return spinPlainly(key, ctx, table)
  if (total === 1) return { index: indexOf(table.sums, 0), roll: 0 }
  const digest = crypto.hash('sha256', outerMessage(key, `${ctx}|0`), LATIN1)
  const high = uint32At(digest, 0)
  // A word is refused only within 2^64 mod total < 2^21 of its end, so never unless the upper half is all ones.
  if (high === UINT32_MAX) return spinPlainly(key, ctx, table)
  const roll = ((high % total) * 2 ** 32 + uint32At(digest, 4)) % total
  return { index: indexOf(table.sums, roll), roll }
}

function spinPlainly(key: PreparedKey, ctx: string, table: WeightTable): Spin {
  return weightedRoll(words(macOfPrepared(key), ctx), table.weights)
}

function uint32At(latin1: string, at: number): number {
  return (
    latin1.charCodeAt(at) * 2 ** 24 +
    latin1.charCodeAt(at + 1) * 2 ** 16 +
    latin1.charCodeAt(at + 2) * 2 ** 8 +
    latin1.charCodeAt(at + 3)
  )
}

function indexOf(sums: readonly number[], roll: number): number {
  let index = 0
  while (roll >= sums[index]!) index++
  return index
}

/**
 * Contexts of one pair's spins without checking the fixed fields again each time: kind, commitHash and client seed
 * are checked here, the nonce is a number by type, and entropy must match the pattern that the door has enforced.
 */
export function spinContexts(
  kind: 'wheel' | 'mystery',
  commit_hash: string,
  client_seed: string,
): (nonce: number, entropy: string) => string {
  const prefix = context(kind, [commit_hash, client_seed])
  return (nonce, entropy) => {
    if (!Number.isSafeInteger(nonce) || nonce < 0) throw new RangeError('not a nonce')
    if (!/^(-|[A-Za-z0-9_-]{16,64})$/.test(entropy)) throw new RangeError('not client entropy')
    return `${prefix}|${nonce}|${entropy}`
  }
}
