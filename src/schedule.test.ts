import assert from 'node:assert/strict'
import fc from 'fast-check'
import { propertyOptions } from '../tests/fairness/seed.ts'
import {
  dayStart,
  isOpen,
  isTimeZone,
  localDay,
  nextDayStart,
  nextOpening,
  type Schedule,
} from './schedule.ts'

const at = (text: string) => new Date(text)
const MINUTE_MS = 60_000

/** Zones whose clocks jump at night, at midnight, by half an hour, and never; each with an instant near a jump. */
const JUMPS = [
  { zone: 'Europe/Berlin', near: '2026-03-29T01:00:00Z' },
  { zone: 'Europe/Berlin', near: '2026-10-25T01:00:00Z' },
  { zone: 'America/New_York', near: '2026-03-08T07:00:00Z' },
  { zone: 'America/New_York', near: '2026-11-01T06:00:00Z' },
  { zone: 'Australia/Lord_Howe', near: '2026-04-04T15:00:00Z' },
  { zone: 'Australia/Lord_Howe', near: '2026-10-03T15:30:00Z' },
  { zone: 'Africa/Cairo', near: '2026-04-23T22:00:00Z' },
  { zone: 'Africa/Cairo', near: '2026-10-29T21:00:00Z' },
  { zone: 'America/Havana', near: '2026-03-08T05:00:00Z' },
  { zone: 'Africa/Addis_Ababa', near: '2026-03-29T01:00:00Z' },
]

// --- A slow second opinion: it reads what a clock on the wall shows, minute by minute, and computes nothing -------

const walls = new Map<string, Intl.DateTimeFormat>()

/** What the wall shows: `Sun 2026-03-29 01:59`. */
function wall(time: number, zone: string): { weekday: number; date: string; minute: string } {
  const format =
    walls.get(zone) ??
    new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' })
  walls.set(zone, format)
  const [date = '', minute = ''] = format.format(time).split(' ')
  return { weekday: new Date(`${date}T00:00Z`).getUTCDay() || 7, date, minute }
}

function slowIsOpen(schedule: Schedule, time: number, zone: string): boolean {
  if (schedule.opens_at && time < Date.parse(schedule.opens_at)) return false
  if (schedule.closes_at && time >= Date.parse(schedule.closes_at)) return false
  const { weekday, minute } = wall(time, zone)
  const days = schedule.valid_days?.length
    ? schedule.valid_days.map((day) => day || 7)
    : [1, 2, 3, 4, 5, 6, 7]
  const from = schedule.valid_from_time ?? '00:00'
  const until = schedule.valid_until_time ?? '24:00'
  if (from < until) return days.includes(weekday) && minute >= from && minute < until
  if (minute >= from) return days.includes(weekday)
  return minute < until && days.includes(weekday === 1 ? 7 : weekday - 1)
}

function slowNextOpening(schedule: Schedule, now: number, zone: string, minutes_max: number): number | null {
  for (let i = 0; i <= minutes_max; i++) {
    if (slowIsOpen(schedule, now + i * MINUTE_MS, zone)) return now + i * MINUTE_MS
  }
  return null
}

