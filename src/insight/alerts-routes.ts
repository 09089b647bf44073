/** Alerts and their rules over HTTP. */
import { z } from 'zod'
import type { Role } from '../db/tx.ts'
import { type FieldError, refuse } from '../errors.ts'
import { fieldErrors } from '../http/problem.ts'
import { exampleOf, LIST_QUERY, listOf, resource } from '../http/resource.ts'
import { type Route, route } from '../http/route.ts'
import { acknowledge, readAlert, readAlerts, resolve } from './alerts.ts'
import { RULE_KINDS, RULE_SETTINGS, type RuleKind } from './rules.ts'

const TAGS = ['Alerts']
const READERS: readonly Role[] = ['operator', 'auditor']
const SEVERITIES = ['info', 'warning', 'critical'] as const

const alert = z
  .strictObject({
    id: z.uuid(),
    rule_id: z.uuid(),
    analytics_id: z.uuid().nullable().meta({ description: 'The metric that raised it.' }),
    alert_name: z.string(),
    alert_type: z.string(),
    alert_condition: z.string(),
    alert_severity: z.string(),
    alert_status: z.enum(['open', 'acknowledged', 'resolved']),
    alert_message: z.string(),
    alert_metadata: z.record(z.string(), z.unknown()).meta({ description: 'The evidence.' }),
    score: z.int().meta({ description: '0 to 100: how far from what is expected. No verdict.' }),
    seen_count: z.int(),
    triggered_at: z.iso.datetime(),
    last_seen_at: z.iso.datetime(),
    acknowledged_at: z.iso.datetime().nullable(),
    acknowledged_by: z.string().nullable(),
    resolved_at: z.iso.datetime().nullable(),
    resolved_by: z.string().nullable(),
    resolution: z.enum(['harmless', 'confirmed']).nullable(),
    resolution_note: z.string().nullable(),
    row_version: z.int(),
    held_prizes: z.array(
      z.strictObject({
        play_id: z.int(),
        decision: z.enum(['released', 'refused']).nullable(),
        held_at: z.iso.datetime(),
      }),
    ),
  })
  .meta({
    id: 'Alert',
    example: {
      id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14',
      rule_id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f15',
      analytics_id: null,
      alert_name: 'Many wins in a short time',
      alert_type: 'many_wins',
      alert_condition: 'at least 10 wins in 300 s',
      alert_severity: 'warning',
      alert_status: 'open',
      alert_message: 'ann won 12 of 12 plays in less than 5 min; the odds lead to expect 1.2.',
      alert_metadata: {
        user_id: 'ann',
        plays: 12,
        wins: 12,
        expected_wins: '1.200',
        from: '2026-01-01T00:00:00.000Z',
        to: '2026-01-01T00:04:00.000Z',
        play_ids: [123],
      },
      score: 100,
      seen_count: 1,
      triggered_at: '2026-01-01T00:05:00.000Z',
      last_seen_at: '2026-01-01T00:05:00.000Z',
      acknowledged_at: null,
      acknowledged_by: null,
      resolved_at: null,
      resolved_by: null,
      resolution: null,
      resolution_note: null,
      row_version: 1,
      held_prizes: [{ play_id: 123, decision: null, held_at: '2026-01-01T00:05:00.000Z' }],
    },
  })

