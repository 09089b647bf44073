/** Guesses that can be found on a wire: their three lower bytes are from 128 up, which texts and small numbers have not. */
import { randomInt } from 'node:crypto'

export const GUESSES = { min: 0x20_00_00_00, max: 0x3a_ff_ff_ff }

export function distinctGuess(): number {
  const byte = () => randomInt(0x80, 0x1_00)
  return (
    randomInt(GUESSES.min >>> 24, (GUESSES.max >>> 24) + 1) * 2 ** 24 +
    byte() * 2 ** 16 +
    byte() * 2 ** 8 +
    byte()
  )
}
