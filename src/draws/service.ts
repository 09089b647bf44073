/**
 * Draws as doors use them. Holds nothing that cannot be read again: what is due is asked of the rows, entropy of its
 * source, and each step is a transaction of its own.
 */
import type { App } from '../app.ts'
import type { Actor, UseCase } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import type { CommitDoc } from '../fairness/commit.ts'
import type { Checkpoints } from '../proofs/checkpoints.ts'
import type { RoundEntropy } from '../proofs/round-entropy.ts'
import { roundOutAt } from '../proofs/shared-draw.ts'
import { systemActor } from '../system.ts'
import { type Advanced, advance, type Obtained } from './draws.ts'
import type { DrawGames } from './game.ts'
import { type DrawRow, loadDraw, loadRunningDraws } from './store.ts'

export type Draws = {
  readonly games: DrawGames
  readonly entropy: RoundEntropy
  /**
   * Runs a use case that commits to draws, makes the checkpoint that they wait for, and opens those that may open.
   * Refuses fairness_locked, entropy_unavailable, and what the use case refuses.
   */
  promise<I, O>(
    actor: Actor,
    useCase: UseCase<I, O>,
    input: I,
    drawsOf: (answer: O) => readonly string[],
  ): Promise<O>
  /** Runs a use case that logs what must be under a checkpoint before the next step, and makes that checkpoint. */
  inPublic<I, O>(actor: Actor, useCase: UseCase<I, O>, input: I): Promise<O>
  /** Makes every step of one draw that is due. */
  advance(tenantId: string, drawId: string): Promise<Advanced>
  /** Makes every step of every draw of a tenant that is due. Answers when to look again, in milliseconds. */
  advanceDue(tenantId: string): Promise<number>
}

export type DrawsOptions = {
  app: App
  checkpoints: Checkpoints
  entropy: RoundEntropy
  games: DrawGames
  report: (where: string, error: unknown) => void
  /** Refuses new promises while it says so: the fairness self-test failed. */
  locked?: () => boolean
}

/** How late a draw that appeared elsewhere is noticed; how often something that is not a time is asked for again. */
const LOOK_AGAIN_MS = { idle: 1_000, waiting: 250, least: 5 }

export function makeDraws(options: DrawsOptions): Draws {
  const { app, checkpoints, entropy, games, report, locked = () => false } = options

  /** What the next step needs from outside: a checkpoint over what was published, the beacon round. */
  async function obtain(tenantId: string, draw: DrawRow): Promise<Obtained> {
    const now = app.clock.now()
    // An extension too must be under a checkpoint before the close that it made (fair-1.md section 11).
    const is_extended = draw.status === 'open' && draw.extension_count > 0 && now >= draw.closes_at
    if (draw.status === 'scheduled' || draw.status === 'closed' || is_extended)
      await checkpoints.make(tenantId)
    if (draw.status !== 'drawing' || now < draw.draw_at) return {}
    const doc = JSON.parse(draw.doc) as CommitDoc
    const out_at = roundOutAt(doc, draw.beacon_round)
    if (doc.beacon === undefined || (out_at !== null && now < out_at)) return {}
    const beacon = await entropy.obtain(doc, draw.beacon_round ?? undefined)
    return beacon === undefined ? {} : { beacon }
  }

  async function advanceOne(tenantId: string, draw_id: string): Promise<Advanced> {
    const actor = systemActor(tenantId)
    for (let steps = 0; ; steps++) {
      const draw = await app.run(actor, (tx) => loadDraw(tx, draw_id), undefined)
      if (draw === undefined) refuse('game_not_found')
      const obtained = await obtain(tenantId, draw)
      const advanced = await app.run(actor, advance, { draw_id, obtained, games })
      if (advanced.did !== null) continue
      // A checkpoint at every reveal too (fair-1.md section 11).
      if (steps > 0) await checkpoints.make(tenantId)
      return advanced
    }
  }

  async function advanceDue(tenantId: string): Promise<number> {
    const running = await app.run(systemActor(tenantId), (tx) => loadRunningDraws(tx), undefined)
    let again_ms = LOOK_AGAIN_MS.idle
    for (const id of running) {
      try {
        const { status, again_at } = await advanceOne(tenantId, id)
        if (status === 'settled' || status === 'cancelled') continue
        const wait_ms = again_at ? again_at.getTime() - app.clock.now().getTime() : LOOK_AGAIN_MS.waiting
        again_ms = Math.min(again_ms, Math.max(LOOK_AGAIN_MS.least, wait_ms))
      } catch (error) {
        // One that cannot go on must not hold up the others.
        report('draw', error)
      }
    }
    return again_ms
  }

  return {
    games,
    entropy,
    async promise(actor, useCase, input, drawsOf) {
      if (locked()) refuse('fairness_locked')
      await entropy.assertReady()
      const answer = await app.run(actor, useCase, input)
      for (const id of drawsOf(answer)) await advanceOne(actor.tenantId, id)
      return answer
    },
    async inPublic(actor, useCase, input) {
      const answer = await app.run(actor, useCase, input)
      await checkpoints.make(actor.tenantId)
      return answer
    },
    advance: advanceOne,
    advanceDue,
  }
}
