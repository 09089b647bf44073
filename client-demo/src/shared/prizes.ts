/** The prize wallet over HTTP, and its rules in words. */
import { has, LANGUAGE, say, sayOr } from '../strings.ts'
import { API, ask } from './api.ts'
import { amountText, clockText, dayNames, listText, type Tenant } from './tenant.ts'

export const STATUSES = ['all', 'locked', 'unlocked', 'applied', 'expired'] as const
export type Status = (typeof STATUSES)[number]

/** Why not: what is required, what is there, what is missing, and from when it will be possible. */
export type Reason = {
  code: string
  message: string
  required: unknown
  actual: unknown
  missing: unknown
  /** UTC without zone, as the wallet's answers write times. */
  valid_from: string | null
}
export type Conditions = Record<string, unknown>
export type Prize = {
  id: number
  game_name: string
  prize_name: string | null
  prize_description: string | null
  prize_type: string | null
  prize_value: string | null
  display_value: string | null
  prize_color: string | null
  prize_code: string | null
  prize_status: Exclude<Status, 'all'>
  rarity: string | null
  can_unlock: boolean
  can_apply: boolean
  expires_at: string | null
  won_at: string
  conditions: Conditions | null
  why_not: Reason[]
}
export type PrizePage = {
  data: Prize[]
  pagination: { current_page: number; total_pages: number; total_items: number }
}
export type Validation = {
  valid: boolean
  reasons: Reason[]
  discount_amount: string | null
  final_amount: string | null
  application_type: string | null
}

const PATH = `${API}/gamification`

export const readPrizes = (token: string, status: Status, page: number, per_page: number) =>
  ask<PrizePage>('GET', `${PATH}/my_prizes?status=${status}&page=${page}&per_page=${per_page}`, { token })

export type Counts = Record<Status, number>
export const readCounts = (token: string) =>
  ask<{ data: Counts }>('GET', `${PATH}/my_prizes/counts`, { token }).then(({ data }) => data)

export const unlockPrize = (token: string, id: number) => ask('POST', `${PATH}/unlock/${id}`, { token })

/** Dry: can this prize be used on an order like this, now. */
export const validatePrize = (token: string, id: number, order: unknown) =>
  ask<{ data: Validation }>('POST', `${PATH}/validate/${id}`, { token, body: order }).then(({ data }) => data)

/** A step of a prize's life: when, and why. Times are UTC without zone. */
export type Move = { from_status: string | null; to_status: string; at: string; why: string }
export const readHistory = (token: string, id: number) =>
  ask<{ data: Move[] }>('GET', `${PATH}/history/${id}`, { token }).then(({ data }) => data)

/** The own prize with a code. Refuses not_found for every other code. */
export const findPrize = (token: string, code: string) =>
  ask<{ data: Prize }>('GET', `${PATH}/prize/${encodeURIComponent(code)}`, { token }).then(({ data }) => data)

/** Times of the wallet are UTC without zone: "2026-02-28 23:59:59". */
export const instantOf = (text: string): number => Date.parse(`${text.replace(' ', 'T')}Z`)

/** What is on the card: its display value, or at least its kind. */
export const valueText = ({ display_value, prize_type }: Prize): string =>
  display_value ?? (prize_type === null ? '' : sayOr(`prize_type.${prize_type}`, prize_type))

type Terms = Pick<Tenant, 'currency' | 'time_zone'>

const wordOf = (value: unknown): string => sayOr(`word.${value}`, String(value))
const wordsOf = (value: unknown): string => listText((Array.isArray(value) ? value : [value]).map(wordOf))

/** The values of a reason or a condition as a reader of this tenant writes them. */
function shown(code: string, value: unknown, terms: Terms): string {
  if (value === null || value === undefined) return ''
  if (/amount/.test(code) && typeof value === 'string' && /^\d/.test(value)) return amountText(value, terms)
  if (code === 'valid_days') return dayNames(Array.isArray(value) ? value : [Number(value)])
  if (/_time$/.test(code)) return String(value).slice(0, 5)
  if (code === 'prize_expired') return clockText(instantOf(String(value)), terms)
  if (typeof value === 'number') return new Intl.NumberFormat(LANGUAGE).format(value)
  return wordsOf(value)
}

/** A reason as a sentence: the dictionary's where it knows the code, else the server's own. */
export function reasonText({ code, message, required, actual, missing, valid_from }: Reason, terms: Terms) {
  const sentence = sayOr(`reason.${code}`, message, {
    required: shown(code, required, terms),
    actual: shown(code, actual, terms),
    missing: shown(code, missing, terms),
  })
  if (valid_from === null) return sentence
  return `${sentence} ${say('reason.from', { when: clockText(instantOf(valid_from), terms) })}`
}

/** What the conditions of a prize demand, one sentence each. */
export function conditionTexts(conditions: Conditions, terms: Terms): string[] {
  return Object.entries(conditions).flatMap(([name, value]) => {
    const key = `condition.${name}`
    if (value === null || value === false || !has(key)) return []
    return [say(key, { value: shown(name, value, terms) })]
  })
}
