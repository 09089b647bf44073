// Merkle trees (RFC 6962), the hash chain of the log, and signed checkpoints. Hashes are 32 raw bytes.
import { ed25519 } from '@noble/curves/ed25519.js'
import { concat, fromBase64, fromHex, isHex, sameBytes, toBase64, toHex, utf8 } from './bytes.ts'
import { jcs } from './canonical.ts'
import { type Hash, NOBLE_HASH } from './hash.ts'

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)

/** H(0x00 || data). Source: RFC 6962, section 2.1. */
export function leafHash(data: Uint8Array, hash: Hash = NOBLE_HASH): Uint8Array {
  return hash.sha256(concat(LEAF, data))
}

/** Leaf hash of a document: H(0x00 || JCS(document)). Entries and log events are leaves of this form. */
export function leafHashOf(document: unknown, hash: Hash = NOBLE_HASH): Uint8Array {
  return leafHash(utf8(jcs(document)), hash)
}

/** H(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array, hash: Hash = NOBLE_HASH): Uint8Array {
  return hash.sha256(concat(NODE, left, right))
}

/** The root of no leaves, H(""). */
export function emptyRoot(hash: Hash = NOBLE_HASH): Uint8Array {
  return hash.sha256(new Uint8Array(0))
}

/** Root over leaf hashes, in order; the split is at the largest power of two below the size. */
export function merkleRoot(leaves: readonly Uint8Array[], hash: Hash = NOBLE_HASH): Uint8Array {
  let row = leaves
  if (row.length === 0) return emptyRoot(hash)
  while (row.length > 1) {
    const above: Uint8Array[] = []
    for (let i = 0; i + 1 < row.length; i += 2) above.push(nodeHash(row[i]!, row[i + 1]!, hash))
    // A node without a sibling rises as it is: that is the split at the largest power of two, seen from below.
    if (row.length % 2 === 1) above.push(row.at(-1)!)
    row = above
  }
  return row[0]!
}

// --- Growing a tree ---------------------------------------------------------------------------------------------

/** A tree kept at insertion: its size and the roots of its perfect subtrees, largest (leftmost) first. */
export type TreeState = { readonly size: number; readonly roots: readonly Uint8Array[] }

export const EMPTY_TREE: TreeState = { size: 0, roots: [] }

/** Told of every complete subtree as it comes into being: level 0 is the leaf, index counts within the level. */
export type OnNode = (level: number, index: number, hash: Uint8Array) => void

/**
 * The state after one more leaf; the old state stays valid. At most log2(size) hashes, one on average.
 * `onNode` sees the leaf and each subtree it completes: what a server stores to prove later without the leaves.
 */
export function append(
  state: TreeState,
  leaf: Uint8Array,
  hash: Hash = NOBLE_HASH,
  onNode?: OnNode,
): TreeState {
  return appendAll(state, [leaf], hash, onNode)
}

/** The same for many leaves in order, without a state between any two of them. */
export function appendAll(
  state: TreeState,
  leaves: Iterable<Uint8Array>,
  hash: Hash = NOBLE_HASH,
  onNode?: OnNode,
): TreeState {
  const roots = state.roots.slice()
  let { size } = state
  for (const leaf of leaves) {
    if (leaf.length !== 32) throw new RangeError('a leaf hash is 32 bytes')
    let node = leaf
    let index = size
    onNode?.(0, index, node)
    for (let level = 1; index % 2 === 1; level++) {
      node = nodeHash(roots.pop()!, node, hash)
      index = (index - 1) / 2
      onNode?.(level, index, node)
    }
    roots.push(node)
    size += 1
  }
  return { size, roots }
}

/** The root of a kept tree. */
export function rootOf(state: TreeState, hash: Hash = NOBLE_HASH): Uint8Array {
  return foldRight(state.roots, hash)
}

function foldRight(roots: readonly Uint8Array[], hash: Hash): Uint8Array {
  let node = roots.at(-1)
  if (!node) return emptyRoot(hash)
  for (let i = roots.length - 2; i >= 0; i--) node = nodeHash(roots[i]!, node, hash)
  return node
}

