/**
 * Every protection around Colyseus in one place: the port, matchmaking, seats, rooms, tokens that run out, and
 * what may be said about an error. colyseus.md sections 3, 4, 9-11 and 17; reliability.md sections 4.3-4.5.
 * Outgoing frames are in wire.ts, the counting of seats in seats.ts. No game logic, no database.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { BlockList, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  type AuthContext,
  type Client,
  type ClientPrivate,
  CloseCode,
  ErrorCode,
  matchMaker,
  Room,
  RoomInternalState,
  ServerError,
} from '@colyseus/core'
import { SeatReservationError } from '@colyseus/core/errors/SeatReservationError'
import { setupRoomPlugins } from '@colyseus/core/RoomPlugin'
import { WebSocketTransport } from '@colyseus/ws-transport'
import type { WebSocket } from 'ws'
import { countPlace, countSeats, placesOf, unusedSeats, whenSeatGone } from './seats.ts'
import { guardSockets, sendPing, stagePing, type WireLimits, wasSentAway } from './wire.ts'

// ------------------------------------------------------------------------------------------- numbers

export type GuardLimits = {
  /** Largest request body where `body_bytes_by_path` names no other. */
  body_bytes_max: number
  /** Path prefix -> largest body; the longest prefix that matches decides. */
  body_bytes_by_path: Readonly<Record<string, number>>
  headers_max: number
  header_bytes_max: number
  headers_timeout_ms: number
  request_timeout_ms: number
  keep_alive_ms: number
  /** How often Node looks for connections past those timeouts. */
  timeout_check_ms: number
  sockets_max: number
  sockets_per_address: number
  sockets_per_user: number
  rooms_max: number
  /** Seats given out to people who have not connected, in this process, and for one address. */
  unused_seats_max: number
  unused_seats_per_address: number
  matchmaking_ms: number
  message_bytes_max: number
  fragments_max: number
  messages_per_second: number
  /** Pings carry a number that only a reader can send back. */
  ping_ms: number
  pings_unanswered_max: number
  /** How long the other side may take to answer a close frame. */
  close_ms: number
}

export const LIMITS: Readonly<GuardLimits> = {
  body_bytes_max: 100 * 1024, // protocol.md 3
  body_bytes_by_path: {},
  headers_max: 100, // a browser behind two proxies sends about 40
  header_bytes_max: 16 * 1024,
  headers_timeout_ms: 10_000, // Node's 60 s let 200 slow sockets live for 92 s (M10)
  request_timeout_ms: 30_000,
  keep_alive_ms: 5_000,
  timeout_check_ms: 5_000,
  sockets_max: 10_000,
  sockets_per_address: 200, // reliability.md, abuse 45
  sockets_per_user: 20,
  rooms_max: 2_000, // an idle room takes about 54 kB and 0.03 ms of a core per second
  unused_seats_max: 2_000,
  unused_seats_per_address: 200,
  matchmaking_ms: 2_500, // "a join fails within 3 s without Redis" (F14)
  message_bytes_max: 16 * 1024,
  fragments_max: 64,
  messages_per_second: 20,
  ping_ms: 7_000, // each must be answered before the next: a reader may stall 6.5 s, a mute one is gone in 7-14 s
  pings_unanswered_max: 1,
  close_ms: 5_000,
}

// ------------------------------------------------------------------------------------------- options

export type Report = (where: string, error: unknown) => void
/** What the outside may know of an error: the catalogue of src/errors.ts fits. */
export type PublicError = (error: unknown) => { status: number; code: string } | undefined
type RoomClass = (new () => Room) & {
  onAuth(token: string, options: any, context: AuthContext): Promise<unknown>
}

export type GuardOptions = {
  report: Report
  /** Every room class of the process. Each is checked and primed. */
  roomClasses: readonly (new () => Room)[]
  /** Origins beside the server's own, as `https://host[:port]`. */
  origins?: readonly string[]
  /** Maps refusals of the product; without it (or for undefined) an error that is no ServerError is `internal`. */
  publicError?: PublicError
  /** Names the user behind what onAuth returned; undefined for nobody. Default: tenant and userId. */
  userKey?: (auth: any) => string | undefined
  /** Names the user behind a token the same way; then a seat opens only to the user who reserved it. */
  userKeyOfToken?: (token: string) => Promise<string | undefined>
  limits?: Partial<GuardLimits>
  wire?: Partial<WireLimits>
  buckets?: Readonly<Record<string, BucketSize>>
}

type Settings = Required<Omit<GuardOptions, 'limits' | 'wire' | 'userKeyOfToken' | 'buckets'>> & {
  limits: GuardLimits
  userKeyOfToken: GuardOptions['userKeyOfToken']
  buckets: Readonly<Record<string, BucketSize>>
}

let settings: Settings = {
  report: () => {},
  roomClasses: [],
  origins: [],
  publicError: () => undefined,
  userKey: userKeyByDefault,
  userKeyOfToken: undefined,
  limits: LIMITS,
  buckets: {},
}
let installed = false

