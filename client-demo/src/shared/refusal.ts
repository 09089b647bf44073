/** Refusals of the server as one shape, whichever door they came through, and as sentences for people. */
import { say, sayOr, whenText } from '../strings.ts'
import { serverClock } from './server-clock.ts'

export class ServerRefusal extends Error {
  readonly code: string
  readonly facts: Record<string, unknown>
  readonly retry_after_s: number | undefined

  constructor(code: string, detail: string, facts: Record<string, unknown> = {}, retry_after_s?: number) {
    super(detail)
    this.name = 'ServerRefusal'
    this.code = code
    this.facts = facts
    this.retry_after_s = retry_after_s
  }
}

type Loose = Record<string, any>

/** A refusal from the body of a problem+json answer or the reason of a room. */
export function refusalOf(body: unknown, otherwise: string): ServerRefusal {
  const given = (body ?? {}) as Loose
  const nested = (
    typeof given['detail'] === 'object' && given['detail'] !== null ? given['detail'] : given
  ) as Loose
  const text = [given['detail'], given['message'], given['title']].find((each) => typeof each === 'string')
  return new ServerRefusal(
    typeof given['code'] === 'string' ? given['code'] : otherwise,
    text ?? otherwise,
    (nested['facts'] ?? given['facts'] ?? {}) as Loose,
    nested['retry_after_s'] ?? given['retry_after_s'],
  )
}

/** Anything that was thrown, as a refusal: no answer is `network`, no answer in time is `timeout`. */
export function asRefusal(error: unknown): ServerRefusal {
  if (error instanceof ServerRefusal) return error
  const { name, reason, message } = (error ?? {}) as { name?: string; reason?: unknown; message?: string }
  if (name === 'rejected') return refusalOf(reason, 'internal')
  if (/time(d )?\s?out/i.test(message ?? '')) return new ServerRefusal('timeout', message ?? '')
  return new ServerRefusal('network', message ?? '')
}

/** Passing failures: the same request can be sent again with the same key. */
export const isPassing = ({ code }: ServerRefusal): boolean =>
  ['network', 'timeout', 'unavailable', 'shutting_down', 'idempotency_in_progress'].includes(code)

/** Facts of a refusal that say from when on it would be possible. */
const POSSIBLE_FROM = ['valid_from', 'opens_at', 'blocked_until'] as const

/** Why not, and what to do about it. */
export function whyText(refusal: ServerRefusal): string {
  const sentence = sayOr(`why.${refusal.code}`, refusal.message || say('why.internal'))
  const from = POSSIBLE_FROM.map((fact) => refusal.facts[fact]).find((each) => typeof each === 'string')
  if (from === undefined) return sentence
  return `${sentence} ${say('why.at', { when: whenText(Date.parse(from as string), serverClock.now()) })}`
}
