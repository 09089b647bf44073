/**
 * Spins from socket to socket: 1,000 players who each wait for the reply and spin again. Our room with the group
 * commit beside the same room with a transaction of statements per spin, and beside plain `ws` with the same batch.
 *
 * Each server is a process of its own on one database; the players are one more process, bare sockets that speak just
 * enough of both protocols. The plain server does what the room does: a reply to the player, and to everybody, every
 * 50 ms, the newest results and the list of the last twenty. A second plain server only replies: a floor, no product.
 * All hold their players for the whole run and take turns; medians over the rounds, and the audit holds at the end.
 * Run: `node bench/rooms.ts [--quick]`.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { JWK } from 'jose'
import type { Follower } from '../src/app.ts'
import type { Actor, GameEvent } from '../src/db/tx.ts'
import type { SpinAnswer } from '../src/games/wheel/spin.ts'
import { type Keyring, makeCore, startStage } from './stage.ts'

export type Table = { name: string; rows: Record<string, string | number>[] }

const SERVERS = [
  'room, group commit',
  'room, statements per spin',
  'ws, group commit',
  'ws, replies only',
] as const
type ServerName = (typeof SERVERS)[number]

const PLAYER_COUNT = 1_000
const ROUND_COUNT = 3
const ROUND_MS = 2_000
const MANY = 20_000
const TICK_MS = 50
/** As in rooms/wheel: more than this in one tick cannot be told apart on a screen. */
const TOLD_PER_TICK_MAX = 10
const RECENT_MAX = 20
/** First bytes of frames (Colyseus 0.18). */
const JOIN_ROOM = 10
const ROOM_REQUEST = 21
const ROOM_RESPONSE = 22

// ------------------------------------------------------------------------------------------- servers

type Place = { url: string; keyring: Keyring; token_key: JWK; tenantId: string; wheel_id: string }
type Cost = { cpu_us: number }

const fail = (where: string, error: unknown): void => console.error(`${where}:`, error)

async function serve(name: ServerName, place: Place): Promise<void> {
  const port = await (name.startsWith('room') ? serveRoom(name, place) : servePlain(name, place))
  process.send!({ port })
  let before = process.cpuUsage()
  process.on('message', (message: { measure?: 'start' | 'end' }) => {
    if (message.measure === 'start') before = process.cpuUsage()
    if (message.measure !== 'end') return
    const { user, system } = process.cpuUsage(before)
    process.send!({ cpu_us: user + system } satisfies Cost)
  })
}

async function serveRoom(name: ServerName, { url, keyring, token_key }: Place): Promise<number> {
  const { defineServer } = await import('@colyseus/core')
  const { installGuards, makeHttpServer, makeTransport } = await import('../rooms/guard.ts')
  const { guardOptionsOf, makeRooms } = await import('../rooms/index.ts')
  const { drawGames } = await import('../src/draws/game.ts')
  const { makeDraws } = await import('../src/draws/service.ts')
  const { makeGames } = await import('../src/games/index.ts')
  const { localEntropy } = await import('../src/proofs/round-entropy.ts')
  const { makeAuth } = await import('../src/http/auth.ts')
  const { makeTokens } = await import('../src/http/tokens.ts')
  const { makeDirectory } = await import('../src/tenants/directory.ts')
  const core = makeCore(url, keyring)
  const { app, wheel } = name === 'room, group commit' ? core : await withStatements(core)
  const auth = makeAuth({ app, directory: makeDirectory(core.database), tokens: makeTokens(token_key) })
  const wide = { per_second: MANY, burst: MANY }
  const { checkpoints } = core
  const draws = makeDraws({
    app: core.app,
    checkpoints,
    entropy: localEntropy,
    games: drawGames([]),
    report: fail,
  })
  const rooms = makeRooms({
    app,
    auth,
    wheel,
    games: makeGames({ app: core.app, draws, locked: () => false }),
    checkpoints,
    report: fail,
    limits: { wheel: { messages_per_second: MANY } },
  })
  const limits = { sockets_per_address: MANY, unused_seats_per_address: MANY, sockets_per_user: MANY }
  installGuards({ ...guardOptionsOf(rooms, { auth, report: fail }, { spin: wide }), limits })
  const http = makeHttpServer(limits)
  const nothing = () => {}
  const server = defineServer({
    greet: false,
    gracefullyShutdown: false,
    logger: { debug: nothing, info: nothing, warn: nothing, error: nothing, trace: nothing },
    transport: makeTransport(http, { limits }),
    rooms,
  })
  await server.listen(0, '127.0.0.1')
  return (http.address() as AddressInfo).port
}

