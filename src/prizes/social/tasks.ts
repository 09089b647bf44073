/** What happens to deals without anybody asking: reads never depend on it, rows follow within a minute. */
import { z } from 'zod'
import type { App } from '../../app.ts'
import { jobKind, periodic, type Task } from '../../jobs/queue.ts'
import { lapseDeals } from './deals.ts'

const lapseKind = jobKind('prizes.lapse_deals', z.object({}))

/** Tasks of this folder for the registry. */
export function socialTasks(app: App): Task[] {
  return [
    periodic(lapseKind, '* * * * *', async (actor) => {
      while ((await app.run(actor, lapseDeals, undefined)).has_more);
    }),
  ]
}
