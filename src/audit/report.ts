/** What an audit found, and how it is said to people. */
import { styleText } from 'node:util'

export type Check = {
  /** Name of the invariant, such as I4 or L2. */
  id: string
  /** The sentence that must hold. */
  title: string
  /** `absent`: its tables are not part of this version. `unchecked`: something it needs was not given; see `note`. */
  status: 'ok' | 'violated' | 'absent' | 'unchecked'
  /** How many rows were looked at, or null where the catalogue was. */
  checked: number | null
  violations: number
  /** The first few violations, as rows or sentences. */
  examples: unknown[]
  note?: string
}

export type AuditReport = {
  /** True when nothing is violated. */
  ok: boolean
  checks: Check[]
  notes: string[]
  duration_ms: number
}

export const EXAMPLE_COUNT_MAX = 10

/** A check that is filled while rows stream by. */
export class Tally {
  readonly check: Check

  constructor(id: string, title: string) {
    this.check = { id, title, status: 'ok', checked: 0, violations: 0, examples: [] }
  }

  /** One more row was looked at; `fault` says what is wrong with it, null when nothing is. */
  saw(fault: string | null): void {
    this.check.checked! += 1
    if (fault !== null) this.found(fault)
  }

  /** A violation that is no row's own, such as an end that is missing. */
  found(fault: unknown): void {
    this.check.status = 'violated'
    this.check.violations += 1
    if (this.check.examples.length < EXAMPLE_COUNT_MAX) this.check.examples.push(fault)
  }

  /** What the check could not do, in a sentence; its violations stand. */
  note(sentence: string, unchecked = false): void {
    this.check.note = sentence
    if (unchecked && this.check.status === 'ok') this.check.status = 'unchecked'
  }
}

/** What a check says, where rows that cannot even be computed with are faults and not the end of the audit. */
export function attempt(fault: () => string | null): string | null {
  try {
    return fault()
  } catch (error) {
    return `cannot be checked: ${(error as Error).message}`
  }
}

const MARKS = {
  ok: ['green', '✓'],
  violated: ['red', '✗'],
  absent: ['dim', '·'],
  unchecked: ['yellow', '!'],
} as const

/** The report as lines for a terminal. */
export function reportText(report: AuditReport): string {
  const lines = report.checks.flatMap(checkLines)
  const count = (status: Check['status']) => report.checks.filter((check) => check.status === status).length
  const violations = report.checks.reduce((sum, check) => sum + check.violations, 0)
  const verdict = report.ok
    ? styleText('green', `✓ ${count('ok')} checks hold`)
    : styleText(
        'red',
        `✗ ${count('violated')} of ${report.checks.length} checks are violated, ${violations} violations`,
      )
  const rest = [
    count('unchecked') > 0 ? `${count('unchecked')} not checked` : null,
    count('absent') > 0 ? `${count('absent')} not part of this version` : null,
  ].filter((part) => part !== null)
  const notes = report.notes.map((note) => `${styleText('yellow', '!')} ${note}`)
  return [
    ...lines,
    '',
    ...notes,
    [verdict, ...rest, `${(report.duration_ms / 1000).toFixed(1)} s`].join(', '),
  ].join('\n')
}

function checkLines({ id, title, status, checked, violations, examples, note }: Check): string[] {
  const [colour, mark] = MARKS[status]
  const counts = [
    checked === null ? null : `${checked} checked`,
    violations > 0 ? `${violations} violations` : null,
    status === 'absent' ? 'not part of this version' : null,
    note ?? null,
  ].filter((part) => part !== null)
  const head = `${styleText(colour, mark)} ${id.padEnd(4)} ${title}${counts.length > 0 ? styleText('dim', `  (${counts.join('; ')})`) : ''}`
  return [
    head,
    ...examples.map((example) => `       ${typeof example === 'string' ? example : JSON.stringify(example)}`),
  ]
}
