/**
 * A Colyseus server with tiny rooms made for one purpose each, and clients that speak its protocol over a bare
 * socket, so that a test can be as rude as it likes. One server per process at a time (Colyseus' matchmaker is a
 * module of singletons): close one before the next is made.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { type Client, defineRoom, defineServer, matchMaker, type Room, type Server } from '@colyseus/core'
import { type Decoder, Reflection } from '@colyseus/schema'
import {
  type GuardOptions,
  installGuards,
  makeHttpServer,
  makeTransport,
  type TransportOptions,
} from '../../rooms/guard.ts'

export type Running = {
  port: number
  url: string
  server: Server
  reports: [string, unknown][]
  close(): Promise<void>
}
export type RoomMap = Record<string, new () => Room>

/** Starts a guarded server on a free port of 127.0.0.1. `reports` fills with what the guards reported. */
export async function startGuarded(
  rooms: RoomMap,
  options: Partial<GuardOptions> & TransportOptions & { logger?: object } = {},
): Promise<Running> {
  const reports: [string, unknown][] = []
  installGuards({
    report: (where, error) => reports.push([where, error]),
    roomClasses: Object.values(rooms),
    ...options,
  })
  const http = makeHttpServer(options.limits)
  const transport = makeTransport(http, options)
  const server = defineServer({
    greet: false,
    gracefullyShutdown: false,
    transport,
    logger: options.logger ?? silent,
    rooms: Object.fromEntries(
      Object.entries(rooms).map(([name, RoomClass]) => [name, defineRoom(RoomClass)]),
    ),
    express: (app) => {
      app.get('/livez', (_req, res) => void res.json({ ok: true }))
      app.post('/upload/image', (req, res) => {
        let bytes = 0
        req.on('data', (chunk: Buffer) => {
          bytes += chunk.length
        })
        req.on(
          'end',
          () =>
            void res.json({
              bytes,
              address: req.headers['x-real-ip'],
              claimed: req.headers['x-forwarded-for'] ?? null,
            }),
        )
      })
    },
  })
  await server.listen(0, '127.0.0.1')
  const { port } = http.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    server,
    reports,
    close: async () => {
      http.closeAllConnections()
      await server.gracefullyShutdown(false)
      http.closeAllConnections()
    },
  }
}

const nothing = () => {}
export const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing, trace: nothing }

/** Asks until the answer is true; fails with `what` after `limit_ms`. */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  limit_ms = 5_000,
): Promise<void> {
  const end = Date.now() + limit_ms
  while (!(await isTrue())) {
    assert.ok(Date.now() < end, `waited ${limit_ms} ms in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Between two looks of `within`; what is longer was spent at work, or without a turn. */
const TURN_MS_MAX = 50

/**
 * Asks until the answer is true, and fails when that took longer than `limit_ms`. Time in which the machine gave this
 * process no turn does not count. Time in which it worked does: the server is in it, and may be what holds the loop.
 */
export async function within(limit_ms: number, what: string, isTrue: () => boolean): Promise<void> {
  const began = performance.now()
  let looked = began
  let worked = process.cpuUsage()
  let stalled_ms = 0
  await until(
    what,
    () => {
      const now = performance.now()
      const { user, system } = process.cpuUsage(worked)
      stalled_ms += Math.max(0, now - looked - TURN_MS_MAX - (user + system) / 1_000)
      looked = now
      worked = process.cpuUsage()
      return isTrue()
    },
    10_000,
  )
  const took_ms = Math.round(performance.now() - began - stalled_ms)
  assert.ok(took_ms < limit_ms, `${what} took ${took_ms} ms, and ${Math.round(stalled_ms)} ms without a turn`)
}

export type Answer = { status: number; headers: Headers; body: any }

/** One HTTP request by fetch, answered as data. */
export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(url, init)
  const text = await answer.text()
  let body: unknown = text
  try {
    body = JSON.parse(text)
  } catch {}
  return { status: answer.status, headers: answer.headers, body }
}

/** Asks for a seat as an SDK does. */
export function matchmake(
  running: Running,
  method: string,
  room: string,
  options: unknown = {},
  headers: Record<string, string> = {},
): Promise<Answer> {
  return ask(`${running.url}/matchmake/${method}/${room}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(options),
  })
}

