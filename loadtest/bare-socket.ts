/**
 * A websocket client of the least kind: it reads frames as they come off the wire and answers pings, so that
 * thousands of spectators cost the generator less than they cost the server.
 */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export type BareSocket = { send(data: Uint8Array): void; end(): void }

export type BareHandlers = {
  /** One binary message of the server. The bytes are only good until it returns. */
  message(data: Buffer): void
  /** Called once: with the close code, or with an error before or after the upgrade. */
  gone(reason: number | Error): void
}

const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10
const NO_STATUS = 1005
const ABNORMAL = 1006

/** Opens `url` (http or https). What is not needed is not there: no fragments, no extensions, no text. */
export function openBareSocket(url: URL, headers: Record<string, string>, on: BareHandlers): BareSocket {
  const take = (chunk: Buffer) => {
    const fault = read(chunk)
    if (fault !== null) leave(fault)
  }
  const socket = dial(url, take)
  const lines = Object.entries({
    Host: url.host,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('')}\r\n`)

  let is_gone = false
  const leave = (reason: number | Error) => {
    if (is_gone) return
    is_gone = true
    socket.destroy()
    on.gone(reason)
  }
  const read = makeReader((opcode, data) => {
    if (opcode === BINARY) on.message(data)
    else if (opcode === PING) write(socket, PONG, data)
    else if (opcode === CLOSE) leave(data.length >= 2 ? data.readUInt16BE(0) : NO_STATUS)
  })
  socket.on('error', leave)
  socket.on('close', () => leave(ABNORMAL))
  return {
    send: (data) => write(socket, BINARY, data),
    end() {
      is_gone = true
      socket.destroy()
    },
  }
}

/** Where all sockets of a thread read to: a buffer and an event of a stream for each read cost more than its frames. */
const INPUT = Buffer.allocUnsafe(65_536)

function dial({ protocol, hostname, port }: URL, take: (chunk: Buffer) => void): Socket {
  if (protocol === 'https:') {
    const socket = connectTls({ port: Number(port || 443), host: hostname, servername: hostname })
    return socket.on('data', take)
  }
  const callback = (size: number) => {
    take(INPUT.subarray(0, size))
    return true
  }
  const onread = { buffer: INPUT, callback }
  return connect({ port: Number(port || 80), host: hostname, noDelay: true, onread })
}

/** Frames of a client are masked; a mask of zero is a mask. Messages of the bots are shorter than 126 bytes. */
function write(socket: Socket, opcode: number, data: Uint8Array): void {
  if (data.length > 125) throw new RangeError('a bare socket sends short frames only')
  socket.write(Buffer.concat([Uint8Array.of(0x80 | opcode, 0x80 | data.length, 0, 0, 0, 0), data]))
}

/**
 * Reads the answer to the upgrade and then frames. The reader answers an error when there was no upgrade. What it is
 * given may be written over when it returns: what it needs of it later it copies.
 */
function makeReader(frame: (opcode: number, data: Buffer) => void): (chunk: Buffer) => Error | null {
  let rest: Buffer | null = null
  let is_open = false
  return (chunk) => {
    let data = rest === null ? chunk : Buffer.concat([rest, chunk])
    rest = null
    if (!is_open) {
      const end = data.indexOf('\r\n\r\n')
      if (end < 0) {
        rest = Buffer.from(data)
        return null
      }
      const status = data.subarray(0, data.indexOf('\r\n')).toString('latin1')
      if (!status.startsWith('HTTP/1.1 101')) return new Error(`no upgrade: ${status}`)
      is_open = true
      data = data.subarray(end + 4)
    }
    let at = 0
    while (at + 2 <= data.length) {
      const short = data[at + 1]! & 0x7f
      const head = short < 126 ? 2 : short === 126 ? 4 : 10
      if (at + head > data.length) break
      const size =
        short < 126 ? short : short === 126 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2))
      if (at + head + size > data.length) break
      frame(data[at]! & 0x0f, data.subarray(at + head, at + head + size))
      at += head + size
    }
    if (at < data.length) rest = Buffer.from(data.subarray(at))
    return null
  }
}
