/** The port: limits of Node's server, the caller's address, headers of every answer, caps on bodies and sockets. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  addressMatcher,
  addressResolver,
  networkOf,
  plainAddress,
  type ResolvedAddress,
} from './addresses.ts'
import { type GuardLimits, LIMITS } from './limits.ts'
import { problemOf } from './problems.ts'

const FORWARDING = [
  'x-forwarded-for',
  'x-real-ip',
  'x-client-ip',
  'forwarded',
  'x-forwarded-host',
  'x-forwarded-proto',
]
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i

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
  const path = (req.url ?? '').split('?')[0]!
  let cap = limits.body_bytes_max
  let longest = -1
  for (const [pattern, bytes] of Object.entries(limits.body_bytes_by_path)) {
    if (pattern.length <= longest || !fits(pattern, path)) continue
    longest = pattern.length
    cap = bytes
  }
  return cap
}

/** `/a/{id}/b` is that path with anything for its id; a pattern that ends with a slash is everything below it. */
function fits(pattern: string, path: string): boolean {
  const parts = pattern.split('/')
  const is_prefix = pattern.endsWith('/')
  const given = path.split('/')
  if (is_prefix ? given.length < parts.length : given.length !== parts.length) return false
  return parts
    .slice(0, is_prefix ? -1 : undefined)
    .every((part, i) => part === given[i] || (part.startsWith('{') && given[i] !== ''))
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
