/**
 * The story of one spin, line by line, for support. What its transaction decided is read from the rows that it wrote, so
 * a line cannot tell anything else than what happened; what only a process or another system knew is a row of `game_logs`.
 */
import type { Tx } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { newId } from '../ids.ts'
import {
  type AuditLine,
  deleteOldLogs,
  insertLogs,
  type LogLevel,
  type LogRow,
  loadAuditOfPlay,
  loadLogPage,
  loadLogsOfSpin,
  loadMovesOfPlay,
  loadSpinFacts,
  type MoveLine,
  type SpinFacts,
} from './logs-store.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** Of one spin; a play with more refused tries than this is a case of its own. */
const AUDIT_LINES_MAX = 500
const PURGED_AT_ONCE = 5_000

export type LogView = {
  /** Null for a line that is read from the rows of the spin itself. */
  id: string | null
  spin_id: string
  at: string
  level: LogLevel
  category: string
  component: string
  message: string
  details: string
  trace_id: string
}

/** Those that are at least as severe. */
export function levelsFrom(level: LogLevel): readonly LogLevel[] {
  return LOG_LEVELS.slice(LOG_LEVELS.indexOf(level))
}

/** Every line of a spin in the order of time, from a level on. Refuses not_found. */
export async function readSpinLog(
  tx: Tx,
  { spin_id, level, category }: { spin_id: string; level: LogLevel; category?: string | undefined },
): Promise<LogView[]> {
  const facts = (await loadSpinFacts(tx, spin_id)) ?? refuse('not_found')
  const audit = await loadAuditOfPlay(tx, facts.play_uuid, AUDIT_LINES_MAX)
  const moves = await loadMovesOfPlay(tx, facts.play_id)
  const written = await loadLogsOfSpin(tx, spin_id)
  const levels = levelsFrom(level)
  return storyOf(spin_id, facts, audit, moves, written).filter(
    (line) => levels.includes(line.level) && (category === undefined || line.category === category),
  )
}

/** Lines that were written of any spin, newest first. */
export async function readLogs(
  tx: Tx,
  {
    level,
    category,
    limit,
    cursor,
  }: {
    level: LogLevel
    category?: string | undefined
    limit: number
    cursor: { at: string; id: string } | null
  },
): Promise<{ data: LogView[]; next: { at: string; id: string } | null }> {
  const rows = await loadLogPage(
    tx,
    { levels: levelsFrom(level), category: category ?? null, cursor },
    limit + 1,
  )
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    data: page.map(viewOf),
    next: rows.length > limit && last ? { at: last.created_at.toISOString(), id: last.id } : null,
  }
}

export type GivenLine = {
  spin_id: string
  level: LogLevel
  category: string
  component: string
  message: string
  details?: string | undefined
  trace_id?: string | undefined
}

/** Takes a line about a spin from another system of the tenant. Refuses not_found. */
export async function writeLog(tx: Tx, given: GivenLine): Promise<LogView> {
  const line = {
    id: newId(),
    spin_session_id: given.spin_id,
    log_level: given.level,
    log_message: given.message,
    log_details: given.details ?? '',
    log_category: given.category,
    log_timestamp: tx.now,
    source_component: given.component,
    trace_id: given.trace_id ?? tx.actor.requestId ?? '-',
  }
  if ((await insertLogs(tx, [line])).length === 0) refuse('not_found')
  tx.audit({
    action: 'create',
    entity_type: 'game_log',
    entity_id: line.id,
    new_values: { spin_id: given.spin_id, log_level: given.level, log_category: given.category },
  })
  return viewOf(line)
}

/** Forgets lines that were written before an instant. Returns how many went; more may be left. */
export function purgeLogs(tx: Tx, { before }: { before: Date }): Promise<number> {
  return deleteOldLogs(tx, before, PURGED_AT_ONCE)
}

