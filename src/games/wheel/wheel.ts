/**
 * The wheel as doors use it: HTTP routes, rooms, jobs and the load test call the same functions. Holds what is
 * shared between requests (batches, versions, opened seeds) and nothing that cannot be read again.
 */
import type { App } from '../../app.ts'
import { makeBatcher } from '../../db/batch.ts'
import type { Actor, Tx, UseCase } from '../../db/tx.ts'
import { Refusal, refuse } from '../../errors.ts'
import type { CommitDoc } from '../../fairness/commit.ts'
import type { Checkpoints } from '../../proofs/checkpoints.ts'
import { makePairKeys } from '../../proofs/pair-keys.ts'
import { readPair } from '../../proofs/pair-view.ts'
import { type CommitmentView, ensurePairs, rotatePair } from '../../proofs/pairs.ts'
import type { RoundEntropy } from '../../proofs/round-entropy.ts'
import { systemActor } from '../../system.ts'
import { type ChancesAnswer, readChances, visitWheel } from './chances.ts'
import { publishWheel, republishExhausted } from './publish.ts'
import {
  findWheel,
  readOdds,
  readSince,
  readSnapshot,
  type SinceAnswer,
  type WheelHead,
  type WheelSnapshot,
} from './read.ts'
import { loadRhythmicWheels, loadRunningRounds } from './round-store.ts'
import { advanceRound, type JoinAnswer, joinRound, openRound, type RoundView } from './rounds.ts'
import { PairMissing, type SpinAnswer, type SpinInput, type SpinReply, spinBatch } from './spin.ts'
import { loadExhaustedWheels, loadWheel } from './store.ts'
import { makeVersions, type Versions } from './versions.ts'

export type PairView = {
  current: CommitmentView & { client_seed: string; next_nonce: number }
  next: CommitmentView
}

export type RotateAnswer = PairView & {
  revealed: { commit_hash: string; server_seed: string; spins: number }
}

export type RotateInput = { client_seed: string; next_commit_hash?: string; request_id?: string }

export type SpinRequest = { wheel_id: string; request_id: string; client_entropy?: string }

export type Wheel = {
  readonly versions: Versions
  find(actor: Actor, game: string): Promise<WheelHead | undefined>
  snapshot(actor: Actor, game: string): Promise<WheelSnapshot>
  since(actor: Actor, game: string, version: number): Promise<SinceAnswer>
  odds(actor: Actor, game: string): ReturnType<typeof readOdds>
  /** One spin for the actor, however often it is asked for with the same request_id. */
  spin(actor: Actor, request: SpinRequest): Promise<{ answer: SpinAnswer; text: string; replayed: boolean }>
  chances(actor: Actor, game?: string): Promise<ChancesAnswer>
  visit(actor: Actor, game: string): Promise<{ awarded: number; chances_left: number }>
  /** The actor's two commitments on a wheel; made, logged and checkpointed first if they are not there. */
  seedPair(actor: Actor, game: string): Promise<PairView>
  /**
   * After a new version: makes the pairs that these players' next spins will need, some at a time. Whoever spins before
   * it is his turn waits for his own only. Refuses game_not_found, wheel_not_published.
   */
  renewPairs(actors: readonly Actor[], wheel_id: string): Promise<void>
  /** Once per `request_id`, where one is given: a repeat shows the same secret and the pair as it is now. */
  rotate(actor: Actor, game: string, input: RotateInput): Promise<RotateAnswer>
  publish(actor: Actor, game: string): ReturnType<typeof publishWheel>
  openRound(actor: Actor, game: string): Promise<RoundView>
  joinRound(actor: Actor, game: string, client_entropy: string): Promise<JoinAnswer>
  /**
   * Makes every move of every shared spin of a tenant that is due, and opens those whose rhythm says so.
   * Answers when to look again, in milliseconds.
   */
  advanceRounds(tenantId: string): Promise<number>
  stats(): {
    spins: ReturnType<ReturnType<typeof makeBatcher>['stats']>
    /** Rolls of this process that fell on a prize, and how many the published odds let expect. */
    rolls: { on_a_prize: number; expected: number }
  }
}

