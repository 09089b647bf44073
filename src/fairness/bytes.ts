// Bytes and their texts: hex, base64, UTF-8. Strict readers, because a lax one accepts two texts for one value.
// No node: import: this file also runs in the browser and in the offline page.

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const encoder = new TextEncoder()

/** UTF-8 bytes of a text. A lone surrogate would become U+FFFD, so callers hash only text that `jcs` has passed. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Joins byte arrays. */
export function concat(...parts: Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** True when both arrays hold the same bytes. Not constant-time: it compares published hashes only. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** Lowercase hex without prefix. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
  return text
}

/** True for lowercase hex of exactly `byte_count` bytes. */
export function isHex(value: unknown, byte_count: number): value is string {
  return typeof value === 'string' && value.length === byte_count * 2 && /^[0-9a-f]*$/.test(value)
}

/** Bytes of lowercase hex. Refuses (RangeError) capitals, odd lengths and anything else. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !isHex(text, text.length / 2)) throw new RangeError('not lowercase hex')
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

/** Standard base64 with padding (RFC 4648, section 4). */
export function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    text += BASE64[(group >> 18) & 63]! + BASE64[(group >> 12) & 63]!
    text += i + 1 < bytes.length ? BASE64[(group >> 6) & 63]! : '='
    text += i + 2 < bytes.length ? BASE64[group & 63]! : '='
  }
  return text
}

/** Bytes of standard base64 with padding. Refuses (RangeError) every text that `toBase64` would not write. */
export function fromBase64(text: string): Uint8Array {
  const body = text.replace(/={1,2}$/, '')
  const bytes = new Uint8Array((body.length * 3 - ((body.length * 3) % 4)) / 4)
  let bits = 0
  let bit_count = 0
  let at = 0
  for (const digit of body) {
    const value = BASE64.indexOf(digit)
    if (value < 0) throw new RangeError('not base64')
    bits = ((bits << 6) | value) & 0xffff
    bit_count += 6
    if (bit_count < 8) continue
    bit_count -= 8
    bytes[at++] = (bits >> bit_count) & 0xff
  }
  if (toBase64(bytes) !== text) throw new RangeError('not canonical base64')
  return bytes
}

/** Base64url without padding (RFC 4648, section 5), as JOSE writes it. */
export function toBase64url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Bytes of base64url without padding. Refuses (RangeError) what `toBase64url` would not write. */
export function fromBase64url(text: string): Uint8Array {
  if (/[+/=]/.test(text)) throw new RangeError('not base64url')
  const standard = text.replaceAll('-', '+').replaceAll('_', '/')
  return fromBase64(standard + '='.repeat((4 - (standard.length % 4)) % 4))
}