function viewOf(row: Omit<LogRow, 'created_at'>): LogView {
  return {
    id: row.id,
    spin_id: row.spin_session_id,
    at: row.log_timestamp.toISOString(),
    level: row.log_level,
    category: row.log_category,
    component: row.source_component,
    message: row.log_message,
    details: row.log_details,
    trace_id: row.trace_id,
  }
}

/** Pure: the lines of a spin, oldest first; lines of one instant in the order in which they came to be. */
export function storyOf(
  spin_id: string,
  facts: SpinFacts,
  audit: readonly AuditLine[],
  moves: readonly MoveLine[],
  written: readonly LogRow[],
): LogView[] {
  const line = (
    at: Date,
    level: LogLevel,
    category: string,
    component: string,
    message: string,
    details = '',
  ) => ({
    id: null,
    spin_id,
    at: at.toISOString(),
    level,
    category,
    component,
    message,
    details,
    trace_id: facts.session_id,
  })
  // One transaction has one instant.
  const { spin_started_at: asked_at } = facts
  const decided = [
    line(asked_at, 'info', 'session', 'wheel', `${facts.user_id} asked for a spin of ${facts.wheel_slug}.`),
    line(
      asked_at,
      'debug',
      'chance',
      'chances',
      `A chance was taken: ${facts.chance_type}.`,
      `chance ${facts.chance_id}, given for: ${facts.award_reason}`,
    ),
    line(
      asked_at,
      'debug',
      'fairness',
      'fairness',
      `Number ${facts.nonce} of the commitment was drawn with the player's seed and entropy.`,
      `commitment ${facts.commit_hash}, entropy ${facts.client_entropy}`,
    ),
    line(
      asked_at,
      'info',
      'fairness',
      'fairness',
      `Roll ${facts.roll} fell on segment ${facts.segment_index}, ${facts.reward_slug}.`,
      `version ${facts.config_version} of the wheel`,
    ),
    line(
      asked_at,
      AWARDS[facts.win_status]?.level ?? 'info',
      'award',
      'wheel',
      AWARDS[facts.win_status]?.says ?? facts.win_status,
    ),
    ...(facts.prize_id === null
      ? []
      : [
          line(
            asked_at,
            'info',
            'prize',
            'prizes',
            `Prize ${facts.prize_id} was issued as play ${facts.play_id}, ${facts.beginning}.`,
          ),
        ]),
  ]
  const proofs = audit.map(({ seq, user_id, action, new_values, created_at }) =>
    line(
      created_at,
      action.endsWith('.refused') ? 'warn' : action === 'spin' ? 'debug' : 'info',
      'audit',
      'audit',
      `Row ${seq} of the audit chain: ${action} by ${user_id}.`,
      codesOf(new_values),
    ),
  )
  const moved = moves.map(({ from_status, to_status, moved_at, moved_by, why }) =>
    line(
      moved_at,
      'info',
      'prize',
      'prizes',
      `The prize went from ${from_status} to ${to_status}.`,
      `by ${moved_by}: ${why}`,
    ),
  )
  // The sort is stable, so what was decided first stands first.
  return [...decided, ...proofs, ...moved, ...written.map(viewOf)].sort(
    (a, b) => Date.parse(a.at) - Date.parse(b.at),
  )
}

const AWARDS: Record<string, { level: LogLevel; says: string } | undefined> = {
  won: { level: 'info', says: 'The reward of the segment was given.' },
  lost: { level: 'info', says: 'The segment has no prize.' },
  substituted: { level: 'warn', says: 'The reward had run out; the declared substitute was given.' },
  exhausted: { level: 'warn', says: 'The reward had run out, and there was no substitute to give.' },
}

/** Why something was refused, without the facts of the order. */
function codesOf(values: Record<string, unknown> | null): string {
  const { code, reasons } = (values ?? {}) as { code?: string; reasons?: unknown }
  return [code, Array.isArray(reasons) ? reasons.join(', ') : undefined].filter((each) => each).join(': ')
}