/**
 * Puts every protection of rooms, seats, matchmaking and outgoing frames in place. Once per process, before the
 * first room is made; another call replaces numbers and callbacks (one server after another in a test).
 * Throws an Error that names every room class that breaks a rule (see `mistakesOf`).
 */
export function installGuards(options: GuardOptions): void {
  settings = {
    report: options.report,
    roomClasses: options.roomClasses,
    origins: options.origins ?? [],
    publicError: options.publicError ?? (() => undefined),
    userKey: options.userKey ?? userKeyByDefault,
    userKeyOfToken: options.userKeyOfToken,
    limits: { ...LIMITS, ...options.limits },
    buckets: options.buckets ?? {},
  }
  countSeats((auth) => settings.userKey(auth))
  guardSockets(options.wire)
  guardMatchmaking(new Set(settings.origins))
  guardRooms(settings.report, settings.roomClasses)
}

function userKeyByDefault(auth: { tenant?: string; userId?: string } | null | undefined): string | undefined {
  return auth?.userId ? `${auth.tenant ?? ''}/${auth.userId}` : undefined
}

// ------------------------------------------------------------------------------------------- the port

const FORWARDING = [
  'x-forwarded-for',
  'x-real-ip',
  'x-client-ip',
  'forwarded',
  'x-forwarded-host',
  'x-forwarded-proto',
]
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i
/** `/process/room`. The names of Object.prototype are asked for separately: `rooms['toString']` is a function. */
const ROOM_PATH = /^\/([\w-]{1,40})\/([\w-]{1,40})$/
const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype))
const TITLES: Record<string, [status: number, title: string]> = {
  invalid_request: [400, 'The request line or a header is not one that this server takes.'],
  forbidden_origin: [403, 'This origin may not open a connection.'],
  not_found: [404, 'There is nothing here.'],
  length_required: [411, 'The body needs a Content-Length.'],
  body_too_large: [413, 'The body is larger than this operation accepts.'],
  unsupported_media_type: [415, 'The body must be plain application/json.'],
  quota_exceeded: [429, 'Too many connections, seats or rooms.'],
  headers_too_large: [431, 'Too many headers.'],
}

/** An HTTP server with the time and size limits of `limits`. Everything that listens for the product starts here. */
export function makeHttpServer(limits: Partial<GuardLimits> = {}): Server {
  const all = { ...LIMITS, ...limits }
  const http = createServer({
    headersTimeout: all.headers_timeout_ms,
    requestTimeout: all.request_timeout_ms,
    keepAliveTimeout: all.keep_alive_ms,
    connectionsCheckingInterval: all.timeout_check_ms,
    maxHeaderSize: all.header_bytes_max,
  })
  http.maxConnections = all.sockets_max
  http.maxHeadersCount = 0 // Node would drop what is past its count without a word; guardHttp refuses it
  return http
}

export type HttpGuardOptions = {
  /** Addresses and networks (CIDR) whose forwarding headers count. */
  trustedProxies?: readonly string[]
  limits?: Partial<GuardLimits>
}

/**
 * Stands in front of every listener of the port, Colyseus' own included, and must be called before listen().
 * Writes the caller's real address into `x-real-ip` (the only forwarding header that stays), sets the headers
 * that belong on every answer, and refuses with problem+json: 400 for a request line or Host that cannot be one,
 * 411 chunked matchmaking, 413 body over the cap of its path, 415 encoded bodies and matchmaking that is not
 * JSON, 429 sockets of one address, 431 too many headers. Sockets past the quota are dropped unread.
 */
export function guardHttp(http: Server, options: HttpGuardOptions = {}): void {
  const limits = { ...LIMITS, ...options.limits }
  const addressOf = addressResolver(options.trustedProxies ?? [])
  const isProxy = addressMatcher(options.trustedProxies ?? [])
  const socketsByAddress = new Map<string, number>()
  const emit = http.emit

  const hasRoomFor = (address: string, socket: Duplex): boolean => {
    const key = networkOf(address)
    const count = socketsByAddress.get(key) ?? 0
    if (count >= limits.sockets_per_address) return false
    socketsByAddress.set(key, count + 1)
    socket.once('close', () => {
      const left = (socketsByAddress.get(key) ?? 1) - 1
      if (left > 0) socketsByAddress.set(key, left)
      else socketsByAddress.delete(key)
    })
    return true
  }

  http.emit = function (this: Server, event: string, ...args: any[]): boolean {
    if (event === 'connection') {
      const socket = args[0] as Socket
      const peer = plainAddress(socket.remoteAddress ?? '')
      // A proxy brings many people over few sockets; those are counted at the upgrade, by their own address.
      if (!isProxy(peer) && !hasRoomFor(peer, socket)) {
        socket.destroy()
        return true
      }
    } else if (event === 'request') {
      const [req, res] = args as [IncomingMessage, ServerResponse]
      settleAddress(req, addressOf)
      setCommonHeaders(res)
      const refusal = whyNotRequest(req, limits)
      if (refusal !== null) {
        refuseRequest(req, res, refusal)
        return true
      }
      if (req.headers['transfer-encoding'] !== undefined) capChunked(req, res, bodyCap(req, limits))
      if (isMatchmaking(req)) sayWhenToRetry(res)
    } else if (event === 'upgrade') {
      const [req, socket] = args as [IncomingMessage, Duplex]
      const peer = plainAddress(req.socket.remoteAddress ?? '')
      const address = settleAddress(req, addressOf)
      const refusal =
        whyNotLine(req, limits) ?? (isProxy(peer) && !hasRoomFor(address, socket) ? 'quota_exceeded' : null)
      if (refusal !== null) {
        refuseUpgrade(socket, refusal)
        return true
      }
    }
    return Reflect.apply(emit, this, [event, ...args])
  } as typeof http.emit
}

