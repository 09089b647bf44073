/** What a spin leaves behind: play, prize, result, events and audit, for the player, for outsiders and for ever. */
import assert from 'node:assert/strict'
import { makeDemo } from '../../src/demo/demo.ts'
import { jcs } from '../../src/fairness/canonical.ts'
import { verifyText } from '../../src/fairness/verify.ts'
import { readGrants, readMyPlays, readMySpins } from '../../src/games/wheel/history.ts'
import { readMonitor } from '../../src/games/wheel/read.ts'
import { wheelResource } from '../../src/games/wheel/resource.ts'
import { wheelConfigOf } from '../../src/games/wheel/rules.ts'
import { spinConfigSchema } from '../../src/games/wheel/schemas.ts'
import { simulateWheel } from '../../src/games/wheel/simulate.ts'
import { simulateWheelOf } from '../../src/games/wheel/simulate-wheel.ts'
import { fitOf } from '../../src/insight/statistics.ts'
import { startProduct } from '../http/product.ts'
import { codesOf, refusalOf, type Stage, startStage, tally } from './kit.ts'

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))

describe('the records of spins', () => {
  let stage: Stage
  beforeEach(async () => {
    stage = await startStage()
  })
  afterEach(async () => {
    await stage.close()
  })

  const alice = () => stage.actor('alice')
  const spins = (wheel_id: string, count: number, user = 'alice', prefix = 'r') =>
    Promise.all(
      times(count, (i) => stage.wheel.spin(stage.actor(user), { wheel_id, request_id: `${prefix}-${i}` })),
    )

  it('S2-01 S1-14 every spin, lost ones too, has one session, one result and one play that points to its proof', async () => {
    const wheel_id = await stage.aWheel()
    await stage.grant('alice', 40)
    const replies = await spins(wheel_id, 40)
    const rows = await stage.rows(
      `select s.id, s.spin_status, count(distinct r.id)::int as results, count(distinct p.id)::int as plays, bool_and(p.is_winner = (p.prize_id is not null)) as fits
       from spin_sessions s left join spin_results r on r.spin_session_id = s.id left join gamification_game_plays p on p.event_id = s.id group by 1, 2`,
    )
    assert.equal(rows.length, 40)
    for (const row of rows)
      assert.deepEqual([row.spin_status, row.results, row.plays, row.fits], ['completed', 1, 1, true])
    assert.ok(replies.some(({ answer }) => !answer.won) && replies.some(({ answer }) => answer.won))
    assert.equal(new Set(replies.map(({ answer }) => answer.play_id)).size, 40)
    for (const { answer } of replies) {
      const [play] = await stage.rows(
        'select event_id, is_winner from gamification_game_plays where id = $1',
        [answer.play_id],
      )
      assert.deepEqual(play, { event_id: answer.spin_id, is_winner: answer.won })
    }
  })

  it('S2-14 a win is locked, has a code of its own and expires in the days of its definition, 7 unless it says otherwise', async () => {
    const wheel_id = await stage.aWheel({
      rewards: [
        { slug: 'week', probability: '0.5', prize: {} },
        { slug: 'month', probability: '0.5', prize: { type: 'digital', expires_in_days: 30 } },
      ],
    })
    await stage.grant('alice', 30)
    await spins(wheel_id, 30)
    const plays = await stage.rows(
      `select p.prize_code, p.prize_status, p.unlocked_at, round(extract(epoch from p.expires_at - p.created_at))::int as lasts_s, g.type
       from gamification_game_plays p join gamification_prizes g on g.id = p.prize_id`,
    )
    assert.equal(plays.length, 30)
    assert.equal(new Set(plays.map((play) => play.prize_code)).size, 30)
    for (const play of plays) {
      assert.match(play.prize_code, /^[0-9A-HJKMNP-TV-Z]{8}$/)
      assert.deepEqual([play.prize_status, play.unlocked_at], ['locked', null])
      assert.equal(play.lasts_s, (play.type === 'digital' ? 30 : 7) * 86_400)
    }
  })

  it('S2-04 the JSON of a locked prize leaks no name, value or type, in the answer and in the list of plays', async () => {
    const prize = await stage.aPrize({ type: 'discount_fixed', value: '77.77' })
    await stage.rows(
      `update gamification_prizes set name = 'Secret name', display_value = 'Secret value', description = 'Secret text' where id = $1`,
      [prize],
    )
    const wheel_id = await stage.aWheel({ rewards: [{ slug: 'mystery', probability: '1', prize }] })
    await stage.grant('alice', 1)
    const [reply] = await spins(wheel_id, 1)
    const plays = await stage.app.run(alice(), readMyPlays, { limit: 10, won_only: true })
    const text = reply!.text + JSON.stringify(plays)
    for (const secret of ['Secret', '77.77', 'discount_fixed', 'prize_code'])
      assert.ok(!text.includes(secret), secret)
    assert.equal(plays.data[0]!.prize_status, 'locked')
    await stage.rows(`update gamification_game_plays set prize_status = 'unlocked', unlocked_at = now()`)
    assert.equal(
      (await stage.app.run(alice(), readMyPlays, { limit: 10, won_only: true })).data[0]!.prize_name,
      'Secret name',
    )
  })

  it('S2-12 editing a prize never alters what was issued', async () => {
    const prize = await stage.aPrize({ type: 'discount_fixed', value: '5.00' })
    const wheel_id = await stage.aWheel({ rewards: [{ slug: 'five', probability: '1', prize }] })
    await stage.grant('alice', 2)
    await spins(wheel_id, 1)
    await stage.inTenant((tx) =>
      stage.prizes.update(tx, { ref: String(prize), input: { value: '9.00', name: 'Nine' }, versions: '*' }),
    )
    await spins(wheel_id, 1, 'alice', 'later')
    const snapshots = (
      await stage.rows(`select prize_snapshot from gamification_game_plays order by created_at`)
    ).map((row) => row.prize_snapshot)
    assert.deepEqual(
      snapshots.map(({ value, version }) => [value, version]),
      [
        ['5.00', 1],
        ['9.00', 2],
      ],
    )
  })

  it('S1-14 history pages list every spin once, newest first, and only the own ones', async () => {
    const wheel_id = await stage.aWheel()
    await stage.grant('alice', 23)
    await stage.grant('bob', 3)
    // Two processes take their play ids from blocks of their own.
    const other = stage.aProcess()
    for (const i of times(23, (n) => n)) {
      await (i % 3 ? stage : other).wheel.spin(alice(), { wheel_id, request_id: `r-${i}` })
      stage.clock.advance(10)
    }
    await spins(wheel_id, 3, 'bob')
    for (const read of [
      (cursor?: string) =>
        stage.app.run(alice(), readMySpins, { game: 'summer', limit: 5, ...(cursor && { cursor }) }),
      (cursor?: string) =>
        stage.app.run(alice(), readMyPlays, { won_only: false, limit: 5, ...(cursor && { cursor }) }),
    ]) {
      const seen: any[] = []
      let cursor: string | undefined
      do {
        const page: { data: any[]; next_cursor: string | null } = await read(cursor)
        seen.push(...page.data)
        cursor = page.next_cursor ?? undefined
      } while (cursor !== undefined)
      assert.equal(seen.length, 23)
      assert.equal(new Set(seen.map((each) => each.spin_id ?? each.play_id)).size, 23)
      const at = seen.map((each) => each.at ?? each.won_at)
      assert.deepEqual(at, [...at].sort().reverse())
    }
    for (const cursor of ['x', Buffer.from('2026-01-01 x').toString('base64url'), '-1e9']) {
      assert.equal(
        (await refusalOf(stage.app.run(alice(), readMySpins, { game: 'summer', limit: 5, cursor }))).code,
        'invalid_input',
      )
    }
    const grants = await stage.app.run(alice(), readGrants, { limit: 5 })
    assert.deepEqual(
      grants.data.map(({ chance_status, remaining_chances }) => [chance_status, remaining_chances]),
      [['used', 0]],
    )
  })

  it('S1-43 K-05 every spin is an event that folds to the snapshot, and who missed some gets exactly those', async () => {
    const wheel_id = await stage.aWheel()
    await stage.grant('alice', 30)
    const { version } = await stage.wheel.snapshot(alice(), 'summer')
    const replies = await spins(wheel_id, 30)
    const since = await stage.wheel.since(alice(), 'summer', version)
    assert.ok('events' in since)
    assert.deepEqual(
      since.events.map((event) => event.seq),
      times(since.events.length, (i) => version + 1 + i),
    )
    const spun = since.events.filter((event) => event.type === 'wheel.spun')
    const told = new Map(replies.map(({ answer }) => [answer.spin_id, answer]))
    for (const { data } of spun) {
      const answer = told.get(data['spin_id'] as string)!
      assert.deepEqual(
        [data['segment'], data['reward_slug'], data['won']],
        [answer.segment, answer.reward_slug, answer.won],
      )
      assert.deepEqual(data['landing'], answer.landing)
      assert.ok(!JSON.stringify(data).includes('alice'), 'players are shown by pseudonyms')
    }
    assert.equal(spun.length, 30)
    const { recent } = await stage.aProcess().wheel.snapshot(alice(), 'summer')
    assert.deepEqual(
      recent.map((each) => each.spin_id),
      spun
        .slice(-20)
        .reverse()
        .map((event) => event.data['spin_id']),
    )
  })

  it('S1-20 a process that starts shows the same wheel, odds, history and commitments as the one that stopped', async () => {
    const wheel_id = await stage.aWheel({ spin: { round_join_s: 5 } })
    await stage.grant('alice', 20)
    await spins(wheel_id, 20)
    await stage.wheel.openRound(stage.boss(), 'summer')
    const show = async (wheel: Stage['wheel']) => ({
      snapshot: await wheel.snapshot(alice(), 'summer'),
      odds: await wheel.odds(alice(), 'summer'),
      pair: await wheel.seedPair(alice(), 'summer'),
      chances: await wheel.chances(alice(), wheel_id),
    })
    const before = await show(stage.wheel)
    const next = stage.aProcess()
    assert.deepEqual(await show(next.wheel), before)
  })

  it('S1-21 fifty wheels live side by side, and a spin on one is not seen on another', async () => {
    const ids: string[] = []
    for (const i of times(50, (n) => n))
      ids.push(await stage.aWheel({ slug: `wheel-${i}`, rewards: [{ slug: 'none', probability: '1' }] }))
    await stage.grant('alice', 50)
    const settled = await Promise.allSettled(
      ids.map((wheel_id) => stage.wheel.spin(alice(), { wheel_id, request_id: wheel_id })),
    )
    assert.deepEqual(tally(codesOf(settled)), { ok: 50 })
    for (const i of [0, 17, 49])
      assert.equal((await stage.wheel.snapshot(alice(), `wheel-${i}`)).recent.length, 1)
    await stage.assertClean()
  })

  it('P-48 the monitor counts each roll once beside what was published, per version', async () => {
    const wheel_id = await stage.aWheel()
    await stage.grant('alice', 60)
    const replies = await spins(wheel_id, 40)
    const read = () => stage.app.run(alice(), readMonitor, { game: 'summer', versions: stage.wheel.versions })
    const { observed, spins: count, version } = await read()
    assert.equal(count, 40)
    assert.deepEqual(
      observed,
      version.config.segments.map((_, i) => replies.filter(({ answer }) => answer.segment === i).length),
    )
    await stage.wheel.publish(stage.boss(), 'summer')
    assert.equal((await read()).spins, 0)
  })

  it('P-02 before it is published a wheel can be simulated, with costs in minor units, leaving no trace', async () => {
    await stage.aWheel({
      is_published: false,
      budget_minor: 50_000,
      rewards: [
        { slug: 'car', probability: '0.01', prize: { cost_minor: 10_000, stock: 3 } },
        { slug: 'points', probability: '0.5', prize: { cost_minor: 10 } },
        { slug: 'none', probability: '0.49' },
      ],
      spin: { on_exhausted: 'points' },
    })
    const before = await stage.rows('select count(*)::int as n from audit_logs')
    const told = await simulateWheelOf(stage.app, stage.boss(), 'summer', 10_000)
    const [car, points] = told.rewards
    assert.equal(told.expected_cost_minor_per_10000_spins, 10_000 * 100 + 10 * 5_000)
    assert.ok(car!.awarded <= 3 && car!.runs_out_after !== null)
    assert.ok(told.cost_minor <= 50_000 && told.budget_runs_out_after !== null)
    assert.ok(points!.awarded <= points!.rolled + car!.rolled)
    assert.deepEqual(await stage.rows('select count(*)::int as n from audit_logs'), before)
  })

  describe('the demo', () => {
    const demo = (process = stage.aProcess()) =>
      makeDemo({ ...process, prizes: stage.prizes, wheels: wheelResource() })
    const version = 'select config_version from wheel_games'
    /** Each prize stands once, for the one segment of the one wheel that gives it. */
    const assertMadeOnce = async () => {
      assert.equal((await stage.rows(version)).length, 1)
      const prizes = await stage.rows('select id from gamification_prizes order by id')
      const given = await stage.rows(
        'select prize_id as id from wheel_rewards where prize_id is not null order by 1',
      )
      assert.ok(prizes.length > 1)
      assert.deepEqual(given, prizes)
    }

    it('is made once, however often it is started', async () => {
      await demo()
      await demo()
      await assertMadeOnce()
    })

    it('F1 a start that was killed before it published is finished by the next one', async () => {
      const tenant_id = await demo()
      // As the crash leaves it: rows, and no version.
      const left = stage.aProcess()
      const find = { ...left, wheel: { ...left.wheel, find: async () => undefined } }
      assert.equal(await makeDemo({ ...find, prizes: stage.prizes, wheels: wheelResource() }), tenant_id)
      assert.equal((await stage.rows(version))[0].config_version, 2)
      await assertMadeOnce()
    })

    it('F17 two processes that start at once make one', async () => {
      const ids = await Promise.all([demo(), demo(), demo()])
      assert.equal(new Set(ids).size, 1)
      await assertMadeOnce()
      await stage.assertClean()
    })
  })
})

