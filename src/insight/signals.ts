/**
 * Looks for what is suspicious and raises alerts (S2-52 to S2-54, S1-46). Called for each tenant now and then; twice at
 * the same time is as good as once. Nobody is banned: the most that happens is that a payout waits for a person.
 */
import type { Tx } from '../db/tx.ts'
import { newId } from '../ids.ts'
import {
  type AlertWrite,
  holdPrizes,
  insertRules,
  loadManyWins,
  loadRedeemers,
  loadRules,
  loadSharedAddresses,
  type RaisedRow,
  type RuleRow,
  raiseAlerts,
} from './alerts-store.ts'
import { loadWins } from './analytics-store.ts'
import {
  BUILT_IN,
  countScore,
  givesTooMuch,
  oddsScore,
  RULE_SETTINGS,
  type RuleKind,
  type Settings,
} from './rules.ts'

/** More findings of one kind at once are one event, and not so many cases. */
const FINDINGS_MAX = 200
const EVIDENCE_MAX = 50
const DAY_S = 86_400

type Rule<K extends RuleKind> = Omit<RuleRow, 'settings'> & { settings: Settings<K> }
type Finding = Pick<
  AlertWrite,
  'alert_condition' | 'alert_message' | 'alert_metadata' | 'score' | 'quiet_s'
> & {
  about: string
}

/** Looks with every rule that is switched on. Returns what was raised or has changed. */
export async function evaluateSignals(tx: Tx): Promise<RaisedRow[]> {
  const rules = await rulesOf(tx)
  const raised: RaisedRow[] = []
  const manyWins = ruleOf(rules, 'many_wins')
  if (manyWins) raised.push(...(await lookForManyWins(tx, manyWins)))
  const shared = ruleOf(rules, 'shared_address')
  if (shared) raised.push(...(await raise(tx, shared, await findShared(tx, shared.settings))))
  const redeems = ruleOf(rules, 'redeems_most')
  if (redeems) raised.push(...(await raise(tx, redeems, await findRedeemers(tx, redeems.settings))))
  const winRate = ruleOf(rules, 'win_rate')
  if (winRate) raised.push(...(await raise(tx, winRate, await findGenerous(tx, winRate.settings))))
  return raised
}

/** The tenant's rules; those of the house are there from the first time on. */
export async function rulesOf(tx: Tx): Promise<RuleRow[]> {
  const rules = await loadRules(tx)
  const missing = BUILT_IN.filter(({ rule_kind }) => rules.every((rule) => rule.rule_kind !== rule_kind))
  if (missing.length === 0) return rules
  await insertRules(
    tx,
    missing.map((rule) => ({ ...rule, id: newId(), settings: RULE_SETTINGS[rule.rule_kind].parse({}) })),
  )
  return loadRules(tx)
}

/** The rule of a kind, when it is there and switched on. */
function ruleOf<K extends RuleKind>(rules: readonly RuleRow[], kind: K): Rule<K> | undefined {
  const rule = rules.find(({ rule_kind, is_enabled }) => rule_kind === kind && is_enabled)
  return rule && { ...rule, settings: RULE_SETTINGS[kind].parse(rule.settings) as Settings<K> }
}

const secondsAgo = (tx: Tx, duration_s: number) => new Date(tx.now.getTime() - duration_s * 1000)

async function lookForManyWins(tx: Tx, rule: Rule<'many_wins'>): Promise<RaisedRow[]> {
  const { window_s, min_wins, hold_score } = rule.settings
  const rows = await loadManyWins(tx, secondsAgo(tx, window_s), min_wins, FINDINGS_MAX)
  const findings = rows.map((row): Finding & { play_ids: number[] } => ({
    about: row.user_id,
    alert_condition: `at least ${min_wins} wins in ${window_s} s`,
    alert_message: `${row.user_id} won ${row.wins} of ${row.plays} plays in less than ${minutesText(window_s)}; the odds lead to expect ${row.expected.toFixed(1)}.`,
    alert_metadata: {
      user_id: row.user_id,
      plays: row.plays,
      wins: row.wins,
      expected_wins: row.expected.toFixed(3),
      from: row.from.toISOString(),
      to: row.to.toISOString(),
      play_ids: row.play_ids.slice(-EVIDENCE_MAX),
    },
    score: Math.max(countScore(row.wins, min_wins), oddsScore(row.wins, row.plays, row.expected)),
    quiet_s: window_s,
    play_ids: row.play_ids,
  }))
  const raised = await raise(tx, rule, findings)
  if (hold_score === null) return raised
  for (const { id, dedup_key } of raised) {
    const finding = findings.find(({ about }) => keyOf(rule, about) === dedup_key)!
    if (finding.score < hold_score) continue
    const held = await holdPrizes(tx, id, finding.play_ids)
    if (held === 0) continue
    tx.audit({
      action: 'hold_payout',
      entity_type: 'game_alert',
      entity_id: id,
      new_values: { user_id: finding.about, held, score: finding.score },
    })
  }
  return raised
}

