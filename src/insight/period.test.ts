import assert from 'node:assert/strict'
import { periodOf, periodView } from './period.ts'

describe('the period of a report (src/insight/period)', () => {
  const now = new Date('2026-06-15T10:00:00Z')
  const of = (from: string | undefined, to: string | undefined, zone = 'Europe/Berlin') =>
    periodView(periodOf({ from, to }, now, zone))

  for (const [from, to, zone, begins, ends] of [
    ['2026-03-29', '2026-03-29', 'Europe/Berlin', '2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z'],
    ['2026-10-25', '2026-10-25', 'Europe/Berlin', '2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z'],
    ['2026-01-01', '2026-01-31', 'UTC', '2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z'],
    [
      '2026-01-01',
      '2026-01-01',
      'Pacific/Kiritimati',
      '2025-12-31T10:00:00.000Z',
      '2026-01-01T10:00:00.000Z',
    ],
    ['2026-01-01', '2026-01-01', 'Pacific/Niue', '2026-01-01T11:00:00.000Z', '2026-01-02T11:00:00.000Z'],
    [
      '2026-01-01T05:00:00Z',
      '2026-01-01T07:00:00+01:00',
      'UTC',
      '2026-01-01T05:00:00.000Z',
      '2026-01-01T06:00:00.000Z',
    ],
  ] as const) {
    it(`S2-43 ${from} to ${to} in ${zone} is ${begins} to ${ends}`, () =>
      assert.deepEqual(of(from, to, zone), { from: begins, to: ends }))
  }

  it('S2-43 without a wish it is the last 30 days, this moment included', () =>
    assert.deepEqual(of(undefined, undefined), {
      from: '2026-05-16T10:00:00.001Z',
      to: '2026-06-15T10:00:00.001Z',
    }))

  it('S2-43 a period that ends before it begins, or is longer than a year, is refused', () => {
    assert.throws(() => of('2026-02-02', '2026-02-01'), { code: 'invalid_input' })
    assert.throws(() => of('2024-01-01', '2026-01-01'), { code: 'invalid_input' })
    assert.ok(of('2024-01-01', '2024-12-31'))
  })
})