/** The caller's address as guardHttp settled it. */
export function addressOf(req: { headers: IncomingMessage['headers'] }): string {
  return String(req.headers['x-real-ip'] ?? '')
}

function settleAddress(req: IncomingMessage, resolve: (req: IncomingMessage) => ResolvedAddress): string {
  const { address, is_proxied } = resolve(req)
  const { headers } = req
  const forwardedProto = headers['x-forwarded-proto']
  const forwardedHost = headers['x-forwarded-host']
  for (const name of FORWARDING) delete headers[name]
  headers['x-real-ip'] = address
  // Colyseus builds a URL from these two, outside any try: they must be what they claim to be.
  if (is_proxied && (forwardedProto === 'http' || forwardedProto === 'https'))
    headers['x-forwarded-proto'] = forwardedProto
  if (is_proxied && typeof forwardedHost === 'string' && HOST.test(forwardedHost))
    headers['x-forwarded-host'] = forwardedHost
  return address
}

function setCommonHeaders(res: ServerResponse): void {
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.setHeader('X-Frame-Options', 'SAMEORIGIN')
  res.setHeader('Referrer-Policy', 'no-referrer')
  res.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
}

function whyNotLine(req: IncomingMessage, limits: GuardLimits): string | null {
  if (!req.url?.startsWith('/') && !(req.method === 'OPTIONS' && req.url === '*')) return 'invalid_request'
  if (req.headers.host !== undefined && !HOST.test(req.headers.host)) return 'invalid_request'
  if (req.rawHeaders.length / 2 > limits.headers_max) return 'headers_too_large'
  return null
}

