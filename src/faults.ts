/** Breaks the server on purpose at a named step of a commit: for fault tests, refused in production (`FAULT_POINT`). */
import type { FaultPoint } from './config.ts'

/**
 * Where a transaction can be broken: `before` all of it is written and nothing is committed, `after` it is committed and
 * nobody was told, `told` whoever follows was told.
 */
export type FaultStep = 'before' | 'after' | 'told'

/** Called at each step with the types of the transaction's events. */
export type Fault = (step: FaultStep, types: readonly string[]) => void

/**
 * Makes the fault: at the `at`th transaction with an event of the named type at the named step (`draw.drawn.after`), this
 * process is killed. No statement of JavaScript runs after the signal.
 */
export function makeFault({ name, at }: FaultPoint): Fault {
  let count = 0
  return (step, types) => {
    if (!types.some((type) => `${type}.${step}` === name)) return
    count += 1
    if (count === at) process.kill(process.pid, 'SIGKILL')
  }
}