/** The same application with the other spin; what it commits is published as the runner would. */
async function withStatements(core: ReturnType<typeof makeCore>) {
  const { makeStatementSpins } = await import('./baselines/statements.ts')
  const followers = new Set<Follower>()
  const spin = makeStatementSpins(core.app, (events) => {
    for (const follower of followers) follower(events)
  })
  const app = {
    ...core.app,
    follow(tenantId: string, gameId: string, follower: Follower) {
      const stop = core.app.follow(tenantId, gameId, follower)
      followers.add(follower)
      return () => {
        stop()
        followers.delete(follower)
      }
    },
  }
  const wheel = {
    ...core.wheel,
    async spin(actor: Actor, request: Parameters<typeof core.wheel.spin>[1]) {
      const text = await spin(actor, request)
      return { answer: JSON.parse(text) as SpinAnswer, text, replayed: false }
    },
  }
  return { app, wheel }
}

async function servePlain(name: ServerName, place: Place): Promise<number> {
  const { WebSocketServer } = await import('ws')
  const { app, wheel } = makeCore(place.url, place.keyring)
  const { tenantId, wheel_id } = place
  const http = createServer()
  const wss = new WebSocketServer({ server: http, perMessageDeflate: false })
  wss.on('connection', (socket, request) => {
    const userId = new URL(request.url!, 'http://x').searchParams.get('user')!
    const actor: Actor = { tenantId, userId, roles: ['player'], ip: '127.0.0.1' }
    socket.on('message', (data) => {
      const { request_id } = JSON.parse(String(data)) as { request_id: string }
      wheel.spin(actor, { wheel_id, request_id }).then(
        ({ text }) => socket.send(`R${text}`),
        (error: unknown) => fail('spin', error),
      )
    })
  })
  if (name === 'ws, group commit') tellEverybody()
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return (http.address() as AddressInfo).port

  function tellEverybody(): void {
    let told: GameEvent[] = []
    let recent: unknown[] = []
    app.follow(tenantId, wheel_id, (events) => {
      told.push(...events)
    })
    setInterval(() => {
      if (told.length === 0) return
      recent = [...told.map(({ data }) => data).reverse(), ...recent].slice(0, RECENT_MAX)
      const state = Buffer.from(`S${JSON.stringify(recent)}`)
      const spins = told.slice(-TOLD_PER_TICK_MAX).map(({ data }) => Buffer.from(`M${JSON.stringify(data)}`))
      told = []
      for (const socket of wss.clients) {
        socket.send(state)
        for (const spin of spins) socket.send(spin)
      }
    }, TICK_MS)
  }
}

// ------------------------------------------------------------------------------------------- players

type Round = { per_s: number; p50_ms: number; p99_ms: number; cpu_us: number }
type Crowd = {
  server: ServerName
  port: number
  wheel_id: string
  users: { user_id: string; token: string }[]
}

class Player {
  readonly #socket: Socket
  readonly #is_room: boolean
  #rest: Buffer | null = null
  #is_open = false
  #answered: (() => void) | undefined
  readonly #opened: Promise<void>
  #open!: () => void
  #close!: (error: Error) => void