type PairWanted = { user_id: string; wheel_id: string }

export type WheelOptions = {
  app: App
  checkpoints: Checkpoints
  entropy: RoundEntropy
  report: (where: string, error: unknown) => void
  /** Refuses play while it says so: the fairness self-test failed. */
  locked?: () => boolean
  /** Told of every answer that was given (src/insight/spin-log.ts). */
  answered?: (told: {
    actor: Actor
    spin_id: string
    request_id: string
    took_ms: number
    tries: number
    replayed: boolean
  }) => void
}

/** Longer than any honest run of moves: open, closed, drawn, settled. */
const MOVES_MAX = 4
const SPIN_TRIES_MAX = 5
/** A move is late by at most the first; the second is how late a wheel's own rhythm may begin. */
const LOOK_AGAIN_MS = { running: 100, idle: 1_000 }

/**
 * Two signatures and five rows of the log each: while a crowd's pairs are made in one transaction, whoever spins waits for
 * the loop, the log's head and the locks of that crowd.
 */
const RENEWED_AT_ONCE = 32

/** The unique key of requests decided: the same request was answered by another process at this moment. */
function isAnsweredElsewhere(error: unknown): boolean {
  const { code, table } = error as { code?: unknown; table?: unknown }
  return code === '23505' && table === 'spin_sessions'
}

