/**
 * JSON as a door reads it: stricter than JSON.parse, because what it lets through ends in jsonb columns, hash
 * chains and tokens. Pure.
 */
import { DEPTH_MAX } from '../fairness/canonical.ts'

/** What is wrong with a text, and where: a JSON pointer to the nearest member. */
export class JsonError extends Error {
  override name = 'JsonError'
  readonly kind: 'syntax' | 'content'
  readonly pointer: string

  constructor(kind: 'syntax' | 'content', detail: string, pointer = '') {
    super(detail)
    this.kind = kind
    this.pointer = pointer
  }
}

/**
 * Parses JSON. Throws JsonError of kind `syntax` for text that is not JSON, and of kind `content` for JSON that
 * PostgreSQL or a reader could take for something else: a member that stands twice, a member `__proto__`, the
 * character U+0000, a lone surrogate, a number beyond a double, more than `depth_max` nested containers.
 */
export function parseStrictJson(text: string, depth_max: number = DEPTH_MAX): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new JsonError('syntax', 'The text is not JSON.')
  }
  refuseDuplicates(text, depth_max)
  refuseContent(value, '')
  return value
}

type Container = { members: Set<string> | null }

/** Walks text that is known to be JSON. The parsed value cannot tell: it holds the last of two members. */
function refuseDuplicates(text: string, depth_max: number): void {
  const open: Container[] = []
  for (let at = 0; at < text.length; at++) {
    const unit = text[at]
    if (unit === '{' || unit === '[') {
      if (open.length >= depth_max) throw new JsonError('content', `Nested deeper than ${depth_max}.`)
      open.push({ members: unit === '{' ? new Set() : null })
    } else if (unit === '}' || unit === ']') {
      open.pop()
    } else if (unit === '"') {
      const end = stringEnd(text, at)
      const members = open.at(-1)?.members
      if (members && isName(text, end)) addName(members, JSON.parse(text.slice(at, end + 1)))
      at = end
    }
  }
}

function addName(members: Set<string>, name: string): void {
  if (members.has(name)) throw new JsonError('content', 'A member stands twice.', `/${pointerPart(name)}`)
  if (name === '__proto__')
    throw new JsonError('content', 'A member may not be called __proto__.', '/__proto__')
  members.add(name)
}

/** Index of the quote that closes the string opened at `start`. */
function stringEnd(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at
}

/** In valid JSON a string is a member's name exactly when a colon follows it. */
function isName(text: string, end: number): boolean {
  let at = end + 1
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++
  return text[at] === ':'
}

function refuseContent(value: unknown, pointer: string): void {
  if (typeof value === 'string') refuseText(value, pointer)
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new JsonError('content', 'The number is out of range.', pointer)
  }
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) {
    const inner = `${pointer}/${pointerPart(name)}`
    refuseText(name, inner)
    refuseContent(member, inner)
  }
}

function refuseText(text: string, pointer: string): void {
  if (text.includes('\u0000'))
    throw new JsonError('content', 'The character U+0000 is not accepted.', pointer)
  if (!text.isWellFormed()) throw new JsonError('content', 'The text is not well-formed Unicode.', pointer)
}

/** One reference token of a JSON pointer (RFC 6901). Long foreign names are cut: a pointer is a hint. */
export function pointerPart(name: PropertyKey): string {
  return String(name).slice(0, 100).toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1')
}

/**
 * The same value with fractions as decimal text: canonical JSON, and so every hash, takes integers only.
 * Dates become RFC 3339 text; members that are undefined fall away.
 */
export function withoutFractions(value: unknown): any {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value + 0 : String(value)
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return value.map((item) => withoutFractions(item ?? null))
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(members.map(([name, member]) => [name, withoutFractions(member)]))
}
