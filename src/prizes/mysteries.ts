/** Mystery prizes as doors use them: pairs that are made, logged and checkpointed before anything is drawn from them. */
import type { App } from '../app.ts'
import type { Actor } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import type { Checkpoints } from '../proofs/checkpoints.ts'
import { readPair } from '../proofs/pair-view.ts'
import { ensurePairs, type PairBinding, rotatePair } from '../proofs/pairs.ts'
import { bindPool, MysteryPairMissing, type PoolRef } from './mystery.ts'
import { type UnlockInput, unlockPrize } from './wallet.ts'

export type Mysteries = {
  /** Opens a prize of the actor. Where a draw lacks its pair, that is made, logged and checkpointed first. */
  unlock(actor: Actor, input: UnlockInput): ReturnType<typeof unlockPrize>
  /** The actor's two commitments on a pool; made, logged and checkpointed first if they are not there. */
  seedPair(actor: Actor, pool: PoolRef): ReturnType<typeof readPair>
  /** Reveals the current pair and goes on with the next one and a client seed of the player's own. */
  rotate(
    actor: Actor,
    pool: PoolRef,
    input: { client_seed: string; next_commit_hash?: string },
  ): Promise<
    Awaited<ReturnType<typeof readPair>> & {
      revealed: { commit_hash: string; server_seed: string; spins: number }
    }
  >
}

/** Another door may rotate between pair and draw; more than a few times is no accident. */
const TRIES_MAX = 4

/** Mysteries as doors use them; `locked` says that the fairness self-test failed. */
export function makeMysteries(app: App, checkpoints: Checkpoints, locked = () => false): Mysteries {
  async function prepare(actor: Actor, ref: PoolRef): Promise<PairBinding> {
    const made = await app.run(
      actor,
      async (tx, pool: PoolRef) => {
        const binding = await bindPool(tx, pool)
        await ensurePairs(tx, [{ user_id: actor.userId, binding }])
        return binding
      },
      ref,
    )
    await checkpoints.make(actor.tenantId)
    return made
  }

  async function seedPair(actor: Actor, ref: PoolRef) {
    const { gameId } = await prepare(actor, ref)
    return app.run(actor, readPair, { game_id: gameId })
  }

  return {
    async unlock(actor, input) {
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        try {
          return await app.run(actor, unlockPrize, { ...input, can_draw: !locked() })
        } catch (error) {
          if (!(error instanceof MysteryPairMissing)) throw error
          await prepare(actor, error.pool)
        }
      }
      return refuse('unavailable', { retry_after_s: 1 })
    },

    seedPair,

    async rotate(actor, ref, { client_seed, next_commit_hash }) {
      const before = await seedPair(actor, ref)
      const { revealed } = await app.run(
        actor,
        async (tx, given: { client_seed: string; next_commit_hash: string }) =>
          rotatePair(tx, { user_id: actor.userId, binding: await bindPool(tx, ref), ...given }),
        { client_seed, next_commit_hash: next_commit_hash ?? before.next.commit_hash },
      )
      await checkpoints.make(actor.tenantId)
      return { ...(await seedPair(actor, ref)), revealed }
    },
  }
}
