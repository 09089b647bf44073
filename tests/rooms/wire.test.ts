import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Client, CloseCode, matchMaker, Protocol, Room } from '@colyseus/core'
import { type SchemaType, StateView, schema, t } from '@colyseus/schema'
import { Client as Sdk } from '@colyseus/sdk'
import fc from 'fast-check'
import { frameOf, queuedBytes, wireCounts } from '../../rooms/wire.ts'
import {
  clientFrame,
  clientOf,
  decoderOf,
  joinRaw,
  matchmake,
  openSeat,
  type RawClient,
  type Running,
  roomOf,
  startGuarded,
  until,
} from './harness.ts'
import type { StallReport } from './wire-stall.ts'

const SEED = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31)
const run = promisify(execFile)

const Item = schema({ owner: t.string().default(''), secret: t.int32().default(0).view() }, 'WireItem')
const Table = schema(
  {
    tick: t.int32().default(0),
    blob: t.string().default(''),
    recent: t.array('int32'),
    items: t.map(Item),
  },
  'WireTable',
)
type Table = SchemaType<typeof Table>

/** Patches only when told to, so that a test decides what is in one turn. */
class TableRoom extends Room<{ state: Table }> {
  override state = new Table()
  override maxClients = 100
  override patchRate: number | null = null
  static override async onAuth(_token: string, options: { userId?: string }) {
    return { userId: options.userId ?? '', tenant: 't' }
  }
  override onCreate() {
    for (let at = 0; at < 5; at++) this.state.recent.push(at)
    this.broadcastPatch()
  }
  override onJoin(client: Client) {
    const { userId } = client.auth as { userId: string }
    if (userId === '') return
    const item = new Item({ owner: userId, secret: userId.length })
    this.state.items.set(client.sessionId, item)
    client.view = new StateView()
    client.view.add(item)
    this.broadcastPatch()
  }
  set(tick: number, blob = '') {
    this.state.tick = tick
    this.state.blob = blob
    this.broadcastPatch()
  }
  override messages = {
    echo: (client: Client, text: string) => client.send('echo', text),
  }
}

class PatchingRoom extends TableRoom {
  override patchRate: number | null = 20
}

/** Counts what a socket of the server is asked to write, and keeps the chunks. */
function spyOnWrites(client: Client): Buffer[] {
  const socket = (client.ref as unknown as { _socket: Socket })._socket
  const chunks: Buffer[] = []
  const write = socket.write
  socket.write = function (this: Socket, ...args: any[]) {
    chunks.push(args[0])
    return Reflect.apply(write, this, args)
  } as Socket['write']
  return chunks
}

const codesOf = (client: RawClient) =>
  client.frames.filter(({ opcode }) => opcode === 2).map(({ data }) => data[0]! & 0x1f)
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