async function findShared(tx: Tx, { window_s, min_users }: Settings<'shared_address'>): Promise<Finding[]> {
  const rows = await loadSharedAddresses(tx, secondsAgo(tx, window_s), min_users, FINDINGS_MAX)
  return rows.map(({ address, users, wins, user_ids }) => ({
    about: address,
    alert_condition: `at least ${min_users} winners behind one address in ${window_s} s`,
    alert_message: `${users} users won ${wins} prizes from ${address} in less than ${minutesText(window_s)}.`,
    alert_metadata: { address, users, wins, user_ids },
    score: countScore(users, min_users),
    quiet_s: window_s,
  }))
}

async function findRedeemers(
  tx: Tx,
  { min_wins, above_percent }: Settings<'redeems_most'>,
): Promise<Finding[]> {
  const rows = await loadRedeemers(tx, min_wins, above_percent, FINDINGS_MAX)
  return rows.map(({ user_id, won, applied, play_ids }) => ({
    about: user_id,
    alert_condition: `more than ${above_percent} % of at least ${min_wins} wins used`,
    alert_message: `${user_id} used ${applied} of ${won} prizes.`,
    alert_metadata: { user_id, won, applied, play_ids },
    score: countScore(won, min_wins),
    // All of the past counts here, and it does not go away.
    quiet_s: 30 * DAY_S,
  }))
}

async function findGenerous(tx: Tx, settings: Settings<'win_rate'>): Promise<Finding[]> {
  const { window_s, factor } = settings
  const period = { from: secondsAgo(tx, window_s), to: new Date(tx.now.getTime() + 1) }
  const games = new Map<number, { game_name: string; plays: number; wins: number; expected: number }>()
  for (const row of await loadWins(tx, period, null)) {
    if (row.total_weight === null) continue
    const { game_name, plays, wins, expected } = games.get(row.game_id) ?? {
      ...row,
      plays: 0,
      wins: 0,
      expected: 0,
    }
    games.set(row.game_id, {
      game_name,
      plays: plays + row.plays,
      wins: wins + row.wins,
      expected: expected + (row.plays * row.winning_weight!) / row.total_weight,
    })
  }
  return [...games]
    .filter(([, game]) => givesTooMuch(game, settings))
    .map(([game_id, { game_name, plays, wins, expected }]) => ({
      about: String(game_id),
      alert_condition: `more than ${factor} times the published odds in ${window_s} s`,
      alert_message: `${game_name} gave ${wins} prizes in ${plays} plays; the odds lead to expect ${expected.toFixed(1)}.`,
      alert_metadata: { game_id, game_name, plays, wins, expected_wins: expected.toFixed(3) },
      score: oddsScore(wins, plays, expected),
      quiet_s: window_s,
    }))
}

/** Seconds as people say them. */
function minutesText(duration_s: number): string {
  return duration_s % 60 === 0 ? `${duration_s / 60} min` : `${duration_s} s`
}

const keyOf = ({ rule_kind }: { rule_kind: string }, about: string) => `${rule_kind}:${about}`

async function raise(
  tx: Tx,
  rule: Omit<RuleRow, 'settings'>,
  findings: readonly Finding[],
): Promise<RaisedRow[]> {
  if (findings.length === 0) return []
  const { id: rule_id, rule_name: alert_name, rule_kind: alert_type, alert_severity } = rule
  const raised = await raiseAlerts(
    tx,
    findings.map(({ alert_condition, alert_message, alert_metadata, score, quiet_s, about }) => ({
      id: newId(),
      rule_id,
      alert_name,
      alert_type,
      alert_severity,
      alert_condition,
      alert_message,
      alert_metadata,
      score,
      quiet_s,
      dedup_key: keyOf(rule, about),
    })),
  )
  for (const { id, dedup_key, is_new } of raised) {
    if (!is_new) continue
    const { score } = findings.find(({ about }) => keyOf(rule, about) === dedup_key)!
    // What it is about stands in the alert alone: that can be an address, and the chain forgets nothing that it hashes.
    tx.audit({
      action: 'raise',
      entity_type: 'game_alert',
      entity_id: id,
      new_values: { alert_type, score },
    })
  }
  return raised
}

/** What one user sent that no client of ours sends, since it was told last. */
export type Tampering = {
  user_id: string
  messages: number
  /** Where it was sent: a message of a room, or a path. */
  where: string[]
  /** What was wrong with it: members that do not exist, a request id with another content. */
  what: string[]
  address: string | null
}

/** Raises or adds to one alert per user (S1-17). The messages themselves were refused and changed nothing. */
export async function recordTampering(tx: Tx, entries: readonly Tampering[]): Promise<RaisedRow[]> {
  const rule = ruleOf(await rulesOf(tx), 'tampering')
  if (rule === undefined) return []
  const { min_messages } = rule.settings
  return raise(
    tx,
    rule,
    entries
      .filter(({ messages }) => messages >= min_messages)
      .map(({ user_id, messages, where, what, address }) => ({
        about: user_id,
        alert_condition: `at least ${min_messages} messages that no client sends`,
        alert_message: `${user_id} sent messages that no client sends: ${what.join(', ')}.`.slice(0, 1000),
        alert_metadata: { user_id, messages, where, what, address },
        score: countScore(messages, min_messages),
        quiet_s: 60,
      })),
  )
}
