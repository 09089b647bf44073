/** What becomes of claims when time passes, for every tenant and once a minute: reads and refusals do not wait for it. */
import { z } from 'zod'
import type { App } from '../app.ts'
import { jobKind, periodic, type Task } from '../jobs/queue.ts'
import { forfeitDue } from './offers.ts'

const nothing = z.strictObject({})
/** The next minute comes soon enough. */
const FORFEIT = jobKind('claims.forfeit', nothing, { attempts_max: 3 })

/** Tasks of every tenant. */
export function claimTasks(app: Pick<App, 'run'>): Task[] {
  return [
    periodic(FORFEIT, '* * * * *', async (actor) => {
      while ((await app.run(actor, forfeitDue, undefined)) > 0);
    }),
  ]
}
