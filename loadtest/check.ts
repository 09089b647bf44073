/**
 * The correctness box: what clients were told against what is committed. Pure: evidence and truth go in, findings
 * come out, so that each kind of loss can be planted in a test.
 */

/** A spin as it was told: a reply, a broadcast, a line of a state. Members that a source lacks are left out. */
export type Told = {
  spin_id: string
  segment: number
  reward_slug: string
  won: boolean
}

export type Reply = { user_id: string; request_id: string; answer: Told & Record<string, unknown> }

/** The newest spins of a wheel as a client's state showed them, newest first, at one version. */
export type SeenState = { version: number; recent: Told[]; was_paused: boolean }

export type LoggedSpin = Told & { seq: number }

export type Evidence = {
  /** Every reply to a spin request, repeated requests included. */
  replies: Reply[]
  /** Requests that were still without a reply after they were asked again. */
  unanswered: { user_id: string; request_id: string }[]
  /** Every different `spun` that any client heard. */
  announced: (Told & { version: number })[]
  states: SeenState[]
}

export type CommittedSpin = Told & {
  user_id: string
  nonce: number
  commit_hash: string
  chances_left: number
  play_id: number
}

export type Truth = {
  spins: CommittedSpin[]
  /** The wheel's `spun` events in order. */
  log: LoggedSpin[]
  /** Chances used per player. */
  chances_used: ReadonlyMap<string, number>
}

export type Finding = {
  name: string
  /** How many things were compared. */
  checked: number
  violations: number
  examples: string[]
}

export const RECENT_MAX = 20
const EXAMPLES_MAX = 5

export class Box {
  readonly finding: Finding
  constructor(name: string) {
    this.finding = { name, checked: 0, violations: 0, examples: [] }
  }
  see(fault: string | null): void {
    this.finding.checked += 1
    if (fault !== null) this.fault(fault)
  }
  compare(holds: boolean, fault: string): void {
    this.see(holds ? null : fault)
  }
  fault(text: string): void {
    this.finding.violations += 1
    if (this.finding.examples.length < EXAMPLES_MAX) this.finding.examples.push(text)
  }
}

/** Compares what was told with what is committed. All findings without violations is a run that lost nothing. */
export function check(evidence: Evidence, truth: Truth): Finding[] {
  const rows = new Map(truth.spins.map((spin) => [spin.spin_id, spin]))
  return [
    repliesAreRows(evidence, rows),
    announcedAreRows(evidence, rows),
    logIsRows(truth, rows),
    nothingLost(evidence, truth),
    sameRequestSameAnswer(evidence),
    chancesDebited(truth),
    noncesAreDense(truth),
    statesAreTrue(evidence, truth),
  ]
}

/** What differs between something told and its row; null when nothing does. */
function difference(told: Told, row: Told | undefined): string | null {
  if (row === undefined) return `${told.spin_id} was told and is no row`
  for (const key of ['segment', 'reward_slug', 'won'] as const) {
    if (told[key] !== row[key])
      return `${told.spin_id}: ${key} ${told[key]} was told, ${row[key]} is committed`
  }
  return null
}

function repliesAreRows({ replies }: Evidence, rows: Map<string, CommittedSpin>): Finding {
  const box = new Box('replies = committed rows')
  for (const { user_id, answer } of replies)
    box.see(difference(answer, rows.get(answer.spin_id)) ?? owner(answer, user_id, rows))
  return box.finding
}

function owner(answer: Reply['answer'], user_id: string, rows: Map<string, CommittedSpin>): string | null {
  const row = rows.get(answer.spin_id)!
  if (row.user_id !== user_id) return `${answer.spin_id} was told to ${user_id} and belongs to ${row.user_id}`
  for (const key of ['nonce', 'play_id', 'chances_left', 'commit_hash'] as const) {
    if (answer[key] !== row[key])
      return `${answer.spin_id}: ${key} ${answer[key]} was told, ${row[key]} is committed`
  }
  return null
}

function announcedAreRows({ announced }: Evidence, rows: Map<string, CommittedSpin>): Finding {
  const box = new Box('announced = committed')
  for (const spin of announced) box.see(difference(spin, rows.get(spin.spin_id)))
  return box.finding
}