function whyNotRequest(req: IncomingMessage, limits: GuardLimits): string | null {
  const line = whyNotLine(req, limits)
  if (line !== null) return line
  const { headers } = req
  const isChunked = headers['transfer-encoding'] !== undefined
  const body_bytes = Number(headers['content-length'] ?? 0)
  if (isChunked && isMatchmaking(req)) return 'length_required'
  if (body_bytes > bodyCap(req, limits)) return 'body_too_large'
  if (!isChunked && body_bytes === 0) return null
  if ((headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity')
    return 'unsupported_media_type'
  // Other types pass a browser's preflight, and Colyseus would hand a form, a text or a Blob to onAuth.
  const isJson = /^application\/(?:[\w.+-]+\+)?json\b/i.test(headers['content-type'] ?? '')
  return isMatchmaking(req) && !isJson ? 'unsupported_media_type' : null
}

function isMatchmaking(req: IncomingMessage): boolean {
  return req.url?.startsWith('/matchmake/') ?? false
}

function bodyCap(req: IncomingMessage, limits: GuardLimits): number {
  let cap = limits.body_bytes_max
  let longest = -1
  for (const [prefix, bytes] of Object.entries(limits.body_bytes_by_path)) {
    if (prefix.length <= longest || !req.url?.startsWith(prefix)) continue
    longest = prefix.length
    cap = bytes
  }
  return cap
}

function problemOf(code: string): { status: number; body: string } {
  const [status, title] = TITLES[code]!
  return { status, body: JSON.stringify({ type: 'about:blank', title, status, detail: title, code }) }
}

function refuseRequest(req: IncomingMessage, res: ServerResponse, code: string): void {
  const { status, body } = problemOf(code)
  lingerAfter(req)
  res.writeHead(status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    connection: 'close',
  })
  res.end(body)
  req.resume()
}

/**
 * Lets the other side read the refusal: closing while it is still sending makes its system throw the answer away
 * with a reset. What it sends on is read and dropped for a second at most.
 */
function lingerAfter(req: IncomingMessage): void {
  const { socket } = req
  socket.destroySoon = () => {
    socket.end()
    setTimeout(() => socket.destroy(), 1_000).unref()
  }
}

/** Counts a body without a length as it comes. Express has a cap of its own, but not every listener is Express. */
function capChunked(req: IncomingMessage, res: ServerResponse, cap: number): void {
  let bytes = 0
  const push = req.push
  req.push = function (this: IncomingMessage, chunk: any, encoding?: BufferEncoding): boolean {
    if (chunk !== null) bytes += chunk.length
    if (bytes <= cap) return push.call(this, chunk, encoding)
    if (!res.headersSent) refuseRequest(req, res, 'body_too_large')
    return true
  }
}

function sayWhenToRetry(res: ServerResponse): void {
  const writeHead = res.writeHead
  res.writeHead = function (this: ServerResponse, status: number, ...rest: any[]): ServerResponse {
    if ((status === 503 || status === 429) && !this.hasHeader('retry-after'))
      this.setHeader('Retry-After', '1')
    return Reflect.apply(writeHead, this, [status, ...rest])
  } as typeof res.writeHead
}

function refuseUpgrade(socket: Duplex, code: string): void {
  const { status, body } = problemOf(code)
  socket.on('error', () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}

// ------------------------------------------------------------------------------------------- addresses

type ResolvedAddress = { address: string; is_proxied: boolean }

/**
 * Says whose request it is: the peer, or, when the peer is one of `trusted`, the rightmost entry of
 * X-Forwarded-For that no trusted proxy wrote about itself. What stands left of it is the caller's own claim.
 * `trusted` holds addresses and CIDR networks; an entry that is neither throws.
 */
export function addressResolver(trusted: readonly string[]): (req: IncomingMessage) => ResolvedAddress {
  const isProxy = addressMatcher(trusted)
  return (req) => {
    const peer = plainAddress(req.socket.remoteAddress ?? '')
    if (!isProxy(peer)) return { address: peer, is_proxied: false }
    const header = req.headers['x-forwarded-for']
    const hops = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',')
    let address = peer
    for (let at = hops.length - 1; at >= 0; at--) {
      const hop = plainAddress(hops[at]!)
      if (isIP(hop) === 0) break
      address = hop
      if (!isProxy(hop)) break
    }
    if (address !== peer || header !== undefined) return { address, is_proxied: true }
    const real = plainAddress(String(req.headers['x-real-ip'] ?? ''))
    return { address: isIP(real) === 0 ? peer : real, is_proxied: true }
  }
}

function addressMatcher(trusted: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const entry of trusted) {
    const [address = '', bits] = entry.trim().split('/')
    const version = isIP(address)
    const width = Number(bits ?? (version === 4 ? 32 : 128))
    if (version === 0 || !Number.isInteger(width) || width < 0 || width > (version === 4 ? 32 : 128)) {
      throw new Error(`not an address or a network: ${entry}`)
    }
    list.addSubnet(address, width, version === 4 ? 'ipv4' : 'ipv6')
  }
  return (address) => {
    const version = isIP(address)
    return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6')
  }
}

/** Without port, brackets, zone and the IPv6 coat of an IPv4 address. */
function plainAddress(text: string): string {
  let address = text.trim()
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(address)
  if (bracketed !== null) address = bracketed[1]!
  else if (/^\d+\.\d+\.\d+\.\d+:\d+$/.test(address)) address = address.slice(0, address.indexOf(':'))
  const zone = address.indexOf('%')
  if (zone >= 0) address = address.slice(0, zone)
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address
}

/** What a quota counts: an IPv4 address, or the /64 that one IPv6 customer owns. */
function networkOf(address: string): string {
  if (isIP(address) !== 6) return address
  const [left = '', right] = address.split('::')
  const head = left === '' ? [] : left.split(':')
  const tail = right === undefined || right === '' ? [] : right.split(':')
  const zeros = right === undefined ? 0 : Math.max(0, 8 - head.length - tail.length)
  return [...head, ...Array<string>(zeros).fill('0'), ...tail]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}

// ------------------------------------------------------------------------------------------- transport

export type TransportOptions = HttpGuardOptions & {
  /** Origins beside the server's own. */
  origins?: readonly string[]
}

/**
 * The WebSocket transport of the product on `http`, which it guards first (`guardHttp`). Small messages, few
 * fragments, no compression, origins and paths checked before the handshake (403, 404), pings that only a reader
 * can answer.
 */
export function makeTransport(http: Server, options: TransportOptions = {}): WebSocketTransport {
  const limits = { ...LIMITS, ...options.limits }
  guardHttp(http, options)
  const origins = new Set(options.origins ?? [])
  return new ReaderTransport(
    {
      server: http,
      maxPayload: limits.message_bytes_max,
      maxFragments: limits.fragments_max,
      maxBufferedChunks: 1024, // 16 KB in pieces of 16 bytes; ws would hold 262,144 pieces
      closeTimeout: limits.close_ms,
      perMessageDeflate: false,
      pingInterval: limits.ping_ms,
      pingMaxRetries: limits.pings_unanswered_max,
      beforeUpgrade: (request, context) => {
        if (!isOriginAllowed(context.headers, origins)) return refusal('forbidden_origin')
        if (!isRoomPath(new URL(request.url).pathname)) return refusal('not_found')
      },
    } as ConstructorParameters<typeof WebSocketTransport>[0] & { closeTimeout: number },
    limits,
  )
}

