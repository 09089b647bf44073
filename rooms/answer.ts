/**
 * The room door: parse, run, resolve or reject. The only way to write a message handler of any room.
 *
 * A handler that throws is never a refusal: without a guard its text goes to the client, with one the client
 * is told OK (colyseus.md section 7). So what is made here never throws; it answers with a code of the
 * catalogue, and what was not a refusal is reported.
 */
import { type Client, CloseCode, type MessageContext, type Rejection } from '@colyseus/core'
import type { z } from 'zod'
import type { Actor, Role } from '../src/db/tx.ts'
import { type FieldError, publicError, refuse } from '../src/errors.ts'
import { unknownMembers } from '../src/http/problem.ts'
import { takeToken } from './guard.ts'

/** Who sits behind a socket. Made by `identity.ts` and by nobody else; becomes `client.auth`. */
export type Session = {
  tenantId: string
  tenantCode: string
  /** '' for an anonymous spectator. */
  userId: string
  roles: Role[]
  /** Epoch seconds at which the token ends. */
  expiresAt: number
  tokenId?: string
  /** The game's id, resolved; `lobby` in the lobby. */
  gameId: string
  /** True for who may watch and not act. */
  watches: boolean
  ip?: string
  userAgent?: string
}

/** A client of ours: `auth` is always set, because every room has its own static onAuth. */
export type SessionClient<Messages extends Record<string, unknown> = Record<string, unknown>> = Client<{
  auth: Session
  messages: Messages
}>

/** What a refused request gets. `code` is one of docs/errors.md, `message` its sentence, `detail` says more. */
export type RoomRefusal = {
  code: string
  message: string
  detail: string
  errors?: FieldError[]
  facts?: Record<string, unknown>
  retry_after_s?: number
}

export type AnswerRule = {
  /** True when a spectator may ask too. What acts for somebody, or shows what is somebody's own, says nothing here. */
  spectators?: boolean
  /** The token bucket of the user that pays, before the work is done: a refusal for the rate costs no chance. */
  bucket?: string
}

/** Hears why somebody who is known was refused: `where` is `room.message`. */
export type Suspect = (session: Session, where: string, error: unknown) => void

const ANSWER = Symbol('livedraw.answer')

/** True for a handler that came out of `answer`; the contract test asks it of every message of every room. */
export function isAnswer(handler: unknown): boolean {
  return typeof handler === 'function' && ANSWER in handler
}

/**
 * For `messages._`: puts out (4002) whoever sends a type that the room does not know. Colyseus does the same, but
 * repeats the type as the reason of the close, and a reason beyond 123 bytes throws.
 */
export const putOut = Object.assign((client: Client): void => client.leave(CloseCode.WITH_ERROR), {
  [ANSWER]: true as const,
})

/** Who acts, as use cases know it. */
export function actorOf(session: Session): Actor {
  const { tenantId, userId, roles, ip, userAgent } = session
  return {
    tenantId,
    userId,
    roles,
    ...(ip !== undefined && { ip }),
    ...(userAgent !== undefined && { userAgent }),
  }
}

/**
 * Makes `answer`. `report` gets what no caller may see: `where` is `room.message`, `error` the thing thrown. `suspect` is
 * told of every refusal of somebody who is known: some messages could not come from a client of ours.
 */
export function makeAnswer(report: (where: string, error: unknown) => void, suspect: Suspect = () => {}) {
  /**
   * A message handler that parses its payload with `input`, runs `run` and answers what it returns.
   *
   * Refuses, in this order: unauthorized, spectator_read_only, invalid_input, rate_limited, then what `run`
   * refuses; a passing failure is `unavailable`, anything else `internal`. A message that asks for no answer
   * is treated alike; its sender learns nothing.
   */
  return function answer<S extends z.ZodType, C extends SessionClient<any>, O>(
    name: string,
    input: S,
    run: (client: C, data: z.output<S>, session: Session) => O | Promise<O>,
    { spectators = false, bucket }: AnswerRule = {},
  ) {
    async function handler(
      client: C,
      raw: z.input<S>,
      ctx: MessageContext,
    ): Promise<O | Rejection<RoomRefusal>> {
      try {
        const session = client.auth ?? refuse('unauthorized')
        if (session.watches && !spectators) refuse('spectator_read_only')
        const data = parse(input, raw)
        if (bucket !== undefined && !takeToken(payerOf(session), bucket))
          refuse('rate_limited', { retry_after_s: 1 })
        return await run(client, data, session)
      } catch (error) {
        if (client.auth) suspect(client.auth, name, error)
        const refusal = refusalOf(error)
        if (refusal.code === 'internal' || refusal.code === 'unavailable') report(name, error)
        return ctx.reject(refusal)
      }
    }
    return Object.assign(handler, { [ANSWER]: true as const })
  }
}

export type Answer = ReturnType<typeof makeAnswer>

/** A handler that came out of `answer`, whatever it takes. */
export type AnyHandler = ((client: any, raw: any, ctx: MessageContext) => Promise<unknown>) & {
  [ANSWER]: true
}

/** Whose bucket it is. Anonymous spectators have no id; their address stands for them. */
function payerOf({ tenantId, userId, ip }: Session): string {
  return `${tenantId}/${userId || `@${ip}`}`
}

function parse<S extends z.ZodType>(input: S, raw: unknown): z.output<S> {
  const parsed = input.safeParse(raw)
  if (parsed.success) return parsed.data
  const unknown_members = unknownMembers(parsed.error)
  return refuse('invalid_input', {
    ...(unknown_members.length > 0 && { unknown_members }),
    errors: parsed.error.issues
      .slice(0, 10)
      .map(({ path, message }) => ({ pointer: pointerOf(path), detail: message })),
  })
}

/** RFC 6901. */
function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** An error as a room says it. */
export function refusalOf(error: unknown): RoomRefusal {
  const { code, title, detail, errors, facts, retry_after_s } = publicError(error)
  return {
    code,
    message: title,
    detail,
    ...(errors && { errors }),
    ...(facts && { facts }),
    ...(retry_after_s !== undefined && { retry_after_s }),
  }
}
