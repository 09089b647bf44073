/** Time travel for test environments (P-54): one route that moves the server's clock forward. */
import { z } from 'zod'
import type { App } from '../app.ts'
import { refuse } from '../errors.ts'
import { type Route, route } from './route.ts'

const DURATION =
  /^P(?=\d|T\d)(?:(\d{1,5})W)?(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9}(?:\.\d{1,3})?)S)?)?$/
const UNITS_MS = [7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1_000]
/** Past it dates stop meaning what people mean by them. */
const ADVANCE_MS_MAX = 10 * 366 * 86_400_000

/** Milliseconds of an ISO 8601 duration in weeks, days, hours, minutes, seconds; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const match = DURATION.exec(text)
  if (match === null) return undefined
  return Math.round(UNITS_MS.reduce((sum, unit, i) => sum + Number(match[i + 1] ?? 0) * unit, 0))
}

/** The route. The process makes it only where TEST_CLOCK=1, which production refuses. */
export function testClockRoutes({ clock }: App): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/test/clock',
      summary: "Move the server's clock forward",
      description: 'Exists only with TEST_CLOCK=1. Tokens keep living in the time of the machine.',
      tags: ['test'],
      roles: 'anyone',
      body: z.strictObject({ advance: z.string().max(40) }).meta({ example: { advance: 'PT25H' } }),
      answer: z
        .strictObject({ now: z.iso.datetime() })
        .meta({ example: { now: '2026-01-02T01:00:00.000Z' } }),
      run: ({ body }) => {
        const advance_ms = durationMs(body.advance)
        if (advance_ms === undefined || advance_ms > ADVANCE_MS_MAX || clock.advance === undefined) {
          const detail = 'An ISO 8601 duration such as PT25H or P3D, at most ten years.'
          refuse('invalid_input', { errors: [{ pointer: '/advance', detail }] })
        }
        return { now: clock.advance(advance_ms).toISOString() }
      },
    }),
  ]
}
