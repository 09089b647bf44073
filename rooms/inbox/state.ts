/**
 * The state of an inbox: numbers that a badge and the tabs of a wallet show. What they count comes as messages. Pure.
 * The order of the fields is the protocol: append, never reorder, never remove.
 */
import { type SchemaType, schema, t } from '@colyseus/schema'
import type { PrizeCounts } from '../../src/prizes/store.ts'

export const InboxState = schema(
  {
    phase: t.string<'open'>().default('open'),
    /** The server's clock, epoch milliseconds; moves at most once a second. */
    serverTime: t.int64().default(0),
    version: t.int64().default(0),
    /** An inbox promises nothing by chance: commitHash, trust, opensAt and closesAt are there for one reader of all states. */
    commitHash: t.string().default(''),
    trust: t.string().default(''),
    opensAt: t.string().default(''),
    closesAt: t.string().default(''),
    /** Devices of the user that have the inbox open. */
    players: t.uint32().default(0),
    spectators: t.uint32().default(0),
    /** Notifications that are not read. */
    unread: t.uint32().default(0),
    /** Prizes of each status. */
    locked: t.uint32().default(0),
    unlocked: t.uint32().default(0),
    applied: t.uint32().default(0),
    expired: t.uint32().default(0),
  },
  'InboxState',
)
export type InboxState = SchemaType<typeof InboxState>

/** Makes the state what was counted. */
export function loadInboxState(state: InboxState, counts: PrizeCounts): void {
  state.version = counts.version
  state.unread = counts.unread
  state.locked = counts.locked
  state.unlocked = counts.unlocked
  state.applied = counts.applied
  state.expired = counts.expired
}

type Kept = { id: number; key: string }

/** Of what is shown now, that which differs from what was shown before. */
export function changedOf<T>(
  before: ReadonlyMap<number, string>,
  now: readonly T[],
  keyOf: (item: T) => Kept,
): { changed: T[]; kept: Map<number, string> } {
  const keys = now.map(keyOf)
  return {
    changed: now.filter((_, i) => before.get(keys[i]!.id) !== keys[i]!.key),
    kept: new Map(keys.map(({ id, key }) => [id, key])),
  }
}
