/** Prize codes as people see and type them (features F6, N5, S2-08, S2-49). A code is a label, never a right by itself. */
import { CROCKFORD } from '../ids.ts'

const PREFIX = 'PRIZE'
/** Crockford's five more, for remainders that no digit shows. */
const CHECK_SYMBOLS = `${CROCKFORD}*~$=U`

/** A stored code as it is shown: `PRIZE-ABC12345`. */
export function shownCode(code: string): string {
  return `${PREFIX}-${code}`
}

/** The same for paper: with a last symbol, by which a mistyped code is told from an unknown one (N5). */
export function printedCode(code: string): string {
  return `${shownCode(code)}-${checkSymbol(code)}`
}

/**
 * The check symbol of a code: its value modulo 37, which sees every wrong symbol and every swap of neighbours.
 * Source: Douglas Crockford, Base 32.
 */
export function checkSymbol(code: string): string {
  let remainder = 0
  for (const symbol of code) remainder = (remainder * 32 + CROCKFORD.indexOf(symbol)) % 37
  return CHECK_SYMBOLS[remainder]!
}

/**
 * The stored codes that a typed one can mean: without prefix, blanks and hyphens, in capitals, with the letters that
 * Crockford's alphabet leaves out read as the digits they look like; and the same without its last symbol, when that
 * is the right check symbol of the rest.
 */
export function storedCodes(typed: string): string[] {
  const bare = typed.replaceAll(/[\s-]/g, '').toUpperCase()
  const code = bare.startsWith(PREFIX) ? bare.slice(PREFIX.length) : bare
  const read = (text: string) => text.replaceAll('O', '0').replaceAll(/[IL]/g, '1')
  const body = read(code.slice(0, -1))
  const is_checked =
    body !== '' && /^[0-9A-HJKMNP-TV-Z]+$/.test(body) && checkSymbol(body) === read(code.slice(-1))
  return is_checked ? [read(code), body] : [read(code)]
}