describe('a million spins', () => {
  it('S2-15 of the real outcome function fit the published odds, rare segments and stock included', async () => {
    const rewards = ['0.000100000', '0.1', '0.2', '0.25', '0.05', '0.3999'].map((probability, i) => ({
      id: `r${i}`,
      reward_slug: `r${i}`,
      reward_label: `r${i}`,
      reward_type: i === 5 ? ('none' as const) : ('prize' as const),
      probability,
      reward_color: null,
      reward_detail: {},
      prize_id: i === 5 ? null : i,
      reward_position: i,
    }))
    const config = wheelConfigOf(rewards, spinConfigSchema.parse({ on_exhausted: 'r4' }), null)
    const prizes = times(5, (i) => ({ id: i, cost_minor: 1, left: i === 1 ? 5 : null }))
    const spins = 1_000_000
    const told = await simulateWheel(config, prizes, spins, Buffer.from('a fixed seed for a million spins'))
    const { p_value } = fitOf(
      told.rewards.map((each) => each.rolled),
      config.segments.map((segment) => segment.weight),
    )
    assert.ok(Number(p_value) > 1e-4 && Number(p_value) < 1 - 1e-4, `p = ${p_value}`)
    assert.equal(
      told.rewards.reduce((sum, each) => sum + each.rolled, 0),
      spins,
    )
    assert.equal(told.rewards[1]!.awarded, 5)
    assert.equal(told.rewards[4]!.awarded, told.rewards[4]!.rolled + told.rewards[1]!.rolled - 5)
    const biased = config.segments.map((segment, i) =>
      i === 1 ? segment.weight + 5_000_000 : i === 5 ? segment.weight - 5_000_000 : segment.weight,
    )
    const control = fitOf(
      told.rewards.map((each) => each.rolled),
      biased.map((weight) => weight),
    )
    assert.ok(Number(control.p_value) < 1e-9, 'a twentieth more of one segment is noticed')
  }).timeout(40_000)
})

