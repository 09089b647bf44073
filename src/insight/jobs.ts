/** What is done for every tenant now and then: hours are rolled up, what is suspicious is looked for, old notifications are forgotten. */
import { z } from 'zod'
import type { App } from '../app.ts'
import { jobKind, periodic, type Task } from '../jobs/queue.ts'
import { purgeAlertAddresses } from './alerts.ts'
import { rollUpHours } from './analytics.ts'
import { purgeNotifications } from './inbox.ts'
import { evaluateSignals } from './signals.ts'

const nothing = z.strictObject({})
/** The next time comes soon enough: an attempt that failed is not worth days of repetition. */
const ROLL_UP = jobKind('insight.roll-up', nothing, { attempts_max: 3 })
const LOOK = jobKind('insight.look', nothing, { attempts_max: 3 })
const PURGE = jobKind('insight.purge', nothing, { attempts_max: 3 })

const DAY_MS = 86_400_000
/** What was read so long ago is looked for by nobody; the prize itself stays in the wallet. */
const READ_KEPT_MS = 90 * DAY_MS

/** Tasks of every tenant. After `purge_days` the evidence of alerts names no address any more, as plays do. */
export function insightTasks(
  app: Pick<App, 'run' | 'clock'>,
  { purge_days }: { purge_days: number },
): Task[] {
  return [
    periodic(ROLL_UP, '*/5 * * * *', async (actor) => void (await app.run(actor, rollUpHours, undefined))),
    periodic(LOOK, '* * * * *', async (actor) => void (await app.run(actor, evaluateSignals, undefined))),
    periodic(PURGE, '17 3 * * *', async (actor) => {
      const before = new Date(app.clock.now().getTime() - READ_KEPT_MS)
      while ((await app.run(actor, purgeNotifications, { before })) > 0);
      const seen_before = new Date(app.clock.now().getTime() - purge_days * DAY_MS)
      await app.run(actor, purgeAlertAddresses, { before: seen_before })
    }),
  ]
}
