// Canonical JSON: one text, and so one hash, for one value. Everything hashed in FAIR/1 passes through here.

const ESCAPES: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
}

/** Depth allowed to foreign documents. Ours stay below 10; the limit keeps a hostile one off the stack. */
export const DEPTH_MAX = 32

/**
 * Writes a value as canonical JSON: keys by UTF-16 code unit, no white space, least escaping. Pure.
 *
 * Takes null, booleans, safe integers, well-formed strings, arrays and plain objects. Refuses (TypeError or
 * RangeError) everything else: fractions, -0, integers beyond 2^53-1, BigInt, undefined, functions, symbols,
 * array holes, lone surrogates in values and keys, objects of a class (a Date would hash as `{}`), and more
 * nested containers than `depth_max`. `toJSON` is not called.
 * Source: RFC 8785, narrowed by fair-1.md, section 2.
 */
export function jcs(value: unknown, depth_max = 1000): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return integerText(value)
  if (typeof value === 'string') return stringText(value)
  if (typeof value !== 'object') throw new TypeError(`canonical JSON has no ${typeof value}`)
  if (depth_max < 1) throw new RangeError('nested too deep for canonical JSON')
  return Array.isArray(value) ? arrayText(value, depth_max - 1) : objectText(value, depth_max - 1)
}

function integerText(value: number): string {
  if (!Number.isSafeInteger(value)) throw new RangeError('canonical JSON takes safe integers only')
  if (Object.is(value, -0)) throw new RangeError('canonical JSON has no negative zero')
  return String(value)
}

function stringText(text: string): string {
  if (!text.isWellFormed()) throw new RangeError('lone surrogate in a string')
  // Only these escape; / and U+007F stay as they are (RFC 8785, section 3.2.2.2).
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the control characters are what must be escaped.
  const body = text.replace(/["\\\u0000-\u001f]/g, (unit) => {
    return ESCAPES[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  return `"${body}"`
}

function arrayText(items: unknown[], depth_max: number): string {
  const parts: string[] = []
  for (let i = 0; i < items.length; i++) {
    if (!(i in items)) throw new TypeError('hole in an array')
    parts.push(jcs(items[i], depth_max))
  }
  return `[${parts.join(',')}]`
}

function objectText(value: object, depth_max: number): string {
  const prototype = Object.getPrototypeOf(value)
  // A null prototype is as plain as a literal; an object of another realm is not ours to judge and is refused.
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError('not a plain object')
  if (Object.getOwnPropertySymbols(value).length > 0) throw new TypeError('symbol key')
  const members = value as Record<string, unknown>
  // The default sort compares UTF-16 code units, which is what RFC 8785 asks for.
  const parts = Object.keys(members)
    .sort()
    .map((name) => `${stringText(name)}:${jcs(members[name], depth_max)}`)
  return `{${parts.join(',')}}`
}
