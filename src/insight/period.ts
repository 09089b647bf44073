/** The stretch of time that a report is about: days of the tenant's calendar, or instants. Pure. */
import { z } from 'zod'
import { refuse } from '../errors.ts'
import { dayStart, localDay, nextDayStart } from '../schedule.ts'

export type Period = { from: Date; to: Date }

const DAY_MS = 86_400_000
const DEFAULT_DAYS = 30
const DAYS_MAX = 366
const DAY = /^\d{4}-\d\d-\d\d$/

const end = z
  .union([
    z.string().regex(DAY, 'YYYY-MM-DD').refine(isDay, 'a day of the calendar'),
    z.iso.datetime({ offset: true }),
  ])
  .optional()

/** Query fields of every report. */
export const PERIOD_QUERY = {
  from: end.meta({
    example: '2026-01-01',
    description:
      "A day of the tenant's calendar, from its first instant; or an instant. Default: 30 days before `to`.",
  }),
  to: end.meta({
    example: '2026-01-31',
    description:
      'A day, to its very end; or an instant, which is not part of it. Default: this very moment, included.',
  }),
}

/** How an answer says which stretch it is about. */
export const PERIOD_SHAPE = { from: z.iso.datetime(), to: z.iso.datetime() }

/**
 * The instants of a wish. Refuses invalid_input for an end before its beginning and for more than 366 days, which is
 * what keeps a report affordable.
 */
export function periodOf(
  wish: { from?: string | undefined; to?: string | undefined },
  now: Date,
  time_zone: string,
): Period {
  const to = wish.to === undefined ? new Date(now.getTime() + 1) : endOf(wish.to, time_zone)
  const from =
    wish.from === undefined ? new Date(to.getTime() - DEFAULT_DAYS * DAY_MS) : startOf(wish.from, time_zone)
  const bad = (detail: string): never => refuse('invalid_input', { errors: [{ pointer: '/from', detail }] })
  if (from >= to) bad('The period ends before it begins.')
  // A day longer than the calendar's year has hours: clocks that are set back make one of 25.
  if (to.getTime() - from.getTime() > (DAYS_MAX + 1) * DAY_MS) bad(`At most ${DAYS_MAX} days.`)
  return { from, to }
}

/** The period as an answer shows it. */
export function periodView({ from, to }: Period) {
  return { from: from.toISOString(), to: to.toISOString() }
}

function startOf(text: string, time_zone: string): Date {
  return DAY.test(text) ? dayOf(text, time_zone) : new Date(text)
}

function endOf(text: string, time_zone: string): Date {
  return DAY.test(text) ? nextDayStart(dayOf(text, time_zone), time_zone) : new Date(text)
}

/** The first instant of a calendar day: noon in Greenwich is on it, or on the day beside it. */
function dayOf(text: string, time_zone: string): Date {
  const start = dayStart(new Date(`${text}T12:00:00Z`), time_zone)
  const day = localDay(start, time_zone)
  if (day === text) return start
  return day < text ? nextDayStart(start, time_zone) : dayStart(new Date(start.getTime() - 1), time_zone)
}

function isDay(text: string): boolean {
  const at = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text)
}
