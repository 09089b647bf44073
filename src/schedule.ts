/**
 * Opening hours in a tenant's time zone: when something is open, when it opens next, when its day began.
 * Pure: instants in, instants out. Weekdays are 1 = Monday ... 7 = Sunday, 0 also Sunday (features N6).
 */

export type Schedule = {
  opens_at?: string | null
  closes_at?: string | null
  /** Empty or absent: every day. */
  valid_days?: readonly number[] | null
  /** `HH:MM` or `HH:MM:SS`, local. A window whose end is not after its start runs over midnight. */
  valid_from_time?: string | null
  valid_until_time?: string | null
}

/** A schedule with the time zone it is read in: what a screen needs to know by itself when something opens. */
export type Hours = Schedule & { time_zone: string }

type LocalDate = { year: number; month: number; day: number; weekday: number }
type Local = LocalDate & { second_of_day: number }

const DAY_S = 86_400
const DAY_MS = DAY_S * 1000
const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(time_zone: string): Intl.DateTimeFormat {
  let format = formats.get(time_zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: time_zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    formats.set(time_zone, format)
  }
  return format
}

/** True for a name that this runtime's time zone data knows. */
export function isTimeZone(time_zone: string): boolean {
  try {
    formatOf(time_zone)
    return true
  } catch {
    return false
  }
}

function localOf(at: Date, time_zone: string): Local {
  const parts: Record<string, number> = {}
  for (const { type, value } of formatOf(time_zone).formatToParts(at)) parts[type] = Number(value)
  const { year, month, day, hour, minute, second } = parts as Record<
    'year' | 'month' | 'day' | 'hour' | 'minute' | 'second',
    number
  >
  return { ...dateOf(Date.UTC(year, month - 1, day)), second_of_day: hour * 3600 + minute * 60 + second }
}

function dateOf(utc_ms: number): LocalDate {
  const date = new Date(utc_ms)
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: date.getUTCDay() === 0 ? 7 : date.getUTCDay(),
  }
}

function shift(date: LocalDate, days: number): LocalDate {
  return dateOf(Date.UTC(date.year, date.month - 1, date.day) + days * DAY_MS)
}

/** How far the wall clock of a time zone is ahead of UTC at an instant, in milliseconds. */
function offsetAt(utc_ms: number, time_zone: string): number {
  const local = localOf(new Date(utc_ms), time_zone)
  return (
    Date.UTC(local.year, local.month - 1, local.day) +
    local.second_of_day * 1000 -
    Math.floor(utc_ms / 1000) * 1000
  )
}

/**
 * The instants of a local wall time, in order: one, or two when the clocks go back over it. A time that the clocks
 * skip becomes the first instant after the gap.
 */
function instantsOf(date: LocalDate, second_of_day: number, time_zone: string): Date[] {
  const wall = Date.UTC(date.year, date.month - 1, date.day) + second_of_day * 1000
  const before = offsetAt(wall - DAY_MS, time_zone)
  const after = offsetAt(wall + DAY_MS, time_zone)
  const found = [...new Set([before, after])]
    .filter((offset) => offsetAt(wall - offset, time_zone) === offset)
    .map((offset) => new Date(wall - offset))
  if (found.length > 0) return found
  // Skipped by a jump forward: with the offset before the jump the wall time lies behind the gap by as much.
  return [new Date(jumpBetween(wall - after, wall - before, time_zone))]
}

/** The first of them: where a day begins, and where a person would look first. */
function instantOf(date: LocalDate, second_of_day: number, time_zone: string): Date {
  return instantsOf(date, second_of_day, time_zone)[0]!
}

/** The first instant after a jump of the clocks that lies between two instants, by bisection. */
function jumpBetween(low_ms: number, high_ms: number, time_zone: string): number {
  let low = Math.min(low_ms, high_ms)
  let high = Math.max(low_ms, high_ms)
  const offset_after = offsetAt(high, time_zone)
  while (high - low > 1000) {
    const middle = low + Math.floor((high - low) / 2000) * 1000
    if (offsetAt(middle, time_zone) === offset_after) high = middle
    else low = middle
  }
  return high
}

function secondsOf(text: string): number {
  const [hours, minutes, seconds] = text.split(':').map(Number)
  return hours! * 3600 + minutes! * 60 + (seconds ?? 0)
}

/** The instant at which the local day of `now` began. */
export function dayStart(now: Date, time_zone: string): Date {
  return instantOf(localOf(now, time_zone), 0, time_zone)
}

/** The instant at which the local day after `now` begins. */
export function nextDayStart(now: Date, time_zone: string): Date {
  return instantOf(shift(localOf(now, time_zone), 1), 0, time_zone)
}

/** The local calendar day of an instant, `YYYY-MM-DD`. */
export function localDay(now: Date, time_zone: string): string {
  const { year, month, day } = localOf(now, time_zone)
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`
}

/** True when the schedule is open at `now`. Windows are half-open: the start is in, the end is out. */
export function isOpen(schedule: Schedule, now: Date, time_zone: string): boolean {
  if (schedule.opens_at && now < new Date(schedule.opens_at)) return false
  if (schedule.closes_at && now >= new Date(schedule.closes_at)) return false
  // Most wheels: no need to know what the clocks of the time zone say.
  if (!schedule.valid_days?.length && !schedule.valid_from_time && !schedule.valid_until_time) return true
  const days = daySet(schedule.valid_days)
  const from = schedule.valid_from_time ? secondsOf(schedule.valid_from_time) : 0
  const until = schedule.valid_until_time ? secondsOf(schedule.valid_until_time) : DAY_S
  const local = localOf(now, time_zone)
  if (from < until)
    return days.has(local.weekday) && local.second_of_day >= from && local.second_of_day < until
  // Over midnight: the window belongs to the day it began on.
  if (local.second_of_day >= from) return days.has(local.weekday)
  return local.second_of_day < until && days.has(shift(local, -1).weekday)
}

/** The next instant from `now` on at which the schedule is open, or null when it never is again. */
export function nextOpening(schedule: Schedule, now: Date, time_zone: string): Date | null {
  const start = schedule.opens_at && new Date(schedule.opens_at) > now ? new Date(schedule.opens_at) : now
  if (isOpen(schedule, start, time_zone)) return start
  const from = schedule.valid_from_time ? secondsOf(schedule.valid_from_time) : 0
  const today = localOf(start, time_zone)
  for (let day = 0; day <= DAYS_AHEAD_MAX; day++) {
    const candidates = openingsOf(shift(today, day), from, time_zone)
    const next = candidates.find((each) => each > start && isOpen(schedule, each, time_zone))
    if (next !== undefined) return next
  }
  return null
}

/** A window of one weekday that the clocks skip this week comes again the next. */
const DAYS_AHEAD_MAX = 15

/** Where a window can begin on a day: at its start, and where the clocks jump into it. */
function openingsOf(date: LocalDate, from: number, time_zone: string): Date[] {
  const starts = instantsOf(date, from, time_zone)
  const begin_ms = instantOf(date, 0, time_zone).getTime()
  const end_ms = instantOf(shift(date, 1), 0, time_zone).getTime()
  if (offsetAt(begin_ms, time_zone) === offsetAt(end_ms, time_zone)) return starts
  const jump = new Date(jumpBetween(begin_ms, end_ms, time_zone))
  return [...starts, jump].sort((a, b) => a.getTime() - b.getTime())
}

function daySet(days: readonly number[] | null | undefined): ReadonlySet<number> {
  if (!days || days.length === 0) return new Set([1, 2, 3, 4, 5, 6, 7])
  return new Set(days.map((day) => (day === 0 ? 7 : day)))
}
