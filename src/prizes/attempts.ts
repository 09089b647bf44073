/**
 * Every attempt to use a prize, hold it or take it back stands in the audit chain, refused ones too (S2-51). What
 * succeeds writes its row itself; what is here are trials and refusals, which have no transaction of their own that would stay: they are
 * written together, many per commit, and the answer waits for it.
 */
import type { App } from '../app.ts'
import type { AuditEntry } from '../db/append.ts'
import { makeBatcher } from '../db/batch.ts'
import type { Actor, Tx } from '../db/tx.ts'
import { Refusal } from '../errors.ts'
import { refusalIsRecorded } from '../http/route.ts'
import { systemActor } from '../system.ts'
import type { OrderRef } from './play.ts'
import { loadPlayNames } from './redemption-store.ts'

/** What somebody asked for, as it was asked. */
export type Attempt = {
  verb: 'validate' | 'apply' | 'hold' | 'release' | 'rollback'
  play_ids: readonly number[]
  order_id: OrderRef | null
  /** Absent where no amount is stated. */
  order_amount?: number | string | null
}

/** What came of it for one prize: the codes of what stands against it, and the amounts when nothing does. */
export type Outcome = {
  play_id: number
  reasons: readonly string[]
  discount_amount: string | null
  final_amount: string | null
}

type Row = {
  play_id: number
  action: string
  by: NonNullable<AuditEntry['by']>
  values: Record<string, unknown>
}

export type Attempts = {
  /**
   * Runs an attempt and records it: a refusal with its code and reasons, and with `outcomesOf` a success too. A row that
   * cannot be written fails the attempt: none is unseen.
   */
  watch<T>(
    actor: Actor,
    attempt: Attempt,
    run: () => Promise<T>,
    outcomesOf?: (answer: T) => readonly Outcome[],
  ): Promise<T>
}

export function makeAttempts(app: App): Attempts {
  const batcher = makeBatcher<Row[], void>({
    async run(tenantId, items) {
      await app.run(systemActor(tenantId), recordRows, items.flat())
      return items.map(() => ({ answer: undefined }))
    },
  })
  const write = (actor: Actor, rows: Row[]) => batcher.submit(actor.tenantId, actor.userId, rows)

  return {
    async watch(actor, attempt, run, outcomesOf) {
      try {
        const answer = await run()
        if (outcomesOf) await write(actor, triedRows(actor, attempt, outcomesOf(answer)))
        return answer
      } catch (error) {
        if (error instanceof Refusal) {
          refusalIsRecorded(error)
          await write(actor, refusedRows(actor, attempt, error))
        }
        throw error
      }
    },
  }
}

function triedRows(by: Actor, attempt: Attempt, outcomes: readonly Outcome[]): Row[] {
  return outcomes.map(({ play_id, reasons, discount_amount, final_amount }) => ({
    play_id,
    action: attempt.verb,
    by,
    values: { ...asked(attempt), valid: reasons.length === 0, reasons, discount_amount, final_amount },
  }))
}

function refusedRows(by: Actor, attempt: Attempt, { code, detail }: Refusal): Row[] {
  const { reasons = [], refused = [] } = (detail.facts ?? {}) as {
    reasons?: { code: string }[]
    refused?: { play_id: number; reasons: { code: string }[] }[]
  }
  return attempt.play_ids.map((play_id) => {
    const own = refused.find((each) => each.play_id === play_id)?.reasons ?? reasons
    const values = { ...asked(attempt), code, reasons: own.map((each) => each.code) }
    return { play_id, action: `${attempt.verb}.refused`, by, values }
  })
}

function asked({ order_id, order_amount }: Attempt): Record<string, unknown> {
  const text = (value: OrderRef | null) => (value === null ? null : String(value))
  return {
    order_id: text(order_id),
    ...(order_amount !== undefined && { order_amount: text(order_amount) }),
  }
}

async function recordRows(tx: Tx, rows: readonly Row[]): Promise<void> {
  const names = await loadPlayNames(tx, [...new Set(rows.map(({ play_id }) => play_id))])
  const known = new Map(names.map((name) => [name.id, name]))
  for (const { play_id, action, by, values } of rows) {
    const play = known.get(play_id)
    tx.audit({
      action,
      entity_type: 'game_play',
      ...(play && { entity_id: play.uuid }),
      new_values: { play_id, user_id: play?.user_id ?? null, ...values },
      by,
    })
  }
}
