/** The OpenAPI document, made from the table of routes: what is served is what is described. */
import { z } from 'zod'
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiResponsesObject } from 'zod-openapi'
import { ERRORS, type ErrorCode } from '../errors.ts'
import { csvOf } from './csv.ts'
import { problemType } from './problem.ts'
import { type Route, statusOf } from './route.ts'

const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
    facts: z.record(z.string(), z.unknown()).optional(),
    request_id: z.string(),
  })
  .meta({
    id: 'Problem',
    description:
      'RFC 9457. `code` is one of the list in docs/errors.md, `errors` are JSON pointers into the request.',
  })

/** Headers that a route reads beside its query, as the document shows them. */
const IDEMPOTENCY_KEY = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/)
  .meta({
    description: 'The same key gives the same answer, with Idempotency-Replayed: true, and one effect.',
    example: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f10',
  })
const IF_MATCH = z.string().meta({ description: 'The ETag that was read.', example: '"1"' })

/** One file; how its part is called does not matter. */
const FILE_FORM = {
  schema: {
    type: 'object' as const,
    properties: { file: { type: 'string' as const, format: 'binary' } },
    required: ['file'],
  },
}

/** Makes the document. The routes describe themselves; nothing is written twice. */
export function makeOpenApi(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {}
  for (const each of routes) {
    paths[each.path] ??= {}
    paths[each.path]![each.method] = operationOf(each)
  }
  return createDocument(
    {
      openapi: '3.1.1',
      info: {
        title: 'Livedraw',
        version,
        description:
          'Live prize games with draws that anyone can check. Errors are application/problem+json; lists are {data, next_cursor}; times are RFC 3339 UTC.',
      },
      servers: [{ url: '/' }],
      security: [{ bearer: [] }],
      components: {
        examples: exampleProblems(),
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description:
              'EdDSA, ES256 or RS256. Claims: sub, tenant, roles, iat, exp at most 24 hours later. A token of role platform acts on tenants from outside: it may leave the tenant out, and has no right inside any. `npm run token` or POST /api/v1/guest gives one.',
          },
        },
      },
      tags: [...new Set(routes.flatMap((each) => each.tags))].sort().map((name) => ({ name })),
      paths,
    } as Parameters<typeof createDocument>[0],
    // A refusal of additional members is said once above and would be repeated in every schema.
    { allowEmptySchema: { unknown: true } },
  )
}

function operationOf(each: Route): ZodOpenApiOperationObject {
  const header: Record<string, z.ZodType> = {
    ...(each.once && {
      'Idempotency-Key': each.once === 'required' ? IDEMPOTENCY_KEY : IDEMPOTENCY_KEY.optional(),
    }),
    ...(each.if_match && { 'If-Match': IF_MATCH }),
  }
  return {
    operationId: operationId(each),
    summary: each.summary,
    description: [each.description, roleSentence(each)].filter(Boolean).join('\n\n'),
    tags: [...each.tags],
    ...(each.roles === 'anyone' && { security: [] }),
    requestParams: {
      ...(each.params && { path: each.params }),
      ...(each.query && { query: each.query }),
      ...(Object.keys(header).length > 0 && { header: z.object(header) }),
    },
    ...(each.upload && { requestBody: { required: true, content: { 'multipart/form-data': FILE_FORM } } }),
    ...(each.body && {
      requestBody: { required: true, content: { 'application/json': mediaOf(each.body) } },
    }),
    responses: responsesOf(each),
  }
}

/** `GET /api/v1/game-engines/{id}` is `get_game_engines_id`; the page about something is not its document. */
function operationId({ method, path, media }: Route): string {
  const words = path.replace('/api/v1', '').match(/[A-Za-z0-9]+/g) ?? []
  return [method, ...words, ...(media?.startsWith('text/html') ? ['page'] : [])].join('_')
}

function roleSentence({ roles }: Route): string {
  return roles === 'anyone' ? 'Needs no token.' : `Roles: ${roles.join(', ')}.`
}

function mediaOf(schema: z.ZodType) {
  const example = schema.meta()?.['example']
  return { schema, ...(example !== undefined && { example }) }
}

function responsesOf(each: Route): ZodOpenApiResponsesObject {
  const status = String(statusOf(each))
  const success = each.answer
    ? {
        description: 'Done.',
        content: {
          [each.media?.split(';')[0] ?? 'application/json']: mediaOf(each.answer),
          ...(each.csv && { 'text/csv': { schema: z.string(), example: csvOf(each.csv, []) } }),
        },
      }
    : { description: 'Done.' }
  return { [status]: success, ...refusalResponses(each) } as ZodOpenApiResponsesObject
}

/** Every code that the route can answer, under its status, each with an example. */
function refusalResponses(each: Route): Record<string, unknown> {
  const byStatus = Map.groupBy(codesOf(each), (code) => String(ERRORS[code].status))
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.map((code) => `\`${code}\`: ${ERRORS[code].title}`).join('\n\n'),
        content: { 'application/problem+json': { schema: problemSchema, examples: examplesOf(codes) } },
      },
    ]),
  )
}

/** What every route of this kind can refuse, and what it says of itself. */
export function codesOf(each: Route): ErrorCode[] {
  const writes = each.method !== 'get'
  if (each.probe) return ['unavailable', 'internal', ...(each.refusals ?? [])]
  const codes: ErrorCode[] = [
    'rate_limited',
    'internal',
    'unavailable',
    'unauthorized',
    'user_blocked',
    'tenant_inactive',
    ...(each.roles === 'anyone' ? [] : (['forbidden'] as const)),
    ...(each.params ? (['not_found'] as const) : []),
    ...(each.query || writes ? (['invalid_input'] as const) : []),
    ...(writes
      ? (['invalid_json', 'body_too_large', 'length_required', 'unsupported_media_type'] as const)
      : []),
    ...(each.upload ? (['upload_invalid'] as const) : []),
    ...(each.once === 'required' ? (['idempotency_key_required'] as const) : []),
    ...(each.once
      ? (['idempotency_key_invalid', 'idempotency_key_reused', 'idempotency_in_progress'] as const)
      : []),
    ...(each.if_match ? (['precondition_required', 'precondition_failed'] as const) : []),
    ...(each.refusals ?? []),
  ]
  return [...new Set(codes)]
}

/** Each code has its example once: three dozen routes times a dozen codes would be most of the document. */
function examplesOf(codes: readonly ErrorCode[]) {
  return Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }]))
}

function exampleProblems() {
  const request_id = '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f10'
  return Object.fromEntries(
    Object.entries(ERRORS).map(([code, { status, title }]) => {
      const value = { type: problemType(code), title, status, detail: title, code, request_id }
      return [code, { summary: title, value }]
    }),
  )
}
