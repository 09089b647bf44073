/**
 * The other side of a webhook, for programs that receive ours: opening a message, and what a loyalty programme outside
 * has to bring to follow the points. Needs nothing of the server but this file and sign.ts.
 */
import { timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { signatureOf } from './sign.ts'

/** Standard Webhooks: older or newer messages are replays. */
const TOLERANCE_S = 300

export type Message = { id: string; type: string; timestamp: string; data: Record<string, unknown> }

const bodySchema = z.object({
  type: z.string(),
  timestamp: z.string(),
  data: z.record(z.string(), z.unknown()),
})

/** Why a message is not opened. */
export class MessageError extends Error {}

/**
 * Checks a message as it arrived and answers what it says. `secret` is `whsec_…`; `body` the bytes as text, unparsed.
 * Throws MessageError for a missing header, a time out of tolerance, a wrong signature.
 */
export function openMessage(
  secret: string,
  headers: Record<string, string | string[] | undefined>,
  body: string,
  now: Date,
): Message {
  const [id, sent_at, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(
    (name) => headers[name],
  )
  if (
    typeof id !== 'string' ||
    typeof sent_at !== 'string' ||
    typeof signatures !== 'string' ||
    !/^\d{1,12}$/.test(sent_at)
  )
    throw new MessageError('a header is missing')
  const timestamp_s = Number(sent_at)
  if (Math.abs(now.getTime() / 1_000 - timestamp_s) > TOLERANCE_S)
    throw new MessageError('the message is too old or too new')
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const expected = Buffer.from(signatureOf(key, id, timestamp_s, body))
  const fits = signatures.split(' ').some((each) => {
    const given = Buffer.from(each)
    return given.length === expected.length && timingSafeEqual(given, expected)
  })
  if (!fits) throw new MessageError('no signature fits')
  return { id, ...bodySchema.parse(JSON.parse(body)) }
}

const movementSchema = z.object({
  user_id: z.string(),
  unit: z.string(),
  points: z.int(),
  balance_after: z.int(),
  posting_id: z.int(),
  transfer_id: z.uuid(),
  transfer_type: z.string(),
  corrects_id: z.uuid().nullable(),
})

/** Points that moved on a customer's account. `posting_id` rises along every account and names the movement. */
export type LoyaltyMovement = z.output<typeof movementSchema>

/** What a loyalty programme outside has to bring. */
export type LoyaltyAdapter = {
  /**
   * Carries a movement over. Is called again for a message that came twice and for messages that overtook each other:
   * it has to keep the newest `posting_id` of a customer and pass over what is not newer, or to keep every one once.
   */
  moved(movement: LoyaltyMovement): Promise<void>
}

/** Hands a message to the adapter. Answers the status for the sender: 204 done, 202 not ours, 401 not to be opened. */
export async function receiveLoyalty(
  adapter: LoyaltyAdapter,
  secret: string,
  headers: Record<string, string | string[] | undefined>,
  body: string,
  now: Date,
): Promise<204 | 202 | 401> {
  let message: Message
  try {
    message = openMessage(secret, headers, body, now)
  } catch {
    return 401
  }
  if (message.type !== 'loyalty.points_moved') return 202
  await adapter.moved(movementSchema.parse(message.data))
  return 204
}