const time = fc
  .tuple(fc.nat(23), fc.constantFrom(0, 15, 29, 30, 45, 59))
  .map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`)
/** Half of all times lie where the jumps are. */
const nightTime = fc.oneof(
  time,
  fc.constantFrom('00:00', '00:30', '01:00', '01:30', '02:00', '02:15', '02:30', '03:00'),
)

const schedules = fc.record({
  valid_days: fc.option(fc.uniqueArray(fc.nat(7), { maxLength: 7 })),
  valid_from_time: fc.option(nightTime),
  valid_until_time: fc.option(nightTime),
})
const places = fc
  .tuple(fc.constantFrom(...JUMPS), fc.integer({ min: -4 * 1440, max: 2 * 1440 }))
  .map(([{ zone, near }, minutes]) => ({
    zone,
    now: Date.parse(near) + minutes * MINUTE_MS,
  }))

describe('opening hours', () => {
  it('S2-13 without any wish are always', () => {
    assert.equal(isOpen({}, at('2026-01-01T00:00:00Z'), 'UTC'), true)
    assert.deepEqual(nextOpening({}, at('2026-01-01T00:00:00Z'), 'UTC'), at('2026-01-01T00:00:00Z'))
  })

  it('S2-13 include their first instant and not their last', () => {
    const schedule = { valid_from_time: '09:00', valid_until_time: '17:30' }
    const open = (text: string) => isOpen(schedule, at(text), 'Africa/Addis_Ababa')
    assert.deepEqual(
      ['05:59:59.999', '06:00:00.000', '14:29:59.999', '14:30:00.000'].map((text) =>
        open(`2026-05-05T${text}Z`),
      ),
      [false, true, true, false],
    )
  })

  it('S2-13 begin at opens_at and end at closes_at, to the millisecond', () => {
    const schedule = { opens_at: '2026-05-05T06:00:00.500Z', closes_at: '2026-05-06T06:00:00.500Z' }
    const open = (text: string) => isOpen(schedule, at(text), 'UTC')
    assert.deepEqual(
      [
        '2026-05-05T06:00:00.499Z',
        '2026-05-05T06:00:00.500Z',
        '2026-05-06T06:00:00.499Z',
        '2026-05-06T06:00:00.500Z',
      ].map(open),
      [false, true, true, false],
    )
    assert.equal(nextOpening(schedule, at('2026-05-06T06:00:00.500Z'), 'UTC'), null)
    assert.deepEqual(nextOpening(schedule, at('2026-05-01T00:00:00Z'), 'UTC'), at('2026-05-05T06:00:00.500Z'))
  })

  it('S2-13 a window over midnight belongs to the day it began on', () => {
    // Friday 2026-05-08 22:00 to Saturday 04:00.
    const schedule = { valid_days: [5], valid_from_time: '22:00', valid_until_time: '04:00' }
    const open = (text: string) => isOpen(schedule, at(text), 'UTC')
    assert.deepEqual(
      [
        '2026-05-08T03:59:00Z',
        '2026-05-08T22:00:00Z',
        '2026-05-09T03:59:59Z',
        '2026-05-09T04:00:00Z',
        '2026-05-09T22:00:00Z',
      ].map(open),
      [false, true, true, false, false],
    )
  })

  it('S2-13 Sunday is day 7 and day 0 alike', () => {
    const sunday = at('2026-05-10T12:00:00Z')
    assert.equal(isOpen({ valid_days: [0] }, sunday, 'UTC'), true)
    assert.equal(isOpen({ valid_days: [7] }, sunday, 'UTC'), true)
    assert.equal(isOpen({ valid_days: [1, 2, 3, 4, 5, 6] }, sunday, 'UTC'), false)
  })

  it('S2-13 a window that begins at a time the clocks skip begins at the end of the gap', () => {
    const schedule = { valid_from_time: '02:30', valid_until_time: '05:00' }
    assert.deepEqual(
      nextOpening(schedule, at('2026-03-29T00:00:00Z'), 'Europe/Berlin'),
      at('2026-03-29T01:00:00Z'),
    )
  })

  it('S2-13 a window that lies inside the gap is left out that day, even when its next day is a week and more away', () => {
    const schedule = { valid_days: [7], valid_from_time: '02:15', valid_until_time: '02:45' }
    assert.deepEqual(
      nextOpening(schedule, at('2026-03-23T12:00:00Z'), 'Europe/Berlin'),
      at('2026-04-05T00:15:00Z'),
    )
  })

  it('S2-13 in the hour that happens twice the window opens twice, and the second time is announced too', () => {
    const schedule = { valid_from_time: '02:00', valid_until_time: '02:30' }
    const between = at('2026-10-25T00:45:00Z')
    assert.equal(isOpen(schedule, between, 'Europe/Berlin'), false)
    assert.deepEqual(nextOpening(schedule, between, 'Europe/Berlin'), at('2026-10-25T01:00:00Z'))
  })

  it('S2-13 are what a clock on the wall shows, around every kind of jump', () => {
    fc.assert(
      fc.property(schedules, places, (schedule, { zone, now }) => {
        assert.equal(isOpen(schedule, new Date(now), zone), slowIsOpen(schedule, now, zone))
      }),
      propertyOptions(3_000),
    )
  })

  it('S2-13 the next opening is the first minute at which a clock on the wall shows an open one', () => {
    fc.assert(
      fc.property(schedules, places, (schedule, { zone, now }) => {
        const expected = slowNextOpening(schedule, now, zone, 15 * 1440)
        const told = nextOpening(schedule, new Date(now), zone)
        assert.equal(told?.toISOString() ?? null, expected === null ? null : new Date(expected).toISOString())
      }),
      propertyOptions(150),
    )
  }).timeout(60_000)

  it('S2-13 the next opening is open, and nothing before it is', () => {
    const within = fc.record({
      from: fc.integer({ min: -2000, max: 4000 }),
      length: fc.integer({ min: 1, max: 4000 }),
    })
    fc.assert(
      fc.property(schedules, places, within, (schedule, { zone, now }, { from, length }) => {
        const opens_at = new Date(now + from * MINUTE_MS).toISOString()
        const closes_at = new Date(now + (from + length) * MINUTE_MS).toISOString()
        const bounded = { ...schedule, opens_at, closes_at }
        const expected = slowNextOpening(bounded, now, zone, Math.max(0, from + length))
        const told = nextOpening(bounded, new Date(now), zone)
        assert.equal(told?.toISOString() ?? null, expected === null ? null : new Date(expected).toISOString())
      }),
      propertyOptions(150),
    )
  }).timeout(60_000)
})

describe('the day of a tenant', () => {
  it('S2-13 begins at its own midnight', () => {
    assert.deepEqual(dayStart(at('2026-05-05T21:30:00Z'), 'Africa/Addis_Ababa'), at('2026-05-05T21:00:00Z'))
    assert.deepEqual(
      nextDayStart(at('2026-05-05T21:30:00Z'), 'Africa/Addis_Ababa'),
      at('2026-05-06T21:00:00Z'),
    )
    assert.equal(localDay(at('2026-05-05T21:30:00Z'), 'Africa/Addis_Ababa'), '2026-05-06')
  })

  it('S2-13 has 23 hours when the clocks go forward and 25 when they go back', () => {
    const hours = (text: string, zone: string) =>
      (nextDayStart(at(text), zone).getTime() - dayStart(at(text), zone).getTime()) / 3_600_000
    assert.equal(hours('2026-03-29T12:00:00Z', 'Europe/Berlin'), 23)
    assert.equal(hours('2026-10-25T12:00:00Z', 'Europe/Berlin'), 25)
    assert.equal(hours('2026-03-08T12:00:00Z', 'America/New_York'), 23)
    assert.equal(hours('2026-11-01T12:00:00Z', 'America/New_York'), 25)
    assert.equal(hours('2026-11-01T12:00:00Z', 'Africa/Addis_Ababa'), 24)
  })

  it('S2-13 whose midnight is skipped begins when the gap ends', () => {
    assert.deepEqual(dayStart(at('2026-04-24T10:00:00Z'), 'Africa/Cairo'), at('2026-04-23T22:00:00Z'))
  })

  it('S2-13 is the stretch in which the wall shows one date', () => {
    fc.assert(
      fc.property(places, ({ zone, now }) => {
        const { date } = wall(now, zone)
        assert.equal(localDay(new Date(now), zone), date)
        let first = now
        while (wall(first - MINUTE_MS, zone).date === date) first -= MINUTE_MS
        let next = now
        while (wall(next, zone).date === date) next += MINUTE_MS
        assert.equal(dayStart(new Date(now), zone).getTime(), first)
        assert.equal(nextDayStart(new Date(now), zone).getTime(), next)
      }),
      propertyOptions(200),
    )
  }).timeout(60_000)

  it('S2-13 needs a time zone that exists', () => {
    assert.equal(isTimeZone('Europe/Berlin'), true)
    assert.equal(isTimeZone('Mars/Olympus'), false)
  })
})
