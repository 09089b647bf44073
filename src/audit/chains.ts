/** Recomputes what is chained: each tenant's audit log, and its public log with the tree and the checkpoints over it. */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { auditHash } from '../db/append.ts'
import { fromBase64, fromHex, toBase64, toHex, utf8 } from '../fairness/bytes.ts'
import { jcs } from '../fairness/canonical.ts'
import {
  append,
  checkpointText,
  EMPTY_TREE,
  leafHash,
  logHead,
  parseVerifierKey,
  rootOf,
  type TreeState,
  verifierKey,
} from '../fairness/merkle.ts'
import { NODE_HASH } from '../node-hash.ts'
import { attempt, Tally } from './report.ts'
import {
  type AuditRow,
  auditPage,
  checkpointPage,
  type FairLogRow,
  fairLogPage,
  nodesCompletedIn,
  type Reader,
  type StoredCheckpoint,
} from './store.ts'

/** Rows per page: a few megabytes at most, whatever the size of the log. */
const PAGE = 2_000

/** Recomputes the hash of every audit row. Links and numbering are checked in SQL (I14). */
export async function checkAuditChain(reader: Reader, tenants: readonly string[]): Promise<Tally> {
  const tally = new Tally('I14', 'The hash of every audit row is the one that its content gives.')
  for (const tenantId of tenants) {
    for (let seq = 0; ; ) {
      const page = await auditPage(reader, tenantId, seq, PAGE)
      for (const row of page) tally.saw(attempt(() => faultOfAuditRow(tenantId, row)))
      if (page.length < PAGE) break
      seq = page.at(-1)!.seq
    }
  }
  return tally
}

function faultOfAuditRow(tenantId: string, row: AuditRow): string | null {
  const { prev_hash, hash, created_at, ...rest } = row
  const expected = auditHash(tenantId, prev_hash, { ...rest, at: created_at.toISOString() })
  return hash === expected
    ? null
    : `audit row ${row.seq} of tenant ${tenantId} has the hash ${hash} and not ${expected}`
}

/** Public Ed25519 keys, 32 bytes each, that commitments and checkpoints may be signed with: the present and retired ones. */
export type SigningKeys = ReadonlyMap<string, Uint8Array>

/** A raw Ed25519 public key as OpenSSL takes it. */
export function publicKeyObject(raw: Uint8Array): KeyObject {
  return createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') },
    format: 'jwk',
  })
}

type LogTallies = { rows: Tally; nodes: Tally; checkpoints: Tally; signatures: Tally }

/** Recomputes every row, leaf, stored subtree and checkpoint of every public log. */
export async function checkPublicLogs(
  reader: Reader,
  tenants: readonly string[],
  keys: SigningKeys,
): Promise<Tally[]> {
  const tallies: LogTallies = {
    rows: new Tally(
      'L8',
      'Every event of the public log is canonical, and its row and leaf hash are what it gives.',
    ),
    nodes: new Tally('L9', 'Every stored subtree of the public log is the hash of its leaves.'),
    checkpoints: new Tally('L10', 'Every checkpoint names the root of the log at its size.'),
    signatures: new Tally(
      'L11',
      'Every checkpoint is signed with our key, and its note says what its row says.',
    ),
  }
  if (keys.size === 0) tallies.signatures.note('no fairness key was given', true)
  for (const tenantId of tenants) await checkPublicLog(reader, tenantId, keys, tallies)
  return Object.values(tallies)
}

