/**
 * What one delivered frame costs the server: a Colyseus room as it comes, the same room with rooms/wire.ts, and a
 * plain `ws` server that sends the same bytes to each socket, without and with a heartbeat like ours; one frame in a
 * tick, and four.
 *
 * Each server is a process of its own and reports its own CPU; the clients are one more process that only counts.
 * All servers hold their clients for the whole run and take turns (A B C, B C A, ...), so that whatever else the
 * machine does meets all of them. Medians over the rounds. Run: `node bench/fanout.ts [--quick]`.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { defineRoom, defineServer, matchMaker, Room } from '@colyseus/core'
import { type SchemaType, schema, t } from '@colyseus/schema'
import { WebSocketTransport } from '@colyseus/ws-transport'
import { type WebSocket, WebSocketServer } from 'ws'

export type Table = { name: string; rows: Record<string, string | number>[] }

const SERVERS = ['stock', 'ours', 'ws', 'ws, heartbeat'] as const
type ServerName = (typeof SERVERS)[number]
/** 64 bytes in a frame, the size of the measurements in performance.md. */
const TEXT_LENGTH = 60
const SAMPLED = 50
const MANY = 20_000
/** As rooms/guard has it: eight random bytes to everybody, a part of them at a time. */
const PING_MS = 7_000
const PING_TURNS = 16

// ------------------------------------------------------------------------------------------- servers

type Work = { frames: number; hz: number; duration_ms: number }
type Measured = { cpu_us: number; ticks: number }

const Feed = schema({ text: t.string().default('') }, 'Feed')
type Feed = SchemaType<typeof Feed>

class FeedRoom extends Room<{ state: Feed }> {
  override state = new Feed()
  override maxClients = MANY
  override patchRate = null
  static override async onAuth() {
    return { userId: '' }
  }
  tick(frames: number) {
    const text = stamp()
    for (let frame = 1; frame < frames; frame++) this.broadcast('m', text.slice(0, TEXT_LENGTH - 4))
    this.state.text = text
    this.broadcastPatch()
  }
}

/** The time in text, so that a client can say how old the frame is; the rest is filler. */
function stamp(): string {
  return `T${(performance.timeOrigin + performance.now()).toFixed(3)};`.padEnd(TEXT_LENGTH, '.')
}

async function serve(name: ServerName): Promise<void> {
  const tick = isPlain(name) ? await servePlain(name !== 'ws') : await serveRoom(name)
  process.on('message', (work: Work) => {
    let ticks = 0
    const total = Math.round((work.hz * work.duration_ms) / 1000)
    const before = process.cpuUsage()
    const timer = setInterval(() => {
      tick(work.frames)
      ticks += 1
      if (ticks < total) return
      clearInterval(timer)
      setTimeout(() => {
        const { user, system } = process.cpuUsage(before)
        process.send!({ cpu_us: user + system, ticks } satisfies Measured)
      }, 150)
    }, 1000 / work.hz)
  })
}

const isPlain = (name: ServerName): boolean => name !== 'stock' && name !== 'ours'

async function serveRoom(name: ServerName): Promise<(frames: number) => void> {
  const nothing = () => {}
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, trace: nothing }
  const { transport, http } = name === 'ours' ? await guardedTransport() : stockTransport()
  const server = defineServer({
    greet: false,
    gracefullyShutdown: false,
    logger,
    transport,
    rooms: { feed: defineRoom(FeedRoom) },
  })
  await server.listen(0, '127.0.0.1')
  const { roomId } = await matchMaker.createRoom('feed', {})
  const room = matchMaker.getLocalRoomById(roomId) as unknown as FeedRoom
  room.autoDispose = false
  process.send!({ port: (http.address() as AddressInfo).port })
  return (frames) => room.tick(frames)
}

function stockTransport() {
  const http = createServer()
  return { http, transport: new WebSocketTransport({ server: http }) }
}

async function guardedTransport() {
  const { installGuards, makeHttpServer, makeTransport } = await import('../rooms/guard.ts')
  const limits = {
    sockets_max: MANY,
    sockets_per_address: MANY,
    unused_seats_max: MANY,
    unused_seats_per_address: MANY,
  }
  installGuards({ report: console.error, roomClasses: [FeedRoom], limits })
  const http = makeHttpServer(limits)
  return { http, transport: makeTransport(http, { limits }) }
}