/** Sends bytes over TCP and collects what comes until the other side ends or `limit_ms` are over. */
export async function sendRaw(port: number, text: string | Buffer, limit_ms = 3_000): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let got = ''
  socket.on('data', (data) => {
    got += data.toString('latin1')
  })
  socket.on('error', nothing)
  socket.write(text)
  await Promise.race([once(socket, 'close'), new Promise((resolve) => setTimeout(resolve, limit_ms))])
  socket.destroy()
  return got
}

/** Two or more refusals that must not tell their cases apart: status, body and headers that a caller can compare. */
export function assertAlike(answers: readonly Answer[]): void {
  const seen = answers.map(({ status, headers, body }) => ({
    status,
    body,
    type: headers.get('content-type'),
  }))
  for (const other of seen.slice(1)) assert.deepEqual(other, seen[0])
}

export type Frame = { opcode: number; data: Buffer }

/**
 * A WebSocket client over a bare socket: answers nothing by itself, reads only while it is told to, and can write
 * any bytes.
 */
export class RawClient {
  readonly socket: Socket
  readonly frames: Frame[] = []
  status = 0
  close_code: number | undefined
  is_gone = false
  bytes_read = 0
  answers_pings = true
  answers_closes = true
  private rest: Buffer = Buffer.alloc(0)
  private wake: (() => void) | undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (data) => this.take(data))
    socket.on('error', nothing)
    socket.on('close', () => {
      this.is_gone = true
      this.wake?.()
    })
  }

  /** Opens `path` as a WebSocket; resolves once the status line of the answer is known. */
  static async open(port: number, path: string, headers: Record<string, string> = {}): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const client = new RawClient(socket)
    const lines = Object.entries({ Host: `127.0.0.1:${port}`, ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    )
    socket.write(
      `GET ${path} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n${lines.join('\r\n')}\r\n\r\n`,
    )
    await until('an answer to the upgrade', () => client.status !== 0 || client.is_gone)
    return client
  }

  private take(data: Buffer): void {
    this.bytes_read += data.length
    this.rest = this.rest.length === 0 ? data : Buffer.concat([this.rest, data])
    if (this.status === 0) {
      const end = this.rest.indexOf('\r\n\r\n')
      if (end < 0) return
      this.status = Number(this.rest.toString('latin1', 9, 12))
      this.rest = this.rest.subarray(end + 4)
      if (this.status !== 101) return
    }
    if (this.status === 101) this.parse()
    this.wake?.()
  }

  private parse(): void {
    for (;;) {
      const { rest } = this
      if (rest.length < 2) return
      const short = rest[1]! & 0x7f
      const start = short < 126 ? 2 : short === 126 ? 4 : 10
      if (rest.length < start) return
      const size =
        short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
      if (rest.length < start + size) return
      const frame = { opcode: rest[0]! & 0x0f, data: rest.subarray(start, start + size) }
      this.rest = rest.subarray(start + size)
      if (frame.opcode === 9 && this.answers_pings) this.write(clientFrame(frame.data, 10))
      if (frame.opcode === 8) {
        this.close_code = frame.data.length >= 2 ? frame.data.readUInt16BE(0) : 1005
        if (this.answers_closes) this.write(clientFrame(frame.data, 8))
      }
      this.frames.push(frame)
    }
  }

  write(bytes: Buffer): void {
    if (!this.socket.destroyed) this.socket.write(bytes)
  }

  /** Sends one binary message. */
  send(...bytes: number[]): void {
    this.write(clientFrame(Buffer.from(bytes)))
  }

  acknowledge(): void {
    this.send(10)
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** The data frames that came so far, by their Colyseus code. */
  byCode(code: number): Buffer[] {
    return this.frames
      .filter(({ opcode, data }) => opcode === 2 && (data[0]! & 0x1f) === code)
      .map(({ data }) => data)
  }

  destroy(): void {
    this.socket.destroy()
  }
}

