/** Reports over HTTP, beside recounts that are written another way. */
import assert from 'node:assert/strict'
import { runAudit } from '../../src/audit/audit.ts'
import { rollUpHours } from '../../src/insight/analytics.ts'
import { systemActor } from '../../src/system.ts'
import { type Shop, startShop, TEN_OFF } from '../prizes/kit.ts'

const POINTS = { type: 'loyalty_points', value: '100', cost_minor: 150 }
const DAY_MS = 86_400_000

describe('/gamification/analytics', () => {
  let shop: Shop
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const ask = (report: string, query = '', token = shop.operator) =>
    shop.ask('GET', `/api/v1/gamification/analytics/${report}${query}`, { token })
  const read = async (report: string, query = '') => {
    const { status, body, text } = await ask(report, query)
    assert.equal(status, 200, text)
    return body
  }
  const rows = (sql: string, values: unknown[] = []) => shop.database.query<any>(sql, values)

  it('S2-44 S1-56 without wins every rate is null and nothing is an error', async () => {
    assert.equal((await read('redemption')).redemption_rate, null)
    assert.deepEqual((await read('win_rate')).data, [])
    assert.deepEqual((await read('popularity')).data, [])
    assert.deepEqual((await read('retention')).data, [])
    assert.deepEqual((await read('hours')).data, [])
    const { won_of_plays, unlocked_of_won, applied_of_unlocked } = await read('funnel')
    assert.deepEqual([won_of_plays, unlocked_of_won, applied_of_unlocked], [null, null, null])
  })

  it('S2-44 three applied of four won are 0.75, whenever they were applied', async () => {
    const plays = [
      await shop.open('ann', POINTS),
      await shop.open('ann', POINTS),
      await shop.open('bob', POINTS),
    ]
    await shop.win('bob', TEN_OFF)
    shop.clock.advance(DAY_MS)
    for (const [i, play_id] of plays.entries())
      assert.equal((await shop.apply(play_id, { order_id: `a-${i}` })).status, 200)
    const { won, applied, redemption_rate } = await read('redemption')
    assert.deepEqual(
      [won, applied, redemption_rate],
      [4, 3, { numerator: 3, denominator: 4, decimal: '0.750000' }],
    )
    const later = new Date(shop.clock.now().getTime() - 3_600_000).toISOString()
    assert.equal((await read('redemption', `?from=${later}`)).redemption_rate, null)
  })

  it('S2-45 the counts per type add up to all wins of the period', async () => {
    const { wins, data } = await read('popularity')
    assert.deepEqual(
      data.map((each: any) => [each.prize_type, each.wins, each.applied, each.share.decimal]),
      [
        ['loyalty_points', 3, 3, '0.750000'],
        ['discount_percentage', 1, 0, '0.250000'],
      ],
    )
    const [{ n }] = await rows('select count(*)::int as n from gamification_game_plays where is_winner')
    assert.equal(wins, n)
  })

  it('S2-43 the win rate of each version stands beside its published odds with an interval', async () => {
    await shop.aWheel('half')
    await shop.grant('cleo', 40)
    const token = await shop.player('cleo')
    for (let i = 0; i < 40; i++)
      await shop.ask('POST', '/api/v1/wheels/half/spins', { token, json: { request_id: `c-${i}` } })
    const [{ id, wins }] = await rows(
      `select g.id, (select count(*)::int from gamification_game_plays p where p.game_id = g.id and p.prize_code is not null) as wins
       from gamification_games g join wheel_games w on w.id = g.wheel_game_id where w.wheel_slug = 'half'`,
    )
    const { data } = await read('win_rate', `?game_id=${id}`)
    assert.equal(data.length, 1)
    const [version] = data[0].versions
    assert.deepEqual(
      [version.config_version, version.plays, version.wins, version.published],
      [1, 40, wins, { numerator: 5, denominator: 10, decimal: '0.500000' }],
    )
    const { low, high } = version.interval
    assert.ok(Number(low) <= wins / 40 && wins / 40 <= Number(high))
    assert.equal(version.is_outside, 0.5 < Number(low) || 0.5 > Number(high))
    assert.equal((await read('win_rate')).data.length, 3)
  })

  it('S2-43 odds that are not kept are outside the interval', async () => {
    const [{ id }] = await rows(
      `select g.id from gamification_games g join wheel_games w on w.id = g.wheel_game_id where w.wheel_slug = 'half'`,
    )
    // As a broken server would leave it: every roll won.
    const client = await shop.database.connect()
    try {
      await client.query('begin; set local session_replication_role = replica')
      await client.query(
        `update gamification_game_plays p set is_winner = true, prize_id = (select min(id) from gamification_prizes), prize_status = 'locked',
           prize_code = 'B' || p.id, prize_snapshot = '{"type": "product"}' where game_id = $1 and not is_winner`,
        [id],
      )
      await client.query('commit')
    } finally {
      client.release()
    }
    const { data } = await read('win_rate', `?game_id=${id}`)
    assert.equal(data[0].versions[0].win_rate.decimal, '1.000000')
    assert.equal(data[0].versions[0].is_outside, true)
  })

  it('S1-56 the funnel equals a recount of the moves', async () => {
    const { plays, won, unlocked, applied } = await read('funnel')
    const [count] = await rows(
      `select (select count(*)::int from gamification_game_plays) as plays,
              (select count(*)::int from gamification_game_plays where prize_id is not null) as won,
              (select count(distinct play_id)::int from prize_history where from_status = 'locked' and to_status = 'unlocked') as unlocked,
              (select count(*)::int from prize_applications where rolled_back_at is null) as applied`,
    )
    assert.deepEqual({ plays, won, unlocked, applied }, count)
  })

  it('S1-56 retention counts who came back, by the day of the first play', async () => {
    await shop.win('dora', POINTS)
    shop.clock.advance(DAY_MS)
    await shop.win('dora', POINTS)
    shop.clock.advance(6 * DAY_MS)
    await shop.win('dora', POINTS)
    await shop.win('eve', POINTS)
    const { data, time_zone } = await read('retention')
    assert.equal(time_zone, 'UTC')
    const days = await rows(
      `select user_id, min(created_at::date)::text as first, array_agg(distinct (created_at::date)::text) as days
       from gamification_game_plays group by user_id`,
    )
    for (const { day, players, returned } of data) {
      const cohort = days.filter((each) => each.first === day)
      assert.equal(players, cohort.length, day)
      for (const { after_days, players: back } of returned) {
        const then = new Date(Date.parse(day) + after_days * DAY_MS).toISOString().slice(0, 10)
        assert.equal(back, cohort.filter((each) => each.days.includes(then)).length, `${day} + ${after_days}`)
      }
    }
    assert.ok(data.some((each: any) => each.returned[0].players > 0 && each.returned[1].players > 0))
  })

  it('S1-42 the hours equal a recount, however often they are rolled up, with payout beside what the odds lead to expect', async () => {
    const roll = () => shop.app.run(systemActor(shop.tenant.id), rollUpHours, undefined)
    assert.ok((await roll()) > 0)
    assert.equal(await roll(), 0, 'nothing changed')
    await shop.win('fay', POINTS)
    assert.ok((await roll()) > 0)
    const { data } = await read('hours')
    const count = await rows(
      `select to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:00:00.000"Z"') as hour, game_id, count(*)::int as plays,
              count(prize_code)::int as wins,
              coalesce(sum((select cost_minor from gamification_prizes z where z.id = prize_id)), 0)::int as payout_minor
       from gamification_game_plays group by 1, 2 order by 1, 2::text`,
    )
    assert.deepEqual(
      data.map(({ expected_payout_minor: _, ...hour }: any) => hour),
      count,
    )
    // A wheel that always gives the prize expects exactly what it paid.
    const kit = await rows(
      `select g.id from gamification_games g join wheel_games w on w.id = g.wheel_game_id where w.wheel_slug like 'kit-%'`,
    )
    const certain = data.filter(
      (hour: any) => kit.some(({ id }) => id === hour.game_id) && hour.payout_minor > 0,
    )
    assert.ok(certain.length > 0)
    for (const hour of certain) assert.equal(hour.expected_payout_minor, String(hour.payout_minor))
  })

  it('S2-57 publishing with a 90-day expiry warns, and the report of practice names it', async () => {
    const made = async (path: string, json: unknown) => {
      const { status, body, text } = await shop.ask('POST', `/api/v1/${path}`, { token: shop.operator, json })
      assert.ok(status < 300, text)
      return body
    }
    const prize = await made('prizes', { ...TEN_OFF, name: 'Long', expires_in_days: 90 })
    const rewards = [{ reward_slug: 'it', reward_label: 'It', probability: '1', prize_id: prize.id }]
    await made('wheels', { wheel_name: 'Long', wheel_slug: 'long', rewards })
    const { warnings } = await made('wheels/long/publish', {})
    const warning = {
      code: 'expiry_long',
      about: `prize ${prize.id}`,
      message: 'Long expires after 90 days; 7 to 30 days are usual.',
    }
    assert.deepEqual(warnings, [warning])
    const token = shop.operator
    const practice = await shop.ask('GET', '/api/v1/gamification/practice', { token })
    assert.ok(practice.body.data.some((each: any) => JSON.stringify(each) === JSON.stringify(warning)))
    assert.ok(
      practice.body.data.some((each: any) => each.code === 'no_stock_limit'),
      'POINTS costs and never ends',
    )
  })

  it('S2-43 reports are for operators and auditors, within limits', async () => {
    assert.equal((await ask('win_rate', '', await shop.player('ann'))).status, 403)
    assert.equal((await ask('win_rate', '', await shop.token('auditor'))).status, 200)
    assert.equal((await ask('funnel', '?from=2020-01-01')).body.code, 'invalid_input')
    assert.equal((await ask('funnel', '?from=2020-13-01')).body.code, 'invalid_input')
    assert.equal((await ask('funnel', '?from=2030-01-02&to=2030-01-01')).body.code, 'invalid_input')
    const other = await shop.token('operator', { tenant: 'other' })
    assert.deepEqual((await ask('win_rate', '', other)).body.data, [])
  })

  it('I32 the audit counts the hours again that were rolled up, day after day', async () => {
    const roll = () => shop.app.run(systemActor(shop.tenant.id), rollUpHours, undefined)
    for (let day = 0; day < 3; day++) {
      await shop.win('ida')
      await roll()
      shop.clock.advance(DAY_MS)
    }
    await shop.win('ida')
    await roll()
    const found = async () => (await runAudit(shop.database)).checks.find(({ id }) => id === 'I32')!
    assert.deepEqual((await found()).examples, [])
    await shop.database.query(
      `update game_analytics set metric_value = metric_value + 1
       where metric_name = 'wins' and metric_timestamp =
         (select min(metric_timestamp) from game_analytics where metric_name = 'wins' and analytics_type = 'hourly')`,
    )
    assert.equal((await found()).status, 'violated')
  })
})
