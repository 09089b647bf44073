/**
 * Who comes in, and to which game: the one `static onAuth` that all rooms share. It runs before a room is looked
 * up or made, so the key by which rooms are told apart is written here and nowhere else, from what was resolved
 * and never from what was sent (colyseus.md H5-H8, H15-H17).
 */
import { type AuthContext, ServerError } from '@colyseus/core'
import type { Actor } from '../src/db/tx.ts'
import { publicError, Refusal, refuse } from '../src/errors.ts'
import type { Auth, Identity } from '../src/http/auth.ts'
import type { Session } from './answer.ts'

/** What a client may send. Everything else is dropped unread. */
export type JoinOptions = { game?: string; spectate?: boolean; tenant?: string }

/** What Colyseus, `onCreate` and `onJoin` see afterwards. */
export type RoomOptions = JoinOptions & { room_key?: string }

/** A game that somebody may enter. */
export type Entrance = { gameId: string; is_public: boolean }

export type IdentityDeps = {
  auth: Pick<Auth, 'verify' | 'spectator'>
  report: (where: string, error: unknown) => void
  /** The game that this actor may see under that name; undefined for unknown, foreign and invisible alike. */
  resolve(actor: Actor, game: string | undefined): Promise<Entrance | undefined>
  /** True where nobody acts, so that no `spectate` is needed to come without a token. */
  is_watch_only?: boolean
}

const READ = new Set(['game', 'spectate', 'tenant'])
/** What an id or a slug can look like. Anything else is unknown without a query, NUL and its kin among it. */
const NAME = /^[\w-]{1,64}$/
const AGENT_LENGTH_MAX = 300

/** Whose places and tokens are counted; undefined for anonymous spectators. For `installGuards({ userKey })`. */
export function sessionKey(
  session: Pick<Session, 'tenantId' | 'userId'> | null | undefined,
): string | undefined {
  return session?.userId ? `${session.tenantId}/${session.userId}` : undefined
}

/** `tenant/game/players`, or `.../watch`, or `.../public` for those without a token. */
export function roomKey({ tenantId, gameId, watches, userId }: Session, is_watch_only = false): string {
  const door = is_watch_only ? (userId === '' ? 'public' : 'all') : watches ? 'watch' : 'players'
  return `${tenantId}/${gameId}/${door}`
}

/** Half of what a paused, hidden or deleted game may take to be so everywhere. */
const ENTRANCE_MS = 500
const ENTRANCE_COUNT_MAX = 1_000

/**
 * Keeps what `find` found for half a second, for each tenant and name apart: when a draw starts everybody asks for
 * one game at once, and that is one query then. What is not there is asked for each time.
 */
export function briefly(
  find: (actor: Actor, game: string) => Promise<Entrance | undefined>,
  clock_ms: () => number = () => performance.now(),
): (actor: Actor, game: string) => Promise<Entrance | undefined> {
  const kept = new Map<string, { found: Promise<Entrance | undefined>; until_ms: number }>()
  return (actor, game) => {
    const key = `${actor.tenantId}/${game}`
    const known = kept.get(key)
    if (known !== undefined && known.until_ms > clock_ms()) return known.found
    kept.delete(key)
    const found = find(actor, game)
    kept.set(key, { found, until_ms: clock_ms() + ENTRANCE_MS })
    if (kept.size > ENTRANCE_COUNT_MAX) kept.delete(kept.keys().next().value!)
    const forget = () => {
      if (kept.get(key)?.found === found) kept.delete(key)
    }
    found.then((entrance) => entrance ?? forget(), forget)
    return found
  }
}

/**
 * Makes the onAuth of a room class. Answers a session of our own making.
 *
 * Throws ServerError, in this order: 400 invalid_input (options that are no object), 401 unauthorized,
 * 403 tenant_inactive or user_blocked, 404 game_not_found (also for an unknown tenant of a spectator),
 * 503 unavailable, 500 internal.
 */
export function makeOnAuth({ auth, report, resolve, is_watch_only = false }: IdentityDeps) {
  async function enter(
    token: string | undefined,
    options: JoinOptions,
    context: AuthContext,
  ): Promise<Session> {
    if (!isRecord(options)) refuse('invalid_input')
    const { game, spectate, tenant } = options
    const identity = await identify(token, { tenant, spectate: spectate === true || is_watch_only })
    const agent = context.headers.get('user-agent')?.slice(0, AGENT_LENGTH_MAX)
    const who = { ...identity, ...(context.ip && { ip: context.ip }), ...(agent && { userAgent: agent }) }
    const name = typeof game === 'string' && NAME.test(game) ? game : undefined
    const entrance = await resolve(who, name)
    if (entrance === undefined) refuse('game_not_found')
    if (identity.userId === '' && !entrance.is_public) refuse('game_not_found')

    const session = sessionOf(who, entrance.gameId, spectate === true || is_watch_only)
    // What was asked for stays, because a join that lost a race for a seat is asked again with the same object.
    for (const key of Object.keys(options)) if (!READ.has(key)) Reflect.deleteProperty(options, key)
    ;(options as RoomOptions).room_key = roomKey(session, is_watch_only)
    return session
  }

  async function identify(
    token: string | undefined,
    wish: { tenant: unknown; spectate: boolean },
  ): Promise<Identity> {
    if (token) return auth.verify(token)
    if (!wish.spectate || wish.tenant === undefined) refuse('unauthorized')
    if (typeof wish.tenant !== 'string' || !NAME.test(wish.tenant)) refuse('game_not_found')
    try {
      return await auth.spectator(wish.tenant)
    } catch (error) {
      // A stranger learns nothing about which tenants there are.
      if (error instanceof Refusal) refuse('game_not_found')
      throw error
    }
  }

  return async function onAuth(token: string, options: JoinOptions, context: AuthContext): Promise<Session> {
    try {
      return await enter(token, options, context)
    } catch (error) {
      const { status, code } = publicError(error)
      // Errors of a static onAuth go nowhere else (colyseus.md section 9).
      if (status >= 500) report('room.onAuth', error)
      throw new ServerError(status, code)
    }
  }
}

/** Picked field by field: a property called `sessionId` would become the session id (M18). */
function sessionOf(
  who: Identity & Pick<Session, 'ip' | 'userAgent'>,
  gameId: string,
  spectate: boolean,
): Session {
  const { tenantId, tenantCode, userId, roles, expiresAt, tokenId, ip, userAgent } = who
  return {
    tenantId,
    tenantCode,
    userId,
    roles: [...roles],
    expiresAt,
    ...(tokenId !== undefined && { tokenId }),
    gameId,
    watches: spectate || !roles.includes('player'),
    ...(ip !== undefined && { ip }),
    ...(userAgent !== undefined && { userAgent }),
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