describe('outgoing frames', () => {
  let running: Running
  before(async () => {
    running = await startGuarded(
      { table: TableRoom, patching: PatchingRoom },
      {
        wire: { stall_ms: 10_000, sweep_ms: 50, join_ack_ms: 300 },
        limits: { ping_ms: 60_000 },
      },
    )
  })
  after(() => running.close())
  afterEach(() => Promise.all(matchMaker.disconnectAll()))

  async function joined(options: unknown = {}, room = 'table') {
    const client = await joinRaw(running, room, options)
    await until('the first state', () => client.byCode(14).length > 0)
    return client
  }

  it('one frame is what ws itself would write, at every length of the length field', async () => {
    const { default: Sender } = (await import('ws/lib/sender.js' as string).catch(
      () => import(new URL('../../node_modules/ws/lib/sender.js', import.meta.url).href),
    )) as { default: { frame(data: Buffer, options: object): Buffer[] } }
    const options = { fin: true, opcode: 2, mask: false, readOnly: true, rsv1: false }
    for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]) {
      const data = Buffer.alloc(size, size & 255)
      assert.deepEqual(frameOf(data), Buffer.concat(Sender.frame(data, options)), `${size} bytes`)
    }
  })

  it('a patch is framed once for all clients, in memory that the encoder does not own', async () => {
    const clients = [await joined(), await joined(), await joined()]
    const room = roomOf<TableRoom>(clients[0]!.roomId)
    const chunks = clients.map(({ sessionId }) => spyOnWrites(clientOf(room, sessionId)))
    room.set(1)
    await turn()
    assert.deepEqual(
      chunks.map((of) => of.length),
      [1, 1, 1],
    )
    assert.equal(chunks[0]![0], chunks[1]![0])
    assert.equal(chunks[0]![0], chunks[2]![0])
    const { encoder } = (room as unknown as { _serializer: { encoder: { sharedBuffer: Uint8Array } } })
      ._serializer
    assert.notEqual(chunks[0]![0]!.buffer, encoder.sharedBuffer.buffer)
    const before = Buffer.from(chunks[0]![0]!)
    room.set(2)
    assert.deepEqual(chunks[0]![0], before)
    await room.disconnect()
  })

  it('all that a turn has for a client leaves in one write, in the order it was said', async () => {
    const clients = [await joined(), await joined()]
    const room = roomOf<TableRoom>(clients[0]!.roomId)
    const chunks = clients.map(({ sessionId }) => spyOnWrites(clientOf(room, sessionId)))
    const before = wireCounts()
    room.broadcast('first', 1)
    await Promise.resolve()
    room.set(1)
    room.broadcast('second', 2)
    await Promise.resolve()
    room.broadcast('third', 3)
    await turn()
    await until('four frames', () => clients.every((client) => codesOf(client).length === 6))
    for (const client of clients) assert.deepEqual(codesOf(client).slice(2), [13, 15, 13, 13])
    assert.deepEqual(
      chunks.map((of) => of.length),
      [1, 1],
    )
    assert.equal(chunks[0]![0], chunks[1]![0], 'clients with the same frames share one buffer')
    assert.equal(wireCounts().frames - before.frames, 8)
    await room.disconnect()
  })

  it('K-03 a crowd is written to in slices: the loop turns between them, and an answer overtakes the crowd', async () => {
    const clients = await Promise.all(Array.from({ length: 80 }, () => joined()))
    const room = roomOf<TableRoom>(clients[0]!.roomId)
    const order: string[] = []
    for (const { sessionId } of clients) {
      const client = clientOf(room, sessionId)
      const socket = (client.ref as unknown as { _socket: Socket })._socket
      const write = socket.write
      socket.write = function (this: Socket, ...args: any[]) {
        order.push(sessionId)
        // As slow as a kernel with much to do.
        for (const end = performance.now() + 0.5; performance.now() < end; );
        return Reflect.apply(write, this, args)
      } as Socket['write']
    }
    room.set(1)
    // A patch goes to the one who came first last.
    const last = room.clients[0]!.sessionId
    const asked = clients.find(({ sessionId }) => sessionId === last)!
    // The request comes when the crowd's turn has begun.
    await turn()
    assert.ok(order.length > 0 && order.length < clients.length, `${order.length} writes in the first slice`)
    const at = order.length
    clientOf(room, asked.sessionId).raw(Buffer.from([Protocol.ROOM_RESPONSE, 1, 0]))
    await until('all frames', () => clients.every((client) => codesOf(client).includes(15)))
    assert.ok(order.indexOf(asked.sessionId) < clients.length - 1, 'the last one is not last any more')
    assert.ok(order.indexOf(asked.sessionId) - at < 40, 'it waited for one slice at most')
    assert.deepEqual(codesOf(asked).slice(2), [15, 22], 'in one write, in the order it was said')
    assert.equal(order.length, clients.length)
    await room.disconnect()
  })

  it('a reply to one client does not leak into what the others get', async () => {
    const [one, two] = [await joined(), await joined()]
    const room = roomOf<TableRoom>(one.roomId)
    clientOf(room, one.sessionId).send('private', 'mine')
    room.broadcast('public', 'all')
    room.set(7)
    await until('all frames', () => codesOf(one).length === 5 && codesOf(two).length === 4)
    assert.deepEqual(codesOf(one).slice(2), [13, 13, 15])
    assert.deepEqual(codesOf(two).slice(2), [13, 15])
    assert.ok(!two.frames.some(({ data }) => data.includes('mine')))
    await room.disconnect()
  })

  it('what was said before leave() arrives before the close code', async () => {
    const client = await joined()
    const room = roomOf<TableRoom>(client.roomId)
    room.broadcast('last', 'words')
    clientOf(room, client.sessionId).leave(4005, 'because')
    await until('the close', () => client.close_code !== undefined)
    assert.equal(client.close_code, 4005)
    assert.deepEqual(codesOf(client), [10, 14, 13])
    client.destroy()
    await room.disconnect()
  })

  it('a disconnected room delivers its farewell and its code to every client', async () => {
    const clients = [await joined(), await joined()]
    const room = roomOf<TableRoom>(clients[0]!.roomId)
    room.broadcast('notice', 'stopping')
    const gone = room.disconnect(CloseCode.SERVER_SHUTDOWN)
    await until('the codes', () =>
      clients.every(({ close_code }) => close_code === CloseCode.SERVER_SHUTDOWN),
    )
    for (const client of clients) {
      assert.equal(client.byCode(13).length, 1)
      client.destroy()
    }
    await gone
  })

  it('the SDK sees messages and patches in the order in which the room made them', async () => {
    const sdk = new Sdk(running.url)
    const seen: [string, number, number][] = []
    const client = await sdk.joinOrCreate<Table>('patching', {})
    client.onMessage('before', (n: number) => seen.push(['before', n, client.state.tick]))
    client.onMessage('after', (n: number) => seen.push(['after', n, client.state.tick]))
    await until('the first state', () => client.state?.recent?.length === 5)
    const room = roomOf<TableRoom>(client.roomId)
    for (let n = 1; n <= 200; n++) {
      room.broadcast('before', n)
      room.set(n)
      room.broadcast('after', n)
      if (n % 7 === 0) await turn()
    }
    await until('all messages', () => seen.length === 400)
    for (let n = 1; n <= 200; n++) {
      assert.deepEqual(seen[2 * n - 2], ['before', n, n - 1])
      assert.deepEqual(seen[2 * n - 1], ['after', n, n])
    }
    await client.leave()
    await room.disconnect()
  })

  it('P-02 a client that joins between a change and its patch decodes the state of the room', async () => {
    // Stock rooms send the full state amid changes, and the patch then applies a shift or an index twice.
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('ring', 'set', 'push', 'key', 'patch'), { minLength: 1, maxLength: 12 }),
        fc.nat({ max: 11 }),
        async (steps, join_at) => {
          const first = await joined({}, 'table')
          const room = roomOf<TableRoom>(first.roomId)
          let value = 100
          let late: (RawClient & { sessionId: string }) | undefined
          for (const [at, step] of steps.entries()) {
            const { recent, items } = room.state
            value += 1
            if (step === 'ring') {
              recent.shift()
              recent.push(value)
            } else if (step === 'set' && recent.length > 0) recent[value % recent.length] = value
            else if (step === 'push') recent.push(value)
            else if (step === 'key') items.set(`k_${value % 3}`, new Item({ owner: String(value) }))
            else room.broadcastPatch()
            if (at === join_at % steps.length) late = await joinRaw(running, 'table')
          }
          await until('the late state', () => late!.byCode(14).length > 0)
          room.broadcastPatch()
          room.set(value)
          for (const client of [first, late!]) {
            const decoder = decoderOf(client.byCode(10)[0]!)
            let at = 0
            await until('the last patch', () => {
              for (; at < client.frames.length; at++) {
                const { opcode, data } = client.frames[at]!
                if (opcode !== 2) continue
                if ((data[0]! & 0x1f) === 14 || (data[0]! & 0x1f) === 15) decoder.decode(data, { offset: 1 })
              }
              return decoder.state.tick === value
            })
            assert.deepEqual([...decoder.state.recent], [...room.state.recent])
            assert.deepEqual(ownersOf(decoder.state), ownersOf(room.state))
          }
          await room.disconnect()
          first.destroy()
          late!.destroy()
        },
      ),
      { seed: SEED, numRuns: 15 },
    )
  })

  it('a message sent in onJoin comes after the first state, also when that has to wait for a patch', async () => {
    const first = await joined()
    const room = roomOf<TableRoom>(first.roomId)
    const seat = await matchmake(running, 'join', 'table')
    const late = await openSeat(running, seat.body)
    await until('JOIN', () => late.byCode(10).length > 0)
    room.state.recent.push(77)
    clientOf(room, late.sessionId).send('hello', 1)
    late.acknowledge()
    await until('the message', () => late.byCode(13).length > 0)
    assert.deepEqual(codesOf(late), [10, 14, 13])
    await room.disconnect()
  })

  it('F25 a client that stalls is skipped and then gets the full state, its view and nothing of another view', async () => {
    const alice = await joined({ userId: 'alice' })
    const bob = await joined({ userId: 'bob' })
    const room = roomOf<TableRoom>(alice.roomId)
    const decoder = decoderOf(alice.byCode(10)[0]!)
    alice.pause()
    const before = wireCounts()
    let tick = 0
    await until('skipped patches', () => {
      for (let each = 0; each < 20; each++) room.set(++tick, String(tick).padEnd(60_000, '.'))
      assert.ok(queuedBytes(clientOf(room, alice.sessionId)) <= 256 * 1024)
      return wireCounts().patches_skipped > before.patches_skipped
    })
    room.state.items.delete(bob.sessionId)
    room.state.recent.clear()
    room.set(++tick, 'the end')
    alice.resume()
    await until('the full state', () => alice.byCode(14).length === 2)
    for (const { opcode, data } of alice.frames) {
      if (opcode !== 2) continue
      const code = data[0]! & 0x1f
      if (code === 15) decoder.decode(data, { offset: 1 })
      if (code !== 14) continue
      if (decoder.root.refs.size > 1) decoder.decodeResync(data, { offset: 1 })
      else decoder.decode(data, { offset: 1 })
    }
    assert.equal(decoder.state.blob, 'the end')
    assert.equal(decoder.state.recent.length, 0)
    assert.deepEqual([...decoder.state.items.keys()], [alice.sessionId])
    assert.equal(decoder.state.items.get(alice.sessionId).secret, 5)
    await room.disconnect()
  })

  it('H36 a client that stalls 4 s under 5 MB/s decodes only states that the server had; stock Colyseus shows others', async () => {
    const [ours, stock] = await Promise.all([stall('ours'), stall('stock')])
    assert.ok(stock.bad > 0, 'the control must fail, else this shows nothing')
    assert.ok(stock.queued_bytes_max > 1024 * 1024, 'the stall must be one that fills the kernel')
    assert.equal(ours.bad, 0, ours.first_bad)
    assert.ok(ours.skipped > 0 && ours.resyncs > 0)
    assert.ok(ours.queued_bytes_max <= 256 * 1024, `${ours.queued_bytes_max} bytes queued`)
    assert.equal(ours.last_tick, ours.server_tick, 'quiet or not, the last state arrives')
  }).timeout(20_000)

  it('M8 a message that would pass the cap ends that client and no other', async () => {
    const client = await joined()
    const witness = await joined()
    const room = roomOf<TableRoom>(client.roomId)
    const side = clientOf(room, client.sessionId)
    const before = wireCounts().ended_overflow
    client.pause()
    await until('the overflow', () => {
      for (let each = 0; each < 10; each++) side.send('big', 'x'.repeat(60_000))
      assert.ok(queuedBytes(side) <= 256 * 1024 + 60_100)
      return wireCounts().ended_overflow > before
    })
    await until('the drop', () => room.clients.length === 1)
    clientOf(room, witness.sessionId).send('echo', 'still here')
    await until('the witness', () => witness.byCode(13).length === 1)
    await room.disconnect()
  })

  it('one message larger than the cap reaches a client that is not behind', async () => {
    const client = await joined()
    const room = roomOf<TableRoom>(client.roomId)
    clientOf(room, client.sessionId).send('big', 'x'.repeat(400_000))
    await until('the message', () => client.byCode(13).length === 1)
    assert.ok(client.byCode(13)[0]!.length > 400_000)
    await room.disconnect()
  })

  it('H37 a client that never acknowledges JOIN is closed after its deadline', async () => {
    const client = await joinRaw(running, 'table', {}, { acknowledge: false })
    const started = Date.now()
    await until('the close', () => client.close_code !== undefined)
    assert.equal(client.close_code, CloseCode.WITH_ERROR)
    assert.ok(Date.now() - started >= 200)
    client.destroy()
  })

  it('H37 what is queued for a client that never acknowledges JOIN is bounded', async () => {
    const witness = await joined()
    const client = await joinRaw(running, 'table', {}, { acknowledge: false })
    const room = roomOf<TableRoom>(client.roomId)
    const side = clientOf(room, client.sessionId) as Client & { _enqueuedMessages?: Buffer[] }
    let queued_max = 0
    for (let each = 0; each < 40; each++) {
      room.broadcast('noise', 'x'.repeat(30_000))
      const queued = (side._enqueuedMessages ?? []).reduce((sum, { length }) => sum + length, 0)
      queued_max = Math.max(queued_max, queued)
      await turn()
    }
    assert.ok(queued_max > 0 && queued_max <= 256 * 1024, `${queued_max} bytes queued`)
    await until('its end', () => client.is_gone)
    assert.equal(witness.is_gone, false)
    await room.disconnect()
  })
})