export function makeWheel({
  app,
  checkpoints,
  entropy,
  report,
  locked = () => false,
  answered = () => {},
}: WheelOptions): Wheel {
  const versions = makeVersions()
  const memory = { versions, pairs: makePairKeys(), playIds: [] as number[] }

  const spins = makeBatcher<SpinInput, SpinReply>({
    run: (tenantId, items) =>
      app.run(
        systemActor(tenantId),
        (tx, inputs: readonly SpinInput[]) => spinBatch(tx, inputs, memory),
        items,
        { keeps_plans: true },
      ),
  })

  /** Players who arrive together get their pairs in one transaction and one checkpoint. */
  const pairs = makeBatcher<PairWanted, void>({ lane_count: 1, run: preparePairs })
  /** Players who only may spin soon: behind nobody who waits for a pair of his own. */
  const renewals = makeBatcher<PairWanted, void>({
    lane_count: 1,
    batch_size_max: RENEWED_AT_ONCE,
    run: preparePairs,
  })

  async function preparePairs(tenantId: string, items: readonly PairWanted[]) {
    const distinct = [...new Map(items.map((item) => [`${item.wheel_id}\n${item.user_id}`, item])).values()]
    const closed = await app.run(
      systemActor(tenantId),
      async (tx, wanted: typeof distinct) => {
        const bindings = new Map<string, Awaited<ReturnType<typeof bindingOf>>>()
        for (const { wheel_id } of wanted)
          if (!bindings.has(wheel_id)) bindings.set(wheel_id, await bindingOf(tx, wheel_id))
        return ensurePairs(
          tx,
          wanted.map(({ user_id, wheel_id }) => ({ user_id, binding: bindings.get(wheel_id)! })),
        )
      },
      distinct,
      { keeps_plans: true },
    )
    for (const seed_id of closed) memory.pairs.forget(seed_id)
    await checkpoints.make(tenantId)
    return items.map(() => ({ answer: undefined }))
  }

  async function bindingOf(tx: Tx, game: string) {
    const wheel = await loadWheel(tx, game)
    if (wheel === undefined) refuse('game_not_found')
    if (wheel.config_version === 0) refuse('wheel_not_published')
    const version = await versions.of(tx, wheel.id, wheel.config_version)
    return {
      gameId: wheel.id,
      kind: 'wheel' as const,
      config_version: wheel.config_version,
      config_text: version.config_text,
      config_hash: version.config_hash,
    }
  }

  const preparePair = (actor: Actor, wheel_id: string) =>
    pairs.submit(actor.tenantId, actor.userId, { user_id: actor.userId, wheel_id })

  async function renewPairs(actors: readonly Actor[], wheel_id: string): Promise<void> {
    await Promise.all(
      actors.map(({ tenantId, userId }) => renewals.submit(tenantId, userId, { user_id: userId, wheel_id })),
    )
  }

  async function headOf(actor: Actor, game: string): Promise<WheelHead> {
    return (await app.run(actor, findWheel, game)) ?? refuse('game_not_found')
  }

  /**
   * A wheel that is published again between pair and spin asks for another pair, and a request that another process
   * has just answered is asked for again: its answer is there. More than a few times is no accident.
   */
  async function submitWithPair(
    actor: Actor,
    wheel_id: string,
    input: SpinInput,
  ): Promise<{ reply: SpinReply; tries: number }> {
    for (let tries = 1; tries <= SPIN_TRIES_MAX; tries++) {
      try {
        return { reply: await spins.submit(actor.tenantId, actor.userId, input), tries }
      } catch (error) {
        if (error instanceof PairMissing) await preparePair(actor, wheel_id)
        else if (!isAnsweredElsewhere(error)) throw error
      }
    }
    return refuse('unavailable', { retry_after_s: 1 })
  }

  async function spin(actor: Actor, { wheel_id, request_id, client_entropy }: SpinRequest) {
    if (locked()) refuse('fairness_locked')
    const input: SpinInput = { actor, wheel_id, request_id, client_entropy: client_entropy ?? '-' }
    const asked_at = performance.now()
    const { reply, tries } = await submitWithPair(actor, wheel_id, input)
    const answer = JSON.parse(reply.text) as SpinAnswer
    const { replayed } = reply
    if (!replayed) countRoll(wheel_id, answer.segment)
    const took_ms = performance.now() - asked_at
    answered({ actor, spin_id: answer.spin_id, request_id, took_ms, tries, replayed })
    return { answer, ...reply }
  }

  /** For the metrics of this process; a spin that commits while a new version is published may count by the other. */
  const rolls = { on_a_prize: 0, expected: 0 }
  function countRoll(wheel_id: string, segment: number): void {
    const version = versions.newest(wheel_id)
    if (version === undefined) return
    const { segments } = version.config
    const on_a_prize = segments.reduce(
      (sum, { prize_id, weight }) => (prize_id === null ? sum : sum + weight),
      0,
    )
    rolls.expected += on_a_prize / version.odds.total
    if ((segments[segment]?.prize_id ?? null) !== null) rolls.on_a_prize += 1
  }

  async function seedPair(actor: Actor, game: string): Promise<PairView> {
    const head = await headOf(actor, game)
    await preparePair(actor, head.id)
    return app.run(actor, readPair, { game_id: head.id })
  }

  async function rotate(
    actor: Actor,
    game: string,
    { request_id, ...input }: RotateInput,
  ): Promise<RotateAnswer> {
    const before = await seedPair(actor, game)
    const rotateOnce = async (tx: Tx, given: typeof input) =>
      rotatePair(tx, {
        user_id: actor.userId,
        binding: await bindingOf(tx, game),
        client_seed: given.client_seed,
        next_commit_hash: given.next_commit_hash ?? before.next.commit_hash,
      })
    const { revealed, closed_seed_id } =
      request_id === undefined
        ? await app.run(actor, rotateOnce, input)
        : await onceOf(actor, rotateOnce, input, { endpoint: `rotate ${game}`, key: request_id })
    memory.pairs.forget(closed_seed_id)
    await checkpoints.make(actor.tenantId)
    return { ...(await seedPair(actor, game)), revealed }
  }

  async function onceOf<I, O>(
    actor: Actor,
    useCase: UseCase<I, O>,
    input: I,
    key: { endpoint: string; key: string },
  ): Promise<O> {
    const { body } = await app.once(actor, useCase, input, { ...key, status: 200 })
    return JSON.parse(body) as O
  }

  async function open(actor: Actor, game: string): Promise<RoundView> {
    if (locked()) refuse('fairness_locked')
    await entropy.assertReady()
    const round = await app.run(actor, openRound, { game, versions, entropy })
    await checkpoints.make(actor.tenantId)
    return round
  }

  async function advance(tenantId: string, roundId: string): Promise<void> {
    const actor = systemActor(tenantId)
    for (let moves = 0; moves < MOVES_MAX; moves++) {
      const round = (await app.run(actor, (tx) => loadRunningRounds(tx), undefined)).find(
        (row) => row.id === roundId,
      )
      if (round === undefined) return
      // The root must be checkpointed before the entropy is asked for.
      if (round.round_status === 'closed') await checkpoints.make(tenantId)
      const beacon =
        round.round_status === 'closed' ? await entropy.obtain(JSON.parse(round.doc) as CommitDoc) : undefined
      const moved = await app.run(actor, advanceRound, {
        round_id: roundId,
        obtained: { ...(beacon && { beacon }) },
      })
      if (moved === null) return
    }
  }

  /** Rewards that ran out are taken off their wheels, and what is shown becomes what can be won. */
  async function republishAll(tenantId: string): Promise<void> {
    const actor = systemActor(tenantId)
    const exhausted = await app.run(actor, (tx) => loadExhaustedWheels(tx), undefined)
    for (const { id } of exhausted) await app.run(actor, republishExhausted, { game: id })
  }
  app.followAll(({ type, tenantId }) => {
    if (type === 'wheel.exhausted')
      republishAll(tenantId).catch((error: unknown) => report('republish', error))
  })

  /** What a process that stopped at the wrong moment left undone, once per tenant and process. */
  const caughtUp = new Set<string>()
  async function catchUp(tenantId: string): Promise<void> {
    if (caughtUp.has(tenantId)) return
    await checkpoints.make(tenantId)
    caughtUp.add(tenantId)
  }

  /** True when a round was opened; another process may have been quicker, or the wheel is outside its hours. */
  async function openDue(actor: Actor, wheelId: string): Promise<boolean> {
    try {
      await open(actor, wheelId)
      return true
    } catch (error) {
      if (!(error instanceof Refusal && ['round_running', 'wheel_not_open'].includes(error.code)))
        report('round', error)
      return false
    }
  }

  return {
    versions,
    find: (actor, game) => app.run(actor, findWheel, game),
    snapshot: (actor, game) => app.run(actor, readSnapshot, { game, versions }),
    since: (actor, game, version) => app.run(actor, readSince, { game, version, versions }),
    odds: (actor, game) => app.run(actor, readOdds, { game, versions }),
    spin,
    chances: (actor, game) => app.run(actor, readChances, { ...(game !== undefined && { game }) }),
    visit: (actor, game) => app.run(actor, visitWheel, { game }),
    seedPair,
    renewPairs,
    rotate,
    publish: (actor, game) => app.run(actor, publishWheel, { game }),
    openRound: open,
    joinRound: (actor, game, client_entropy) => app.run(actor, joinRound, { game, client_entropy }),
    async advanceRounds(tenantId) {
      const actor = systemActor(tenantId)
      await catchUp(tenantId)
      await republishAll(tenantId)
      const running = await app.run(actor, (tx) => loadRunningRounds(tx), undefined)
      // One that cannot go on must not hold up the others.
      for (const { id } of running)
        await advance(tenantId, id).catch((error: unknown) => report('round', error))
      const due = await app.run(actor, (tx) => loadRhythmicWheels(tx), undefined)
      let opened_count = 0
      for (const wheel of due) if (await openDue(actor, wheel.id)) opened_count++
      return running.length + opened_count > 0 ? LOOK_AGAIN_MS.running : LOOK_AGAIN_MS.idle
    },
    stats: () => ({ spins: spins.stats(), rolls: { ...rolls } }),
  }
}
