/** What may be said outside about an error, and where the rest of it goes. */
import { ErrorCode, ServerError } from '@colyseus/core'
import { SeatReservationError } from '@colyseus/core/errors/SeatReservationError'
import { type Report, settings } from './settings.ts'

/**
 * What Colyseus' own refusals are called outside. Their numbers stay (SDKs know them), their texts go: they repeat
 * what the caller sent. 523 and 526 mean that something of ours failed.
 */
const FRAMEWORK_CODES: Record<number, [status: number, code: string]> = {
  [ErrorCode.MATCHMAKE_NO_HANDLER]: [ErrorCode.MATCHMAKE_NO_HANDLER, 'not_found'],
  [ErrorCode.MATCHMAKE_INVALID_CRITERIA]: [ErrorCode.MATCHMAKE_INVALID_CRITERIA, 'not_found'],
  [ErrorCode.MATCHMAKE_INVALID_ROOM_ID]: [ErrorCode.MATCHMAKE_INVALID_ROOM_ID, 'not_found'],
  [ErrorCode.MATCHMAKE_EXPIRED]: [ErrorCode.MATCHMAKE_EXPIRED, 'seat_expired'],
  [ErrorCode.AUTH_FAILED]: [401, 'unauthorized'],
}
/** Codes that may leave as they are: ours are snake_case words. */
const PUBLIC_CODE = /^[a-z][a-z0-9_]{2,63}$/

/**
 * The error that may leave onAuth, onCreate and onJoin. A ServerError with a number and a code of ours passes; what
 * `publicError` knows gets its number and code; anything else is reported and becomes 500 `internal`. A string
 * code never survives: Colyseus would answer it with HTTP 200 and the text of the library (H8).
 */
export function asServerError(error: unknown, where?: string): ServerError {
  if (error instanceof ServerError && Number.isInteger(error.code)) {
    const framework = FRAMEWORK_CODES[error.code]
    if (framework !== undefined && !(framework[0] === error.code && error.message === framework[1])) {
      return new ServerError(framework[0], framework[1], { cause: error })
    }
    if (framework !== undefined) return error
    const isOurs = error.code >= 400 && error.code <= 599 && PUBLIC_CODE.test(error.message)
    if (isOurs && error.code !== ErrorCode.MATCHMAKE_UNHANDLED && error.code !== ErrorCode.APPLICATION_ERROR)
      return error
  }
  if (error instanceof SeatReservationError) return new ServerError(503, 'quota_exceeded', { cause: error })
  const known = settings.publicError(error)
  if (known !== undefined && known.status !== 500)
    return new ServerError(known.status, known.code, { cause: error })
  if (where !== undefined) settings.report(where, error)
  return new ServerError(500, 'internal', { cause: error })
}

/** Wraps a callback of an event or a timer outside a room: what it throws is reported and goes no further. */
export function guarded<A extends unknown[]>(
  report: Report,
  where: string,
  run: (...args: A) => unknown,
): (...args: A) => void {
  return (...args) => {
    try {
      const result = run(...args)
      if (result instanceof Promise) result.catch((error: unknown) => report(where, error))
    } catch (error) {
      report(where, error)
    }
  }
}
