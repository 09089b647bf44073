/** Ids and codes. Everything here is unguessable; nothing here decides an outcome. */
import * as crypto from 'node:crypto'

/** Node 24 has it; the published types do not know it yet. */
const { randomUUIDv7 } = crypto as unknown as { randomUUIDv7: () => string }

/** A time-ordered uuid, for rows whose id is made before their insert. */
export const newId = (): string => randomUUIDv7()

/** Crockford Base32: no I, L, O, U, so that a code survives being read aloud. */
export const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** A code of `length` symbols, uniform over 32 letters and digits: 8 are 40 bits (features F6). */
export function newCode(length: number): string {
  let code = ''
  for (const byte of crypto.randomBytes(length)) code += CROCKFORD[byte & 31]
  return code
}
