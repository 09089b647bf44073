/** Every number of the guards, with its reason. What happens past one is said where it is enforced. */

import { UPLOAD_BYTES_MAX } from '../../src/claims/rules.ts'

export type GuardLimits = {
  /** Largest request body where `body_bytes_by_path` names no other. */
  body_bytes_max: number
  /** Path, or with a slash at its end everything below -> largest body; `{…}` is any part. The longest that fits decides. */
  body_bytes_by_path: Readonly<Record<string, number>>
  headers_max: number
  header_bytes_max: number
  headers_timeout_ms: number
  request_timeout_ms: number
  keep_alive_ms: number
  /** How often Node looks for connections past those timeouts. */
  timeout_check_ms: number
  sockets_max: number
  sockets_per_address: number
  sockets_per_user: number
  rooms_max: number
  /** Seats given out to people who have not connected, in this process, and for one address. */
  unused_seats_max: number
  unused_seats_per_address: number
  matchmaking_ms: number
  /** Past this share of the heap's limit nobody new gets a seat. */
  heap_share_max: number
  message_bytes_max: number
  fragments_max: number
  messages_per_second: number
  /** Pings carry a number that only a reader can send back. */
  ping_ms: number
  pings_unanswered_max: number
  /** How long the other side may take to answer a close frame. */
  close_ms: number
}

export const LIMITS: Readonly<GuardLimits> = {
  body_bytes_max: 100 * 1024, // protocol.md 3
  body_bytes_by_path: { '/api/v1/claims/{id}/proof': UPLOAD_BYTES_MAX }, // proof images, protocol.md 3
  headers_max: 100, // a browser behind two proxies sends about 40
  header_bytes_max: 16 * 1024,
  headers_timeout_ms: 10_000, // Node's 60 s let 200 slow sockets live for 92 s (M10)
  request_timeout_ms: 30_000,
  keep_alive_ms: 5_000,
  timeout_check_ms: 5_000,
  sockets_max: 10_000,
  sockets_per_address: 200, // reliability.md, abuse 45
  sockets_per_user: 20,
  rooms_max: 2_000, // an idle room takes about 54 kB and 0.03 ms of a core per second
  unused_seats_max: 2_000,
  unused_seats_per_address: 200,
  heap_share_max: 0.9, // V8 collects harder from here on; who plays must not pay for who comes (F23)
  matchmaking_ms: 2_500, // "a join fails within 3 s without Redis" (F14)
  message_bytes_max: 16 * 1024,
  fragments_max: 64,
  messages_per_second: 20,
  ping_ms: 7_000, // each must be answered before the next: a reader may stall 6.5 s, a mute one is gone in 7-14 s
  pings_unanswered_max: 1,
  close_ms: 5_000,
}

/** A token bucket: it fills at a rate and holds a burst. */
export type BucketSize = { per_second: number; burst: number }
