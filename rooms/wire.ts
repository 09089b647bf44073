/**
 * The way out to the sockets. Colyseus hands each client a view of the buffer that its encoder overwrites at
 * the next tick, one write per frame, and never looks at what is still queued; here a frame is built once per
 * broadcast in memory of its own, everything that a turn of the event loop has for a client leaves in one
 * write, and a client that does not read is first skipped and then ended. The bytes stay standard.
 * performance.md findings 1 and 2, colyseus.md section 14. No room logic here.
 */
import type { Socket } from 'node:net'
import {
  type Client,
  type ClientPrivate,
  ClientState,
  CloseCode,
  enqueueClientRaw,
  Protocol,
  Room,
  RoomInternalState,
} from '@colyseus/core'
import { WebSocketClient } from '@colyseus/ws-transport'
import type { WebSocket } from 'ws'

export type WireLimits = {
  /** Bytes that may wait for one client, in our queue and in its socket. */
  queued_bytes_max: number
  /** A socket that takes nothing for this long while data waits is terminated. */
  stall_ms: number
  /** A client that has not acknowledged JOIN after this long is closed. */
  join_ack_ms: number
  /** How often stalled sockets and missing acknowledgements are looked for. */
  sweep_ms: number
}

export const WIRE_LIMITS: Readonly<WireLimits> = {
  queued_bytes_max: 256 * 1024, // performance.md, goals: slow spectators
  stall_ms: 12_000, // "dropped within 15 s" (F25) with a sweep and a timer's lateness to spare
  join_ack_ms: 5_000,
  sweep_ms: 1_000,
}

/** What happened on the way out since the process started; for /metrics. Counts only ever grow. */
export type WireCounts = {
  /** Writes handed to a socket. */
  writes: number
  /** Frames that those writes held. */
  frames: number
  /** State patches not queued because the client was behind. */
  patches_skipped: number
  /** Full states sent to clients that had caught up. */
  resyncs: number
  /** Sockets ended because nothing was taken for `stall_ms`. */
  ended_stalled: number
  /** Sockets ended because a message would have passed the cap. */
  ended_overflow: number
  /** Clients ended because they never acknowledged JOIN. */
  ended_unacknowledged: number
}

const counts: WireCounts = {
  writes: 0,
  frames: 0,
  patches_skipped: 0,
  resyncs: 0,
  ended_stalled: 0,
  ended_overflow: 0,
  ended_unacknowledged: 0,
}
let limits: WireLimits = { ...WIRE_LIMITS }
let installed = false
let sweeper: NodeJS.Timeout | undefined

/**
 * A sequence of frames that leave together. Sequences are shared: two clients that get the same frames in the
 * same order in one turn point at the same object, so a broadcast of four frames to 2,000 clients is joined
 * into one buffer once, not 2,000 times.
 */
class Sequence {
  readonly before: Sequence | null
  readonly frame: Buffer
  readonly is_patch: boolean
  readonly bytes: number
  readonly length: number
  private followedBy: Sequence | null = null
  private joined: Buffer | null = null

  constructor(before: Sequence | null, frame: Buffer, is_patch = false) {
    this.before = before
    this.frame = frame
    this.is_patch = is_patch
    this.bytes = frame.length + (before === null ? 0 : before.bytes)
    this.length = 1 + (before === null ? 0 : before.length)
  }

  /** This sequence and then `next`. Remembers the last continuation only: broadcasts run client after client. */
  and(next: Sequence): Sequence {
    const known = this.followedBy
    if (known !== null && known.frame === next.frame) return known
    this.followedBy = new Sequence(this, next.frame, next.is_patch)
    return this.followedBy
  }

  whole(): Buffer {
    if (this.before === null) return this.frame
    if (this.joined !== null) return this.joined
    const joined = Buffer.allocUnsafe(this.bytes)
    let end = this.bytes
    for (let at: Sequence | null = this; at !== null; at = at.before) {
      end -= at.frame.length
      joined.set(at.frame, end)
    }
    this.joined = joined
    return joined
  }
}

