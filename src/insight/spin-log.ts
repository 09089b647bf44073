/**
 * What a process knows of the spins that it answered and no row tells: how long it took, by which request, how often it
 * was tried. Written now and then in one statement, outside the spins' own transactions: a log must cost players nothing,
 * and the facts of a spin do not depend on it. Bounded: past so many a second only their number is told.
 */
import type { App } from '../app.ts'
import type { Actor } from '../db/tx.ts'
import { newId } from '../ids.ts'
import { systemActor } from '../system.ts'
import { insertLogs, type LogLine } from './logs-store.ts'

const TELL_EVERY_MS = 1_000
const LINES_MAX = 500
/** Slower than this is worth a look. */
const SLOW_MS = 1_000

export type Answered = {
  actor: Actor
  spin_id: string
  request_id: string
  took_ms: number
  tries: number
  replayed: boolean
}

export type SpinLog = {
  /** Notes one answer. Never throws. */
  note(answered: Answered): void
  /** Writes what is noted. For tests and for the end of a process. */
  flush(): Promise<void>
}

/** Makes the log of one process. */
export function makeSpinLog(
  app: Pick<App, 'run' | 'clock'>,
  report: (where: string, error: unknown) => void,
): SpinLog {
  let noted: (LogLine & { tenantId: string })[] = []
  let left_out = 0
  let timer: NodeJS.Timeout | undefined

  async function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    const lines = noted
    if (left_out > 0) lines.at(-1)!.log_details += `; ${left_out} more lines of this second were left out`
    noted = []
    left_out = 0
    for (const [tenantId, of] of Map.groupBy(lines, (line) => line.tenantId)) {
      await app
        .run(systemActor(tenantId), insertLogs, of)
        .catch((error: unknown) => report('spin-log', error))
    }
  }

  return {
    note({ actor, spin_id, request_id, took_ms, tries, replayed }) {
      if (noted.length >= LINES_MAX) {
        left_out += 1
        return
      }
      const took = `after ${Math.round(took_ms)} ms`
      noted.push({
        tenantId: actor.tenantId,
        id: newId(),
        spin_session_id: spin_id,
        log_level: took_ms >= SLOW_MS ? 'warn' : replayed ? 'debug' : 'info',
        log_message: replayed ? `Asked for again and answered as before, ${took}.` : `Answered ${took}.`,
        log_details: `${actor.requestId === undefined ? 'through a room' : 'over HTTP'}, tries: ${tries}`,
        log_category: 'answer',
        log_timestamp: app.clock.now(),
        source_component: 'wheel',
        trace_id: actor.requestId ?? request_id,
      })
      timer ??= setTimeout(() => void flush(), TELL_EVERY_MS).unref()
    },
    flush,
  }
}
