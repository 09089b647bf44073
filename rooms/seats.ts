/**
 * Seats that were given out and are not taken yet: counted, never listed.
 *
 * Colyseus asks `Object.keys(reservations).length` for each reservation, so a join costs more the more
 * people are on their way (94 us with 2,000 of them, 1,040 us with 8,000: performance.md, finding 3).
 * Here the table of each room keeps its own count, and the process keeps totals for the quotas.
 */
import { Room, RoomInternalState } from '@colyseus/core'

/** Colyseus' own row of the table: join options, auth of the seat, taken, held for a reconnection. */
type SeatRow = [options: unknown, auth: unknown, taken?: boolean, held?: boolean]
type SeatTable = Record<string, SeatRow>
type RoomInside = {
  _reservedSeats: SeatTable
  _internalState: number
  __init(): void
  hasReachedMaxClients(): boolean
}

/** What the process holds at this moment, over all of its rooms. */
const totals = { unused: 0 }
const placesByUser = new Map<string, number>()
const openByRoom = new WeakMap<object, { count: number }>()
const goneListeners = new Map<string, () => void>()

let userKeyOf: (auth: unknown) => string | undefined = () => undefined
let installed = false

/**
 * Makes every room count its seats instead of listing them. Once per process, before the first room;
 * a second call only changes `userKey`, which names the owner of a seat (undefined for nobody).
 */
export function countSeats(userKey: (auth: unknown) => string | undefined): void {
  userKeyOf = userKey
  if (installed) return
  installed = true
  const inside = Room.prototype as unknown as RoomInside
  const init = inside.__init
  inside.__init = function (this: RoomInside) {
    init.call(this)
    const book = { count: 0 }
    openByRoom.set(this, book)
    this._reservedSeats = countedTable(this._reservedSeats, book)
  }
  inside.hasReachedMaxClients = function (this: RoomInside) {
    const room = this as unknown as Room
    const open = openByRoom.get(this)?.count ?? Object.keys(this._reservedSeats).length
    return (
      room.clients.length + open >= room.maxClients || this._internalState === RoomInternalState.DISPOSING
    )
  }
}

/** Seats of one room that count against `maxClients`: given out and not joined, or held for a reconnection. */
export function openSeats(room: Room): number {
  return openByRoom.get(room)?.count ?? 0
}

/** Seats of this process that nobody has connected to yet. Seats held for a reconnection are not among them. */
export function unusedSeats(): number {
  return totals.unused
}

/** Places that a user occupies in this process: seats on the way, held seats and joined sockets. */
export function placesOf(user: string): number {
  return placesByUser.get(user) ?? 0
}

/** Adds a joined socket to (or takes it from) the places of its user. */
export function countPlace(user: string, by: 1 | -1): void {
  const count = (placesByUser.get(user) ?? 0) + by
  if (count > 0) placesByUser.set(user, count)
  else placesByUser.delete(user)
}

/** Calls back once when the seat of this session is joined, expires, or is given up. Local rooms only. */
export function whenSeatGone(session_id: string, then: () => void): void {
  goneListeners.set(session_id, then)
}

/**
 * The table of one room with a count beside it. A Proxy, because Colyseus writes and deletes rows in
 * seven places, half of them inside closures; `set` needs no trap, it arrives as `defineProperty`.
 * A row that is not enumerable is a client that already counts as connected (#726), so it is not open.
 */
function countedTable(table: SeatTable, book: { count: number }): SeatTable {
  return new Proxy(table, {
    defineProperty(rows, key, descriptor) {
      const before = Object.hasOwn(rows, key) ? rows[key as string] : undefined
      const wasOpen = Object.prototype.propertyIsEnumerable.call(rows, key)
      if (!Reflect.defineProperty(rows, key, descriptor)) return false
      const after = rows[key as string]
      const isOpen = Object.prototype.propertyIsEnumerable.call(rows, key)
      const isOther = before !== after
      if (wasOpen && (isOther || !isOpen)) settle(book, key as string, before!, -1)
      if (isOpen && (isOther || !wasOpen)) settle(book, key as string, after!, 1)
      if (!isOther) return true
      if (before !== undefined) countOwner(before, -1)
      if (after !== undefined) countOwner(after, 1)
      return true
    },
    deleteProperty(rows, key) {
      const before = Object.hasOwn(rows, key) ? rows[key as string] : undefined
      const wasOpen = Object.prototype.propertyIsEnumerable.call(rows, key)
      if (!Reflect.deleteProperty(rows, key)) return false
      if (before === undefined) return true
      if (wasOpen) settle(book, key as string, before, -1)
      countOwner(before, -1)
      return true
    },
  })
}

function settle(book: { count: number }, session_id: string, row: SeatRow, by: 1 | -1): void {
  book.count += by
  if (row[3] === true) return
  totals.unused += by
  if (by === 1) return
  const then = goneListeners.get(session_id)
  if (then === undefined) return
  goneListeners.delete(session_id)
  then()
}

function countOwner(row: SeatRow, by: 1 | -1): void {
  const user = userKeyOf(row[1])
  if (user !== undefined) countPlace(user, by)
}