/** What waits for one client, and how far behind it is. */
class Outbox {
  readonly client: WireClient
  /** The client's, kept here: Colyseus deletes a property of each client, and V8 then looks up all others slowly. */
  ref: SocketOwner
  /** Frames of this turn, not written yet. */
  waiting: Sequence | null = null
  is_listed = false
  /** True when the socket had not passed on everything at the last write: the next one looks at once. */
  is_behind = false
  /** True from the first skipped patch, or from a join amid changes, until the full state was sent. */
  is_stale = false
  /** True while a joining client waits for its first state: messages wait with it, so that they come after. */
  is_held = false
  /** The room that can give the full state; known once it sent it the first time. */
  room: RoomInside | null = null
  /** Bytes the socket had passed on when it was last seen to make progress, and when that was. */
  passed_bytes = 0
  progress_at = 0
  /** When JOIN was sent, 0 once it is acknowledged. */
  join_sent_at = 0
  queued_before_join_bytes = 0
  /** A ping that goes out with the next write. */
  ping: Buffer | null = null

  constructor(client: WireClient) {
    this.client = client
    this.ref = client.ref as SocketOwner
  }
}

type RoomInside = {
  patchRate: number | null
  _internalState: number
  _serializer: { encoder?: { hasChanges: boolean } }
  sendFullState(client: Client): void
  broadcastPatch(): boolean
}
/** Clients of a room that wait for a full state. */
const lateByRoom = new WeakMap<RoomInside, Set<Outbox>>()
/** A joining client waits no longer than this for the next patch of a room that patches rarely. */
const FIRST_STATE_MS = 50
const OUTBOX = Symbol('outbox')
const SENT_AWAY = Symbol('sent away')
type WireClient = WebSocketClient & { [OUTBOX]?: Outbox; [SENT_AWAY]?: boolean }
type SocketOwner = WebSocket & { _socket?: Socket | null; [OUTBOX]?: Outbox }

const OPEN = 1
const CLOSED = 3
const CODE_MASK = 0x1f
/** A crowd is written to for so long before the loop turns: answers of the database and requests wait no longer. */
const SLICE_MS = 2
const WRITES_PER_LOOK = 16
const live = new Set<Outbox>()
/** Who gets an answer to a request of his own. They are written to first. */
let answered: Outbox[] = []
/** Who gets anything at all; those before `next_listed` have got it. */
let listed: Outbox[] = []
let next_listed = 0
let is_flush_due = false
let lastData: Uint8Array | null = null
let lastSequence: Sequence | null = null
/** Patches of this turn by identity: with views, shared and private ones alternate from client to client. */
const patches = new Map<Uint8Array, Sequence>()

/**
 * Replaces the way out for every client of the process. Before the first room; a second call only changes the
 * limits. Refuses nothing; ends sockets as the limits say (1006 for a reader that is too slow, 4002 for a
 * join that is never acknowledged).
 */
export function guardSockets(wanted: Partial<WireLimits> = {}): void {
  limits = { ...WIRE_LIMITS, ...wanted }
  clearInterval(sweeper)
  sweeper = setInterval(sweep, limits.sweep_ms).unref()
  if (installed) return
  installed = true

  const prototype = WebSocketClient.prototype
  prototype.raw = function (this: WireClient, data, _options, written) {
    send(this, data as Uint8Array, written)
  }
  prototype.enqueueRaw = function (this: WireClient, data, options) {
    if (!hasRoomBeforeJoin(this, data.length)) return
    enqueueClientRaw(this, data, options)
  }
  const leave = prototype.leave
  prototype.leave = function (this: WireClient, code, data) {
    const outbox = this[OUTBOX]
    this[SENT_AWAY] = true
    if (outbox !== undefined) {
      outbox.is_held = false
      write(outbox)
    }
    leave.call(this, code, data)
  }
  guardStates()
}

/**
 * A full state goes out only while no change waits to be patched. Stock rooms send it at any moment, and a client
 * that gets it between a change of an array and the patch of that change then applies the change twice: after
 * `shift()` and `push()` it showed a wrong list for ever in 382 of 2,000 trials (schema 5.0.34).
 */