/** The same bytes to each socket by `ws.send`: a patch frame of Colyseus is three bytes and the text. */
async function servePlain(has_heartbeat: boolean): Promise<(frames: number) => void> {
  const sockets: WebSocket[] = []
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
  wss.on('connection', (socket) => sockets.push(socket))
  await new Promise((resolve) => wss.once('listening', resolve))
  process.send!({ port: (wss.address() as AddressInfo).port })
  if (has_heartbeat) {
    let turn = 0
    setInterval(() => {
      turn = (turn + 1) % PING_TURNS
      for (let i = turn; i < sockets.length; i += PING_TURNS) sockets[i]!.ping(randomBytes(8))
    }, PING_MS / PING_TURNS)
  }
  const options = { binary: true }
  return (frames) => {
    const text = stamp()
    for (let frame = 0; frame < frames; frame++) {
      const data = Buffer.from(`\x0f\x80\xbc${text}`, 'latin1')
      for (const socket of sockets) socket.send(data, options)
    }
  }
}

// ------------------------------------------------------------------------------------------- clients

type Counter = { frames: number; latencies_ms: number[] }
type Crowd = { server: ServerName; port: number; count: number }

/** Opens sockets and counts frames. Reads the stamp of a few sockets only: this process must stay lighter than the server. */
function countFrames(socket: Socket, counter: Counter, isSampled: boolean, isColyseus: boolean): void {
  let rest: Buffer | null = null
  let isOpen = false
  socket.on('data', (chunk: Buffer) => {
    let data = rest === null ? chunk : Buffer.concat([rest, chunk])
    rest = null
    if (!isOpen) {
      const end = data.indexOf('\r\n\r\n')
      if (end < 0) {
        rest = data
        return
      }
      isOpen = true
      data = data.subarray(end + 4)
    }
    let at = 0
    while (at + 2 <= data.length) {
      const short = data[at + 1]! & 0x7f
      const head = short < 126 ? 2 : 4
      const size = short < 126 ? short : data.length >= at + 4 ? data.readUInt16BE(at + 2) : MANY
      if (at + head + size > data.length) break
      const opcode = data[at]! & 0x0f
      if (opcode === 9) socket.write(masked(data.subarray(at + head, at + head + size), 10))
      else if (isColyseus && data[at + head] === 10) socket.write(masked(Buffer.from([10]), 2))
      else counter.frames += 1
      at += head + size
    }
    if (at < data.length) rest = data.subarray(at)
    if (!isSampled) return
    const sent = /T(\d+\.\d+);/.exec(data.toString('latin1'))
    if (sent !== null) counter.latencies_ms.push(performance.timeOrigin + performance.now() - Number(sent[1]))
  })
  socket.on('error', (error) => {
    throw error
  })
}

function masked(data: Buffer, opcode: number): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | data.length, 0, 0, 0, 0]), data])
}

async function gather(crowd: Crowd, counter: Counter): Promise<void> {
  let opened = 0
  const one = async () => {
    while (opened < crowd.count) {
      const number = opened++
      let path = '/'
      if (!isPlain(crowd.server)) {
        const answer = await fetch(`http://127.0.0.1:${crowd.port}/matchmake/join/feed`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{}',
        })
        const seat = (await answer.json()) as { processId: string; roomId: string; sessionId: string }
        path = `/${seat.processId}/${seat.roomId}?sessionId=${seat.sessionId}`
      }
      const socket = connect({ port: crowd.port, host: '127.0.0.1', noDelay: true })
      countFrames(socket, counter, number % Math.ceil(crowd.count / SAMPLED) === 0, !isPlain(crowd.server))
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${crowd.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      )
      await new Promise((resolve) => socket.once('data', resolve))
    }
  }
  await Promise.all(Array.from({ length: 16 }, one))
}

function beTheClients(): void {
  const counters = new Map<ServerName, Counter>()
  process.on('message', async (message: { gather?: Crowd; read?: ServerName }) => {
    if (message.gather !== undefined) {
      const counter: Counter = { frames: 0, latencies_ms: [] }
      counters.set(message.gather.server, counter)
      await gather(message.gather, counter)
      await new Promise((resolve) => setTimeout(resolve, 300))
      counter.frames = 0
      counter.latencies_ms = []
      process.send!({ gathered: message.gather.server })
    }
    if (message.read === undefined) return
    const counter = counters.get(message.read)!
    process.send!({ frames: counter.frames, latencies_ms: counter.latencies_ms } satisfies Counter)
    counter.frames = 0
    counter.latencies_ms = []
  })
}

// ------------------------------------------------------------------------------------------- the run

type Round = { cpu_us: number; p50_ms: number; p99_ms: number }

/**
 * Runs all servers against `clients` each and gives medians: server CPU per delivered frame (microseconds), its ratio
 * to stock and to plain ws, and the age of frames at sampled clients. Throws when a frame did not arrive.
 */
