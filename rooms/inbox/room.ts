/**
 * The inbox of one user: a room of its own per user, shared by his devices and entered by nobody else. A win, an
 * unlock, an application or an expiry on one device shows on the others within a second, also when it was made over
 * HTTP or by another process. The room remembers what it has told, and reads the rest.
 */
import { type AuthContext, CloseCode, Room, ServerError } from '@colyseus/core'
import type { z } from 'zod'
import type { App } from '../../src/app.ts'
import type { Actor } from '../../src/db/tx.ts'
import { requestId, sinceRequest } from '../../src/games/wheel/schemas.ts'
import type { Auth } from '../../src/http/auth.ts'
import {
  type InboxSnapshot,
  NEWEST_COUNT,
  type NotificationView,
  readInbox,
  readMarks,
} from '../../src/insight/inbox.ts'
import { readRequest } from '../../src/insight/inbox-routes.ts'
import type { InboxWatch } from '../../src/insight/inbox-watch.ts'
import { actorOf, makeAnswer, putOut, type Session, type SessionClient, type Suspect } from '../answer.ts'
import { asServerError, checkReconnect, expectJoinAck, holdSeat, watchExpiry } from '../guard.ts'
import { type JoinOptions, makeOnAuth, type RoomOptions } from '../identity.ts'
import { COUNT_EVERY_MS } from '../spectators.ts'
import { changedOf, InboxState, loadInboxState } from './state.ts'

export type InboxRoomLimits = {
  /** Devices of one user. */
  clients_max: number
  patch_ms: number
  /** Between two readings: somebody who wins ten times a second is told of it four times a second. */
  read_every_ms: number
  messages_per_second: number
  hold_s: number
  drain_ms: number
}

export const INBOX_ROOM_LIMITS: Readonly<InboxRoomLimits> = {
  clients_max: 20,
  patch_ms: 100,
  read_every_ms: 250,
  messages_per_second: 20,
  hold_s: 20,
  drain_ms: 250,
}

export type InboxRoomDeps = {
  app: Pick<App, 'clock' | 'run'>
  auth: Auth
  watch: InboxWatch
  report: (where: string, error: unknown) => void
  suspect: Suspect
  limits: InboxRoomLimits
}

/** A prize as `GET /gamification/my_prizes` shows it. */
type PrizeView = InboxSnapshot['prizes'][number]['prize']

export type InboxBroadcasts = {
  /** What is new or moved since the last one, newest first. With as many as a reading has there may be more. */
  changed: { version: number; prizes: PrizeView[]; notifications: NotificationView[]; is_complete: boolean }
  notice: { code: 'shutting_down'; message: string }
}

type InboxClient = SessionClient<InboxBroadcasts>

const marked = { request_id: requestId.optional() }
export const INBOX_REQUESTS = {
  since: sinceRequest.extend(marked),
  read: readRequest.extend(marked),
} satisfies Record<string, z.ZodType>

/** A user id as a name of a room: any character may be in an id, and a slash would end it. */
const nameOf = (userId: string): string => Buffer.from(userId).toString('base64url')
const userOf = (name: string): string => Buffer.from(name, 'base64url').toString()

/** After a reading that failed. */
const RETRY_MS = 1_000