// --- Which nodes a proof needs ----------------------------------------------------------------------------------

/** A half-open range of leaves that is one subtree of the tree. */
export type LeafRange = { start: number; end: number }

/** A complete subtree by place: it covers leaves index * 2^level … (index + 1) * 2^level - 1. */
export type NodePlace = { level: number; index: number }

function largestPowerBelow(size: number): number {
  let power = 1
  while (power * 2 < size) power *= 2
  return power
}

/** The subtrees of an inclusion proof, leaf to root. Refuses (RangeError) an index at or beyond the size. */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  if (!isSize(index) || !isSize(size) || index >= size) throw new RangeError('no such leaf')
  const ranges: LeafRange[] = []
  let start = 0
  let end = size
  while (end - start > 1) {
    const middle = start + largestPowerBelow(end - start)
    if (index < middle) {
      ranges.push({ start: middle, end })
      end = middle
    } else {
      ranges.push({ start, end: middle })
      start = middle
    }
  }
  return ranges.reverse()
}

/** The subtrees of a consistency proof. Refuses (RangeError) sizes unless 1 <= first <= second. */
export function consistencyRanges(first: number, second: number): LeafRange[] {
  if (!isSize(first) || !isSize(second) || first < 1 || first > second) {
    throw new RangeError('no consistency between these sizes')
  }
  const ranges: LeafRange[] = []
  let start = 0
  let end = second
  // RFC 6962, SUBPROOF: `first` is where the old tree ends, counted from leaf 0 throughout.
  while (end !== first) {
    const middle = start + largestPowerBelow(end - start)
    if (first <= middle) {
      ranges.push({ start: middle, end })
      end = middle
    } else {
      ranges.push({ start, end: middle })
      start = middle
    }
  }
  if (start !== 0) ranges.push({ start, end })
  return ranges.reverse()
}

/** The complete subtrees that make up a range, left to right; one, unless the range touches the tree's ragged end. */
export function placesOf(range: LeafRange): NodePlace[] {
  const places: NodePlace[] = []
  let at = range.start
  while (at < range.end) {
    let level = 0
    let width = 1
    while (at + width * 2 <= range.end) {
      width *= 2
      level++
    }
    places.push({ level, index: at / width })
    at += width
  }
  return places
}

/** The complete subtrees whose fold is the root of a tree of this size. */
export function rootPlaces(size: number): NodePlace[] {
  return placesOf({ start: 0, end: size })
}

// --- Proofs -----------------------------------------------------------------------------------------------------

/** Inclusion proof from all leaf hashes. Refuses (RangeError) an index at or beyond the size. */
export function inclusionProof(
  leaves: readonly Uint8Array[],
  index: number,
  hash: Hash = NOBLE_HASH,
): Uint8Array[] {
  return inclusionRanges(index, leaves.length).map((range) =>
    merkleRoot(leaves.slice(range.start, range.end), hash),
  )
}

/** Consistency proof from all leaf hashes of the newer tree to its first `first` leaves. */
export function consistencyProof(
  leaves: readonly Uint8Array[],
  first: number,
  hash: Hash = NOBLE_HASH,
): Uint8Array[] {
  return consistencyRanges(first, leaves.length).map((range) =>
    merkleRoot(leaves.slice(range.start, range.end), hash),
  )
}

/** Reads one complete subtree's root; what `append` handed to `onNode`. */
export type HashAt = (level: number, index: number) => Uint8Array | Promise<Uint8Array>

/** Inclusion proof from stored complete subtrees: about log2(size) reads, no leaves. */
export function inclusionProofFrom(
  hashAt: HashAt,
  index: number,
  size: number,
  hash: Hash = NOBLE_HASH,
): Promise<Uint8Array[]> {
  return rootsOf(hashAt, inclusionRanges(index, size), hash)
}

