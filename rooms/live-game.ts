/**
 * Keeps a room's state equal to the fold of a game's committed events. The table is the truth and an event
 * that arrives is a nudge: one that comes too early waits, and a gap that stays is read from the table.
 * architecture.md, "Events between processes". What an event means is the fold's business, not ours.
 */
import type { GameEvent } from '../src/db/tx.ts'

/** An event as clients get it: what they can know anyway (the game, the tenant) stays away. */
export type PublicEvent = Pick<GameEvent, 'seq' | 'type' | 'at' | 'data'>

export type Missed<Snapshot> = { version: number; events: GameEvent[] } | { snapshot: Snapshot }

export type Since<Snapshot> = { version: number; events: PublicEvent[] } | { snapshot: Snapshot }

/** Where a game's events come from. `snapshot` and `since` read committed rows. */
export type GameSource<Snapshot> = {
  follow(follower: (events: readonly GameEvent[]) => void): () => void
  snapshot(): Promise<Snapshot>
  since(version: number): Promise<Missed<Snapshot>>
}

/** What a snapshot and events mean to a state. Pure: no clock, no IO; `version` is kept here and not there. */
export type GameFold<Snapshot> = {
  load(snapshot: Snapshot): void
  apply(events: readonly GameEvent[]): void
}

export type LiveGameOptions<Snapshot> = {
  source: GameSource<Snapshot>
  fold: GameFold<Snapshot>
  report: (where: string, error: unknown) => void
}

/** Commits of one game follow each other within milliseconds; a gap that is older was not a race. */
const GAP_PATIENCE_MS = 100
/** After a read that failed, or that did not close the gap. */
const RETRY_MS = 1_000
/** An event can be committed and never announced (the connection broke at the commit): look now and then. */
const RECONCILE_MS = 30_000
/** More than this waiting means that this room is far behind: it starts again from a snapshot. */
const WAITING_MAX = 20_000
/** What a client that was away for seconds asks for, without a query for each of them. */
const RECENT_MAX = 200

export type LiveGame<Snapshot> = {
  /** The sequence number of the last event that is in the state. */
  readonly version: number
  /** Follows, then loads a snapshot. Throws what the snapshot throws. */
  start(): Promise<void>
  /** Folds what is due and returns it in order. `now_ms` only grows. Call it once per patch, before the patch. */
  tick(now_ms: number): readonly GameEvent[]
  /** What happened after `version`: events, or a snapshot when that is too long ago. */
  since(version: number): Promise<Since<Snapshot>>
  stop(): void
}

/** Makes the follower of one game for one room. */
export function makeLiveGame<Snapshot extends { version: number }>(
  options: LiveGameOptions<Snapshot>,
): LiveGame<Snapshot> {
  const { source, fold, report } = options
  const waiting = new Map<number, GameEvent>()
  let recent: GameEvent[] = []
  let version = 0
  let unfollow = () => {}
  let is_stopped = false
  let is_reading = false
  let is_behind = false
  /** An event could not be folded: only a snapshot leads past it. */
  let is_broken = false
  let gap_since_ms: number | null = null
  let read_not_before_ms = 0
  let checked_at_ms = 0

  function offer(events: readonly GameEvent[]): void {
    for (const event of events) if (event.seq > version) waiting.set(event.seq, event)
    if (waiting.size <= WAITING_MAX) return
    waiting.clear()
    is_behind = true
  }

  function load(snapshot: Snapshot): void {
    // A snapshot that is older than the state would tell the story backwards.
    if (snapshot.version < version) return
    fold.load(snapshot)
    is_broken = false
    version = snapshot.version
    recent = []
    for (const seq of waiting.keys()) if (seq <= version) waiting.delete(seq)
  }

  function takeReady(): GameEvent[] {
    const ready: GameEvent[] = []
    for (
      let event = waiting.get(version + 1);
      event !== undefined;
      event = waiting.get(version + ready.length + 1)
    ) {
      ready.push(event)
    }
    for (const { seq } of ready) waiting.delete(seq)
    return ready
  }

  function foldReady(now_ms: number): GameEvent[] {
    const ready = takeReady()
    if (ready.length === 0) return ready
    try {
      fold.apply(ready)
    } catch (error) {
      report('live-game.fold', error)
      is_broken = true
      return []
    }
    version += ready.length
    checked_at_ms = now_ms
    gap_since_ms = null
    recent = [...recent, ...ready].slice(-RECENT_MAX)
    return ready
  }

  function isReadDue(now_ms: number): boolean {
    if (waiting.size === 0) gap_since_ms = null
    else gap_since_ms ??= now_ms
    if (is_reading || is_stopped || now_ms < read_not_before_ms) return false
    if (is_behind || is_broken) return true
    if (gap_since_ms !== null) return now_ms - gap_since_ms >= GAP_PATIENCE_MS
    return now_ms - checked_at_ms >= RECONCILE_MS
  }

  async function read(now_ms: number): Promise<void> {
    is_reading = true
    checked_at_ms = now_ms
    read_not_before_ms = now_ms + RETRY_MS
    try {
      const missed = is_broken ? { snapshot: await source.snapshot() } : await source.since(version)
      if (is_stopped) return
      is_behind = false
      gap_since_ms = null
      if ('snapshot' in missed) load(missed.snapshot)
      else offer(missed.events)
    } catch (error) {
      report('live-game.read', error)
    } finally {
      is_reading = false
    }
  }

  return {
    get version() {
      return version
    },

    async start() {
      unfollow = source.follow(offer)
      try {
        load(await source.snapshot())
      } catch (error) {
        unfollow()
        throw error
      }
    },

    tick(now_ms) {
      const ready = is_broken ? [] : foldReady(now_ms)
      if (isReadDue(now_ms)) void read(now_ms)
      return ready
    },

    async since(wanted) {
      const known = recent.filter((event) => event.seq > wanted)
      if (known.length > 0 && known[0]!.seq === wanted + 1) return { version, events: known.map(publicEvent) }
      if (wanted === version) return { version, events: [] }
      const missed = await source.since(wanted)
      return 'snapshot' in missed
        ? missed
        : { version: missed.version, events: missed.events.map(publicEvent) }
    },

    stop() {
      is_stopped = true
      unfollow()
      waiting.clear()
    },
  }
}

function publicEvent({ seq, type, at, data }: GameEvent): PublicEvent {
  return { seq, type, at, data }
}