describe('proofs over HTTP', () => {
  it('S1-18 transcripts and reveals come as canonical text that verifies as it is', async () => {
    const http = await startProduct()
    try {
      await http.aWheel('summer')
      await http.grant('alice', 5)
      const token = await http.token('player', { sub: 'alice' })
      const spun = await http.ask('POST', '/api/v1/wheels/summer/spins', {
        token,
        json: { request_id: 'r-1', client_entropy: 'entropy-of-alice-1' },
      })
      assert.equal(spun.status, 200)
      const again = await http.ask('POST', '/api/v1/wheels/summer/spins', {
        token,
        json: { request_id: 'r-1', client_entropy: 'entropy-of-alice-1' },
      })
      assert.equal(again.text, spun.text)
      assert.equal(again.headers.get('idempotency-replayed'), 'true')
      const rotated = await http.ask('POST', '/api/v1/fairness/seed-pair/rotate', {
        token,
        json: { wheel: 'summer', client_seed: 'a-seed-of-alice' },
      })
      assert.equal(rotated.status, 200)
      for (const path of [
        `verify/${spun.body.spin_id}`,
        `fairness/commitments/${spun.body.commit_hash}/reveal`,
      ]) {
        const answer = await http.ask('GET', `/api/v1/${path}`)
        assert.equal(answer.status, 200)
        assert.equal(jcs(JSON.parse(answer.text)), answer.text)
        assert.equal(verifyText(answer.text).status, 'verified')
      }
    } finally {
      await http.close()
    }
  })
})