function refusal(code: string): Response {
  const { status, body } = problemOf(code)
  return new Response(body, { status, headers: { 'content-type': 'application/problem+json' } })
}

function isRoomPath(path: string): boolean {
  const [, process_id, room_id] = ROOM_PATH.exec(path) ?? []
  return process_id !== undefined && !INHERITED.has(process_id) && !INHERITED.has(room_id!)
}

/**
 * True for a native client (no Origin), for the server's own host, and for the listed origins. `null`, which
 * sandboxed pages and files send, is no origin anybody can vouch for.
 */
export function isOriginAllowed(headers: Headers, origins: ReadonlySet<string>): boolean {
  const origin = headers.get('origin')
  if (origin === null) return true
  if (origins.has(origin)) return true
  const host = headers.get('x-forwarded-host') ?? headers.get('host')
  return host !== null && (origin === `http://${host}` || origin === `https://${host}`)
}

type PingedSocket = WebSocket & { unanswered?: string[] }
/** A round of pings is spread over this many turns: 2,000 at once would hold the loop for 40 ms. */
const PING_SLICES = 16

/**
 * Stock pings are answered by any Pong, so a client that sends Pongs unasked lives for ever without reading a
 * byte (M8). Here each ping carries eight random bytes, and only their echo counts.
 */
class ReaderTransport extends WebSocketTransport {
  private readonly limits: GuardLimits
  private readonly slices = Array.from({ length: PING_SLICES }, () => new Set<PingedSocket>())

  constructor(options: ConstructorParameters<typeof WebSocketTransport>[0], limits: GuardLimits) {
    super(options)
    this.limits = limits
    let number = 0
    this.wss.on('connection', (socket: PingedSocket) => {
      const slice = this.slices[number++ % PING_SLICES]!
      slice.add(socket)
      socket.unanswered = []
      socket.on('pong', forgetAnswered)
      socket.once('close', () => slice.delete(socket))
    })
  }

  protected override autoTerminateUnresponsiveClients(): void {
    let at = 0
    this.pingInterval = setInterval(() => {
      for (const socket of this.slices[at]!) sendPing(socket)
      at = (at + 1) % PING_SLICES
      for (const socket of this.slices[at]!) this.ping(socket)
    }, this.limits.ping_ms / PING_SLICES)
  }

  private ping(socket: PingedSocket): void {
    if (this.isMute(socket)) {
      // After a long turn the answer may be in the kernel, unread: it gets one round of reading.
      setImmediate(() => {
        if (this.isMute(socket)) socket.terminate()
      })
      return
    }
    const payload = randomBytes(8)
    socket.unanswered!.push(payload.toString('latin1'))
    stagePing(socket, payload)
  }

  private isMute(socket: PingedSocket): boolean {
    return socket.unanswered!.length >= this.limits.pings_unanswered_max
  }
}

/** A pong for a later ping answers the earlier ones too (RFC 6455, 5.5.3). */
function forgetAnswered(this: PingedSocket, payload: Buffer): void {
  const at = this.unanswered?.indexOf(payload.toString('latin1')) ?? -1
  if (at >= 0) this.unanswered!.splice(0, at + 1)
}

// ------------------------------------------------------------------------------------------- matchmaking

const METHODS = ['joinOrCreate', 'join', 'joinById', 'reconnect']
const ROOM_NAME = /^[\w-]{1,64}$/
const CORS_ALLOWED_HEADERS =
  'Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id'
const CORS_EXPOSED_HEADERS =
  'ETag, Idempotency-Replayed, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id'

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

const joiningByAddress = new Map<string, number>()
let joining = 0

/**
 * One CORS policy for the whole port (Colyseus answers each preflight before Express sees it), and the one way
 * into matchmaking. Clients may not `create`. Refuses with ServerError: 520 method or room name that is none, 400
 * options that are no object, 429 seats that nobody connects to, 503 when an answer takes too long.
 */
export function guardMatchmaking(origins: ReadonlySet<string>): void {
  const { controller } = matchMaker
  controller.exposedMethods = METHODS
  const defaults = controller.DEFAULT_CORS_HEADERS as Record<string, string>
  for (const name of Object.keys(defaults)) delete defaults[name]
  controller.getCorsHeaders = (headers): Record<string, string> => {
    const origin = headers.get('origin')
    if (origin === null || !isOriginAllowed(headers, origins)) return { Vary: 'Origin' }
    return {
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'Access-Control-Allow-Headers': CORS_ALLOWED_HEADERS,
      'Access-Control-Expose-Headers': CORS_EXPOSED_HEADERS,
      'Access-Control-Max-Age': '600',
      Vary: 'Origin',
    }
  }
  controller.invokeMethod = matchmake
}