  constructor(port: number, path: string, is_room: boolean) {
    this.#is_room = is_room
    this.#opened = new Promise((resolve, reject) => {
      this.#open = resolve
      this.#close = reject
    })
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#socket.on('error', (error) => fail('socket', error))
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
  }

  opened(): Promise<void> {
    return this.#opened
  }

  spin(request_id: string): Promise<void> {
    this.#send(
      this.#is_room ? roomRequest(request_id) : Buffer.from(JSON.stringify({ request_id })),
      this.#is_room ? 2 : 1,
    )
    return new Promise((resolve) => {
      this.#answered = resolve
    })
  }

  #send(data: Buffer, opcode: number): void {
    this.#socket.write(Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | data.length, 0, 0, 0, 0]), data]))
  }

  #read(chunk: Buffer): void {
    let data = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk])
    this.#rest = null
    if (!this.#is_open) {
      const end = data.indexOf('\r\n\r\n')
      if (end < 0) {
        this.#rest = data
        return
      }
      if (!data.subarray(0, 12).includes('101')) fail('upgrade', data.toString())
      this.#is_open = true
      if (!this.#is_room) this.#open()
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
      this.#take(data[at]! & 0x0f, data.subarray(at + head, at + head + size))
      at += head + size
    }
    if (at < data.length) this.#rest = data.subarray(at)
  }

  #take(opcode: number, body: Buffer): void {
    const first = body[0]
    if (opcode === 9) this.#send(body, 10)
    else if (opcode === 8) this.#close(new Error(`closed with ${body.readUInt16BE(0)} ${body.subarray(2)}`))
    else if (this.#is_room && first === JOIN_ROOM) {
      this.#send(Buffer.from([JOIN_ROOM]), 2)
      this.#open()
    } else if (first === (this.#is_room ? ROOM_RESPONSE : 0x52)) {
      if (this.#is_room && body[2] !== 0) fail('refused', body.toString('latin1'))
      this.#answered?.()
    }
  }
}

/** `spin {request_id}` as the SDK writes it: code, number of the request, type, msgpack of the payload. */
function roomRequest(request_id: string): Buffer {
  const head = Buffer.from([ROOM_REQUEST, 1, 0xa0 | 4])
  const map = Buffer.from([0x81, 0xa0 | 10])
  return Buffer.concat([
    head,
    Buffer.from('spin'),
    map,
    Buffer.from('request_id'),
    Buffer.from([0xa0 | request_id.length]),
    Buffer.from(request_id),
  ])
}

async function gather({ server, port, wheel_id, users }: Crowd): Promise<Player[]> {
  const is_room = server.startsWith('room')
  const players: Player[] = []
  const rest = [...users]
  const line = async () => {
    for (let user = rest.pop(); user !== undefined; user = rest.pop()) {
      const path = is_room ? await seat(port, wheel_id, user.token) : `/?user=${user.user_id}`
      const player = new Player(port, path, is_room)
      await player.opened()
      players.push(player)
    }
  }
  await Promise.all(Array.from({ length: 16 }, line))
  return players
}