/** Consistency proof from stored complete subtrees. */
export function consistencyProofFrom(
  hashAt: HashAt,
  first: number,
  second: number,
  hash: Hash = NOBLE_HASH,
): Promise<Uint8Array[]> {
  return rootsOf(hashAt, consistencyRanges(first, second), hash)
}

/** Root of the first `size` leaves from stored complete subtrees. */
export async function rootFrom(hashAt: HashAt, size: number, hash: Hash = NOBLE_HASH): Promise<Uint8Array> {
  return foldRight(await readAll(hashAt, rootPlaces(size)), hash)
}

/** The kept state of the first `size` leaves from stored complete subtrees, to go on appending after a start. */
export async function stateFrom(hashAt: HashAt, size: number): Promise<TreeState> {
  return { size, roots: await readAll(hashAt, rootPlaces(size)) }
}

async function rootsOf(hashAt: HashAt, ranges: LeafRange[], hash: Hash): Promise<Uint8Array[]> {
  const roots: Uint8Array[] = []
  for (const range of ranges) roots.push(foldRight(await readAll(hashAt, placesOf(range)), hash))
  return roots
}

async function readAll(hashAt: HashAt, places: NodePlace[]): Promise<Uint8Array[]> {
  const hashes: Uint8Array[] = []
  for (const { level, index } of places) hashes.push(await hashAt(level, index))
  return hashes
}

// --- Checking proofs --------------------------------------------------------------------------------------------

export type Inclusion = {
  index: number
  size: number
  leafHash: Uint8Array
  proof: readonly Uint8Array[]
  root: Uint8Array
}

export type Consistency = {
  first: number
  second: number
  proof: readonly Uint8Array[]
  root1: Uint8Array
  root2: Uint8Array
}

/**
 * True if the leaf stands at this index of the tree with this root. Answers false, and never throws, for an index at
 * or beyond the size, a proof too short or too long, and hashes that are not 32 bytes.
 * Source: RFC 9162, section 2.1.3.2.
 */
export function verifyInclusion(given: Inclusion, hash: Hash = NOBLE_HASH): boolean {
  const { index, size, proof, root } = given
  if (!isSize(index) || !isSize(size) || index >= size) return false
  if (![given.leafHash, root, ...proof].every(isHash)) return false
  let node = given.leafHash
  let place = index
  let last = size - 1
  for (const sibling of proof) {
    if (last === 0) return false
    if (place % 2 === 1 || place === last) {
      node = nodeHash(sibling, node, hash)
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)]
    } else {
      node = nodeHash(node, sibling, hash)
    }
    place = half(place)
    last = half(last)
  }
  return last === 0 && sameBytes(node, root)
}

/**
 * True if the tree of `second` leaves begins with the tree of `first` leaves. Answers false, and never throws, for
 * first 0, first > second, nodes missing or left over, and hashes that are not 32 bytes.
 * Source: RFC 9162, section 2.1.4.2.
 */
export function verifyConsistency(given: Consistency, hash: Hash = NOBLE_HASH): boolean {
  const { first, second, proof, root1, root2 } = given
  if (!isSize(first) || !isSize(second) || first < 1 || first > second) return false
  if (![root1, root2, ...proof].every(isHash)) return false
  if (first === second) return proof.length === 0 && sameBytes(root1, root2)
  if (proof.length === 0) return false
  let place = first - 1
  let last = second - 1
  while (place % 2 === 1) [place, last] = [half(place), half(last)]
  // Where the old tree is a perfect subtree of the new one, its root is the seed and is not repeated in the proof.
  const [seed, ...rest] = place === 0 ? [root1, ...proof] : proof
  let old_root = seed!
  let new_root = seed!
  for (const sibling of rest) {
    if (last === 0) return false
    if (place % 2 === 1 || place === last) {
      old_root = nodeHash(sibling, old_root, hash)
      new_root = nodeHash(sibling, new_root, hash)
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)]
    } else {
      new_root = nodeHash(new_root, sibling, hash)
    }
    place = half(place)
    last = half(last)
  }
  return last === 0 && sameBytes(old_root, root1) && sameBytes(new_root, root2)
}