/** A masked frame as a client sends it. */
export function clientFrame(data: Buffer, opcode = 2, isLast = true): Buffer {
  const mask = Buffer.from([1, 2, 3, 4])
  const size = data.length
  const head =
    size < 126
      ? Buffer.from([0, 0x80 | size])
      : size < 65_536
        ? Buffer.from([0, 0x80 | 126, size >> 8, size & 255])
        : Buffer.from([
            0,
            0x80 | 127,
            0,
            0,
            0,
            0,
            (size >>> 24) & 255,
            (size >>> 16) & 255,
            (size >>> 8) & 255,
            size & 255,
          ])
  head[0] = (isLast ? 0x80 : 0) | opcode
  const masked = Buffer.from(data)
  for (let at = 0; at < size; at++) masked[at]! ^= mask[at & 3]!
  return Buffer.concat([head, mask, masked])
}

export type JoinSettings = {
  headers?: Record<string, string>
  token?: string
  acknowledge?: boolean
  method?: string
}

/** Takes a seat over HTTP, opens its socket and acknowledges the join, over a bare socket. */
export async function joinRaw(
  running: Running,
  room: string,
  options: unknown = {},
  { headers = {}, token, acknowledge = true, method = 'joinOrCreate' }: JoinSettings = {},
): Promise<RawClient & { roomId: string; sessionId: string }> {
  const auth: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const seat = await matchmake(running, method, room, options, { ...headers, ...auth })
  assert.equal(seat.status, 200, JSON.stringify(seat.body))
  const client = await openSeat(running, seat.body, token)
  await until('the JOIN frame', () => client.byCode(10).length > 0 || client.is_gone)
  if (acknowledge) client.acknowledge()
  return client
}

type SeatBody = { roomId: string; sessionId: string; processId: string }

/** Opens the socket of a seat, without waiting for what the room says. */
export async function openSeat(
  running: Running,
  seat: SeatBody,
  token?: string,
): Promise<RawClient & { roomId: string; sessionId: string }> {
  const query = `sessionId=${seat.sessionId}${token === undefined ? '' : `&_authToken=${token}`}`
  const client = await RawClient.open(running.port, `/${seat.processId}/${seat.roomId}?${query}`)
  return Object.assign(client, { roomId: seat.roomId, sessionId: seat.sessionId })
}

/** The reconnection token of a JOIN frame. */
export function reconnectionTokenOf(join: Buffer): string {
  return join.toString('utf8', 2, 2 + join[1]!)
}

/** A decoder made from the reflection in a JOIN frame, as the SDK makes it. */
export function decoderOf(join: Buffer): Decoder {
  let at = 1
  at += 1 + join[at]! // reconnection token
  at += 1 + join[at]! // serializer id
  const first = join[at]!
  let size = first
  at += 1
  if (first === 0xcc) {
    size = join[at]!
    at += 1
  } else if (first === 0xcd) {
    size = join.readUInt16LE(at)
    at += 2
  }
  return Reflection.decode(join.subarray(at, at + size)) as unknown as Decoder
}

/** The room object of this process. */
export function roomOf<R extends Room = Room>(room_id: string): R {
  const room = matchMaker.getLocalRoomById(room_id)
  assert.ok(room, `no room ${room_id} here`)
  return room as unknown as R
}

/** The server's side of a session. */
export function clientOf(room: Room, session_id: string): Client {
  const client = room.clients.get(session_id)
  assert.ok(client, `no client ${session_id} in the room`)
  return client
}
