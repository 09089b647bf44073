/**
 * Re-derives every draw: the root over its list, entrants from their salts, and the outcome of each whose secret is out.
 * Uses the public FAIR/1 module and none of the code that made them.
 */
import { fromHex, toHex, utf8 } from '../fairness/bytes.ts'
import { entrantHash } from '../fairness/commit.ts'
import { append, EMPTY_TREE, leafHash, rootOf } from '../fairness/merkle.ts'
import { context } from '../fairness/rolls.ts'
import { type Config, derive, type Leaf } from '../fairness/transcript.ts'
import { NODE_HASH } from '../node-hash.ts'
import { canonical, parsed } from './chains.ts'
import { rowsOf } from './outcomes.ts'
import { Tally } from './report.ts'
import { drawLeaves, drawPage, type Reader, type StoredDraw } from './store.ts'

const PAGE = 1_000
const LEAF_PAGE = 5_000
const FIRST_ID = '00000000-0000-0000-0000-000000000000'

/** Checks lists and outcomes of all draws. */
export async function checkDraws(reader: Reader, tenants: readonly string[]): Promise<Tally[]> {
  const lists = new Tally('I27', 'The list of every closed draw makes the root that was published.')
  const derived = new Tally(
    'I27',
    'Every draw whose secret is out re-derives to the same outcome and places.',
  )
  for (const tenantId of tenants) {
    const read = (after: string) => drawPage(reader, tenantId, after, PAGE)
    for await (const draw of rowsOf(read, FIRST_ID, (last) => last.id)) {
      const { fault, leaves } = await readList(reader, tenantId, draw)
      if (draw.entries_root !== null) lists.saw(fault === null ? null : `draw ${draw.id} ${fault}`)
      const is_open_to_all = draw.server_seed !== null || modeOf(draw) === 'beacon'
      if (draw.outcome === null || !is_open_to_all) continue
      const wrong = faultOfDraw(draw, leaves)
      derived.saw(wrong === null ? null : `draw ${draw.id} ${wrong}`)
    }
  }
  return [lists, derived]
}

const modeOf = (draw: StoredDraw): unknown => parsed(draw.doc)?.['mode']

async function readList(
  reader: Reader,
  tenantId: string,
  draw: StoredDraw,
): Promise<{ fault: string | null; leaves: Leaf[] }> {
  const gameId = String(parsed(draw.doc)?.['gameId'])
  const leaves: Leaf[] = []
  let tree = EMPTY_TREE
  let fault: string | null = null
  for (;;) {
    const page = await drawLeaves(reader, tenantId, draw.id, tree.size, LEAF_PAGE)
    for (const { entry_index, leaf, user_id, entrant, entrant_salt } of page) {
      const document = parsed(leaf)
      const is_right =
        entry_index === tree.size &&
        document?.['i'] === entry_index &&
        document['e'] === entrant &&
        canonical(document) === leaf &&
        entrantHash(gameId, user_id, entrant_salt, NODE_HASH) === entrant
      if (!is_right) fault ??= `has an entry ${entry_index} that is not its owner's`
      tree = append(tree, leafHash(utf8(leaf), NODE_HASH), NODE_HASH)
      leaves.push(document as unknown as Leaf)
    }
    if (page.length < LEAF_PAGE) break
  }
  if (tree.size !== draw.entry_count) fault ??= 'has a list of another length'
  if (toHex(rootOf(tree, NODE_HASH)) !== draw.entries_root) fault ??= 'has another list than its root'
  return { fault, leaves }
}

function faultOfDraw(draw: StoredDraw, list: Leaf[]): string | null {
  const { kind, commit_hash, entries_root, entry_count: n, randomness, outcome, places } = draw
  try {
    const config = parsed(draw.config) as unknown as Config
    const ctx = context(kind, [commit_hash, entries_root!, n, randomness])
    if (draw.ctx !== ctx) return 'was drawn from another context'
    const key = fromHex(modeOf(draw) === 'beacon' ? randomness : draw.server_seed!)
    const entries = { n, total: n, list }
    const found = derive({ kind: kind as never, config, key, ctx, entries }, NODE_HASH).outcome
    if (canonical(found) !== canonical(outcome)) return 'has another outcome than its secret gives'
    return canonical(places) === canonical(placesOf(kind, found))
      ? null
      : 'shows other winners than its outcome'
  } catch (error) {
    return `cannot be derived: ${(error as Error).message}`
  }
}

/** The entries that have places, in order, by the outcome's own members (fair-1.md section 9). */
function placesOf(kind: string, outcome: Record<string, any>): number[] {
  if (kind !== 'draw') return outcome['winners'] ?? []
  return [
    ...outcome['prizes'].flatMap((prize: { entries: number[] }) => prize.entries),
    ...outcome['reserves'],
  ]
}
