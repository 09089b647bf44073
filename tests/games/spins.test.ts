/** Spins under races: many at once, from one process and from two, for one player and for many. */
import assert from 'node:assert/strict'
import { changeStatus } from '../../src/games/wheel/publish.ts'
import type { Wheel } from '../../src/games/wheel/wheel.ts'
import { lockPairs } from '../../src/proofs/store.ts'
import { codeOf, codesOf, eventually, refusalOf, type Stage, startStage, tally } from './kit.ts'

let stage: Stage

describe('spins', () => {
  beforeEach(async () => {
    stage = await startStage()
  })
  afterEach(async () => {
    await stage.close()
  })

  const times = <T>(count: number, make: (i: number) => T): T[] =>
    Array.from({ length: count }, (_, i) => make(i))

  /** Spins in parallel, each with a request id of its own. */
  function spinAll(wheel: Wheel, user: string, wheel_id: string, count: number, prefix = 'r') {
    return Promise.allSettled(
      times(count, (i) => wheel.spin(stage.actor(user), { wheel_id, request_id: `${prefix}-${user}-${i}` })),
    )
  }

  it('after a new version whoever spins waits for a pair of his own, and not for those of the crowd', async () => {
    const wheel_id = await stage.aWheel()
    const crowd = times(40, (i) => `user-${i}`)
    await stage.grant('eve', 1)
    const first = { game_id: wheel_id, user_id: crowd[0]! }
    const [holding, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const held = stage.inTenant(async (tx) => {
      await lockPairs(tx, [first])
      holding.resolve()
      await released.promise
    })
    await holding.promise
    const renewed = stage.wheel.renewPairs(
      [...crowd, 'eve'].map((user) => stage.actor(user)),
      wheel_id,
    )
    const { answer } = await stage.wheel.spin(stage.actor('eve'), { wheel_id, request_id: 'r-1' })
    const pairs = () => stage.rows('select user_id from fair_seeds')
    assert.deepEqual(
      (await pairs()).map((row) => row.user_id),
      ['eve', 'eve'],
      'the crowd still waits',
    )
    released.resolve()
    await Promise.all([held, renewed])
    assert.equal(answer.nonce, 0)
    assert.equal((await pairs()).length, 2 * 41, 'everybody has a pair, and eve no second one')
    await stage.assertClean()
  })

  describe('chances', () => {
    it('S1-15 100 parallel spins with 10 chances: 10 succeed, 90 are refused, nothing remains, the first to expire goes first', async () => {
      const wheel_id = await stage.aWheel()
      const soon = new Date(stage.clock.now().getTime() + 3_600_000).toISOString()
      const later = new Date(stage.clock.now().getTime() + 7_200_000).toISOString()
      const never = await stage.grant('alice', 3)
      const second = await stage.grant('alice', 4, { expires_at: later })
      const first = await stage.grant('alice', 3, { expires_at: soon })

      assert.deepEqual(tally(codesOf(await spinAll(stage.wheel, 'alice', wheel_id, 5))), { ok: 5 })
      const left = async () =>
        Object.fromEntries(
          (await stage.rows('select id, remaining_chances from spin_chances')).map((row) => [
            row.id,
            row.remaining_chances,
          ]),
        )
      assert.deepEqual(await left(), { [first.id]: 0, [second.id]: 2, [never.id]: 3 })

      const codes = tally(codesOf(await spinAll(stage.wheel, 'alice', wheel_id, 95, 's')))
      assert.deepEqual(codes, { ok: 5, no_chances_left: 90 })
      assert.deepEqual(await left(), { [first.id]: 0, [second.id]: 0, [never.id]: 0 })
      await stage.assertClean()
    })

    it('S1-15 an expired chance pays for nothing, and one of another wheel neither', async () => {
      const wheel_id = await stage.aWheel()
      await stage.aWheel({ slug: 'other' })
      await stage.grant('alice', 3, {
        expires_at: new Date(stage.clock.now().getTime() + 1_000).toISOString(),
      })
      await stage.grant('alice', 3, { game: 'other' })
      stage.clock.advance(1_000)
      assert.deepEqual(tally(codesOf(await spinAll(stage.wheel, 'alice', wheel_id, 5))), {
        no_chances_left: 5,
      })
    })

    it('S1-12 a spin_chance reward is a grant at once, and every answer of the batch knows how many are left', async () => {
      const wheel_id = await stage.aWheel({
        rewards: [{ slug: 'more', probability: '1', prize: { type: 'spin_chance', value: '2' } }],
      })
      await stage.grant('alice', 3)
      await stage.wheel.seedPair(stage.actor('alice'), 'summer')
      const settled = await Promise.all(
        times(3, (i) => stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: `r-${i}` })),
      )
      assert.deepEqual(
        settled.map(({ answer }) => answer.chances_left),
        [4, 5, 6],
      )
      assert.ok(settled.every(({ answer }) => answer.won && answer.prize_status === 'unlocked'))
      assert.deepEqual(await stage.wheel.chances(stage.actor('alice'), wheel_id), {
        chances_left: 6,
        next_expires_at: null,
      })
      const plays = await stage.rows(
        `select prize_status, unlocked_at is not null as at from gamification_game_plays`,
      )
      assert.deepEqual(
        plays,
        times(3, () => ({ prize_status: 'unlocked', at: true })),
      )
      await stage.assertClean()
    })

    it('S1-09 two visits in a day give the chances once, also 40 at the same time from two processes, and again the next day', async () => {
      await stage.close()
      stage = await startStage({ time_zone: 'America/New_York', starts_at: new Date('2026-06-15T03:30:00Z') })
      await stage.aWheel({ visit_chances: 3 })
      const other = stage.aProcess()
      const visit = () =>
        Promise.all(
          times(40, (i) => (i % 2 ? stage.wheel : other.wheel).visit(stage.actor('alice'), 'summer')),
        )
      const awards = (await visit()).map((each) => each.awarded)
      assert.deepEqual(tally(awards.map(String)), { 0: 39, 3: 1 })
      assert.equal(
        (await stage.wheel.visit(stage.actor('alice'), 'summer')).chances_left,
        3,
        'the balance shows at once',
      )

      stage.clock.advance(31 * 60_000)
      assert.deepEqual(
        await stage.wheel.visit(stage.actor('alice'), 'summer'),
        { awarded: 3, chances_left: 3 },
        'midnight in New York: yesterday is gone',
      )
      await stage.assertClean()
    })
  })

  describe('one player', () => {
    it('P-41 100 concurrent spins use the nonces 0 to 99 exactly once, also from two processes', async () => {
      const wheel_id = await stage.aWheel()
      const other = stage.aProcess()
      await stage.grant('alice', 100)
      const settled = await Promise.all([
        spinAll(stage.wheel, 'alice', wheel_id, 50, 'a'),
        spinAll(other.wheel, 'alice', wheel_id, 50, 'b'),
      ])
      const answers = settled.flat()
      assert.deepEqual(tally(codesOf(answers)), { ok: 100 })
      const nonces = answers.map((each) => (each as PromiseFulfilledResult<any>).value.answer.nonce)
      assert.deepEqual(
        nonces.sort((a, b) => a - b),
        times(100, (i) => i),
      )
      assert.equal((await stage.rows('select distinct seed_id from spin_results')).length, 1)
      await stage.assertClean()
    })

    it('P-41 who spins for the first time at two processes at once gets one pair, and both spins', async () => {
      const wheel_id = await stage.aWheel()
      const other = stage.aProcess()
      const players = times(12, (i) => `player-${i}`)
      for (const player of players) await stage.grant(player, 2)
      const settled = await Promise.allSettled(
        players.flatMap((player) =>
          [stage.wheel, other.wheel].map((wheel, i) =>
            wheel.spin(stage.actor(player), { wheel_id, request_id: `r-${i}` }),
          ),
        ),
      )
      assert.deepEqual(tally(codesOf(settled)), { ok: 24 })
      for (const i of times(20, (n) => n)) {
        const player = stage.actor(`late-${i}`)
        const views = await Promise.all(
          [stage.wheel, other.wheel].map((wheel) => wheel.seedPair(player, 'summer')),
        )
        assert.deepEqual(views[0], views[1])
      }
      const pairs = await stage.rows(
        `select user_id, count(*)::int as n from fair_seeds where user_id like 'player-%' group by 1`,
      )
      assert.deepEqual(
        pairs.map((row) => row.n),
        times(12, () => 2),
      )
      await stage.assertClean()
    })

    it('S1-13 F21 one request sent 50 times to two processes is one spin, answered with the same bytes', async () => {
      const wheel_id = await stage.aWheel()
      const other = stage.aProcess()
      await stage.grant('alice', 50)
      // Two at once are the hardest case: neither is in a batch that would be tried again.
      for (const round of times(12, (i) => i)) {
        const request = { wheel_id, request_id: `same-${round}`, client_entropy: 'entropy-of-alice-1' }
        const settled = await Promise.allSettled(
          times(round < 9 ? 2 : 50, (i) =>
            (i % 2 ? stage.wheel : other.wheel).spin(stage.actor('alice'), request),
          ),
        )
        assert.deepEqual(tally(codesOf(settled)), { ok: settled.length })
        const replies = settled.map((each) => (each as PromiseFulfilledResult<any>).value)
        assert.equal(new Set(replies.map((reply) => reply.text)).size, 1)
        assert.equal(replies.filter((reply) => !reply.replayed).length, 1)
      }
      const [counts] = await stage.rows(
        `select (select count(*)::int from spin_sessions) as spins, (select sum(used_chances)::int from spin_chances) as used`,
      )
      assert.deepEqual(counts, { spins: 12, used: 12 })
      await stage.assertClean()
    })

    it('S1-13 a request that was answered is answered again by a paused wheel, after a publish, and after a rotation', async () => {
      const wheel_id = await stage.aWheel()
      await stage.grant('alice', 2)
      const request = { wheel_id, request_id: 'once' }
      const { text } = await stage.wheel.spin(stage.actor('alice'), request)
      const again = async () => {
        const reply = await stage.aProcess().wheel.spin(stage.actor('alice'), request)
        assert.deepEqual([reply.text, reply.replayed], [text, true])
      }
      await stage.app.run(stage.boss(), changeStatus, { game: 'summer', status: 'paused' })
      await again()
      await stage.wheel.publish(stage.boss(), 'summer')
      await again()
      await stage.wheel.rotate(stage.actor('alice'), 'summer', { client_seed: 'a-seed-of-alice' })
      await again()
    })

    it('S1-13 a request id that comes back with another input or wheel is refused, in one batch and later', async () => {
      const wheel_id = await stage.aWheel()
      const other_id = await stage.aWheel({ slug: 'other' })
      await stage.grant('alice', 10)
      await stage.wheel.seedPair(stage.actor('alice'), 'summer')
      const inputs = [
        { wheel_id, client_entropy: 'entropy-of-alice-1' },
        { wheel_id, client_entropy: 'entropy-of-alice-2' },
        { wheel_id: other_id, client_entropy: 'entropy-of-alice-1' },
      ]
      const send = () =>
        Promise.allSettled(
          inputs.map((input) => stage.wheel.spin(stage.actor('alice'), { ...input, request_id: 'reused' })),
        )
      assert.deepEqual(codesOf(await send()), ['ok', 'idempotency_key_reused', 'idempotency_key_reused'])
      assert.deepEqual(codesOf(await send()), ['ok', 'idempotency_key_reused', 'idempotency_key_reused'])
      assert.equal((await stage.rows('select 1 from spin_sessions')).length, 1)
    })

    it('S1-13 the request id of one player says nothing to another, in the same tenant or elsewhere', async () => {
      const wheel_id = await stage.aWheel()
      await stage.aTenant('other')
      const elsewhere = await stage.aWheel({ tenant: 'other' })
      await stage.grant('alice', 1)
      await stage.grant('bob', 1)
      await stage.grant('alice', 1, {}, 'other')
      const replies = await Promise.all([
        stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: 'same' }),
        stage.wheel.spin(stage.actor('bob'), { wheel_id, request_id: 'same' }),
        stage.wheel.spin(stage.actor('alice', 'other'), { wheel_id: elsewhere, request_id: 'same' }),
      ])
      assert.equal(new Set(replies.map(({ answer }) => answer.spin_id)).size, 3)
      assert.equal(
        (await refusalOf(stage.wheel.spin(stage.actor('alice', 'other'), { wheel_id, request_id: 'x' })))
          .code,
        'game_not_found',
      )
      await stage.assertClean()
    })
  })

  describe('limits of a wheel', () => {
    it('S2-13 the fourth play of a day is refused with the instant at which the day of the tenant ends, also among 20 at once', async () => {
      await stage.close()
      stage = await startStage({ time_zone: 'Europe/Berlin', starts_at: new Date('2026-06-15T20:00:00Z') })
      const wheel_id = await stage.aWheel({ spin: { plays_per_day: 3 } })
      const other = stage.aProcess()
      await stage.grant('alice', 100)
      const settled = (
        await Promise.all([
          spinAll(stage.wheel, 'alice', wheel_id, 10, 'a'),
          spinAll(other.wheel, 'alice', wheel_id, 10, 'b'),
        ])
      ).flat()
      assert.deepEqual(tally(codesOf(settled)), { ok: 3, plays_per_day_reached: 17 })
      const refused = await refusalOf(stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: 'x' }))
      assert.equal(refused.detail.facts.valid_from, '2026-06-15T22:00:00.000Z')

      stage.clock.advance(2 * 3_600_000)
      assert.equal(
        (await stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: 'tomorrow' })).replayed,
        false,
      )
      await stage.assertClean()
    })

    it('S1-55 one of many spins at once passes the cooldown, and the next one after it', async () => {
      const wheel_id = await stage.aWheel({ spin: { cooldown_ms: 60_000 } })
      const other = stage.aProcess()
      await stage.grant('alice', 100)
      const settled = (
        await Promise.all([
          spinAll(stage.wheel, 'alice', wheel_id, 10, 'a'),
          spinAll(other.wheel, 'alice', wheel_id, 10, 'b'),
        ])
      ).flat()
      assert.deepEqual(tally(codesOf(settled)), { ok: 1, cooldown: 19 })
      const { detail } = await refusalOf(
        stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: 'x' }),
      )
      assert.ok(detail.retry_after_s >= 50 && detail.retry_after_s <= 60)
      stage.clock.advance(60_000)
      await stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: 'y' })
    })

    it('S1-55 an operator changes the cooldown; the next spin after the publish obeys it, and the difference is audited', async () => {
      const wheel_id = await stage.aWheel({ spin: { cooldown_ms: 3_600_000 } })
      await stage.grant('alice', 10)
      await stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: '1' })
      await stage.edit('summer', { spin_config: { cooldown_ms: 0 } })
      assert.equal(
        (await refusalOf(stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: '2' }))).code,
        'cooldown',
      )
      await stage.wheel.publish(stage.boss(), 'summer')
      await stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: '2' })
      const audited = await stage.rows(
        `select action, old_values, new_values from audit_logs where entity_type = 'wheel_game' order by seq`,
      )
      const change = audited.find((row) => row.action === 'update')
      assert.equal(change.old_values.spin_config.cooldown_ms, 3_600_000)
      assert.equal(change.new_values.spin_config.cooldown_ms, 0)
      assert.deepEqual(audited.at(-1).new_values.config_version, 2)
    })

    it('S2-13 outside its hours a wheel refuses and names the next opening in the time zone of the tenant', async () => {
      await stage.close()
      stage = await startStage({
        time_zone: 'Africa/Addis_Ababa',
        starts_at: new Date('2026-06-15T14:59:59Z'),
      })
      const wheel_id = await stage.aWheel({
        spin: { valid_days: [1], valid_from_time: '09:00', valid_until_time: '18:00' },
      })
      await stage.grant('alice', 10)
      stage.clock.advance(1_000)
      const { code, detail } = await refusalOf(
        stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: 'x' }),
      )
      assert.equal(code, 'wheel_not_open')
      assert.equal(detail.facts.valid_from, '2026-06-22T06:00:00.000Z')
      stage.clock.advance(Date.parse(detail.facts.valid_from) - stage.clock.now().getTime())
      await stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: 'x' })
    })

    it('S1-07 a pause between two spins refuses the second, a resume lets it through; both are events and audited', async () => {
      const wheel_id = await stage.aWheel()
      const other = stage.aProcess()
      await stage.grant('alice', 10)
      await stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: '1' })
      await stage.app.run(stage.boss(), changeStatus, { game: 'summer', status: 'paused' })
      const refused = await refusalOf(other.wheel.spin(stage.actor('alice'), { wheel_id, request_id: '2' }))
      assert.equal(refused.code, 'wheel_paused')
      assert.deepEqual(refused.detail.facts, { wheel_status: 'paused' })
      await stage.app.run(stage.boss(), changeStatus, { game: 'summer', status: 'live' })
      await other.wheel.spin(stage.actor('alice'), { wheel_id, request_id: '2' })
      const said = await stage.rows(
        `select event_data from game_events where event_type = 'wheel.status' order by game_seq`,
      )
      assert.deepEqual(
        said.map((row) => row.event_data.status),
        ['paused', 'live'],
      )
      assert.equal((await stage.rows(`select 1 from audit_logs where action = 'change_status'`)).length, 2)
    })
  })

  describe('stock, budget and limits per user', () => {
    const STOCKED = [
      { slug: 'car', probability: '0.5', prize: { stock: 5, cost_minor: 1_000 } },
      { slug: 'points', probability: '0.5', prize: { cost_minor: 1 } },
    ]

    it('S2-15 a prize with stock 5 is won exactly 5 times under 200 parallel spins of two processes, the rest is substituted as disclosed', async () => {
      const wheel_id = await stage.aWheel({ rewards: STOCKED, spin: { on_exhausted: 'points' } })
      const other = stage.aProcess()
      const players = times(50, (i) => `player-${i}`)
      for (const player of players) await stage.grant(player, 4)
      const settled = (
        await Promise.all(
          players.map((player, i) => spinAll(i % 2 ? stage.wheel : other.wheel, player, wheel_id, 4)),
        )
      ).flat()
      assert.deepEqual(tally(codesOf(settled)), { ok: 200 })
      const answers = settled.map((each) => (each as PromiseFulfilledResult<any>).value.answer)
      assert.equal(answers.filter((answer) => answer.award.reward_slug === 'car').length, 5)
      assert.ok(
        answers.every((answer) => answer.won),
        'with an unlimited substitute nobody goes away empty',
      )
      for (const answer of answers.filter((each) => each.award.status === 'substituted')) {
        assert.deepEqual([answer.reward_slug, answer.award.reward_slug], ['car', 'points'])
      }
      const [prize] = await stage.rows(
        'select won_count, stock from gamification_prizes where stock is not null',
      )
      assert.deepEqual(prize, { won_count: 5, stock: 5 })
      await stage.assertClean()
    })

    it('S2-15 when the last piece is gone the odds are published again without it, and the next spins verify under them', async () => {
      const wheel_id = await stage.aWheel({ rewards: STOCKED, spin: { on_exhausted: 'points' } })
      await stage.grant('alice', 100)
      await spinAll(stage.wheel, 'alice', wheel_id, 40)
      const odds = await eventually('the republished odds', async () => {
        const told = await stage.wheel.odds(stage.actor('alice'), 'summer')
        return told.config_version === 2 && told
      })
      assert.deepEqual(
        odds.segments.map(({ reward_slug, share }) => [reward_slug, share]),
        [['points', '100%']],
      )
      const settled = await spinAll(stage.wheel, 'alice', wheel_id, 10, 'after')
      for (const each of settled) {
        const { answer } = (each as PromiseFulfilledResult<any>).value
        assert.deepEqual([answer.reward_slug, answer.award.status], ['points', 'won'])
      }
      const said = (
        await stage.rows(`select event_type from game_events where game_id = $1 order by game_seq`, [
          wheel_id,
        ])
      ).map((row) => row.event_type)
      assert.equal(said.filter((type) => type === 'wheel.exhausted').length, 1)
      assert.equal(said.filter((type) => type === 'wheel.published').length, 2)
      await stage.assertClean()
    })

    it('S2-15 the republished odds are the published ones without the reward, not what an operator is editing', async () => {
      const wheel_id = await stage.aWheel({ rewards: STOCKED, spin: { on_exhausted: 'points' } })
      await stage.edit('summer', {
        rewards: [
          {
            reward_slug: 'draft',
            reward_label: 'A draft',
            probability: '0.3',
            reward_color: null,
            reward_description: null,
            per_user_limit: null,
            prize_id: null,
          },
        ],
        spin_config: { duration_ms: 9_999 },
      })
      await stage.grant('alice', 100)
      await spinAll(stage.wheel, 'alice', wheel_id, 40)
      const odds = await eventually('the republished odds', async () => {
        const told = await stage.wheel.odds(stage.actor('alice'), 'summer')
        return told.config_version === 2 && told
      })
      assert.deepEqual(
        odds.segments.map(({ reward_slug, share }) => [reward_slug, share]),
        [['points', '100%']],
      )
      const { wheel } = await stage.wheel.snapshot(stage.actor('alice'), 'summer')
      assert.equal(wheel.duration_ms, 4_000)
      await stage.assertClean()
    })

    it('S2-15 a process that dies between the last piece and the new odds leaves them to the next one', async () => {
      const wheel_id = await stage.aWheel({ rewards: STOCKED, spin: { on_exhausted: 'points' } })
      await stage.grant('alice', 100)
      // What such a crash leaves: the stock is used up and nobody has said so.
      await stage.rows(`update gamification_prizes set stock = 0 where stock is not null`)
      const next = stage.aProcess()
      await next.wheel.advanceRounds(stage.tenants.get('demo')!)
      const odds = await stage.wheel.odds(stage.actor('alice'), wheel_id)
      assert.deepEqual([odds.config_version, odds.segments.map((each) => each.reward_slug)], [2, ['points']])
      await next.wheel.advanceRounds(stage.tenants.get('demo')!)
      assert.equal(
        (await stage.wheel.odds(stage.actor('alice'), wheel_id)).config_version,
        2,
        'once is enough',
      )
    })

    it('S2-15 a prize on two wheels that runs out on one leaves both', async () => {
      const car = await stage.aPrize({ stock: 2 })
      const rewards = [
        { slug: 'car', probability: '0.9', prize: car },
        { slug: 'points', probability: '0.1', prize: {} },
      ]
      const wheel_id = await stage.aWheel({ rewards, spin: { on_exhausted: 'points' } })
      const other_id = await stage.aWheel({ slug: 'other', rewards, spin: { on_exhausted: 'points' } })
      await stage.grant('alice', 100)
      await spinAll(stage.wheel, 'alice', wheel_id, 30)
      for (const id of [wheel_id, other_id]) {
        await eventually('new odds', async () => {
          await stage.wheel.advanceRounds(stage.tenants.get('demo')!)
          return (await stage.wheel.odds(stage.actor('alice'), id)).config_version === 2
        })
      }
    })

    it('P-03 a budget of 100.00 is never exceeded under concurrency, and the declared substitute is given from then on', async () => {
      const wheel_id = await stage.aWheel({
        rewards: [
          { slug: 'thirty', probability: '0.5', prize: { cost_minor: 3_000 } },
          { slug: 'cheap', probability: '0.5', prize: { cost_minor: 7 } },
        ],
        spin: { on_exhausted: 'cheap' },
        budget_minor: 10_000,
      })
      const other = stage.aProcess()
      const players = times(20, (i) => `player-${i}`)
      for (const player of players) await stage.grant(player, 5)
      const settled = (
        await Promise.all(
          players.map((player, i) => spinAll(i % 2 ? stage.wheel : other.wheel, player, wheel_id, 5)),
        )
      ).flat()
      assert.deepEqual(tally(codesOf(settled)), { ok: 100 })
      const answers = settled.map((each) => (each as PromiseFulfilledResult<any>).value.answer)
      const spent = answers.reduce(
        (sum, { award }) =>
          sum + (award.reward_slug === 'thirty' ? 3_000 : award.reward_slug === 'cheap' ? 7 : 0),
        0,
      )
      const [wheel] = await stage.rows('select budget_spent_minor from wheel_games')
      assert.equal(wheel.budget_spent_minor, spent)
      assert.ok(spent <= 10_000)
      assert.ok(answers.filter(({ award }) => award.reward_slug === 'thirty').length <= 3)
      assert.ok(answers.some(({ award }) => award.status === 'substituted'))
      await stage.assertClean()
    })

    it('P-03 a reward is won by one user as often as its limit says, over all versions, also from two processes', async () => {
      const wheel_id = await stage.aWheel({
        rewards: [
          { slug: 'once', probability: '0.9', prize: {}, per_user_limit: 2 },
          { slug: 'points', probability: '0.1', prize: {} },
        ],
        spin: { on_exhausted: 'points' },
      })
      const other = stage.aProcess()
      for (const player of ['alice', 'bob']) await stage.grant(player, 40)
      await Promise.all(
        ['alice', 'bob'].flatMap((player) => [
          spinAll(stage.wheel, player, wheel_id, 10, 'a'),
          spinAll(other.wheel, player, wheel_id, 10, 'b'),
        ]),
      )
      await stage.wheel.publish(stage.boss(), 'summer')
      await Promise.all(['alice', 'bob'].map((player) => spinAll(other.wheel, player, wheel_id, 10, 'c')))
      const wins = await stage.rows(
        `select user_id, count(*)::int as n from gamification_game_plays where game_data->>'award_slug' = 'once' group by 1 order by 1`,
      )
      assert.deepEqual(wins, [
        { user_id: 'alice', n: 2 },
        { user_id: 'bob', n: 2 },
      ])
      await stage.assertClean()
    })

    it('S2-15 a prize that was unlimited counts what was won of it when a stock is set', async () => {
      const car = await stage.aPrize()
      const wheel_id = await stage.aWheel({
        rewards: [
          { slug: 'car', probability: '0.5', prize: car },
          { slug: 'points', probability: '0.5', prize: {} },
        ],
        spin: { on_exhausted: 'points' },
      })
      await stage.grant('alice', 100)
      await spinAll(stage.wheel, 'alice', wheel_id, 20)
      const won = async () =>
        (
          await stage.rows('select count(*)::int as n from gamification_game_plays where prize_id = $1', [
            car,
          ])
        )[0].n
      const before = await won()
      const change = (stock: number) =>
        stage.inTenant((tx) => stage.prizes.update(tx, { ref: String(car), input: { stock }, versions: '*' }))
      assert.equal((await refusalOf(change(before - 1))).code, 'invalid_input')
      await change(before + 2)
      await spinAll(stage.wheel, 'alice', wheel_id, 40, 'after')
      assert.equal(await won(), before + 2)
      await stage.assertClean()
    })

    for (const [before, stock] of [
      ['no stock', null],
      ['a stock far from its end', 5_000],
    ] as const)
      it(`S2-15 a stock that is set while spins of a prize with ${before} are in flight is never passed`, async () => {
        const car = await stage.aPrize({ stock })
        const wheel_id = await stage.aWheel({
          rewards: [
            { slug: 'car', probability: '0.9', prize: car },
            { slug: 'points', probability: '0.1', prize: {} },
          ],
          spin: { on_exhausted: 'points' },
        })
        const players = times(30, (i) => `player-${i}`)
        for (const player of players) await stage.grant(player, 4)
        const spins = Promise.all(players.map((player) => spinAll(stage.wheel, player, wheel_id, 4)))
        await eventually(
          'a first win',
          async () =>
            (await stage.rows('select 1 from gamification_game_plays where prize_id = $1 limit 1', [car]))
              .length > 0,
        )
        const limited = stage.inTenant((tx) =>
          stage.prizes.update(tx, { ref: String(car), input: { stock: 70 }, versions: '*' }),
        )
        const changed = await limited.then(
          () => true,
          (error) => codeOf(error),
        )
        await spins
        const [{ n }] = await stage.rows(
          'select count(*)::int as n from gamification_game_plays where prize_id = $1',
          [car],
        )
        if (changed === true) assert.ok(n <= 70, `${n} were won`)
        else assert.equal(changed, 'invalid_input')
        await stage.assertClean()
      })

    it('S2-15 a stock that is first far from its end is won exactly as often as it says, by two processes', async () => {
      const stock = 540
      const wheel_id = await stage.aWheel({
        rewards: [
          { slug: 'car', probability: '0.9', prize: { stock } },
          { slug: 'points', probability: '0.1', prize: {} },
        ],
        spin: { on_exhausted: 'points' },
      })
      const other = stage.aProcess()
      const players = times(40, (i) => `player-${i}`)
      for (const player of players) await stage.grant(player, 20)
      const settled = await Promise.all(
        players.map((player, i) => spinAll(i % 2 ? stage.wheel : other.wheel, player, wheel_id, 20)),
      )
      assert.deepEqual(tally(codesOf(settled.flat())), { ok: 800 })
      assert.deepEqual(
        await stage.rows('select won_count, stock from gamification_prizes where stock is not null'),
        [{ won_count: stock, stock }],
      )
      assert.deepEqual(
        await stage.rows(
          `select count(*)::int as told from game_events where event_type = 'wheel.exhausted'`,
        ),
        [{ told: 1 }],
      )
      await stage.assertClean()
    })
  })

  describe('publishing while people play', () => {
    it('S1-08 republishing under load: every result keeps the version and the pair it was made with, nothing is lost', async () => {
      const wheel_id = await stage.aWheel()
      const other = stage.aProcess()
      const players = times(12, (i) => `player-${i}`)
      for (const player of players) await stage.grant(player, 20)
      let spins = 0
      const publishing = (async () => {
        for (let version = 2; version <= 12; version++) {
          await eventually('more spins', async () => spins >= (version - 1) * 9)
          await stage.wheel.publish(stage.boss(), 'summer')
        }
      })()
      const settled = await Promise.all(
        players.map(async (player, i) => {
          const wheel = i % 2 ? stage.wheel : other.wheel
          const codes: string[] = []
          for (let n = 0; n < 10; n++) {
            const request = { wheel_id, request_id: `r-${n}` }
            let [code] = codesOf(await Promise.allSettled([wheel.spin(stage.actor(player), request)]))
            // A wheel that is published faster than a player's pair is made says so, and nothing was spent.
            for (let again = 0; code === 'unavailable' && again < 20; again++) {
              code = codesOf(await Promise.allSettled([wheel.spin(stage.actor(player), request)]))[0]
            }
            codes.push(code!)
            spins++
          }
          return codes
        }),
      )
      await publishing
      assert.deepEqual(tally(settled.flat()), { ok: 120 })
      const versions = await stage.rows('select distinct config_version from spin_results')
      assert.ok(versions.length > 2, 'the wheel was published while it was played')
      const mismatched = await stage.rows(
        `select 1 from spin_results r join fair_seeds f on f.id = r.seed_id where f.config_version <> r.config_version`,
      )
      assert.equal(mismatched.length, 0)
      await stage.assertClean()
    })

    it('S1-08 an old spin shows its own version and label after the reward was renamed and removed', async () => {
      const wheel_id = await stage.aWheel({ rewards: [{ slug: 'ten', probability: '1', prize: {} }] })
      await stage.grant('alice', 2)
      const { answer } = await stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: '1' })
      await stage.edit('summer', {
        rewards: [
          {
            reward_slug: 'new',
            reward_label: 'New',
            probability: '1',
            reward_color: null,
            reward_description: null,
            per_user_limit: null,
            prize_id: null,
          },
        ],
      })
      await stage.wheel.publish(stage.boss(), 'summer')
      await stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: '2' })
      const { readMySpins } = await import('../../src/games/wheel/history.ts')
      const { data } = await stage.app.run(stage.actor('alice'), readMySpins, { game: 'summer', limit: 10 })
      assert.deepEqual(
        data.map(({ spin_id, reward_label, config_version, revealed }) => ({
          mine: spin_id === answer.spin_id,
          reward_label,
          config_version,
          revealed,
        })),
        [
          { mine: false, reward_label: 'New', config_version: 2, revealed: false },
          { mine: true, reward_label: 'TEN', config_version: 1, revealed: true },
        ],
      )
      const odds = await stage.wheel.odds(stage.actor('alice'), 'summer')
      assert.deepEqual(
        odds.segments.map((each) => each.reward_slug),
        ['new'],
        'S1-10 what is not active is not on the wheel',
      )
    })

    it('S1-11 a draft with a gap is refused with the gap, and the version in force goes on', async () => {
      const wheel_id = await stage.aWheel()
      const off = { reward_color: null, reward_description: null, per_user_limit: null, prize_id: null }
      await stage.edit('summer', {
        rewards: [
          { reward_slug: 'a', reward_label: 'A', probability: '0.6', ...off },
          { reward_slug: 'b', reward_label: 'B', probability: '0.35', ...off },
        ],
      })
      const { code, detail } = await refusalOf(stage.wheel.publish(stage.boss(), 'summer'))
      assert.deepEqual([code, detail.facts.gap], ['probabilities_incomplete', '0.05'])
      await stage.grant('alice', 1)
      await stage.wheel.spin(stage.actor('alice'), { wheel_id, request_id: '1' })
    })

    it('S1-11 limits without a named substitute, and prizes that cannot be won, are refused all at once', async () => {
      const gone = await stage.aPrize()
      await stage.aWheel({
        is_published: false,
        rewards: [
          { slug: 'stocked', probability: '0.5', prize: { stock: 3 } },
          { slug: 'gone', probability: '0.5', prize: gone },
        ],
      })
      await stage.rows('update gamification_prizes set is_active = false where id = $1', [gone])
      const { code, detail } = await refusalOf(stage.wheel.publish(stage.boss(), 'summer'))
      assert.equal(code, 'wheel_not_ready')
      assert.deepEqual(
        detail.errors.map((each: any) => each.pointer),
        ['/rewards/gone/prize_id', '/spin_config/on_exhausted'],
      )
    })
  })

  describe('a storm', () => {
    it('F11 many wheels, shared prizes and budgets, two processes: no spin fails, and the audit is clean', async () => {
      const shared = [
        await stage.aPrize({ stock: 60, cost_minor: 5 }),
        await stage.aPrize({ stock: 40, cost_minor: 9 }),
        await stage.aPrize({ stock: 30 }),
      ]
      const wheels: string[] = []
      for (const i of times(6, (n) => n)) {
        const order = [...shared.slice(i % 3), ...shared.slice(0, i % 3)]
        wheels.push(
          await stage.aWheel({
            slug: `wheel-${i}`,
            rewards: [
              ...order.map((prize, n) => ({ slug: `p${n}`, probability: '0.2', prize })),
              { slug: 'points', probability: '0.4', prize: { cost_minor: 1 } },
            ],
            spin: { on_exhausted: 'points' },
            budget_minor: 400,
          }),
        )
      }
      const other = stage.aProcess()
      const players = times(30, (i) => `player-${i}`)
      for (const player of players) await stage.grant(player, 12)
      const settled = await Promise.allSettled(
        players.flatMap((player, p) =>
          times(12, (i) =>
            ((p + i) % 2 ? stage.wheel : other.wheel).spin(stage.actor(player), {
              wheel_id: wheels[(p * 5 + i) % 6]!,
              request_id: `r-${i}`,
            }),
          ),
        ),
      )
      assert.deepEqual(tally(codesOf(settled)), { ok: 360 })
      await stage.assertClean()
    }).timeout(40_000)

    it('P-41 rotations among spins of the same players: no spin is lost or drawn from a revealed seed', async () => {
      const wheel_id = await stage.aWheel()
      const other = stage.aProcess()
      const players = times(6, (i) => `player-${i}`)
      for (const player of players) await stage.grant(player, 30)
      const settled = await Promise.all(
        players.map((player) =>
          Promise.allSettled([
            ...times(30, (i) =>
              (i % 2 ? stage.wheel : other.wheel).spin(stage.actor(player), {
                wheel_id,
                request_id: `r-${i}`,
              }),
            ),
            ...times(4, (i) =>
              (i % 2 ? stage.wheel : other.wheel).rotate(stage.actor(player), 'summer', {
                client_seed: `seed-of-${player}-${i}`,
              }),
            ),
          ]),
        ),
      )
      for (const each of settled) {
        assert.deepEqual(tally(codesOf(each.slice(0, 30))), { ok: 30 })
        const rotations = tally(codesOf(each.slice(30)))
        assert.ok(rotations['ok']! >= 1)
        assert.deepEqual(
          Object.keys(rotations).filter((code) => code !== 'ok' && code !== 'seed_pair_replaced'),
          [],
        )
      }
      await stage.assertClean()
    }).timeout(40_000)
  })
})