type Seat = { sessionId: string; roomId: string }

async function matchmake(
  method: string,
  room: string,
  raw_options: unknown,
  context?: AuthContext,
): Promise<any> {
  if (!METHODS.includes(method) || !ROOM_NAME.test(room) || INHERITED.has(room)) {
    throw new ServerError(ErrorCode.MATCHMAKE_NO_HANDLER, 'not_found')
  }
  const options = plainOptions(raw_options)
  const address = networkOf(context?.ip ?? '')
  const { limits } = settings
  const ofAddress = joiningByAddress.get(address) ?? 0
  if (ofAddress >= limits.unused_seats_per_address) throw new ServerError(429, 'quota_exceeded')
  if (unusedSeats() + joining >= limits.unused_seats_max) throw new ServerError(503, 'quota_exceeded')

  joining += 1
  joiningByAddress.set(address, ofAddress + 1)
  const done = () => {
    const left = (joiningByAddress.get(address) ?? 1) - 1
    if (left > 0) joiningByAddress.set(address, left)
    else joiningByAddress.delete(address)
  }
  let seat: Seat | undefined
  const answer = callMatchMaker(method, room, options, context)
    .then((given) => {
      seat = given
    })
    .finally(() => {
      joining -= 1
      if (seat !== undefined && isSeatOpen(seat)) whenSeatGone(seat.sessionId, done)
      else done()
    })
  await within(answer, limits.matchmaking_ms)
  return seat
}

async function callMatchMaker(
  method: string,
  room: string,
  options: Record<string, unknown>,
  context?: AuthContext,
): Promise<Seat> {
  const call = (matchMaker as unknown as Record<string, (...args: unknown[]) => Promise<Seat>>)[method]!
  try {
    return await call(room, options, context)
  } catch (error) {
    throw asServerError(error, `matchmake.${method}`)
  }
}

/** True while a seat of this process waits for its first connection; a seat of another process is not followed. */
function isSeatOpen({ roomId, sessionId }: Seat): boolean {
  const room = matchMaker.getLocalRoomById(roomId) as unknown as
    | { _reservedSeats: Record<string, unknown[]> }
    | undefined
  const row = room?._reservedSeats[sessionId]
  return row !== undefined && row[3] !== true
}

function plainOptions(raw: unknown): Record<string, unknown> {
  if (raw === undefined) return {}
  if (typeof raw !== 'object' || raw === null || Object.getPrototypeOf(raw) !== Object.prototype) {
    throw new ServerError(400, 'invalid_input')
  }
  const options: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(raw)) if (!INHERITED.has(key)) options[key] = value
  return options
}

async function within(work: Promise<void>, limit_ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new ServerError(503, 'unavailable')), limit_ms)
  })
  work.catch(() => {}) // when it fails after the deadline nobody is left to hear it
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

// ------------------------------------------------------------------------------------------- errors

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

// ------------------------------------------------------------------------------------------- rooms

type RoomInside = Pick<Room, 'maxMessagesPerSecond' | 'roomName' | 'onLeave' | 'hasReservedSeat'> & {
  _events: { once(event: string, then: () => void): void }
  _internalState: number
  _reservedSeats: Record<string, [unknown, unknown, boolean?, boolean?] | undefined>
  __init(): void
  _onJoin(
    client: JoiningClient,
    context: AuthContext,
    options?: { reconnectionToken?: string },
  ): Promise<void>
  _onMessage(client: Client, data: Buffer): void
}
type JoiningClient = Client & ClientPrivate
const liveRooms = new Set<object>()
const WRAPPED = Symbol('guarded onAuth')

/** Rooms of this process that are being made or live. */
export function liveRoomCount(): number {
  return liveRooms.size
}

/**
 * One handler for what escapes any room, and the rules that every room follows. Before the first room is made.
 * Throws an Error that lists the classes which break a rule.
 */
export function guardRooms(report: Report, roomClasses: readonly (new () => Room)[]): void {
  settings = { ...settings, report }
  Room.prototype.onUncaughtException = function (error, method) {
    if (error.cause instanceof ServerError || isRefusal(error.cause)) return
    settings.report(`${this.roomName}.${method}`, error.cause)
  }
  guardRoomInsides()
  const mistakes: string[] = []
  for (const RoomClass of roomClasses) {
    const probe = new RoomClass()
    mistakes.push(...mistakesOf(RoomClass, probe))
    // The first room of a class would otherwise run without the hooks of its plugins (H22).
    if (probe.plugins !== undefined) setupRoomPlugins(probe)
    probe.clock.stop()
    guardAuth(RoomClass as RoomClass)
  }
  if (mistakes.length > 0) throw new Error(`rooms break the rules: ${mistakes.join('; ')}`)
}

function isRefusal(error: unknown): boolean {
  const known = settings.publicError(error)
  return known !== undefined && known.status < 500
}