async function checkPublicLog(
  reader: Reader,
  tenantId: string,
  keys: SigningKeys,
  tallies: LogTallies,
): Promise<void> {
  const checkpoints = checkpointsOf(reader, tenantId)
  let next = await checkpoints.next()
  let tree: TreeState = EMPTY_TREE
  let head: Uint8Array | null = null
  for (;;) {
    const page = await fairLogPage(reader, tenantId, tree.size, PAGE)
    if (page.length === 0) break
    const end = tree.size + page.length
    const computed = new Map<string, string>()
    const keep = (level: number, index: number, hash: Uint8Array) =>
      level > 0 && computed.set(`${level}/${index}`, toHex(hash))
    for (const row of page) {
      const fault = faultOfLogRow(row, tree.size, head)
      tallies.rows.saw(fault === null ? null : `event ${row.seq} of tenant ${tenantId} ${fault}`)
      tree = append(tree, leafHash(utf8(row.event), NODE_HASH), NODE_HASH, keep)
      head = logHead(head, row.event, NODE_HASH)
      while (!next.done && next.value.log_size === tree.size) {
        checkCheckpoint(tenantId, next.value, toHex(rootOf(tree, NODE_HASH)), keys, tallies)
        next = await checkpoints.next()
      }
    }
    for (const node of await nodesCompletedIn(reader, tenantId, end - page.length, end)) {
      const is_right = computed.get(`${node.level}/${node.node_index}`) === node.hash
      tallies.nodes.saw(
        is_right
          ? null
          : `subtree ${node.level}/${node.node_index} of tenant ${tenantId} is not the hash of its leaves`,
      )
    }
  }
  for (; !next.done; next = await checkpoints.next()) {
    tallies.checkpoints.saw(
      `tenant ${tenantId} has a checkpoint over ${next.value.log_size} events and a log of ${tree.size}`,
    )
  }
}

async function* checkpointsOf(
  reader: Reader,
  tenantId: string,
): AsyncGenerator<StoredCheckpoint, void, void> {
  for (let size = 0; ; ) {
    const page = await checkpointPage(reader, tenantId, size, PAGE)
    yield* page
    if (page.length < PAGE) return
    size = page.at(-1)!.log_size
  }
}

function faultOfLogRow(row: FairLogRow, seq: number, head: Uint8Array | null): string | null {
  const event = parsed(row.event)
  if (event === null || canonical(event) !== row.event) return 'is not canonical JSON'
  if (row.seq !== seq || event['seq'] !== seq) return `stands where ${seq} belongs`
  const told = {
    type: event['type'],
    commit_hash: event['commitHash'] ?? null,
    nonce: event['nonce'] ?? null,
  }
  if (told.type !== row.type || told.commit_hash !== row.commit_hash || told.nonce !== row.nonce)
    return 'says something else than its row'
  if (toHex(leafHash(utf8(row.event), NODE_HASH)) !== row.leaf_hash) return 'has another leaf hash'
  return toHex(logHead(head, row.event, NODE_HASH)) === row.row_hash ? null : 'has another row hash'
}

/** A JSON object, or null for anything else. */
export function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

/** The canonical text of a value that was parsed, or null when it has none (a fraction, a lone surrogate). */
export function canonical(value: unknown): string | null {
  try {
    return jcs(value)
  } catch {
    return null
  }
}

function checkCheckpoint(
  tenantId: string,
  row: StoredCheckpoint,
  root: string,
  keys: SigningKeys,
  tallies: LogTallies,
): void {
  const which = `checkpoint ${row.log_size} of tenant ${tenantId}`
  tallies.checkpoints.saw(row.root === root ? null : `${which} names the root ${row.root} and not ${root}`)
  if (keys.size === 0) return
  tallies.signatures.saw(isSignedNote(row, keys) ? null : `${which} has a note that is not ours`)
}

/**
 * Whether the note says what its row says and one of `keys` signed it.
 * OpenSSL instead of the fairness module: a log of a day has thousands of checkpoints.
 */
function isSignedNote({ log_size, root, note }: StoredCheckpoint, keys: SigningKeys): boolean {
  const at = note.indexOf('\n\n')
  const text = note.slice(0, at + 1)
  const origin = text.slice(0, text.indexOf('\n'))
  try {
    if (text !== checkpointText({ origin, size: log_size, root: fromHex(root) })) return false
    for (const line of note
      .slice(at + 2)
      .trimEnd()
      .split('\n')) {
      const [dash, name, encoded = ''] = line.split(' ')
      if (dash !== '\u2014' || name !== origin) continue
      const bytes = fromBase64(encoded)
      for (const raw of keys.values()) {
        const { id } = parseVerifierKey(verifierKey(origin, raw, NODE_HASH), NODE_HASH)
        if (
          id === toHex(bytes.slice(0, 4)) &&
          verify(null, utf8(text), publicKeyObject(raw), bytes.slice(4))
        ) {
          return toBase64(bytes) === encoded
        }
      }
    }
    return false
  } catch {
    return false
  }
}
