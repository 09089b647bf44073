/**
 * The application as doors see it: run a use case, run it once per key, follow a game. What is behind it
 * (pool, clock, keys) is built in composition.ts.
 */
import type { Clock } from './clock.ts'
import { type Once, type OnceKey, onceAll } from './db/once.ts'
import type { Database } from './db/pool.ts'
import { type Actor, type GameEvent, inputHash, makeRunner, type RunOptions, type UseCase } from './db/tx.ts'
import type { Fault } from './faults.ts'
import type { FairKeys } from './proofs/keys.ts'

export type { Once, OnceKey } from './db/once.ts'

export type Follower = (events: readonly GameEvent[]) => void

export type App = {
  readonly clock: Clock
  readonly database: Database
  readonly keys: FairKeys
  /** Runs a use case in one transaction of the actor's tenant; see db/tx.ts. */
  run<I, O>(actor: Actor, useCase: UseCase<I, O>, input: I, options?: RunOptions): Promise<O>
  /**
   * Runs a use case at most once per key; key and effect commit together. Answers the JSON text that was
   * answered first. Refuses `idempotency_in_progress` while the first call runs and `idempotency_key_reused`
   * for another input. A refusal of the use case stores nothing: it had no effect.
   */
  once<I, O>(actor: Actor, useCase: UseCase<I, O>, input: I, key: OnceKey): Promise<Once>
  /** Calls back with each committed batch of a game's events on this process. Returns the end of it. */
  follow(tenantId: string, gameId: string, follower: Follower): () => void
  /**
   * Calls back when this process has committed a change of a user's wallet or inbox. A nudge without content: what
   * changed is read as that user. Returns the end of it.
   */
  followUser(tenantId: string, userId: string, follower: () => void): () => void
  /** Calls back with every committed event of every game on this process. */
  followAll(follower: (event: GameEvent) => void): void
  /** Calls back when a tenant's fairness log has grown. */
  followLog(follower: (tenantId: string) => void): void
}

export type AppOptions = {
  database: Database
  clock: Clock
  keys: FairKeys
  report: (where: string, error: unknown) => void
  /** Breaks a commit on purpose (FAULT_POINT). */
  fault?: Fault
}

/** Builds the application core on a database. */
export function makeApp({ database, clock, keys, report, fault }: AppOptions): App {
  const followers = new Map<string, Set<Follower>>()
  const userFollowers = new Map<string, Set<() => void>>()
  const allFollowers: ((event: GameEvent) => void)[] = []
  const logFollowers: ((tenantId: string) => void)[] = []

  /** Publication is a nudge and the table is the truth, so a follower that fails harms itself alone. */
  function tell(follower: () => void): void {
    try {
      follower()
    } catch (error) {
      report('follower', error)
    }
  }

  function publish(events: readonly GameEvent[]): void {
    for (const event of events) for (const follower of allFollowers) tell(() => follower(event))
    for (const [topic, group] of byGame(events)) {
      for (const follower of followers.get(topic) ?? []) tell(() => follower(group))
    }
  }

  function logged(tenantId: string): void {
    for (const follower of logFollowers) tell(() => follower(tenantId))
  }

  function stirred(tenantId: string, userIds: readonly string[]): void {
    for (const userId of userIds)
      for (const follower of userFollowers.get(`${tenantId}/${userId}`) ?? []) tell(follower)
  }

  const runner = makeRunner({
    database,
    now: () => clock.now(),
    publish,
    logged,
    stirred,
    keys,
    ...(fault && { fault }),
  })

  return {
    clock,
    database,
    keys,
    run: runner.run,

    once: (actor, useCase, input, key) =>
      runner.run(
        actor,
        async (tx, given: typeof input): Promise<Once> => {
          const claim = { ...key, principal: actor.userId, request_hash: inputHash(given) }
          const [verdict] = await onceAll(tx, [claim], async () => [{ answer: await useCase(tx, given) }])
          if ('refusal' in verdict!) throw verdict.refusal
          return verdict!.answer
        },
        input,
      ),

    follow: (tenantId, gameId, follower) => enroll(followers, `${tenantId}/${gameId}`, follower),
    followUser: (tenantId, userId, follower) => enroll(userFollowers, `${tenantId}/${userId}`, follower),

    followAll: (follower) => void allFollowers.push(follower),
    followLog: (follower) => void logFollowers.push(follower),
  }
}

/** Adds a follower to a topic; the returned function takes it away again. */
function enroll<F>(topics: Map<string, Set<F>>, topic: string, follower: F): () => void {
  const group = topics.get(topic) ?? new Set<F>()
  topics.set(topic, group.add(follower))
  return () => {
    group.delete(follower)
    if (group.size === 0 && topics.get(topic) === group) topics.delete(topic)
  }
}

function byGame(events: readonly GameEvent[]): Map<string, GameEvent[]> {
  const groups = new Map<string, GameEvent[]>()
  for (const event of events) {
    const topic = `${event.tenantId}/${event.gameId}`
    const group = groups.get(topic)
    if (group) group.push(event)
    else groups.set(topic, [event])
  }
  return groups
}