/** The rules of colyseus.md section 1 that a class can be asked about. */
export function mistakesOf(RoomClass: new () => Room, probe: Room = new RoomClass()): string[] {
  const { name } = RoomClass
  const mistakes: string[] = []
  if ((RoomClass as RoomClass).onAuth === Room.onAuth)
    mistakes.push(`${name} has no static onAuth: it is open to all`)
  if (!Number.isFinite(probe.maxClients)) mistakes.push(`${name} has no finite maxClients`)
  if (probe.onBeforePatch !== undefined) mistakes.push(`${name} uses onBeforePatch, which nothing contains`)
  return mistakes
}

/** onAuth of a class: its errors become ServerErrors, its user gets no more places than the quota. */
function guardAuth(RoomClass: RoomClass): void {
  if (RoomClass.onAuth === Room.onAuth || WRAPPED in RoomClass.onAuth) return
  const onAuth = RoomClass.onAuth
  const wrapped = async function (this: RoomClass, token: string, options: unknown, context: AuthContext) {
    let auth: unknown
    try {
      auth = await onAuth.call(this, token, options, context)
    } catch (error) {
      throw asServerError(error, `${RoomClass.name}.onAuth`)
    }
    const user = settings.userKey(auth)
    if (user !== undefined && placesOf(user) >= settings.limits.sockets_per_user) {
      throw new ServerError(429, 'quota_exceeded')
    }
    return auth
  }
  RoomClass.onAuth = Object.assign(wrapped, { [WRAPPED]: true })
}

function guardRoomInsides(): void {
  if (installed) return
  installed = true
  const inside = Room.prototype as unknown as RoomInside
  const { __init: init, _onJoin: join, _onMessage: receive } = inside

  inside.__init = function (this: RoomInside) {
    if (liveRooms.size >= settings.limits.rooms_max) throw new ServerError(503, 'quota_exceeded')
    if (!Number.isFinite(this.maxMessagesPerSecond))
      this.maxMessagesPerSecond = settings.limits.messages_per_second
    init.call(this)
    liveRooms.add(this)
    this._events.once('dispose', () => liveRooms.delete(this))
    containLeave(this)
  }

  inside._onJoin = async function (this: RoomInside, client, context, options) {
    try {
      await checkSubject(this, client, context, options?.reconnectionToken)
      await join.call(this, client, context, options)
    } catch (error) {
      throw asServerError(error)
    }
    const user = settings.userKey(client.auth)
    if (user === undefined || client.readyState !== 1) return
    countPlace(user, 1)
    client.ref.once('close', () => countPlace(user, -1))
  }

  inside._onMessage = function (this: RoomInside, client, data) {
    try {
      receive.call(this, client, data)
    } catch (error) {
      settings.report(`${this.roomName}.onMessage`, error)
      client.leave(CloseCode.WITH_ERROR)
    }
  }
}

/**
 * onLeave after a drop runs outside any try: a throw ends the process or leaves the count one too high, and a
 * shutdown then never ends (H25). The constructor has already wrapped it with the report.
 */
function containLeave(room: RoomInside): void {
  const leave = room.onLeave
  if (leave === undefined) return
  room.onLeave = async (client: Client, code?: number) => {
    try {
      await leave.call(room, client, code)
    } catch {}
  }
}

/**
 * A fresh seat opens to whoever knows its session id, 54 bits, which is in a URL. With `userKeyOfToken` it opens
 * only to a token of the user who reserved it; the seat stays for its owner otherwise (H19).
 */
async function checkSubject(
  room: RoomInside,
  client: JoiningClient,
  context: AuthContext,
  reconnectionToken?: string,
): Promise<void> {
  const row = room._reservedSeats[client.sessionId]
  const { userKeyOfToken } = settings
  if (userKeyOfToken === undefined || row === undefined || row[3] === true) return
  const owner = settings.userKey(row[1])
  if (owner === undefined) return
  const user = context.token ? await userKeyOfToken(context.token).catch(() => undefined) : undefined
  if (user !== owner) throw new ServerError(401, 'unauthorized')
  // The world moved on while the token was checked.
  if (client.readyState !== 1 || !room.hasReservedSeat(client.sessionId, reconnectionToken)) {
    throw new ServerError(ErrorCode.MATCHMAKE_EXPIRED, 'seat_expired')
  }
}

/** Close codes of a network that failed. 4001 and 4002 are ours, 1000 and 4000 are the client's wish. */
const NETWORK_DROPS = new Set<number>([
  CloseCode.GOING_AWAY,
  CloseCode.NO_STATUS_RECEIVED,
  CloseCode.ABNORMAL_CLOSURE,
])

/**
 * For onDrop: keeps the seat of a client whose network failed for `seconds`, and of nobody else. Returns whether
 * the seat is kept. Do not await anything in onDrop (#950).
 */
