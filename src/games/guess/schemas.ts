/** What doors take of a guess game: HTTP and rooms alike. */
import { z } from 'zod'
import { requestId } from '../wheel/schemas.ts'
import { GUESS_MAX } from './rules.ts'

/** What a guess is made of; `value` is absent in a game of mode draw. */
export const guessRequest = z.strictObject({
  request_id: requestId,
  value: z.int().min(-GUESS_MAX).max(GUESS_MAX).nullable().default(null),
})

/** The name that a platform gives one of its reels: visible ASCII. */
export const reelId = z.string().regex(/^[\x21-\x7e]{1,128}$/)
