/**
 * What a join costs the server while 0, 2,000 and 8,000 people are on their way: Colyseus as it comes, and with
 * rooms/guard.ts in front of it and rooms/seats.ts counting.
 *
 * A join is the HTTP request, the socket, the acknowledgement and the first state. Both servers are processes of their
 * own, take turns, and report their own CPU; medians over the rounds. Run: `node bench/joins.ts [--quick]`.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { defineRoom, defineServer, matchMaker, Room } from '@colyseus/core'
import { type SchemaType, schema, t } from '@colyseus/schema'
import { WebSocketTransport } from '@colyseus/ws-transport'
import type { Table } from './fanout.ts'

const SERVERS = ['stock', 'ours'] as const
type ServerName = (typeof SERVERS)[number]
const MANY = 50_000
/** Longer than any run: seats that are on their way stay so. */
const SEAT_S = 600

const Hall = schema({ note: t.string().default('') }, 'Hall')
type Hall = SchemaType<typeof Hall>

class HallRoom extends Room<{ state: Hall }> {
  override state = new Hall()
  override maxClients = MANY
  override autoDispose = false
  override seatReservationTimeout = SEAT_S
  static override async onAuth() {
    return { userId: '' }
  }
}
type Inside = {
  _reserveSeat(session_id: string): Promise<boolean>
  _reservedSeats: object
  clients: unknown[]
}

async function serve(name: ServerName): Promise<void> {
  const nothing = () => {}
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, trace: nothing }
  const { http, transport } = name === 'ours' ? await guarded() : stock()
  const server = defineServer({
    greet: false,
    gracefullyShutdown: false,
    logger,
    transport,
    rooms: { hall: defineRoom(HallRoom) },
  })
  await server.listen(0, '127.0.0.1')
  const { roomId } = await matchMaker.createRoom('hall', {})
  const room = matchMaker.getLocalRoomById(roomId) as unknown as Inside
  let pending = 0
  let before = process.cpuUsage()
  process.on('message', async (message: { pend?: number; begin?: true; end?: true; reserve?: number }) => {
    if (message.pend !== undefined) {
      for (; pending < message.pend; pending++) await room._reserveSeat(`pending_${pending}`)
      process.send!({ pending })
    }
    if (message.reserve !== undefined) {
      const begun = process.hrtime.bigint()
      for (let each = 0; each < message.reserve; each++) await room._reserveSeat(`pending_${pending++}`)
      process.send!({ reserve_us: Number(process.hrtime.bigint() - begun) / 1_000 / message.reserve })
    }
    if (message.begin) {
      before = process.cpuUsage()
      process.send!({ begun: true })
    }
    if (message.end) {
      const { user, system } = process.cpuUsage(before)
      process.send!({ cpu_us: user + system })
    }
  })
  process.send!({ port: (http.address() as AddressInfo).port })
}

function stock() {
  const http = createServer()
  return { http, transport: new WebSocketTransport({ server: http }) }
}

async function guarded() {
  const { installGuards, makeHttpServer, makeTransport } = await import('../rooms/guard.ts')
  const limits = {
    sockets_max: MANY,
    sockets_per_address: MANY,
    unused_seats_max: MANY,
    unused_seats_per_address: MANY,
  }
  installGuards({ report: console.error, roomClasses: [HallRoom], limits })
  const http = makeHttpServer(limits)
  return { http, transport: makeTransport(http, { limits }) }
}

/** Joins once over a bare socket, up to the first state, and drops the connection. */
async function join(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/matchmake/join/hall`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  const seat = (await answer.json()) as { processId: string; roomId: string; sessionId: string }
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.write(
    `GET /${seat.processId}/${seat.roomId}?sessionId=${seat.sessionId} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n` +
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  let got = Buffer.alloc(0)
  const frames = () => {
    const start = got.indexOf('\r\n\r\n') + 4
    return start < 4 ? got.subarray(got.length) : got.subarray(start)
  }
  const isFirst = (code: number) => {
    let data = frames()
    while (data.length > 2) {
      const size = data[1]! < 126 ? data[1]! : data.readUInt16BE(2)
      const head = data[1]! < 126 ? 2 : 4
      if (data[head] === code) return true
      data = data.subarray(head + size)
    }
    return false
  }
  while (!isFirst(10)) got = Buffer.concat([got, ((await once(socket, 'data')) as [Buffer])[0]])
  socket.write(Buffer.from([0x82, 0x81, 0, 0, 0, 0, 10]))
  while (!isFirst(14)) got = Buffer.concat([got, ((await once(socket, 'data')) as [Buffer])[0]])
  socket.destroy()
}

async function joinMany(port: number, count: number): Promise<void> {
  let left = count
  const one = async () => {
    while (left-- > 0) await join(port)
  }
  await Promise.all(Array.from({ length: 8 }, one))
}

/**
 * Medians over rounds, for each number of seats on their way: server CPU of one whole join (microseconds), time of
 * one reservation, and both as ratios to stock.
 */
export async function run(options: { quick?: boolean } = {}): Promise<Table> {
  const file = fileURLToPath(import.meta.url)
  const servers = new Map<ServerName, { child: ChildProcess; port: number }>()
  const rows: Table['rows'] = []
  const [joins, rounds] = options.quick ? [30, 1] : [150, 5]
  try {
    for (const name of SERVERS) {
      const child = fork(file, ['server', name], { execPath: process.execPath })
      const { port } = await answerOf<{ port: number }>(child, 'port')
      servers.set(name, { child, port })
      await joinMany(port, joins * 3) // compiles; the first level would otherwise pay for it
    }
    for (const pending of options.quick ? [0, 500] : [0, 2_000, 8_000]) {
      const cpu = new Map<ServerName, number[]>(SERVERS.map((name) => [name, []]))
      const reserve = new Map<ServerName, number[]>(SERVERS.map((name) => [name, []]))
      for (const { child } of servers.values()) await ask(child, { pend: pending }, 'pending')
      for (let round = -1; round < rounds; round++) {
        for (const name of round % 2 === 0 ? SERVERS : [...SERVERS].reverse()) {
          const { child, port } = servers.get(name)!
          await ask(child, { begin: true }, 'begun')
          await joinMany(port, joins)
          const { cpu_us } = await ask<{ cpu_us: number }>(child, { end: true }, 'cpu_us')
          const { reserve_us } = await ask<{ reserve_us: number }>(child, { reserve: 20 }, 'reserve_us')
          if (round < 0) continue // warms up
          cpu.get(name)!.push(cpu_us / joins)
          reserve.get(name)!.push(reserve_us)
        }
      }
      for (const name of SERVERS) {
        rows.push({
          pending_seats: pending,
          server: name,
          cpu_us_per_join: Math.round(median(cpu.get(name)!)),
          to_stock: round2(median(cpu.get(name)!) / median(cpu.get('stock')!)),
          reserve_us: round2(median(reserve.get(name)!)),
          reserve_to_stock: round2(median(reserve.get(name)!) / median(reserve.get('stock')!)),
          rounds,
        })
      }
    }
  } finally {
    for (const { child } of servers.values()) child.kill('SIGKILL')
  }
  return { name: 'joins: server cost of one', rows }
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
const round2 = (value: number) => Math.round(value * 100) / 100

function ask<T>(child: ChildProcess, message: object, key: string): Promise<T> {
  const answer = answerOf<T>(child, key)
  child.send(message)
  return answer
}

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
  else console.table((await run({ quick: process.argv.includes('--quick') })).rows)
}
