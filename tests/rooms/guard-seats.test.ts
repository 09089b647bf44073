import assert from 'node:assert/strict'
import { type LocalPresence, matchMaker, Room } from '@colyseus/core'
import { schema, t } from '@colyseus/schema'
import fc from 'fast-check'
import { holdSeat } from '../../rooms/guard.ts'
import { openSeats, placesOf, unusedSeats } from '../../rooms/seats.ts'
import {
  joinRaw,
  matchmake,
  openSeat,
  RawClient,
  type Running,
  reconnectionTokenOf,
  roomOf,
  startGuarded,
  until,
} from './harness.ts'

const SEED = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31)
const State = schema({ n: t.int32().default(0) }, 'SeatsState')

class SeatRoom extends Room<{ state: InstanceType<typeof State> }> {
  override state = new State()
  override maxClients = 6
  override autoDispose = false
  static override async onAuth(token: string) {
    return { userId: token ?? '', tenant: 't' }
  }
  override onDrop(client: Parameters<NonNullable<Room['onDrop']>>[0], code?: number) {
    holdSeat(this, client, code, 30)
  }
}
type Inside = Pick<
  SeatRoom,
  'clients' | 'disconnect' | 'roomId' | 'hasReachedMaxClients' | 'locked' | 'unlock'
> & {
  _reservedSeats: Record<string, unknown>
  _reserveSeat(session_id: string, options?: unknown, auth?: unknown, seconds?: number): Promise<boolean>
}

describe('a room that a crowd opens at once', () => {
  it('K-09 is made once, and Node does not take the crowd for a leak', async () => {
    const opening = Promise.withResolvers<void>()
    class SlowRoom extends SeatRoom {
      override maxClients = 50
      /** Nobody takes the seats: they end before the next test counts. */
      override seatReservationTimeout = 0.2
      override onCreate() {
        return opening.promise
      }
    }
    const warnings: Error[] = []
    const hear = (warning: Error) => void warnings.push(warning)
    process.on('warning', hear)
    const running = await startGuarded({ slow: SlowRoom }, { limits: { unused_seats_per_address: 100 } })
    try {
      const joins = Array.from({ length: 30 }, () => matchmake(running, 'joinOrCreate', 'slow'))
      await until('the crowd', () => waiting() >= 29)
      opening.resolve()
      const rooms = new Set((await Promise.all(joins)).map((answer) => answer.body.roomId))
      assert.equal(rooms.size, 1)
      await new Promise(setImmediate)
      assert.deepEqual(
        warnings.filter(({ name }) => name === 'MaxListenersExceededWarning'),
        [],
      )
    } finally {
      process.off('warning', hear)
      await until('the seats end', () => unusedSeats() === 0)
      await running.close()
    }

    function waiting(): number {
      const { subscriptions } = matchMaker.presence as LocalPresence
      return Math.max(0, ...subscriptions.eventNames().map((topic) => subscriptions.listenerCount(topic)))
    }
  })
})

