/** Prize codes as people see and type them (features F6, S2-08, S2-49). A code is a label, never a right by itself. Pure. */

const PREFIX = 'PRIZE'

/** A stored code as it is shown: `PRIZE-ABC12345`. */
export function shownCode(code: string): string {
  return `${PREFIX}-${code}`
}

/**
 * The stored form of a code that was typed: without prefix, blanks and hyphens, in capitals, with the letters that
 * Crockford's alphabet leaves out read as the digits they look like.
 */
export function storedCode(typed: string): string {
  const bare = typed.replaceAll(/[\s-]/g, '').toUpperCase()
  const code = bare.startsWith(PREFIX) ? bare.slice(PREFIX.length) : bare
  return code.replaceAll('O', '0').replaceAll(/[IL]/g, '1')
}
