/** The WebSocket transport: small messages, checked origins and paths, pings that only a reader can answer. */
import type { Server } from 'node:http'
import { WebSocketTransport } from '@colyseus/ws-transport'
import type { WebSocket } from 'ws'
import { sendPing, stagePing } from '../wire.ts'
import { guardHttp, type HttpGuardOptions } from './http.ts'
import { type GuardLimits, LIMITS } from './limits.ts'
import { isOriginAllowed, isRoomPath } from './names.ts'
import { problemOf } from './problems.ts'

export type TransportOptions = HttpGuardOptions & {
  /** Origins beside the server's own. */
  origins?: readonly string[]
}

/** Makes the transport on `http` behind `guardHttp`. `makeSecret` gives that many bytes that nobody can guess. */
export function makeReaderTransport(
  http: Server,
  makeSecret: (count: number) => Buffer,
  options: TransportOptions,
): WebSocketTransport {
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
    makeSecret,
  )
}

function refusal(code: string): Response {
  const { status, body } = problemOf(code)
  return new Response(body, { status, headers: { 'content-type': 'application/problem+json' } })
}

type PingedSocket = WebSocket & { unanswered?: string[] }
/** A round of pings is spread over this many turns: 2,000 at once would hold the loop for 40 ms. */
const PING_SLICES = 16
const PING_BYTES = 8

/**
 * Stock pings are answered by any Pong, so a client that sends Pongs unasked lives for ever without reading a
 * byte (M8). Here each ping carries eight random bytes, and only their echo counts.
 */
class ReaderTransport extends WebSocketTransport {
  private readonly limits: GuardLimits
  private readonly makeSecret: (count: number) => Buffer
  private readonly slices = Array.from({ length: PING_SLICES }, () => new Set<PingedSocket>())

  constructor(
    options: ConstructorParameters<typeof WebSocketTransport>[0],
    limits: GuardLimits,
    makeSecret: (count: number) => Buffer,
  ) {
    super(options)
    this.limits = limits
    this.makeSecret = makeSecret
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
      this.pingAll(this.slices[at]!)
    }, this.limits.ping_ms / PING_SLICES)
  }

  private pingAll(sockets: ReadonlySet<PingedSocket>): void {
    // Asked for once: a call costs as much as the rest of a ping.
    const secret = this.makeSecret(PING_BYTES * sockets.size)
    let at = 0
    for (const socket of sockets) {
      this.ping(socket, secret.subarray(at, at + PING_BYTES))
      at += PING_BYTES
    }
  }

  private ping(socket: PingedSocket, payload: Buffer): void {
    if (this.isMute(socket)) {
      // After a long turn the answer may be in the kernel, unread: it gets one round of reading.
      setImmediate(() => {
        if (this.isMute(socket)) socket.terminate()
      })
      return
    }
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