describe('seats', () => {
  let running: Running
  let room: Inside
  let number = 0
  before(async () => {
    running = await startGuarded({ seat: SeatRoom }, { limits: { ping_ms: 60_000, sockets_per_user: 1_000 } })
  })
  after(() => running.close())
  beforeEach(async () => {
    const { roomId } = await matchMaker.createRoom('seat', {})
    room = roomOf<SeatRoom>(roomId) as unknown as Inside
  })
  afterEach(async () => {
    for (const session_id of Reflect.ownKeys(room._reservedSeats))
      delete room._reservedSeats[session_id as string]
    await room.disconnect()
  })

  const openIn = () => openSeats(room as unknown as Room)
  const listed = () => Object.keys(room._reservedSeats).length
  const isFull = () => room.clients.length + listed() >= 6

  it('M5 the count is what listing the table would give, whatever happens to seats and in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('reserve', 'expire', 'join', 'drop', 'leave', 'return', 'again'), {
          maxLength: 14,
        }),
        async (steps) => {
          const clients: RawClient[] = []
          for (const step of steps) {
            if (step === 'reserve')
              await room._reserveSeat(`s_${number++}`, {}, { tenant: 't', userId: 'ann' })
            if (step === 'expire') {
              const session_id = `e_${number++}`
              const isGiven = await room._reserveSeat(session_id, {}, { tenant: 't', userId: 'ann' }, 0.005)
              if (isGiven) await until('the expiry', () => !(session_id in room._reservedSeats))
            }
            if (step === 'join' && !room.hasReachedMaxClients()) {
              // Rows that are taken away behind its back leave a full room locked, and the client would get another one.
              if (room.locked) await room.unlock()
              const client = await joinRaw(running, 'seat', {}, { token: 'ann' })
              assert.equal(client.roomId, room.roomId)
              await until('the state', () => client.byCode(14).length === 1)
              clients.push(client)
            }
            if (step === 'drop' || step === 'leave') {
              const client = clients.pop()
              if (client === undefined) continue
              const joined = room.clients.length
              if (step === 'drop') client.destroy()
              else client.send(12)
              await until('the client is gone', () => room.clients.length === joined - 1)
            }
            if (step === 'again') {
              const first = Object.keys(room._reservedSeats)[0]
              if (first !== undefined)
                room._reservedSeats[first] = [{}, { tenant: 't', userId: 'bob' }, false, true]
            }
            if (step === 'return') {
              const first = Object.keys(room._reservedSeats)[0]
              if (first !== undefined) delete room._reservedSeats[first]
            }
            assert.equal(openIn(), listed())
            assert.equal(room.hasReachedMaxClients(), isFull())
          }
          for (const client of clients) client.destroy()
          await until('all are gone', () => room.clients.length === 0)
          for (const session_id of Object.keys(room._reservedSeats)) delete room._reservedSeats[session_id]
          assert.equal(openIn(), 0)
          assert.equal(unusedSeats(), 0)
          await until('no places are left', () => placesOf('t/ann') === 0 && placesOf('t/bob') === 0)
        },
      ),
      // Shrinking would outlast the test, and nobody would see the seed.
      { seed: SEED, numRuns: 25, endOnFailure: true },
    )
  })

  it('M5 maxClients holds under a burst of reservations, and a seat that expires is free again', async () => {
    const given = await Promise.all(
      Array.from({ length: 30 }, (_, at) => room._reserveSeat(`burst_${at}`, {}, {}, 0.05)),
    )
    assert.equal(given.filter(Boolean).length, 6)
    assert.equal(room.hasReachedMaxClients(), true)
    await until('the expiry', () => openIn() === 0)
    assert.equal(room.hasReachedMaxClients(), false)
    assert.equal(unusedSeats(), 0)
  })

  it('a seat moves from on its way to joined to held to joined again, and counts once at each', async () => {
    const seat = await matchmake(running, 'join', 'seat', {}, { authorization: 'Bearer ann' })
    assert.deepEqual([openIn(), unusedSeats(), placesOf('t/ann')], [1, 1, 1])
    const client = await openSeat(running, seat.body, 'ann')
    await until('JOIN', () => client.byCode(10).length === 1)
    client.acknowledge()
    await until('the state', () => client.byCode(14).length === 1)
    assert.deepEqual([openIn(), unusedSeats(), placesOf('t/ann'), room.clients.length], [0, 0, 1, 1])
    client.destroy()
    await until('the drop', () => room.clients.length === 0)
    await until('the place follows', () => placesOf('t/ann') === 1)
    assert.deepEqual([openIn(), unusedSeats()], [1, 0])
    const reconnectionToken = reconnectionTokenOf(client.byCode(10)[0]!)
    const again = await matchmake(running, 'reconnect', room.roomId, { reconnectionToken })
    const path = `/${again.body.processId}/${room.roomId}?sessionId=${client.sessionId}&reconnectionToken=${reconnectionToken}`
    const back = await RawClient.open(running.port, path)
    await until('JOIN again', () => back.byCode(10).length === 1)
    await until('the seat is settled', () => openIn() === 0)
    assert.deepEqual([room.clients.length, placesOf('t/ann')], [1, 1])
    back.destroy()
  })
})