function guardStates(): void {
  const rooms = Room.prototype as unknown as RoomInside
  const { sendFullState, broadcastPatch } = rooms
  rooms.sendFullState = function (this: RoomInside, client: Client) {
    const outbox = outboxOf(client as unknown as WireClient)
    outbox.room = this
    if (!hasPendingChanges(this)) {
      sendFullState.call(this, client)
      return
    }
    outbox.is_stale = true
    outbox.is_held = true
    waitForState(this, outbox)
    if (this.patchRate !== null && this.patchRate <= FIRST_STATE_MS) return
    setTimeout(() => {
      if (outbox.is_held && this._internalState !== RoomInternalState.DISPOSING) this.broadcastPatch()
    }, FIRST_STATE_MS)
  }
  rooms.broadcastPatch = function (this: RoomInside) {
    const hasChanged = broadcastPatch.call(this)
    const late = lateByRoom.get(this)
    if (late !== undefined) for (const outbox of late) resync(outbox)
    return hasChanged
  }
}

function hasPendingChanges(room: RoomInside): boolean {
  return room._serializer.encoder?.hasChanges === true
}

function waitForState(room: RoomInside, outbox: Outbox): void {
  const late = lateByRoom.get(room)
  if (late === undefined) lateByRoom.set(room, new Set([outbox]))
  else late.add(outbox)
}

/** Figures of the process since its start; a copy. */
export function wireCounts(): WireCounts {
  return { ...counts }
}

/**
 * True once the server itself asked this client to leave. Its close code does not tell: a client that never
 * answers the close frame ends with 1006, like one whose network failed.
 */
export function wasSentAway(client: Client): boolean {
  return (client as unknown as WireClient)[SENT_AWAY] === true
}

/** Bytes that wait for this client at the moment, in our queue and in its socket. */
export function queuedBytes(client: Client): number {
  const { ref } = client as unknown as { ref: SocketOwner }
  const waiting = (client as unknown as WireClient)[OUTBOX]?.waiting
  return (ref._socket?.writableLength ?? 0) + (waiting?.bytes ?? 0)
}

/**
 * One binary WebSocket message from the server (final, unmasked, uncompressed) in a buffer of its own.
 * RFC 6455, 5.2.
 */
export function frameOf(data: Uint8Array): Buffer {
  const size = data.length
  const start = size < 126 ? 2 : size < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(start + size)
  frame[0] = 0x82
  if (start === 2) frame[1] = size
  else if (start === 4) {
    frame[1] = 126
    frame.writeUInt16BE(size, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(size), 2)
  }
  frame.set(data, start)
  return frame
}

/**
 * Pings a socket together with the next thing that it gets: a write of its own costs as much as a patch. What had
 * nothing to go with is sent by `sendPing`, which the caller calls a little later.
 */
export function stagePing(ref: WebSocket, payload: Buffer): void {
  const outbox = (ref as SocketOwner)[OUTBOX]
  if (outbox === undefined) ref.ping(payload)
  else outbox.ping = Buffer.concat([Buffer.from([0x89, payload.length]), payload])
}

/** Sends the ping that `stagePing` left with this socket, if it is still there. */
export function sendPing(ref: WebSocket): void {
  const { _socket: socket, [OUTBOX]: outbox } = ref as SocketOwner
  if (outbox?.ping == null || ref.readyState !== OPEN || socket == null) return
  const { ping } = outbox
  outbox.ping = null
  socket.write(ping)
}

function outboxOf(client: WireClient): Outbox {
  const known = client[OUTBOX]
  if (known !== undefined) {
    // Who came back has another socket, and answers to what was asked before go there too.
    known.ref = client.ref as SocketOwner
    return known
  }
  const outbox = new Outbox(client)
  client[OUTBOX] = outbox
  outbox.ref[OUTBOX] = outbox
  outbox.progress_at = Date.now()
  live.add(outbox)
  return outbox
}