export function holdSeat(room: Room, client: Client, code: number | undefined, seconds: number): boolean {
  if (!NETWORK_DROPS.has(code ?? 0) || wasSentAway(client)) return false
  const wasJoined = (client as unknown as ClientPrivate)._enqueuedMessages === undefined
  const isDisposing = (room as unknown as RoomInside)._internalState === RoomInternalState.DISPOSING
  if (!wasJoined || isDisposing) return false
  room.allowReconnection(client, seconds).catch(() => {}) // left floating, it ends the process (H26)
  return true
}

/**
 * For onJoin: ends a client that does not acknowledge the join within `limit_ms`. wire.ts bounds what is queued for
 * such a client and sweeps every five seconds; this is the room's own, exact deadline.
 */
export function expectJoinAck(room: Room, client: Client, limit_ms = 5_000): void {
  room.clock.setTimeout(() => {
    if ((client as unknown as ClientPrivate)._enqueuedMessages !== undefined)
      client.leave(CloseCode.WITH_ERROR)
  }, limit_ms)
}

// ------------------------------------------------------------------------------------------- tokens in time

export type SessionChecks<A = any> = {
  /** When the session ends, in ms since 1970; undefined for one that has no end. Default: `auth.exp` in seconds. */
  endsAt_ms?: (auth: A) => number | undefined
  /** False when this user may no longer be here (blocked, tenant switched off). */
  stillAllowed?: (auth: A) => boolean | Promise<boolean>
  now_ms?: () => number
}

/** How often sessions are looked at: with a check that may take its time, 60 s after `exp` is kept. */
const SESSION_CHECK_MS = 20_000

/**
 * For onCreate: closes (4002) each client of the room whose token has run out, at most 60 s after its `exp`, and
 * each one that `stillAllowed` no longer allows. A check that fails is reported and closes nobody.
 */
export function watchExpiry(room: Room, checks: SessionChecks = {}, every_ms = SESSION_CHECK_MS): void {
  let isChecking = false
  room.clock.setInterval(async () => {
    if (isChecking) return
    isChecking = true
    try {
      for (const client of [...room.clients]) {
        if (!(await isSessionGood(client.auth, checks))) client.leave(CloseCode.WITH_ERROR, 'session_ended')
      }
    } catch (error) {
      settings.report(`${room.roomName}.watchExpiry`, error)
    } finally {
      isChecking = false
    }
  }, every_ms)
}

/**
 * For onReconnect, where Colyseus runs no onAuth: throws ServerError 401 when the session has ended or its user is
 * no longer allowed; the client is then told so and closed with 4003, and its seat is free.
 */
export async function checkReconnect(client: Client, checks: SessionChecks = {}): Promise<void> {
  if (!(await isSessionGood(client.auth, checks))) throw new ServerError(401, 'unauthorized')
}

async function isSessionGood(auth: any, checks: SessionChecks): Promise<boolean> {
  const endsAt = checks.endsAt_ms ?? ((of: any) => (typeof of?.exp === 'number' ? of.exp * 1000 : undefined))
  const end_ms = endsAt(auth)
  if (end_ms !== undefined && end_ms <= (checks.now_ms ?? Date.now)()) return false
  return checks.stillAllowed === undefined || (await checks.stillAllowed(auth))
}

// ------------------------------------------------------------------------------------------- token buckets

export type BucketSize = { per_second: number; burst: number }
type Bucket = { tokens: number; at_ms: number; size: BucketSize }

const MESSAGE_BUCKET: BucketSize = { per_second: 20, burst: 40 }
/** Full buckets are forgotten above this many; a bucket that is not there is full. */
const BUCKET_COUNT_MAX = 20_000
const buckets = new Map<string, Bucket>()

/**
 * Takes one token of a user for a kind of message; false when there is none and the message must be refused with
 * `rate_limited`. Sizes come from `installGuards({ buckets })`, else 20 a second with a burst of 40. Unlike
 * `maxMessagesPerSecond`, which counts a socket, this counts a user over all of his sockets in this process.
 */
export function takeToken(user: string, kind = 'message', now_ms = performance.now()): boolean {
  const size = settings.buckets[kind] ?? MESSAGE_BUCKET
  const key = `${kind}\0${user}`
  const bucket = buckets.get(key)
  if (bucket === undefined) {
    if (buckets.size >= BUCKET_COUNT_MAX) forgetFullBuckets(now_ms)
    buckets.set(key, { tokens: size.burst - 1, at_ms: now_ms, size })
    return size.burst >= 1
  }
  bucket.tokens = tokensAt(bucket, now_ms)
  bucket.at_ms = now_ms
  if (bucket.tokens < 1) return false
  bucket.tokens -= 1
  return true
}

function tokensAt({ tokens, at_ms, size }: Bucket, now_ms: number): number {
  return Math.min(size.burst, tokens + ((now_ms - at_ms) / 1000) * size.per_second)
}

function forgetFullBuckets(now_ms: number): void {
  for (const [key, bucket] of buckets) if (tokensAt(bucket, now_ms) >= bucket.size.burst) buckets.delete(key)
}