/** Makes the class of the inboxes. */
export function makeInboxRoom({ app, auth, watch, report, suspect, limits }: InboxRoomDeps) {
  const answer = makeAnswer(report, suspect)
  const now_ms = () => app.clock.now().getTime()
  const sessions = {
    endsAt_ms: ({ expiresAt }: Session) => expiresAt * 1000,
    stillAllowed: (session: Session) => auth.stillAllowed(session),
  }
  const enter = makeOnAuth({
    auth,
    report,
    // One's own and no other: what is asked for is not even looked at.
    resolve: async ({ userId }) => (userId === '' ? undefined : { gameId: nameOf(userId), is_public: false }),
  })

  return class InboxRoom extends Room<{
    state: InboxState
    metadata: { room_key: string }
    client: InboxClient
  }> {
    #actor: Actor = { tenantId: '', userId: '', roles: [] }
    #snapshot: InboxSnapshot | undefined
    #toldPrizes: ReadonlyMap<number, string> = new Map()
    #toldNotes: ReadonlyMap<number, string> = new Map()
    #is_stale = false
    #is_reading = false
    #is_over = false
    #read_not_before_ms = 0
    #counted_at_ms = Number.NEGATIVE_INFINITY
    #close = () => {}
    override state = new InboxState()
    override maxClients = limits.clients_max
    override maxMessagesPerSecond = limits.messages_per_second
    override patchRate = limits.patch_ms

    static override onAuth(token: string, options: JoinOptions, context: AuthContext): Promise<Session> {
      return enter(token, options, context)
    }

    override async onCreate(options: RoomOptions): Promise<void> {
      const [tenantId, name, door] = (options.room_key ?? '').split('/')
      if (!tenantId || !name || !door) throw new ServerError(404, 'game_not_found')
      this.metadata = { room_key: options.room_key! }
      const userId = userOf(name)
      this.#actor = { tenantId, userId, roles: ['player'] }
      this.#close = watch.open({
        tenantId,
        userId,
        version: () => this.state.version,
        changed: () => {
          this.#is_stale = true
        },
      })
      try {
        this.#take(await app.run(this.#actor, readInbox, undefined))
      } catch (error) {
        this.#close()
        throw asServerError(error, 'inbox.onCreate')
      }
      this.#count()
      this.clock.setInterval(() => this.#tick(), 0)
      watchExpiry(this, sessions)
    }

    override onJoin(client: InboxClient, options: RoomOptions = {}): void {
      // joinById and a seat that was asked for by hand come past the key by which rooms are chosen.
      if (options.room_key !== this.metadata.room_key) throw new ServerError(404, 'game_not_found')
      expectJoinAck(this, client)
    }

    override messages = {
      // The inbox itself and not its events: what moved is shown as it is now.
      since: answer(
        'inbox.since',
        INBOX_REQUESTS.since,
        async (_client: InboxClient, { version }, session) => {
          const server_time = now_ms()
          const { counts, prizes, notifications } = await app.run(actorOf(session), readInbox, undefined)
          if (version === counts.version) return { version, events: [], server_time }
          const { changes_at: _, ...shown } = counts
          return {
            snapshot: { ...shown, prizes: prizes.map(({ prize }) => prize), notifications },
            server_time,
          }
        },
        // An inbox has one owner, whatever his role: there is nobody here who only watches.
        { spectators: true, bucket: 'since' },
      ),
      read: answer(
        'inbox.read',
        INBOX_REQUESTS.read,
        async (_client: InboxClient, { ids }, session) => {
          const done = await app.run(actorOf(session), readMarks, { ids: ids ?? null })
          this.#is_stale = true
          return done
        },
        { spectators: true, bucket: 'read' },
      ),
      _: putOut,
    }

    /** Runs inside the patch. A deadline that passes changes the counts though no row has moved. */
    #tick(): void {
      const elapsed_ms = this.clock.elapsedTime
      const changes_at = this.#snapshot?.counts.changes_at ?? null
      if (changes_at !== null && app.clock.now() > changes_at) this.#is_stale = true
      if (this.#is_stale && !this.#is_reading && elapsed_ms >= this.#read_not_before_ms)
        void this.#read(elapsed_ms)
      if (elapsed_ms - this.#counted_at_ms < COUNT_EVERY_MS) return
      this.#counted_at_ms = elapsed_ms
      this.#count()
    }

    async #read(elapsed_ms: number): Promise<void> {
      this.#is_reading = true
      this.#is_stale = false
      this.#read_not_before_ms = elapsed_ms + limits.read_every_ms
      try {
        const snapshot = await app.run(this.#actor, readInbox, undefined)
        if (!this.#is_over) this.#tell(snapshot)
      } catch (error) {
        report('inbox.read', error)
        this.#is_stale = true
        this.#read_not_before_ms = elapsed_ms + RETRY_MS
      } finally {
        this.#is_reading = false
      }
    }

    #tell(snapshot: InboxSnapshot): void {
      const { prizes, notifications } = this.#take(snapshot)
      if (prizes.length + notifications.length === 0) return
      const is_complete = prizes.length < NEWEST_COUNT && notifications.length < NEWEST_COUNT
      this.broadcast(
        'changed',
        { version: snapshot.counts.version, prizes, notifications, is_complete },
        { afterNextPatch: true },
      )
    }

    /** Keeps a snapshot as what was told. Returns what in it is new. */
    #take(snapshot: InboxSnapshot): { prizes: PrizeView[]; notifications: NotificationView[] } {
      const prizes = changedOf(this.#toldPrizes, snapshot.prizes, ({ prize, row_version }) => ({
        id: prize.id,
        key: `${row_version} ${prize.prize_status}`,
      }))
      const notes = changedOf(this.#toldNotes, snapshot.notifications, ({ id, is_read }) => ({
        id,
        key: String(is_read),
      }))
      this.#snapshot = snapshot
      this.#toldPrizes = prizes.kept
      this.#toldNotes = notes.kept
      loadInboxState(this.state, snapshot.counts)
      return { prizes: prizes.changed.map(({ prize }) => prize), notifications: notes.changed }
    }

    #count(): void {
      this.state.serverTime = now_ms()
      this.state.players = this.clients.length
    }

    override onDrop(client: InboxClient, code?: number): void {
      holdSeat(this, client, code, limits.hold_s)
    }

    override onReconnect(client: InboxClient): Promise<void> {
      return checkReconnect(client, sessions)
    }

    override onDispose(): void {
      this.#is_over = true
      this.#close()
    }

    override onBeforeShutdown(): void {
      if (this.clients.length === 0) return void this.disconnect(CloseCode.SERVER_SHUTDOWN)
      this.broadcast('notice', {
        code: 'shutting_down',
        message: 'The server restarts; join again in a moment.',
      })
      this.clock.setTimeout(() => void this.disconnect(CloseCode.SERVER_SHUTDOWN), limits.drain_ms)
    }
  }
}

export type InboxRoom = InstanceType<ReturnType<typeof makeInboxRoom>>