export async function run(options: { quick?: boolean } = {}): Promise<Table> {
  const rows: Table['rows'] = []
  for (const clients of options.quick ? [200] : [500, 2_000])
    rows.push(...(await runWith(clients, options.quick === true)))
  return { name: 'fan-out: server CPU per delivered frame', rows }
}

async function runWith(clients: number, isQuick: boolean): Promise<Table['rows']> {
  const file = fileURLToPath(import.meta.url)
  const children: ChildProcess[] = []
  const start = (...args: string[]) => {
    const child = fork(file, args, { execPath: process.execPath })
    children.push(child)
    return child
  }
  try {
    const crowd = start('clients')
    const servers = new Map<ServerName, ChildProcess>()
    for (const name of SERVERS) {
      const child = start('server', name)
      const { port } = await answerOf<{ port: number }>(child, 'port')
      servers.set(name, child)
      crowd.send({ gather: { server: name, port, count: clients } satisfies Crowd })
      await answerOf(crowd, 'gathered')
    }
    const hz = clients > 1_000 ? 10 : 20
    const work = { hz, duration_ms: isQuick ? 500 : 800 }
    const rows: Table['rows'] = []
    for (const frames of [1, 4]) {
      const rounds = new Map<ServerName, Round[]>(SERVERS.map((name) => [name, []]))
      for (let round = -1; round < (isQuick ? 1 : 5); round++) {
        for (let turn = 0; turn < SERVERS.length; turn++) {
          const name = SERVERS[(turn + round + SERVERS.length) % SERVERS.length]!
          const measured = await oneRound(servers.get(name)!, crowd, name, clients, { ...work, frames })
          if (round >= 0) rounds.get(name)!.push(measured) // the first one warms up
        }
      }
      rows.push(...rowsOf(clients, frames, hz, rounds))
    }
    return rows
  } finally {
    for (const child of children) child.kill('SIGKILL')
  }
}

async function oneRound(
  server: ChildProcess,
  crowd: ChildProcess,
  name: ServerName,
  clients: number,
  work: Work,
): Promise<Round> {
  server.send(work)
  const { cpu_us, ticks } = await answerOf<Measured>(server, 'cpu_us')
  crowd.send({ read: name })
  const { frames, latencies_ms } = await answerOf<Counter>(crowd, 'frames')
  const expected = ticks * clients * work.frames
  if (frames !== expected) throw new Error(`${name}: ${frames} of ${expected} frames arrived`)
  latencies_ms.sort((a, b) => a - b)
  return {
    cpu_us: cpu_us / frames,
    p50_ms: quantile(latencies_ms, 0.5),
    p99_ms: quantile(latencies_ms, 0.99),
  }
}

function rowsOf(
  clients: number,
  frames: number,
  hz: number,
  rounds: Map<ServerName, Round[]>,
): Table['rows'] {
  const median = (name: ServerName, of: keyof Round) =>
    quantile(
      rounds
        .get(name)!
        .map((round) => round[of])
        .sort((a, b) => a - b),
      0.5,
    )
  return SERVERS.map((name) => ({
    clients,
    frames_per_tick: frames,
    ticks_per_s: hz,
    server: name,
    cpu_us_per_frame: round2(median(name, 'cpu_us')),
    to_stock: round2(median(name, 'cpu_us') / median('stock', 'cpu_us')),
    to_ws: round2(median(name, 'cpu_us') / median('ws', 'cpu_us')),
    to_ws_heartbeat: round2(median(name, 'cpu_us') / median('ws, heartbeat', 'cpu_us')),
    p50_ms: round2(median(name, 'p50_ms')),
    p99_ms: round2(median(name, 'p99_ms')),
    rounds: rounds.get(name)!.length,
  }))
}

const quantile = (sorted: number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
const round2 = (value: number) => Math.round(value * 100) / 100

/** The next message of a child that has this key; a tool that Colyseus loads may send others. */
function answerOf<T>(child: ChildProcess, key: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a child ended with ${code}`))
    const onMessage = (message: object) => {
      if (!(key in message)) return
      child.off('message', onMessage)
      child.off('exit', onExit)
      resolve(message as T)
    }
    child.on('message', onMessage)
    child.once('exit', onExit)
  })
}

if (import.meta.main) {
  const [, , role, name] = process.argv
  process.on('disconnect', () => process.exit(0)) // a child does not outlive its run
  if (role === 'server') await serve(name as ServerName)
  else if (role === 'clients') beTheClients()
  else console.table((await run({ quick: process.argv.includes('--quick') })).rows)
}