function send(client: WireClient, data: Uint8Array, written?: (error?: Error) => void): void {
  const outbox = outboxOf(client)
  const code = data[0]! & CODE_MASK
  const isPatch = code === Protocol.ROOM_STATE_PATCH
  if (isPatch && outbox.is_stale) {
    counts.patches_skipped += 1
    return
  }
  const next = sequenceOf(data, isPatch)
  // The socket itself is not looked at here: for a client that keeps up, the one look at the write is enough.
  if (outbox.waiting !== null && outbox.waiting.bytes + next.bytes > limits.queued_bytes_max) writeNow(outbox)
  if (isPatch && outbox.is_stale) return // that write was too much for it
  if (code === Protocol.JOIN_ROOM) outbox.join_sent_at = Date.now()
  outbox.waiting = outbox.waiting === null ? next : outbox.waiting.and(next)
  if (code === Protocol.ROOM_RESPONSE) list(outbox, answered)
  else if (!outbox.is_listed) {
    outbox.is_listed = true
    list(outbox, listed)
  }
  if (outbox.is_behind || written !== undefined) writeNow(outbox, written)
}

/** The framed bytes of `data`, framed once per turn for all clients that get the same object. */
function sequenceOf(data: Uint8Array, isPatch: boolean): Sequence {
  if (data === lastData) return lastSequence!
  let sequence = isPatch ? patches.get(data) : undefined
  if (sequence === undefined) {
    sequence = new Sequence(null, frameOf(data), isPatch)
    if (isPatch) patches.set(data, sequence)
  }
  lastData = data
  lastSequence = sequence
  return sequence
}

/** Puts a client on a list of the next flush. */
function list(outbox: Outbox, on: Outbox[]): void {
  on.push(outbox)
  flushSoon()
}

/** setImmediate and not a microtask, so that timers, replies and the awaits between them end up in the same write. */
function flushSoon(): void {
  if (is_flush_due) return
  is_flush_due = true
  setImmediate(flush)
}

/**
 * The end of a turn of the event loop: one write per client. A crowd takes several turns; whatever comes for a client
 * before it is its turn leaves in the same write.
 */
function flush(): void {
  is_flush_due = false
  lastData = null
  lastSequence = null
  patches.clear()
  const first = answered
  answered = []
  for (const outbox of first) write(outbox)
  const end_ms = performance.now() + SLICE_MS
  while (next_listed < listed.length) {
    const outbox = listed[next_listed++]!
    outbox.is_listed = false
    write(outbox)
    if (next_listed % WRITES_PER_LOOK === 0 && performance.now() > end_ms) break
  }
  if (next_listed === listed.length) {
    listed = []
    next_listed = 0
  } else flushSoon()
}

/** Gives a client that has caught up the full state, in front of what this turn has for it already. */
function resync(outbox: Outbox): void {
  const { client, ref, room } = outbox
  const socket = ref._socket
  if (room === null) return
  if (socket == null || ref.readyState !== OPEN || client.state !== ClientState.JOINED) {
    lateByRoom.get(room)?.delete(outbox)
    return
  }
  if (socket.writableLength > 0) return
  lateByRoom.get(room)?.delete(outbox)
  const after = outbox.waiting
  outbox.waiting = null
  outbox.is_stale = false
  if (!outbox.is_held) counts.resyncs += 1
  outbox.is_held = false
  room.sendFullState(client as unknown as Client)
  if (after === null) return
  const state = outbox.waiting as Sequence | null
  const rest = new Sequence(null, after.whole())
  outbox.waiting = state === null ? rest : state.and(rest)
}

/** For what does not wait for the end of the turn. A joining client's messages still wait for its first state. */
function writeNow(outbox: Outbox, written?: (error?: Error) => void): void {
  if (!outbox.is_held) {
    write(outbox, written)
    return
  }
  if (outbox.waiting !== null && outbox.waiting.bytes > 2 * limits.queued_bytes_max) endOverflowing(outbox)
  if (written !== undefined) process.nextTick(written)
}

/**
 * Hands a client what waits for it, as one chunk. When its socket still holds so much that this would pass the cap,
 * the patches among it are left out, and the client gets the full state later; messages are never left out: if they
 * alone pass the cap, the client is ended. Something larger than the cap may pass alone, through an empty socket.
 */