const alertId = z.strictObject({ id: z.uuid().meta({ example: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14' }) })

const ruleFields = {
  rule_name: z.string().trim().min(1).max(120),
  alert_severity: z.enum(SEVERITIES),
  settings: z.record(z.string(), z.unknown()).meta({ description: 'By kind: docs/insight.md.' }),
  is_enabled: z.boolean(),
}
const ruleKind = z.enum(RULE_KINDS as [RuleKind, ...RuleKind[]])
const ruleExample = {
  rule_name: 'Too many refunds',
  rule_kind: 'metric',
  alert_severity: 'warning',
  settings: { metric_name: 'refunds', comparison: 'above', threshold: '10' },
  is_enabled: true,
} as const

const rules = resource({
  path: '/api/v1/alert-rules',
  entity: 'alert_rule',
  title: 'alert rule',
  tag: 'Alerts',
  table: {
    name: 'alert_rules',
    id: { column: 'id', kind: 'uuid' },
    columns: ['rule_name', 'rule_kind', 'alert_severity', 'settings', 'is_enabled'],
    json: ['settings'],
    gone: 'is_active',
  },
  roles: { read: READERS, create: ['operator'], update: ['operator'], remove: ['operator'] },
  create: z
    .strictObject({ ...ruleFields, rule_kind: ruleKind, is_enabled: ruleFields.is_enabled.default(true) })
    .meta({ id: 'AlertRuleCreate', example: ruleExample }),
  update: z
    .strictObject(ruleFields)
    .partial()
    .meta({ id: 'AlertRuleUpdate', example: { is_enabled: false } }),
  shape: z
    .strictObject({
      ...ruleFields,
      id: z.uuid(),
      rule_kind: ruleKind,
      row_version: z.int(),
      created_at: z.string(),
      updated_at: z.string(),
    })
    .meta({
      id: 'AlertRule',
      example: {
        ...ruleExample,
        settings: { ...ruleExample.settings, source_game: null },
        id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f15',
        row_version: 1,
        created_at: '2026-01-01T00:00:00.000Z',
        updated_at: '2026-01-01T00:00:00.000Z',
      },
    }),
  beforeWrite(_tx, input, existing) {
    const kind = (input.rule_kind ?? existing?.['rule_kind']) as RuleKind
    if (input.settings === undefined) return input
    return { ...input, settings: settingsOf(kind, input.settings) }
  },
})

/** Settings as they are stored: with every default. Refuses invalid_input. */
function settingsOf(kind: RuleKind, given: unknown): unknown {
  const parsed = RULE_SETTINGS[kind].safeParse(given)
  if (parsed.success) return parsed.data
  const errors = fieldErrors(parsed.error).map(
    ({ pointer, detail }): FieldError => ({ pointer: `/settings${pointer}`, detail }),
  )
  return refuse('invalid_input', { errors })
}

/** Routes of `/alerts` and `/alert-rules`. */
export function alertRoutes(): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/alerts',
      summary: 'Alerts, newest first',
      tags: TAGS,
      roles: READERS,
      query: z.strictObject({
        ...LIST_QUERY,
        status: z.enum(['open', 'acknowledged', 'resolved']).optional(),
        type: ruleKind.optional(),
      }),
      answer: listOf(alert, exampleOf(alert)),
      run: ({ run, query: { status, type, limit, cursor } }) =>
        run(readAlerts, { status: status ?? null, type: type ?? null, limit, cursor: cursor ?? null }),
    }),
    route({
      method: 'get',
      path: '/api/v1/alerts/{id}',
      summary: 'An alert with its evidence and what it holds',
      tags: TAGS,
      roles: READERS,
      params: alertId,
      answer: alert,
      refusals: ['not_found'],
      run: ({ run, params }) => run(readAlert, params),
    }),
    route({
      method: 'post',
      path: '/api/v1/alerts/{id}/ack',
      summary: 'Somebody looks at it',
      description: 'The same finding does not raise another alert while this one is not resolved.',
      tags: TAGS,
      roles: ['operator'],
      params: alertId,
      answer: alert,
      refusals: ['not_found'],
      run: ({ run, params }) => run(acknowledge, params),
    }),
    route({
      method: 'post',
      path: '/api/v1/alerts/{id}/resolve',
      summary: 'End an alert, and decide what it holds',
      description:
        'harmless: held prizes can be used again. confirmed: they stay held; blocking a user is a decision of its own (`/blocked-users`).',
      tags: TAGS,
      roles: ['operator'],
      params: alertId,
      body: z
        .strictObject({
          resolution: z.enum(['harmless', 'confirmed']),
          note: z.string().trim().min(1).max(500).optional(),
        })
        .meta({ id: 'AlertResolve', example: { resolution: 'harmless', note: 'A birthday party.' } }),
      answer: alert,
      refusals: ['not_found', 'alert_resolved'],
      run: ({ run, params, body }) =>
        run(resolve, { ...params, resolution: body.resolution, note: body.note ?? null }),
    }),
    ...rules.routes,
  ]
}
