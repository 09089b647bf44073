/** Errors as they leave the process: application/problem+json (RFC 9457), never the text of anything but ours. */
import type { ErrorRequestHandler, Response } from 'express'
import type { ZodError } from 'zod'
import { type FieldError, type PublicError, publicError, Refusal } from '../errors.ts'
import { pointerPart } from './strict-json.ts'

const FIELD_ERRORS_MAX = 20

export type Problem = {
  type: string
  title: string
  status: number
  detail: string
  code: string
  errors?: FieldError[]
  facts?: Record<string, unknown>
  request_id: string
}

/** Where a code is explained; relative to the server that sent it. */
export function problemType(code: string): string {
  return `/docs/errors#${code}`
}

/** Writes an error as the answer. Does nothing when an answer has begun. */
export function sendProblem(response: Response, error: unknown): PublicError {
  const known = publicError(knownBodyError(error))
  if (response.headersSent) {
    response.destroy()
    return known
  }
  const { code, status, title, detail, errors, facts, retry_after_s } = known
  const problem: Problem = {
    type: problemType(code),
    title,
    status,
    detail,
    code,
    ...(errors && { errors }),
    ...(facts && { facts }),
    request_id: String(response.locals['request_id'] ?? ''),
  }
  if (retry_after_s !== undefined) response.setHeader('Retry-After', String(Math.ceil(retry_after_s)))
  if (status === 401) response.setHeader('WWW-Authenticate', 'Bearer realm="livedraw"')
  // S1-03: a stale change is told the version that it would have to name.
  if (code === 'precondition_failed' && typeof facts?.['row_version'] === 'number') {
    response.setHeader('ETag', `"${facts['row_version']}"`)
  }
  response.setHeader('Cache-Control', 'no-store')
  // The rest of a body that was refused for its size is not worth reading.
  if (status === 413 || status === 411) response.setHeader('Connection', 'close')
  response.status(status).type('application/problem+json').send(JSON.stringify(problem))
  return known
}

/** The last handler: an error of whatever origin becomes a problem, and one that is our fault is reported. */
export function problemHandler(report: (where: string, error: unknown) => void): ErrorRequestHandler {
  return (error, request, response, _next) => {
    const { status } = sendProblem(response, error)
    if (status === 500) report(`${request.method} ${request.path}`, error)
  }
}

/** Errors of Express and its body reader, which carry a status and a type. */
function knownBodyError(error: unknown): unknown {
  const { type, status } = (error ?? {}) as { type?: unknown; status?: unknown }
  if (error instanceof Refusal || typeof status !== 'number') return error
  if (type === 'entity.too.large') return new Refusal('body_too_large')
  if (type === 'encoding.unsupported') return new Refusal('unsupported_media_type')
  if (type === 'request.size.invalid' || type === 'request.aborted') return new Refusal('invalid_json')
  // A path that cannot be decoded names nothing.
  return status >= 400 && status < 500 ? new Refusal('not_found') : error
}

/** What zod found, as pointers into the input. */
export function fieldErrors(error: ZodError): FieldError[] {
  const found = error.issues.flatMap((issue): FieldError[] => {
    const pointer = issue.path.map((part) => `/${pointerPart(part)}`).join('')
    if (issue.code !== 'unrecognized_keys') return [{ pointer, detail: issue.message }]
    return issue.keys.map((key) => ({
      pointer: `${pointer}/${pointerPart(key)}`,
      detail: 'There is no such member.',
    }))
  })
  return found.slice(0, FIELD_ERRORS_MAX)
}

/** Names of members that the input has and the shape has not. */
export function unknownMembers(error: ZodError): string[] {
  return error.issues
    .flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : []))
    .slice(0, FIELD_ERRORS_MAX)
}
