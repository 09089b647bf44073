/**
 * A spectator that stops reading for some seconds under a heavy room, and what it decodes then. Runs in a process
 * of its own (`node tests/rooms/wire-stall.ts stock|ours stall_ms`), because the way out is per process and the
 * stock one is the control. Prints one JSON line.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CloseCode, defineRoom, defineServer, Room } from '@colyseus/core'
import { type SchemaType, schema, t } from '@colyseus/schema'
import { WebSocketTransport } from '@colyseus/ws-transport'
import { guardSockets, queuedBytes, wireCounts } from '../../rooms/wire.ts'
import { decoderOf, joinRaw, type Running, silent, until } from './harness.ts'

const SLOT_COUNT = 50
const KEY_COUNT = 10
const TICK_MS = 8
const BLOB_BYTES = 44_000 // 125 ticks a second: 5.5 MB/s

const Stalled = schema(
  {
    tick: t.int32().default(0),
    slots: t.array('int32'),
    keys: t.map('int32'),
    blob: t.string().default(''),
  },
  'Stalled',
)
type Stalled = SchemaType<typeof Stalled>

/** The state after `tick`, so that a decoded one can be looked up: each tick changes one slot, adds and removes a key. */
function isStateOf(state: Stalled): boolean {
  const { tick } = state
  if (tick === 0) return true
  if (state.blob !== blobOf(tick) || state.slots.length !== SLOT_COUNT) return false
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const last = tick - ((((tick - slot) % SLOT_COUNT) + SLOT_COUNT) % SLOT_COUNT)
    if (state.slots[slot] !== (last > 0 ? last : 0)) return false
  }
  const first = Math.max(1, tick - KEY_COUNT + 1)
  if (state.keys.size !== tick - first + 1) return false
  for (let key = first; key <= tick; key++) if (state.keys.get(`k_${key}`) !== key) return false
  return true
}

function blobOf(tick: number): string {
  return `${tick}:`.padEnd(BLOB_BYTES, 'x')
}

class StallRoom extends Room<{ state: Stalled }> {
  override state = new Stalled()
  override maxClients = 10
  override patchRate = null
  static override async onAuth() {
    return { userId: '' }
  }
  override onCreate() {
    for (let slot = 0; slot < SLOT_COUNT; slot++) this.state.slots.push(0)
    this.broadcastPatch() // nobody is here: forgets the changes, so that the join is a clean one
  }
  step() {
    const { state } = this
    state.tick += 1
    state.slots[state.tick % SLOT_COUNT] = state.tick
    state.keys.set(`k_${state.tick}`, state.tick)
    if (state.tick > KEY_COUNT) state.keys.delete(`k_${state.tick - KEY_COUNT}`)
    state.blob = blobOf(state.tick)
    this.broadcastPatch()
  }
}

export type StallReport = {
  decoded: number
  bad: number
  first_bad: string
  resyncs: number
  skipped: number
  queued_bytes_max: number
  last_tick: number
  server_tick: number
}

async function run(mode: string, stall_ms: number): Promise<StallReport> {
  if (mode === 'ours') guardSockets()
  const http = createServer()
  const server = defineServer({
    greet: false,
    gracefullyShutdown: false,
    logger: silent,
    transport: new WebSocketTransport({ server: http, pingInterval: 0 }),
    rooms: { stall: defineRoom(StallRoom) },
  })
  await server.listen(0, '127.0.0.1')
  const { port } = http.address() as AddressInfo
  const running = { port, url: `http://127.0.0.1:${port}` } as Running
  const client = await joinRaw(running, 'stall')
  await until('the first state', () => client.byCode(14).length > 0)

  const { matchMaker } = await import('@colyseus/core')
  const room = matchMaker.getLocalRoomById(client.roomId) as unknown as StallRoom
  const decoder = decoderOf(client.frames[0]!.data)
  const report: StallReport = {
    decoded: 0,
    bad: 0,
    first_bad: '',
    resyncs: 0,
    skipped: 0,
    queued_bytes_max: 0,
    last_tick: 0,
    server_tick: 0,
  }
  let at = 1
  const decodeWhatCame = () => {
    for (; at < client.frames.length; at++) {
      const { opcode, data } = client.frames[at]!
      if (opcode !== 2) continue
      const code = data[0]! & 0x1f
      if (code !== 14 && code !== 15) continue
      // As the SDK does (sdk 0.18.4, SchemaSerializer.setState).
      if (code === 14 && decoder.root.refs.size > 1) decoder.decodeResync(data, { offset: 1 })
      else decoder.decode(data, { offset: 1 })
      report.decoded += 1
      if (isStateOf(decoder.state)) continue
      report.bad += 1
      if (report.first_bad === '') report.first_bad = `frame ${at}, tick ${decoder.state.tick}`
    }
  }
  const timer = setInterval(() => {
    room.step()
    for (const each of room.clients)
      report.queued_bytes_max = Math.max(report.queued_bytes_max, queuedBytes(each))
  }, TICK_MS)
  await wait(500)
  client.pause()
  await wait(stall_ms)
  client.resume()
  await wait(700)
  clearInterval(timer)
  // Quiet from here on: what was skipped last must come without another change of the state.
  let quiet = 0
  for (let bytes = -1; quiet < 10; ) {
    await wait(50)
    quiet = bytes === client.bytes_read ? quiet + 1 : 0
    bytes = client.bytes_read
  }
  decodeWhatCame()
  report.last_tick = decoder.state.tick
  report.server_tick = room.state.tick
  report.resyncs = wireCounts().resyncs
  report.skipped = wireCounts().patches_skipped
  await room.disconnect(CloseCode.CONSENTED)
  return report
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

if (import.meta.main) {
  const [, , mode = 'ours', stall_ms = '4000'] = process.argv
  console.error = console.warn = () => {} // the decoder complains about each torn frame
  const report = await run(mode, Number(stall_ms))
  process.stdout.write(`${JSON.stringify(report)}\n`)
  process.exit(0)
}