// Sizes may pass 2^32, where the shift operators of the language go wrong.
function half(value: number): number {
  return (value - (value % 2)) / 2
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isHash(value: unknown): boolean {
  return value instanceof Uint8Array && value.length === 32
}

// --- The log and its checkpoints --------------------------------------------------------------------------------

/**
 * Row hash of a log event: SHA256("fair/1/log\n" || previous || SHA256(JCS(event))). `previous` is null for event 0.
 * Takes the event, or the canonical text of it that was stored. Source: fair-1.md, section 11.
 */
export function logHead(
  previous: Uint8Array | null,
  event: object | string,
  hash: Hash = NOBLE_HASH,
): Uint8Array {
  const before = previous ?? new Uint8Array(32)
  if (before.length !== 32) throw new RangeError('a row hash is 32 bytes')
  const text = typeof event === 'string' ? event : jcs(event)
  return hash.sha256(concat(utf8('fair/1/log\n'), before, hash.sha256(utf8(text))))
}

export type Checkpoint = { origin: string; size: number; root: Uint8Array }

/** The three signed lines of a checkpoint, each with its line feed. Refuses (RangeError) an origin with spaces or plus. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  if (!KEY_NAME.test(origin)) throw new RangeError('not an origin')
  if (!isSize(size) || root.length !== 32) throw new RangeError('not a checkpoint')
  return `${origin}\n${size}\n${toBase64(root)}\n`
}

/** Signs a checkpoint as a C2SP note; the key's name is the origin. */
export function signCheckpoint(
  checkpoint: Checkpoint,
  privateKey: Uint8Array,
  hash: Hash = NOBLE_HASH,
): string {
  const publicKey = ed25519.getPublicKey(privateKey)
  return signCheckpointBy({ publicKey, sign: (data) => ed25519.sign(data, privateKey) }, checkpoint, hash)
}

/** Signs by an Ed25519 key that somebody else holds: a library that is faster here, a device. */
export type NoteSigner = { publicKey: Uint8Array; sign(data: Uint8Array): Uint8Array }

/** `signCheckpoint` with a signer; Ed25519 is deterministic, so the note is the same byte for byte. */
export function signCheckpointBy(
  { publicKey, sign }: NoteSigner,
  checkpoint: Checkpoint,
  hash: Hash = NOBLE_HASH,
): string {
  const text = checkpointText(checkpoint)
  const id = keyId(checkpoint.origin, publicKey, hash)
  const signature = toBase64(concat(id, sign(utf8(text))))
  return `${text}\n\u2014 ${checkpoint.origin} ${signature}\n`
}

/** The verifier key of a log: name+hex(keyId)+base64(0x01 || key). */
export function verifierKey(name: string, publicKey: Uint8Array, hash: Hash = NOBLE_HASH): string {
  if (!KEY_NAME.test(name)) throw new RangeError('not a key name')
  return `${name}+${toHex(keyId(name, publicKey, hash))}+${toBase64(concat(ED25519_ALGORITHM, publicKey))}`
}

const KEY_NAME = /^[^\s+]{1,255}$/u
const ED25519_ALGORITHM = Uint8Array.of(1)
const NOTE_LENGTH_MAX = 64 * 1024 // A checkpoint with a dozen witnesses is below 2 KiB.

function keyId(name: string, publicKey: Uint8Array, hash: Hash): Uint8Array {
  return hash.sha256(concat(utf8(name), Uint8Array.of(0x0a), ED25519_ALGORITHM, publicKey)).slice(0, 4)
}

type VerifierKey = { name: string; id: string; publicKey: Uint8Array }

/** Parts of a verifier key. Refuses (RangeError) another algorithm and an id that is not the key's. */
export function parseVerifierKey(vkey: string, hash: Hash = NOBLE_HASH): VerifierKey {
  // The base64 part may hold plus signs itself, so only the first two separate.
  const first = vkey.indexOf('+')
  const second = vkey.indexOf('+', first + 1)
  if (first < 1 || second < 0) throw new RangeError('not a verifier key')
  const name = vkey.slice(0, first)
  const id = vkey.slice(first + 1, second)
  const key = fromBase64(vkey.slice(second + 1))
  if (!KEY_NAME.test(name) || key.length !== 33 || key[0] !== 1)
    throw new RangeError('not an Ed25519 verifier key')
  const publicKey = key.slice(1)
  if (toHex(keyId(name, publicKey, hash)) !== id) throw new RangeError('verifier key with a wrong id')
  return { name, id, publicKey }
}

/**
 * Opens a signed note: its text and the names of the known keys that signed it.
 * Refuses (RangeError) a malformed note, a known key whose signature fails, and a note that no known key signed;
 * signatures of unknown keys are ignored. Source: c2sp.org/signed-note.
 */
export function openNote(
  note: string,
  verifierKeys: readonly string[],
  hash: Hash = NOBLE_HASH,
): { text: string; signers: string[] } {
  const { text, signatures } = splitNote(note)
  const known = verifierKeys.map((vkey) => parseVerifierKey(vkey, hash))
  const signers: string[] = []
  for (const { name, id, signature } of signatures) {
    const key = known.find((candidate) => candidate.name === name && candidate.id === id)
    if (!key) continue
    if (!ed25519.verify(signature, utf8(text), key.publicKey, { zip215: false })) {
      throw new RangeError('a known key did not sign this note')
    }
    signers.push(name)
  }
  if (signers.length === 0) throw new RangeError('no known key signed this note')
  return { text, signers }
}

type NoteSignature = { name: string; id: string; signature: Uint8Array }

function splitNote(note: string): { text: string; signatures: NoteSignature[] } {
  if (typeof note !== 'string' || note.length > NOTE_LENGTH_MAX || !note.isWellFormed()) {
    throw new RangeError('not a note')
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a note may hold no control character but the line feed.
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note) || !note.endsWith('\n')) throw new RangeError('not a note')
  const at = note.lastIndexOf('\n\n')
  if (at < 0) throw new RangeError('a note without signatures')
  const lines = note.slice(at + 2, -1).split('\n')
  return { text: note.slice(0, at + 1), signatures: lines.map(parseSignatureLine) }
}

