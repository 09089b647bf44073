/** Lists as text/csv (RFC 4180), for people who open them in a spreadsheet. */

export const CSV = 'text/csv; charset=utf-8; header=present'

/**
 * A spreadsheet runs a cell that begins like this as a formula, also behind spaces and in full width: a title that
 * somebody typed must not act on the machine of whoever reads the list.
 */
const FORMULA = /^(?:\s*[=+\-@＝＋－＠]|[\t\r\n])/

/** A header row and one row per object, lines ended by CRLF. */
export function csvOf(columns: readonly string[], rows: readonly Record<string, unknown>[]): string {
  const lines = [columns, ...rows.map((row) => columns.map((name) => cellOf(row[name])))]
  return lines.map((cells) => `${cells.map(quoted).join(',')}\r\n`).join('')
}

/** Numbers and booleans as they are, dates in ISO, lists with spaces, documents as JSON; nothing for null. */
function cellOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value) && value.every((each) => typeof each === 'number')) return value.join(' ')
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return FORMULA.test(text) ? `'${text}` : text
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