async function seat(port: number, wheel_id: string, token: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/matchmake/joinOrCreate/wheel`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ game: wheel_id }),
  })
  const given = (await answer.json()) as { processId: string; roomId: string; sessionId: string }
  if (!answer.ok) throw new Error(`no seat: ${JSON.stringify(given)}`)
  return `/${given.processId}/${given.roomId}?sessionId=${given.sessionId}&_authToken=${token}`
}

function bePlayers(): void {
  const crowds = new Map<ServerName, Player[]>()
  let number = 0
  process.on(
    'message',
    async (message: { gather?: Crowd; play?: { server: ServerName; duration_ms: number } }) => {
      if (message.gather !== undefined) {
        crowds.set(message.gather.server, await gather(message.gather))
        process.send!({ gathered: true })
      }
      if (message.play === undefined) return
      const { server, duration_ms } = message.play
      const latencies_ms: number[] = []
      const started = performance.now()
      await Promise.all(
        crowds.get(server)!.map(async (player) => {
          while (performance.now() - started < duration_ms) {
            const asked = performance.now()
            await player.spin(`b${process.pid}-${number++}`)
            latencies_ms.push(performance.now() - asked)
          }
        }),
      )
      const took_s = (performance.now() - started) / 1_000
      latencies_ms.sort((a, b) => a - b)
      const at = (share: number) => latencies_ms[Math.floor((latencies_ms.length - 1) * share)]!
      process.send!({
        played: {
          per_s: latencies_ms.length / took_s,
          p50_ms: at(0.5),
          p99_ms: at(0.99),
          count: latencies_ms.length,
        },
      })
    },
  )
}

// ------------------------------------------------------------------------------------------- the run

/** Runs the measurement, about 50 seconds, and returns its table. Throws when the audit finds anything. */
export async function run({ quick = false }: { quick?: boolean } = {}): Promise<Table> {
  const count = quick ? 100 : PLAYER_COUNT
  const { makeTokens } = await import('../src/http/tokens.ts')
  const stage = await startStage(count)
  const children: ChildProcess[] = []
  const start = (...args: string[]) => {
    const child = fork(fileURLToPath(import.meta.url), args, { execPath: process.execPath })
    children.push(child)
    return child
  }
  try {
    await stage.database.query('analyze')
    const token_key = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as JWK
    const tokens = makeTokens(token_key)
    const users = await Promise.all(
      stage.players.map(async ({ userId }) => ({
        user_id: userId,
        token: (await tokens.sign({ sub: userId, tenant: 'bench', roles: ['player'], ttl_s: 3_600 })).token,
      })),
    )
    const { url, keyring, wheel_id, operator } = stage
    const place: Place = { url, keyring, token_key, tenantId: operator.tenantId, wheel_id }
    const crowd = start('players')
    const servers = new Map<ServerName, ChildProcess>()
    for (const name of SERVERS) {
      const child = start('server', name, JSON.stringify(place))
      const port = await answerOf<number>(child, 'port')
      servers.set(name, child)
      crowd.send({ gather: { server: name, port, wheel_id, users } satisfies Crowd })
      await answerOf(crowd, 'gathered')
    }
    const rounds = new Map<ServerName, Round[]>(SERVERS.map((name) => [name, []]))
    for (let round = -1; round < (quick ? 1 : ROUND_COUNT); round++) {
      if (round === 0) await stage.database.query('analyze')
      for (let turn = 0; turn < SERVERS.length; turn++) {
        const name = SERVERS[(turn + round + SERVERS.length) % SERVERS.length]!
        const duration_ms = quick || round < 0 ? 400 : ROUND_MS
        const measured = await play(servers.get(name)!, crowd, name, duration_ms)
        if (round >= 0) rounds.get(name)!.push(measured) // the first one warms up
      }
    }
    for (const child of children.splice(0)) child.kill('SIGKILL')
    const checks = await stage.audit()
    const head = `spins from socket to socket, ${count} players: medians of ${quick ? 1 : ROUND_COUNT} interleaved rounds`
    return { name: `${head}; ${checks} audit checks hold`, rows: rowsOf(rounds) }
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await stage.close()
  }
}

async function play(
  server: ChildProcess,
  crowd: ChildProcess,
  name: ServerName,
  duration_ms: number,
): Promise<Round> {
  server.send({ measure: 'start' })
  crowd.send({ play: { server: name, duration_ms } })
  const { count, ...played } = await answerOf<Omit<Round, 'cpu_us'> & { count: number }>(crowd, 'played')
  // The last tick's broadcasts belong to this round.
  await sleep(2 * TICK_MS)
  server.send({ measure: 'end' })
  const cpu_us = await answerOf<number>(server, 'cpu_us')
  return { ...played, cpu_us: cpu_us / count }
}

function rowsOf(rounds: ReadonlyMap<ServerName, Round[]>): Table['rows'] {
  const medianOf = (name: ServerName, key: keyof Round) => {
    const values = rounds.get(name)!.map((round) => round[key])
    return values.sort((a, b) => a - b)[(values.length - 1) >> 1]!
  }
  const ours = medianOf(SERVERS[0], 'per_s')
  return SERVERS.map((name) => ({
    server: name,
    spins_per_s: Math.round(medianOf(name, 'per_s')),
    p50_ms: round1(medianOf(name, 'p50_ms')),
    p99_ms: round1(medianOf(name, 'p99_ms')),
    server_cpu_us_per_spin: Math.round(medianOf(name, 'cpu_us')),
    ours_is_times: Math.round((ours / medianOf(name, 'per_s')) * 100) / 100,
  }))
}

const round1 = (value: number): number => Math.round(value * 10) / 10

/** What the next message of a child says under this key; a tool that Colyseus loads may send others. */
function answerOf<T>(child: ChildProcess, key: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a child ended with ${code}`))
    const onMessage = (message: Record<string, unknown>) => {
      if (!(key in message)) return
      child.off('message', onMessage)
      child.off('exit', onExit)
      resolve(message[key] as T)
    }
    child.on('message', onMessage)
    child.once('exit', onExit)
  })
}

if (import.meta.main) {
  const [, , role, name, place] = process.argv
  process.on('disconnect', () => process.exit(0)) // a child does not outlive its run
  if (role === 'server') await serve(name as ServerName, JSON.parse(place!) as Place)
  else if (role === 'players') bePlayers()
  else {
    const table = await run({ quick: process.argv.includes('--quick') })
    console.log(table.name)
    console.table(table.rows)
  }
}
