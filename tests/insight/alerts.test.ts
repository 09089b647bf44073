/** What is suspicious becomes a case for a person, once; nobody is banned, and what is held is freed or refused. */
import assert from 'node:assert/strict'
import type { Role } from '../../src/db/tx.ts'
import { purgeAlertAddresses } from '../../src/insight/alerts.ts'
import { evaluateSignals } from '../../src/insight/signals.ts'
import { systemActor } from '../../src/system.ts'
import { type Shop, startShop } from '../prizes/kit.ts'

const POINTS = { type: 'loyalty_points', value: '10' }

describe('alerts', () => {
  let shop: Shop
  before(async () => {
    shop = await startShop({ suspects: true })
  })
  after(() => shop.close())
  /** Tests do not see each other's wins. */
  beforeEach(() => shop.clock.advance(40 * 86_400_000))

  const evaluate = () => shop.app.run(systemActor(shop.tenant.id), evaluateSignals, undefined)
  const get = (path: string, token = shop.operator) => shop.ask('GET', `/api/v1/${path}`, { token })
  const post = (path: string, json?: unknown, token = shop.operator) =>
    shop.ask('POST', `/api/v1/${path}`, { token, ...(json !== undefined && { json }) })
  const alertsOf = async (type: string, about?: string) => {
    const { data } = (await get(`alerts?type=${type}&limit=100`)).body
    return data.filter((alert: any) => about === undefined || JSON.stringify(alert).includes(about))
  }

  /** The rule of a kind with other settings. */
  async function tune(kind: string, change: Record<string, unknown>) {
    await evaluate()
    const { data } = (await get('alert-rules?limit=100')).body
    const rule = data.find((each: any) => each.rule_kind === kind)
    const answer = await shop.ask('PATCH', `/api/v1/alert-rules/${rule.id}`, {
      token: shop.operator,
      json: change,
      headers: { 'if-match': `"${rule.row_version}"` },
    })
    assert.equal(answer.status, 200, answer.text)
  }

  /** Makes it look as if these plays had been improbable: the published odds of their wheel are one in a hundred. */
  async function makeUnlikely(play_ids: readonly number[]) {
    const client = await shop.database.connect()
    try {
      await client.query('begin; set local session_replication_role = replica')
      await client.query(
        `insert into wheel_rewards_history (id, tenant_id, wheel_game_id, config_version, reward_slug, reward_label, reward_type, reward_detail,
           probability, weight, segment_index, range_start, range_end)
         select gen_random_uuid(), h.tenant_id, h.wheel_game_id, h.config_version, 'blank', 'Blank', 'none', '{}', 0.99, h.weight * 99, 1, 1, 99
         from wheel_rewards_history h join gamification_games g on g.wheel_game_id = h.wheel_game_id
         where g.id = (select game_id from gamification_game_plays where id = $1) and h.segment_index = 0
         on conflict do nothing`,
        [play_ids[0]],
      )
      await client.query('commit')
    } finally {
      client.release()
    }
  }

  async function winOften(user: string, count: number, definition = POINTS): Promise<number[]> {
    const plays: number[] = []
    for (let i = 0; i < count; i++) plays.push(await shop.open(user, definition))
    return plays
  }

  it('S2-52 many wins in less than five minutes make one case with its evidence, and by luck alone hold nothing', async () => {
    const plays = await winOften('ann', 11)
    await evaluate()
    await evaluate()
    const [alert, ...others] = await alertsOf('many_wins', '"ann"')
    assert.deepEqual(others, [])
    assert.deepEqual(
      [
        alert.alert_status,
        alert.alert_metadata.wins,
        alert.alert_metadata.play_ids,
        alert.score,
        alert.held_prizes,
      ],
      ['open', 11, plays, 27, []],
    )
    assert.equal(
      (await shop.apply(plays[0], { order_id: 'ann-1' })).status,
      200,
      'a generous wheel is no crime',
    )
  })

  it('S2-52 nine wins, or ten over a longer time, are no case', async () => {
    await winOften('bea', 9)
    shop.clock.advance(301_000)
    await shop.win('bea', POINTS)
    await evaluate()
    assert.deepEqual(await alertsOf('many_wins', '"bea"'), [])
  })

  it('S2-52 S2-53 a win that was given away stays its winner’s: no alert names the one who has it', async () => {
    await tune('many_wins', { settings: { min_wins: 2 } })
    await tune('shared_address', { settings: { min_users: 2 } })
    for (const play_id of await winOften('ned', 2)) {
      const token = await shop.player('ned')
      const { body } = await shop.ask('POST', `/api/v1/gamification/gift/${play_id}`, {
        token,
        json: { to: 'oda' },
      })
      const path = `gamification/gifts/${body.data.id}/accept`
      assert.equal((await post(path, undefined, await shop.player('oda'))).status, 200)
    }
    await evaluate()
    assert.deepEqual(await alertsOf('many_wins', '"oda"'), [])
    assert.deepEqual(await alertsOf('shared_address', '"oda"'), [])
    assert.equal((await alertsOf('many_wins', '"ned"'))[0].alert_metadata.wins, 2)
    await tune('many_wins', { settings: {} })
    await tune('shared_address', { settings: {} })
  })

  it('S2-52 wins against the odds hold the payout until a person has looked; harmless pays, once', async () => {
    const definition = { ...POINTS, name: 'Unlikely' }
    const plays = await winOften('cleo', 10, definition)
    await makeUnlikely(plays)
    await evaluate()
    const [alert] = await alertsOf('many_wins', '"cleo"')
    assert.equal(alert.score, 100)
    assert.deepEqual(
      alert.held_prizes.map((each: any) => [each.play_id, each.decision]),
      plays.map((play_id) => [play_id, null]),
    )
    const refused = await shop.apply(plays[0], { order_id: 'cleo-1' })
    assert.deepEqual([refused.status, refused.body.code], [409, 'prize_under_review'])
    const { body } = await shop.validate(plays[0], {})
    assert.deepEqual(
      body.data.reasons.map((reason: any) => reason.code),
      ['prize_under_review'],
    )
    const { data } = (await shop.list('cleo')).body
    assert.ok(data.every((prize: any) => !prize.can_apply && prize.why_not[0].code === 'prize_under_review'))
    await assert.rejects(
      shop.database.query(
        `update gamification_game_plays set prize_status = 'applied', applied_at = now(), applied_to_order_id = 'x' where id = $1`,
        [plays[0]],
      ),
      { code: '23514' },
      'not by SQL either',
    )

    const locked = await shop.win('cleo', definition)
    await evaluate()
    assert.equal(
      (await get(`alerts/${alert.id}`)).body.held_prizes.length,
      11,
      'a later win is held by the same case',
    )
    assert.equal((await shop.unlock('cleo', locked)).status, 200, 'it can be opened, and not used')

    const done = await post(`alerts/${alert.id}/resolve`, { resolution: 'harmless', note: 'A test.' })
    assert.deepEqual(
      [
        done.body.alert_status,
        done.body.resolution,
        new Set(done.body.held_prizes.map((each: any) => each.decision)),
      ],
      ['resolved', 'harmless', new Set(['released'])],
    )
    assert.equal((await shop.apply(plays[0], { order_id: 'cleo-1' })).status, 200)
    await evaluate()
    assert.equal((await alertsOf('many_wins', '"cleo"')).length, 1, 'what was judged is not raised again')
  })

  it('S2-52 a confirmed case keeps what it holds, and blocks nobody', async () => {
    const definition = { ...POINTS, name: 'Unlikely too' }
    const plays = await winOften('dora', 10, definition)
    await makeUnlikely(plays)
    await evaluate()
    const [alert] = await alertsOf('many_wins', '"dora"')
    await post(`alerts/${alert.id}/resolve`, { resolution: 'confirmed' })
    assert.equal((await shop.apply(plays[0], { order_id: 'dora-1' })).body.code, 'prize_under_review')
    assert.equal((await shop.list('dora')).status, 200)
    assert.deepEqual(await shop.database.query('select from blocked_users'), [])
    const again = await post(`alerts/${alert.id}/resolve`, { resolution: 'confirmed' })
    assert.equal(again.status, 200)
    const other = await post(`alerts/${alert.id}/resolve`, { resolution: 'harmless' })
    assert.deepEqual(
      [other.status, other.body.code, other.body.facts.resolution],
      [409, 'alert_resolved', 'confirmed'],
    )
  })

  it('S2-52 application and hold race: a prize is used or held, never both', async () => {
    const definition = { ...POINTS, name: 'Raced' }
    const plays = await winOften('eve', 12, definition)
    await makeUnlikely(plays)
    await Promise.all([
      evaluate(),
      ...plays.map((play_id, i) => shop.apply(play_id, { order_id: `eve-${i}` })),
      evaluate(),
    ])
    await evaluate()
    const rows = await shop.database.query<any>(
      `select p.prize_status, r.play_id is not null as held from gamification_game_plays p left join prize_reviews r on r.play_id = p.id
       where p.user_id = 'eve'`,
    )
    assert.equal(rows.length, 12)
    for (const { prize_status, held } of rows) assert.notEqual(prize_status === 'applied', held)
    assert.equal((await alertsOf('many_wins', '"eve"')).length, 1)
  })

  it('S2-53 a household behind one address is flagged and not blocked', async () => {
    for (const user of ['mum', 'dad', 'kid']) await shop.win(user, POINTS)
    await evaluate()
    const [alert] = await alertsOf('shared_address', 'mum')
    assert.deepEqual(
      [alert.alert_severity, alert.alert_metadata.users, alert.alert_metadata.user_ids, alert.held_prizes],
      ['info', 3, ['dad', 'kid', 'mum'], []],
    )
    assert.ok(alert.score < 60)
    assert.equal((await shop.unlock('kid', await shop.win('kid', POINTS))).status, 200)
  })

  it('S2-11 S2-53 the address in an alert is forgotten so many days after it ended; the finding stays, and the chain never knew it', async () => {
    for (const user of ['ann', 'ben', 'cyd']) await shop.win(user, POINTS)
    await evaluate()
    const [alert] = await alertsOf('shared_address', 'ann')
    const { address } = alert.alert_metadata
    assert.ok(address && alert.alert_message.includes(address))
    const ended = shop.clock.now()
    assert.equal((await post(`alerts/${alert.id}/resolve`, { resolution: 'harmless' })).status, 200)
    const purge = (before: Date) => shop.app.run(systemActor(shop.tenant.id), purgeAlertAddresses, { before })
    await purge(ended)
    assert.equal(
      (await get(`alerts/${alert.id}`)).body.alert_metadata.address,
      address,
      'the very instant is kept',
    )
    shop.clock.advance(1)
    await purge(shop.clock.now())
    const after = (await get(`alerts/${alert.id}`)).body
    const [row] = await shop.database.query<any>(
      'select a::text as text, dedup_key from game_alerts a where id = $1',
      [alert.id],
    )
    assert.ok(!row.text.includes(address), row.text)
    assert.equal(row.dedup_key, `shared_address:${alert.id}`)
    assert.deepEqual([after.alert_metadata.users, after.alert_metadata.user_ids], [3, ['ann', 'ben', 'cyd']])
    const chain = await shop.database.query('select 1 from audit_logs where new_values::text like $1', [
      `%${address}%`,
    ])
    assert.deepEqual(chain, [])
    assert.equal(await purge(shop.clock.now()), 0)
  })

  it('S2-54 ten of ten used raises the flag with the prizes, two of two does not', async () => {
    for (const [user, count] of [
      ['fay', 10],
      ['gus', 2],
    ] as const) {
      const plays = await winOften(user, count)
      for (const [i, play_id] of plays.entries())
        assert.equal((await shop.apply(play_id, { order_id: `${user}-${i}` })).status, 200)
    }
    await evaluate()
    const [alert] = await alertsOf('redeems_most', '"fay"')
    assert.deepEqual([alert.alert_metadata.won, alert.alert_metadata.applied], [10, 10])
    assert.equal(alert.alert_metadata.play_ids.length, 10)
    assert.deepEqual(await alertsOf('redeems_most', '"gus"'), [])
  })

  it('S2-54 nine of ten is not more than 90 percent', async () => {
    const plays = await winOften('hal', 10)
    for (const [i, play_id] of plays.slice(1).entries()) await shop.apply(play_id, { order_id: `hal-${i}` })
    await evaluate()
    assert.deepEqual(await alertsOf('redeems_most', '"hal"'), [])
  })

  it('S1-46 a win rate above twice the odds in five minutes fires once; an acknowledgement stops repeats', async () => {
    const definition = { ...POINTS, name: 'Broken wheel' }
    const plays = await winOften('ida', 50, definition)
    await makeUnlikely(plays)
    await Promise.all([evaluate(), evaluate(), evaluate()])
    const standing = await alertsOf('win_rate')
    assert.equal(standing.length, 1)
    assert.deepEqual([standing[0].alert_severity, standing[0].alert_metadata.plays], ['critical', 50])
    const first = await post(`alerts/${standing[0].id}/ack`)
    const second = await post(`alerts/${standing[0].id}/ack`)
    assert.deepEqual([first.body.alert_status, first.body.acknowledged_by], ['acknowledged', 'boss'])
    assert.deepEqual(second.body, first.body)
    await shop.win('jon', definition)
    await evaluate()
    const after = await alertsOf('win_rate')
    assert.deepEqual(
      [after.length, after[0].alert_status, after[0].alert_metadata.plays],
      [1, 'acknowledged', 51],
    )
  })

  it('S1-47 a metric beyond its threshold raises the alert at once, with a link to the metric, also by plain SQL', async () => {
    const rule = {
      rule_name: 'Too many refunds',
      rule_kind: 'metric',
      alert_severity: 'warning',
      settings: { metric_name: 'refunds', comparison: 'above', threshold: '10' },
    }
    assert.equal((await post('alert-rules', rule)).status, 201)
    const hook = await post('webhooks', { url: 'https://shop.example/', event_types: ['alert.raised'] })
    assert.equal(hook.status, 201, hook.text)
    const metric = (metric_value: string) =>
      post('analytics/metrics', { metric_name: 'refunds', metric_value, metric_unit: 'count' })
    assert.equal((await metric('10')).status, 201)
    assert.deepEqual(await alertsOf('metric'), [])
    const { body } = await metric('10.5')
    const [alert] = await alertsOf('metric')
    assert.deepEqual(
      [alert.analytics_id, alert.alert_name, alert.alert_metadata.metric_value, alert.alert_condition],
      [body.id, 'Too many refunds', '10.5', 'refunds above 10'],
    )
    await shop.database.query(
      `insert into game_analytics (tenant_id, analytics_type, metric_name, metric_value, metric_unit, metric_timestamp, created_at, updated_at)
       values ($1, 'custom', 'refunds', 11, 'count', now(), now(), now())`,
      [shop.tenant.id],
    )
    const [again, ...others] = await alertsOf('metric')
    assert.deepEqual([others.length, again.seen_count], [0, 2])
    assert.notEqual(again.analytics_id, body.id)
    const told = await shop.database.query<any>(`select data from outbox where event_type = 'alert.raised'`)
    assert.deepEqual(
      told.map(({ data }) => [data.alert_id, data.alert_type]),
      [[again.id, 'metric']],
      'a webhook is told once, however often it is seen',
    )
  })

  it('S1-17 a tampered request changes nothing and raises one fraud event, however often it is sent', async () => {
    const { wheel_id } = await shop.aWheel('tamper')
    await shop.grant('kim', 5)
    const token = await shop.player('kim')
    const spin = (json: unknown) => shop.ask('POST', '/api/v1/wheels/tamper/spins', { token, json })
    for (let i = 0; i < 30; i++)
      assert.equal((await spin({ request_id: `k-${i}`, segment: 0, angle: 1.5 })).body.code, 'invalid_input')
    assert.equal((await spin({ request_id: 'honest' })).status, 200)
    assert.equal(
      (await spin({ request_id: 'honest' })).status,
      200,
      'the same again is a repetition and no crime',
    )
    const other = await spin({ request_id: 'honest', client_entropy: 'another-entropy-1' })
    assert.equal(other.body.code, 'idempotency_key_reused')
    await shop.tamperLog.flush()
    await spin({ request_id: 'x', reward_slug: 'ten' })
    await shop.tamperLog.flush()
    const found = await alertsOf('tampering')
    assert.equal(found.length, 1)
    const { user_id, messages } = found[0].alert_metadata
    assert.deepEqual([user_id, messages, found[0].seen_count], ['kim', 32, 2])
    const [row] = await shop.database.query<any>(
      'select count(*)::int as n from spin_sessions where wheel_game_id = $1',
      [wheel_id],
    )
    assert.equal(row.n, 1)
  })

  it('S1-46 rules are data: thresholds per tenant, switched off, and refused where they mean nothing', async () => {
    await tune('many_wins', { settings: { min_wins: 3, window_s: 600, hold_score: null } })
    await winOften('lea', 3)
    await evaluate()
    assert.equal((await alertsOf('many_wins', '"lea"')).length, 1)
    await tune('many_wins', { is_enabled: false })
    await winOften('max', 3)
    await evaluate()
    assert.deepEqual(await alertsOf('many_wins', '"max"'), [])
    const bad = await post('alert-rules', {
      rule_name: 'x',
      rule_kind: 'metric',
      alert_severity: 'info',
      settings: { metric_name: 'refunds', comparison: 'near', threshold: '1e9' },
    })
    assert.deepEqual(
      [bad.status, bad.body.errors.map((each: any) => each.pointer)],
      [400, ['/settings/comparison', '/settings/threshold']],
    )
    const second = await post('alert-rules', {
      rule_name: 'x',
      rule_kind: 'many_wins',
      alert_severity: 'info',
      settings: {},
    })
    assert.equal(second.body.code, 'already_exists')
  })

  it('S2-52 alerts are paged, for staff alone, and of the own tenant', async () => {
    const all = (await get('alerts?limit=100')).body.data
    const first = (await get('alerts?limit=2')).body
    const rest = (await get(`alerts?limit=100&cursor=${first.next_cursor}`)).body
    assert.deepEqual([...first.data, ...rest.data], all)
    assert.equal((await get('alerts?cursor=abc')).status, 400)
    for (const role of ['player', 'service'] as Role[])
      assert.equal((await get('alerts', await shop.token(role))).status, 403)
    assert.equal((await get('alerts', await shop.token('auditor'))).status, 200)
    const foreign = await shop.token('operator', { tenant: 'other' })
    assert.deepEqual((await get('alerts', foreign)).body.data, [])
    assert.equal((await get(`alerts/${all[0].id}`, foreign)).status, 404)
    assert.equal((await post(`alerts/${all[0].id}/ack`, undefined, foreign)).status, 404)
  })
})
