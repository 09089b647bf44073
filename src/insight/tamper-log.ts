/**
 * Remembers who sent what no client of ours sends, and tells the database now and then: a flood of hostile messages is one
 * row per user that counts them, never one row per message (S1-17). Bounded: past so many users only their number counts.
 */
import type { App } from '../app.ts'
import { Refusal } from '../errors.ts'
import { systemActor } from '../system.ts'
import { recordTampering, type Tampering } from './signals.ts'

const TELL_EVERY_MS = 1_000
const USERS_MAX = 1_000
const TEXTS_MAX = 20
const TEXT_LENGTH_MAX = 64

export type Suspect = { tenantId: string; userId: string; ip?: string }

export type TamperLog = {
  /** Looks at why a message was refused; notes it when no client of ours could have sent it. Never throws. */
  look(suspect: Suspect, where: string, error: unknown): void
  /** Writes what is noted. For tests and for the end of a process. */
  flush(): Promise<void>
}

/** What was wrong with a refused message, or nothing when it was an honest one. */
export function tamperingOf(error: unknown): string[] {
  if (!(error instanceof Refusal)) return []
  if (error.code === 'idempotency_key_reused') return ['another content under a used request id']
  return (error.detail.unknown_members ?? []).map((name) => `member ${name}`)
}

/** Makes the log of one process. */
export function makeTamperLog(
  app: Pick<App, 'run'>,
  report: (where: string, error: unknown) => void,
): TamperLog {
  let noted = new Map<string, Tampering & { tenantId: string }>()
  let timer: NodeJS.Timeout | undefined

  function note({ tenantId, userId, ip }: Suspect, where: string, what: readonly string[]): void {
    const key = `${tenantId}/${userId}`
    const known = noted.get(key)
    if (known === undefined && noted.size >= USERS_MAX) return
    const entry = known ?? { tenantId, user_id: userId, messages: 0, where: [], what: [], address: null }
    entry.messages += 1
    entry.address = ip ?? entry.address
    for (const [list, texts] of [
      [entry.where, [where]],
      [entry.what, what],
    ] as const) {
      for (const text of texts) {
        const shown = text.replaceAll('\u0000', '').toWellFormed().slice(0, TEXT_LENGTH_MAX)
        if (!list.includes(shown) && list.length < TEXTS_MAX) list.push(shown)
      }
    }
    noted.set(key, entry)
    timer ??= setTimeout(() => void flush(), TELL_EVERY_MS).unref()
  }

  async function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    const entries = [...noted.values()]
    noted = new Map()
    for (const [tenantId, of] of Map.groupBy(entries, (entry) => entry.tenantId)) {
      const told = of.map(({ tenantId: _, ...entry }) => entry)
      await app
        .run(systemActor(tenantId), recordTampering, told)
        .catch((error: unknown) => report('tamper-log', error))
    }
  }

  return {
    look(suspect, where, error) {
      const what = suspect.userId === '' ? [] : tamperingOf(error)
      if (what.length > 0) note(suspect, where, what)
    },
    flush,
  }
}
