/** What happens without anybody asking: deals end, referrals are awarded. No read depends on it; rows follow within a minute. */
import { z } from 'zod'
import type { App } from '../../app.ts'
import { jobKind, periodic, type Task } from '../../jobs/queue.ts'
import { lapseDeals } from './deals.ts'
import { awardReferrals } from './grants.ts'

const lapseKind = jobKind('prizes.lapse_deals', z.object({}))
const awardKind = jobKind('prizes.award_referrals', z.object({}))

/** Tasks of this folder for the registry. */
export function socialTasks(app: App): Task[] {
  return [
    periodic(lapseKind, '* * * * *', async (actor) => {
      while ((await app.run(actor, lapseDeals, undefined)).has_more);
    }),
    periodic(awardKind, '* * * * *', async (actor) => {
      while ((await app.run(actor, awardReferrals, undefined)).has_more);
    }),
  ]
}
