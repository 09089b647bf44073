/**
 * Every protection around Colyseus, put in place here and kept in guard/, one file per concern: the port, addresses,
 * matchmaking, rooms, sessions, buckets, transport, errors. colyseus.md sections 3, 4, 9-11 and 17; reliability.md
 * sections 4.3-4.5. Outgoing frames are in wire.ts, the counting of seats in seats.ts. No game logic, no database.
 */
import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import type { WebSocketTransport } from '@colyseus/ws-transport'
import { guardMatchmaking } from './guard/matchmaking.ts'
import { guardRooms } from './guard/rooms.ts'
import { type GuardOptions, settings, useOptions } from './guard/settings.ts'
import { makeReaderTransport, type TransportOptions } from './guard/transport.ts'
import { countSeats } from './seats.ts'
import { guardSockets } from './wire.ts'

export { addressResolver } from './guard/addresses.ts'
export { takeToken } from './guard/buckets.ts'
export { asServerError, guarded } from './guard/errors.ts'
export { addressOf, makeHttpServer } from './guard/http.ts'
export type { BucketSize } from './guard/limits.ts'
export { expectJoinAck, holdSeat, liveRoomCount, mistakesOf } from './guard/rooms.ts'
export { checkReconnect, watchExpiry } from './guard/sessions.ts'
export type { GuardOptions } from './guard/settings.ts'
export type { TransportOptions } from './guard/transport.ts'

/**
 * Puts every protection of rooms, seats, matchmaking and outgoing frames in place. Once per process, before the
 * first room is made; another call replaces numbers and callbacks (one server after another in a test).
 * Throws an Error that names every room class that breaks a rule (see `mistakesOf`).
 */
export function installGuards(options: GuardOptions): void {
  useOptions(options)
  countSeats((auth) => settings.userKey(auth))
  guardSockets(options.wire)
  guardMatchmaking(new Set(settings.origins))
  guardRooms(settings.roomClasses)
}

/**
 * The WebSocket transport of the product on `http`, which it guards first (`guardHttp`). Small messages, few
 * fragments, no compression, origins and paths checked before the handshake (403, 404), pings that only a reader
 * can answer.
 */
export function makeTransport(http: Server, options: TransportOptions = {}): WebSocketTransport {
  return makeReaderTransport(http, randomBytes, options)
}
