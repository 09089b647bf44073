/** What becomes of claims when time passes, for every tenant and once a minute: reads and refusals do not wait for it. */
import { z } from 'zod'
import type { App } from '../app.ts'
import { jobKind, periodic, type Task } from '../jobs/queue.ts'
import { endBlocks, failSilent } from './accountability.ts'
import { forfeitDue } from './offers.ts'

const nothing = z.strictObject({})
/** The next minute comes soon enough. */
const attempts = { attempts_max: 3 }
const FORFEIT = jobKind('claims.forfeit', nothing, attempts)
const HOLD_TO_ACCOUNT = jobKind('claims.hold_to_account', nothing, attempts)

/** Tasks of every tenant. */
export function claimTasks(app: Pick<App, 'run'>): Task[] {
  return [
    periodic(FORFEIT, '* * * * *', async (actor) => {
      while ((await app.run(actor, forfeitDue, undefined)) > 0);
    }),
    periodic(HOLD_TO_ACCOUNT, '* * * * *', async (actor) => {
      while ((await app.run(actor, endBlocks, undefined)) > 0);
      while ((await app.run(actor, failSilent, undefined)) > 0);
    }),
  ]
}