describe('pings', () => {
  let running: Running
  before(async () => {
    running = await startGuarded({ table: TableRoom }, { limits: { ping_ms: 300 } })
  })
  after(() => running.close())

  it('H35 a client that reads nothing is gone from a silent room too: Pongs nobody asked for are no sign of life', async () => {
    const mute = await joinRaw(running, 'table')
    const reader = await joinRaw(running, 'table')
    const room = roomOf<TableRoom>(mute.roomId)
    mute.answers_pings = false
    await until('the end of the mute one', () => {
      mute.write(clientFrame(Buffer.alloc(0), 10))
      return room.clients.length === 1
    })
    assert.equal(room.clients[0]!.sessionId, reader.sessionId)
    assert.equal(reader.is_gone, false)
    await room.disconnect()
  })
})

describe('outgoing frames without pings', () => {
  let running: Running
  before(async () => {
    running = await startGuarded(
      { table: TableRoom },
      { wire: { stall_ms: 900, sweep_ms: 50, join_ack_ms: 300 }, limits: { ping_ms: 60_000 } },
    )
  })
  after(() => running.close())

  it('H35 a client that reads nothing and sends Pongs is gone in time, with a bounded queue', async () => {
    const client = await joinRaw(running, 'table')
    const witness = await joinRaw(running, 'table')
    await until('the first state', () => client.byCode(14).length > 0)
    const room = roomOf<TableRoom>(client.roomId)
    const side = clientOf(room, client.sessionId)
    const rss_before = process.memoryUsage().rss
    const ended_before = wireCounts().ended_stalled
    client.pause()
    client.answers_pings = false
    let tick = 0
    let queued_max = 0
    await until(
      'the end of the reader of nothing',
      () => {
        for (let each = 0; each < 4; each++) room.set(++tick, String(tick).padEnd(40_000, '.'))
        client.write(clientFrame(Buffer.alloc(0), 10))
        client.write(clientFrame(Buffer.from('00000000'), 10))
        queued_max = Math.max(queued_max, queuedBytes(side))
        return !room.clients.includes(side as never)
      },
      10_000,
    )
    assert.ok(queued_max <= 256 * 1024, `${queued_max} bytes queued`)
    assert.ok(process.memoryUsage().rss - rss_before < 120 * 1024 * 1024)
    assert.equal(witness.is_gone, false)
    assert.ok(wireCounts().ended_stalled > ended_before)
    await room.disconnect()
    client.destroy()
  }).timeout(20_000)
})

function ownersOf(state: { items: Map<string, { owner: string }> }): [string, string][] {
  const owners: [string, string][] = []
  state.items.forEach((item, key) => void owners.push([key, item.owner]))
  return owners.sort()
}

async function stall(mode: 'ours' | 'stock'): Promise<StallReport> {
  const file = fileURLToPath(new URL('./wire-stall.ts', import.meta.url))
  const { stdout } = await run(process.execPath, [file, mode, '4000'])
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}
