/** Whose page this is: the money and the wall clock of the tenant, in which rules and deadlines are meant. */
import { LANGUAGE, say } from '../strings.ts'
import { API, ask } from './api.ts'
import { serverClock } from './server-clock.ts'

export type Tenant = {
  tenant_code: string
  tenant_name: string
  currency: string
  decimals: number
  time_zone: string
  is_demo: boolean
  server_time: string
}

/** The tenant of a token. */
export async function readTenant(token: string): Promise<Tenant> {
  const sent_ms = Date.now()
  const tenant = await ask<Tenant>('GET', `${API}/me/tenant`, { token })
  serverClock.answered(Date.parse(tenant.server_time), sent_ms)
  return tenant
}

/** An instant on the tenant's wall clock: "27 Nov 2026, 16:20 CET". */
export function clockText(instant_ms: number, { time_zone }: Pick<Tenant, 'time_zone'>): string {
  return new Intl.DateTimeFormat(LANGUAGE, {
    timeZone: time_zone,
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    timeZoneName: 'short',
  }).format(instant_ms)
}

export type Money = Pick<Tenant, 'currency'> & Partial<Pick<Tenant, 'decimals'>>

/** Minor units as money: "€7.55". */
export function moneyText(amount_minor: number, { currency, decimals = 2 }: Money): string {
  return new Intl.NumberFormat(LANGUAGE, {
    style: 'currency',
    currency,
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  }).format(amount_minor / 10 ** decimals)
}

/** Minor units as the decimal text that requests take: "7.55". */
export function moneyMinorText(amount_minor: number, { decimals }: Pick<Tenant, 'decimals'>): string {
  const digits = String(amount_minor).padStart(decimals + 1, '0')
  return decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}

/** A decimal amount of an answer ("7.55") as money. */
export function amountText(amount: string, { currency }: Pick<Tenant, 'currency'>): string {
  const decimals = amount.split('.')[1]?.length ?? 0
  return moneyText(Number(amount.replace('.', '')), { currency, decimals })
}

const DAY_MS = 86_400_000
/** 1 January 2024 was a Monday. */
const MONDAY_MS = Date.UTC(2024, 0, 1)

/** Names of days, 1 = Monday, 0 and 7 = Sunday. */
export function dayNames(days: readonly number[]): string {
  const names = new Intl.DateTimeFormat(LANGUAGE, { weekday: 'short', timeZone: 'UTC' })
  const list = [...new Set(days.map((day) => day || 7))].sort()
  return listText(list.map((day) => names.format(MONDAY_MS + (day - 1) * DAY_MS)))
}

/** "a, b or c". */
export function listText(words: readonly string[]): string {
  return new Intl.ListFormat(LANGUAGE, { type: 'disjunction' }).format(words)
}

/** What is left until an instant, short enough for a ring: "6d", "3h", "12m", "40s", or a word when it is over. */
export function leftText(left_ms: number, unitDisplay: 'narrow' | 'long' = 'narrow'): string {
  if (left_ms <= 0) return say('ring.over')
  const [unit, size_ms] =
    (
      [
        ['day', DAY_MS],
        ['hour', 3_600_000],
        ['minute', 60_000],
      ] as const
    ).find(([, size]) => left_ms >= size) ?? (['second', 1_000] as const)
  const value = Math.max(1, Math.floor(left_ms / size_ms))
  return new Intl.NumberFormat(LANGUAGE, { style: 'unit', unit, unitDisplay }).format(value)
}