function parseSignatureLine(line: string): NoteSignature {
  const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)$/u.exec(line)
  if (!match) throw new RangeError('not a signature line')
  const bytes = fromBase64(match[2]!)
  if (bytes.length < 5) throw new RangeError('not a signature line')
  return { name: match[1]!, id: toHex(bytes.slice(0, 4)), signature: bytes.slice(4) }
}

/**
 * Opens a checkpoint: a note of exactly three lines that the origin's own key signed.
 * Refuses (RangeError) what `openNote` refuses and any other shape.
 */
export function openCheckpoint(
  note: string,
  verifierKeys: readonly string[],
  hash: Hash = NOBLE_HASH,
): Checkpoint {
  const { text, signers } = openNote(note, verifierKeys, hash)
  const lines = text.split('\n')
  const [origin, size_text, root_text] = lines
  if (lines.length !== 4 || !origin || !signers.includes(origin)) throw new RangeError('not a checkpoint')
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size_text!)) throw new RangeError('not a checkpoint size')
  const checkpoint = { origin, size: Number(size_text), root: fromBase64(root_text!) }
  if (checkpointText(checkpoint) !== text) throw new RangeError('not a checkpoint')
  return checkpoint
}

/** Proof nodes from the hex of a document. Refuses (RangeError) anything but 64 hex digits each. */
export function proofFromHex(nodes: unknown): Uint8Array[] {
  if (!Array.isArray(nodes) || nodes.length > 64) throw new RangeError('not a proof')
  return nodes.map((node) => {
    if (!isHex(node, 32)) throw new RangeError('not a proof node')
    return fromHex(node)
  })
}