function logIsRows({ log, spins }: Truth, rows: Map<string, CommittedSpin>): Finding {
  const box = new Box('one event per committed spin')
  const seen = new Set<string>()
  for (const event of log) {
    box.see(
      seen.has(event.spin_id)
        ? `${event.spin_id} has two events`
        : difference(event, rows.get(event.spin_id)),
    )
    seen.add(event.spin_id)
  }
  for (const { spin_id } of spins) if (!seen.has(spin_id)) box.fault(`${spin_id} has no event`)
  return box.finding
}

/** Each request became exactly one spin, and each spin was asked for. */
function nothingLost({ replies, unanswered }: Evidence, { spins }: Truth): Finding {
  const box = new Box('nothing lost, nothing doubled')
  const spinOf = new Map<string, string>()
  const requestOf = new Map<string, string>()
  for (const { user_id, request_id, answer } of replies) {
    const request = `${user_id} ${request_id}`
    const other = requestOf.get(answer.spin_id)
    if (other !== undefined && other !== request)
      box.fault(`${other} and ${request} were answered with one spin`)
    spinOf.set(request, answer.spin_id)
    requestOf.set(answer.spin_id, request)
  }
  for (const { user_id, request_id } of unanswered) box.fault(`${user_id} ${request_id} was never answered`)
  const ids = new Set(spins.map((spin) => spin.spin_id))
  for (const [request, spin_id] of spinOf)
    box.see(ids.has(spin_id) ? null : `${request}: its spin ${spin_id} is lost`)
  const given = new Set(spinOf.values())
  for (const { spin_id, user_id } of spins) {
    if (!given.has(spin_id)) box.fault(`${spin_id} of ${user_id} is committed and answers no request`)
  }
  return box.finding
}

function sameRequestSameAnswer({ replies }: Evidence): Finding {
  const box = new Box('the same request_id, the same answer')
  const first = new Map<string, string>()
  for (const { user_id, request_id, answer } of replies) {
    const key = `${user_id} ${request_id}`
    const text = JSON.stringify(answer)
    const before = first.get(key)
    if (before === undefined) first.set(key, text)
    else box.see(before === text ? null : `${key} was answered ${before} and then ${text}`)
  }
  return box.finding
}

function chancesDebited({ spins, chances_used }: Truth): Finding {
  const box = new Box('chances debited = spins')
  const counts = new Map<string, number>()
  for (const { user_id } of spins) counts.set(user_id, (counts.get(user_id) ?? 0) + 1)
  for (const user_id of new Set([...counts.keys(), ...chances_used.keys()])) {
    const [used, count] = [chances_used.get(user_id) ?? 0, counts.get(user_id) ?? 0]
    box.see(used === count ? null : `${user_id} used ${used} chances for ${count} spins`)
  }
  return box.finding
}

function noncesAreDense({ spins }: Truth): Finding {
  const box = new Box('nonces are 0, 1, 2, … of each commitment')
  const groups = new Map<string, number[]>()
  for (const { commit_hash, nonce } of spins) {
    const group = groups.get(commit_hash)
    if (group) group.push(nonce)
    else groups.set(commit_hash, [nonce])
  }
  for (const [commit_hash, nonces] of groups) {
    nonces.sort((a, b) => a - b)
    const at = nonces.findIndex((nonce, i) => nonce !== i)
    box.see(at < 0 ? null : `${commit_hash.slice(0, 8)}: nonce ${nonces[at]} stands where ${at} belongs`)
  }
  return box.finding
}

/** A state at version v shows the newest spins among the events up to v, whatever the client slept through. */
function statesAreTrue({ states }: Evidence, { log }: Truth): Finding {
  const box = new Box('states of clients, paused ones too, are true')
  for (const { version, recent, was_paused } of states) {
    const end = log.findLastIndex((event) => event.seq <= version) + 1
    const wanted = log.slice(Math.max(0, end - RECENT_MAX), end).reverse()
    const who = `${was_paused ? 'a paused client' : 'a client'} at version ${version}`
    box.see(stateFault(recent, wanted, who))
  }
  return box.finding
}

function stateFault(recent: readonly Told[], wanted: readonly Told[], who: string): string | null {
  if (recent.length !== wanted.length) return `${who} shows ${recent.length} spins and not ${wanted.length}`
  for (const [i, spin] of recent.entries()) {
    if (spin.spin_id !== wanted[i]!.spin_id)
      return `${who} shows ${spin.spin_id} at place ${i} and not ${wanted[i]!.spin_id}`
    const fault = difference(spin, wanted[i])
    if (fault !== null) return `${who}: ${fault}`
  }
  return null
}