function write(outbox: Outbox, written?: (error?: Error) => void): void {
  let { waiting } = outbox
  if (waiting === null || outbox.is_held) return
  outbox.waiting = null
  const { ref } = outbox
  const socket = ref._socket
  // After a close frame nothing may follow (RFC 6455, 5.5.1); a peer that closed does not want it either.
  if (ref.readyState !== OPEN || socket == null) {
    if (written !== undefined) process.nextTick(written, new Error('The socket is not open.'))
    return
  }
  const queued = socket.writableLength
  outbox.is_behind = queued > 0
  if (queued > 0 && queued + waiting.bytes > limits.queued_bytes_max) {
    waiting = withoutPatches(outbox, waiting)
    if (waiting === null) return
    if (queued + waiting.bytes > limits.queued_bytes_max) {
      endOverflowing(outbox)
      return
    }
  }
  counts.writes += 1
  counts.frames += waiting.length
  if (outbox.ping !== null) {
    const both = Buffer.concat([outbox.ping, waiting.whole()])
    outbox.ping = null
    socket.write(both, (error) => written?.(error ?? undefined))
  } else if (written === undefined) socket.write(waiting.whole())
  else socket.write(waiting.whole(), (error) => written(error ?? undefined))
  outbox.is_behind = socket.writableLength > 0
}

/** What is left of a sequence when its patches are skipped; the client is stale from then on. */
function withoutPatches(outbox: Outbox, sequence: Sequence): Sequence | null {
  const kept: Buffer[] = []
  let skipped = 0
  for (let at: Sequence | null = sequence; at !== null; at = at.before) {
    if (at.is_patch) skipped += 1
    else kept.unshift(at.frame)
  }
  if (skipped === 0) return sequence
  counts.patches_skipped += skipped
  outbox.is_stale = true
  if (outbox.room !== null) waitForState(outbox.room, outbox)
  return kept.reduce<Sequence | null>((before, frame) => new Sequence(before, frame), null)
}

function endOverflowing(outbox: Outbox): void {
  counts.ended_overflow += 1
  end(outbox)
}

function end(outbox: Outbox): void {
  outbox.waiting = null
  outbox.is_held = false
  live.delete(outbox)
  outbox.ref.terminate()
}

/** Colyseus queues everything for a client that has not acknowledged JOIN. False when that queue is full. */
function hasRoomBeforeJoin(client: WireClient, size: number): boolean {
  if (client.state === ClientState.JOINED || client._enqueuedMessages === undefined) return true
  const outbox = outboxOf(client)
  outbox.queued_before_join_bytes += size
  if (outbox.queued_before_join_bytes <= limits.queued_bytes_max) return true
  client._enqueuedMessages.length = 0
  endOverflowing(outbox)
  return false
}

/** Ends sockets that take nothing and clients that never acknowledge. Pong frames do not count as progress. */
function sweep(): void {
  const now = Date.now()
  for (const outbox of live) {
    const { client, ref } = outbox
    const socket = ref._socket
    if (socket == null || ref.readyState === CLOSED) {
      live.delete(outbox)
      continue
    }
    // A room that patches by hand and went quiet has no next patch to bring the full state along.
    if (outbox.is_stale && outbox.room !== null && !hasPendingChanges(outbox.room)) resync(outbox)
    if (hasProgressed(outbox, socket)) outbox.progress_at = now
    else if (now - outbox.progress_at >= limits.stall_ms) {
      counts.ended_stalled += 1
      end(outbox)
      continue
    }
    if (outbox.join_sent_at === 0) continue
    if ((client as unknown as ClientPrivate)._enqueuedMessages === undefined) outbox.join_sent_at = 0
    else if (now - outbox.join_sent_at >= limits.join_ack_ms) {
      outbox.join_sent_at = 0
      counts.ended_unacknowledged += 1
      client.leave(CloseCode.WITH_ERROR)
    }
  }
}

function hasProgressed(outbox: Outbox, socket: Socket): boolean {
  const queued = socket.writableLength
  if (queued === 0) return true
  const passed = (socket.bytesWritten ?? 0) - queued
  if (passed <= outbox.passed_bytes) return false
  outbox.passed_bytes = passed
  return true
}
