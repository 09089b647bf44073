/** Counts, notifications and the four indexes of the wallet, on the rows themselves and over HTTP. */
import assert from 'node:assert/strict'
import { readInvariants } from '../../src/audit/blocks.ts'
import { notify, purgeNotifications, readMarks } from '../../src/insight/inbox.ts'
import { applyPrize } from '../../src/prizes/redemption.ts'
import { countMyPrizes, readMyPrizes, unlockPrize } from '../../src/prizes/wallet.ts'
import { type Stage, startStage } from '../games/kit.ts'
import { type Shop, startShop } from '../prizes/kit.ts'

/** The rows that break the invariant of the audit: heads that do not say what a count of their user's rows says. */
const DRIFT = readInvariants().blocks.find(({ id }) => id === 'L30')!.sql

describe('counts of the wallet', () => {
  let stage: Stage
  let wheel_id: string
  before(async () => {
    stage = await startStage()
    wheel_id = await stage.aWheel({
      rewards: [
        {
          slug: 'points',
          probability: '0.5',
          prize: { type: 'loyalty_points', value: '10', expires_in_days: 1 },
        },
        {
          slug: 'month',
          probability: '0.3',
          prize: { type: 'loyalty_points', value: '20', expires_in_days: 30 },
        },
        { slug: 'none', probability: '0.2' },
      ],
    })
  })
  after(() => stage.close())

  const countsOf = async (user: string) =>
    (await stage.app.run(stage.actor(user), countMyPrizes, undefined)).data

  async function win(user: string, count: number): Promise<number[]> {
    await stage.grant(user, count)
    const spins = await Promise.all(
      Array.from({ length: count }, (_, i) =>
        stage.wheel.spin(stage.actor(user), { wheel_id, request_id: `${user}-${i}` }),
      ),
    )
    return spins.filter(({ answer }) => answer.won).map(({ answer }) => answer.play_id)
  }

  it('S2-48 the counts equal a recount after wins, unlocks, applications, expiries and marks that race each other', async () => {
    const users = ['ann', 'bob', 'cleo']
    const plays = new Map<string, number[]>()
    for (const user of users) plays.set(user, await win(user, 30))
    const second = stage.aProcess()
    const expire = (ids: readonly number[]) =>
      second.app.run(
        stage.boss(),
        async (tx) => {
          await tx.rows(
            `update gamification_game_plays set prize_status = 'expired', updated_at = $2
             where id = any($1::bigint[]) and prize_status in ('locked', 'unlocked')`,
            [ids, tx.now],
          )
        },
        undefined,
      )
    const acts = users.flatMap((user) => {
      const mine = plays.get(user)!
      return mine.flatMap((play_id, i) => {
        const process = i % 2 === 0 ? stage : second
        const unlock = () => process.app.run(stage.actor(user), unlockPrize, { play_id })
        const apply = () =>
          process.app.run(stage.actor('shop', 'demo', ['service']), applyPrize, {
            play_id,
            order_id: `o-${play_id}`,
            order: {},
          })
        const mark = () => process.app.run(stage.actor(user), readMarks, { ids: null })
        return [unlock, apply, mark, () => expire(mine.slice(i, i + 3))]
      })
    })
    const settled = await Promise.allSettled([
      ...acts.map((act) => act()),
      ...users.map((user) => win(`${user}2`, 10)),
    ])
    const failures = settled
      .filter((each) => each.status === 'rejected')
      .map((each) => each.reason.code)
      .filter((code) => !/^prize_/.test(code))
    assert.deepEqual(failures, [], 'what is refused is refused for the state of the prize')
    assert.deepEqual(await stage.rows(DRIFT), [])
    const moved = (await stage.rows('select count(*)::int as n from prize_history'))[0]
    assert.ok(moved.n > 30, 'something moved')
  })

  it('S2-48 one’s own action shows in the very next answer, and the total of each tab is the count of its rows', async () => {
    const [first, ...others] = await win('dora', 40)
    const before = await countsOf('dora')
    assert.deepEqual([before.locked, before.all], [others.length + 1, others.length + 1])
    await stage.app.run(stage.actor('dora'), unlockPrize, { play_id: first! })
    assert.deepEqual(await countsOf('dora'), { ...before, locked: before.locked - 1, unlocked: 1 })
    for (const status of ['all', 'locked', 'unlocked', 'applied', 'used', 'expired'] as const) {
      const list = await stage.app.run(stage.actor('dora'), readMyPrizes, { status, page: 1, per_page: 100 })
      assert.equal(list.pagination.total_items, list.data.length, status)
    }
  })

  it('S2-38 S2-48 at each deadline the counts move though no row has, and the sweep changes nothing that is seen', async () => {
    await win('eve', 40)
    const before = await countsOf('eve')
    stage.clock.advance(25 * 3_600_000)
    const after = await countsOf('eve')
    assert.ok(after.expired > 0 && after.locked > 0 && after.locked < before.locked)
    const expired = await stage.app.run(stage.actor('eve'), readMyPrizes, {
      status: 'expired',
      page: 1,
      per_page: 100,
    })
    assert.equal(expired.data.length, after.expired)
    await stage.inTenant((tx) =>
      tx.rows(
        `update gamification_game_plays set prize_status = 'expired', updated_at = $1
         where prize_status in ('locked', 'unlocked') and expires_at < $1`,
        [tx.now],
      ),
    )
    assert.deepEqual(await countsOf('eve'), after)
    assert.deepEqual(await stage.rows(DRIFT), [])
    const [head] = await stage.rows(
      `select next_deadline > $1 as ahead from inbox_heads where user_id = 'eve'`,
      [stage.clock.now()],
    )
    assert.equal(head.ahead, true, 'the next deadline is looked for again when the first has passed')
  })

  it('S0-34 a notification belongs to its transaction: what is refused tells nobody', async () => {
    const failing = stage.inTenant(async (tx) => {
      await notify(tx, [{ user_id: 'hal', kind: 'claim_message', message: 'Never.' }])
      throw new Error('changed my mind')
    })
    await assert.rejects(failing, /changed my mind/)
    assert.deepEqual(await stage.rows(`select from inbox_heads where user_id = 'hal'`), [])
  })

  it('S0-34 a purge forgets what was read before an instant, and nothing that was not read', async () => {
    await stage.inTenant((tx) =>
      notify(
        tx,
        ['ida', 'ida', 'jon'].map((user_id) => ({ user_id, kind: 'claim_message', message: 'Hello.' })),
      ),
    )
    await stage.app.run(stage.actor('ida'), readMarks, { ids: null })
    stage.clock.advance(1_000)
    const gone = await stage.inTenant((tx) => purgeNotifications(tx, { before: stage.clock.now() }))
    assert.ok(gone >= 2)
    const left = await stage.rows(
      `select user_id, read_at from notifications where user_id in ('ida', 'jon')`,
    )
    assert.deepEqual(left, [{ user_id: 'jon', read_at: null }])
    assert.deepEqual(await stage.rows(DRIFT), [])
  })
})

describe('the four indexes of the wallet', function () {
  this.timeout(60_000)
  let stage: Stage
  before(async () => {
    stage = await startStage()
    await stage.aWheel()
    // A hundred plays each of two hundred users over two weeks.
    await stage.rows(
      `insert into gamification_game_plays (id, tenant_id, uuid, game_id, user_id, prize_id, is_winner, prize_code, prize_status, prize_snapshot,
         unlocked_at, expires_at, event_id, created_at, updated_at)
       select n, g.tenant_id, gen_random_uuid(), g.id, 'user-' || n % 200, case when n % 4 = 0 then p.id end, n % 4 = 0,
              case when n % 4 = 0 then 'T' || lpad(n::text, 7, '0') end, case when n % 4 = 0 then case when n % 8 = 0 then 'unlocked' else 'locked' end end,
              case when n % 4 = 0 then '{}'::jsonb end, case when n % 8 = 0 then now() end,
              now() + make_interval(mins => n), gen_random_uuid(), now() - make_interval(mins => n), now()
       from generate_series(1, 20000) n, gamification_games g, gamification_prizes p`,
    )
    await stage.rows('analyze gamification_game_plays')
  })
  after(() => stage.close())

  const QUERIES: [index: string, what: string, sql: string, values: unknown[]][] = [
    [
      'idx_user_prizes',
      'the wallet of a user',
      `select id from gamification_game_plays where user_id = $1 and is_winner and prize_status = 'locked'`,
      ['user-4'],
    ],
    [
      'idx_prize_code',
      'a code',
      'select id from gamification_game_plays where prize_code = $1',
      ['T0000004'],
    ],
    [
      'idx_expiration',
      'what has run out',
      `select id from gamification_game_plays where prize_status in ('locked', 'unlocked') and expires_at < $1`,
      [new Date(Date.now() + 60 * 60_000)],
    ],
    [
      'idx_game_user_date',
      'the plays of a user in a game',
      'select count(*) from gamification_game_plays where game_id = $1 and user_id = $2 and created_at >= $3',
      [1, 'user-4', new Date(Date.now() - 86_400_000)],
    ],
  ]
  for (const [index, what, sql, values] of QUERIES) {
    it(`S2-47 ${what} is found through ${index}, behind row-level security, without a hint`, async () => {
      const game = (await stage.rows('select id from gamification_games'))[0].id
      const given = values.map((value) => (value === 1 ? game : value))
      const plan = await stage.inTenant((tx) => tx.rows(`explain (format json, costs off) ${sql}`, given))
      const text = JSON.stringify(plan)
      assert.ok(text.includes(`"Index Name":"${index}"`), text)
      assert.doesNotMatch(text, /"Seq Scan"/)
    })
  }
})

describe('/me/notifications', () => {
  let shop: Shop
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const ask = async (user: string, query = '') =>
    shop.ask('GET', `/api/v1/me/notifications${query}`, { token: await shop.player(user) })
  const read = async (user: string, json: unknown) =>
    shop.ask('POST', '/api/v1/me/notifications/read', { token: await shop.player(user), json })

  it('S0-34 wins are listed newest first, in pages, with an unread count; the unopened prize is not named', async () => {
    assert.deepEqual((await ask('ann')).body, { data: [], next_cursor: null, unread_count: 0 })
    const plays = [await shop.win('ann'), await shop.win('ann'), await shop.win('ann')].reverse()
    const first = await ask('ann', '?limit=2')
    assert.deepEqual(
      [first.body.data.map((note: any) => note.play_id), first.body.unread_count],
      [plays.slice(0, 2), 3],
    )
    assert.ok(!first.text.includes('10%'))
    const rest = await ask('ann', `?limit=2&cursor=${first.body.next_cursor}`)
    assert.deepEqual(
      rest.body.data.map((note: any) => note.play_id),
      plays.slice(2),
    )
    assert.equal(rest.body.next_cursor, null)
  })

  it('S0-34 read marks count once, leave others alone, and without ids take everything', async () => {
    const { data } = (await ask('ann')).body
    assert.deepEqual((await read('bob', { ids: [data[0].id] })).body, { marked: 0, unread_count: 0 })
    assert.deepEqual((await read('ann', { ids: [data[0].id, data[0].id, 999_999] })).body, {
      marked: 1,
      unread_count: 2,
    })
    assert.deepEqual((await read('ann', { ids: [data[0].id] })).body, { marked: 0, unread_count: 2 })
    assert.equal((await ask('ann', '?unread=1')).body.data.length, 2)
    assert.deepEqual((await read('ann', {})).body, { marked: 2, unread_count: 0 })
    assert.ok((await ask('ann')).body.data.every((note: any) => note.is_read))
  })

  it('S0-34 what is no cursor, no id and no role is refused', async () => {
    assert.equal((await ask('ann', '?cursor=abc')).status, 400)
    assert.equal((await ask('ann', '?limit=101')).status, 400)
    assert.equal((await read('ann', { ids: [] })).status, 400)
    assert.equal((await read('ann', { ids: ['1'] })).status, 400)
    const operator = await shop.ask('GET', '/api/v1/me/notifications', { token: shop.operator })
    assert.equal(operator.status, 403)
  })

  it('S2-48 S2-58 a prize that changes hands is counted where it lies', async () => {
    const counts = async (user: string) => {
      const token = await shop.player(user)
      return (await shop.ask('GET', '/api/v1/gamification/my_prizes/counts', { token })).body.data
    }
    const play_id = await shop.open('dan')
    const [dan, eli] = [await counts('dan'), await counts('eli')]
    const post = async (user: string, path: string, json?: unknown) =>
      shop.ask('POST', `/api/v1/gamification/${path}`, {
        token: await shop.player(user),
        ...(json !== undefined && { json }),
      })
    const gift = await post('dan', `gift/${play_id}`, { to: 'eli' })
    assert.equal(gift.status, 201, gift.text)
    const accepted = await post('eli', `gifts/${gift.body.data.id}/accept`)
    assert.equal(accepted.status, 200, accepted.text)
    assert.deepEqual(
      [await counts('dan'), await counts('eli')],
      [
        { ...dan, all: dan.all - 1, unlocked: dan.unlocked - 1 },
        { ...eli, all: eli.all + 1, unlocked: eli.unlocked + 1 },
      ],
    )
    assert.deepEqual(await shop.database.query(DRIFT), [])
  })

  it('S2-48 GET my_prizes/counts is right after each own step', async () => {
    const token = await shop.player('cleo')
    const counts = async () =>
      (await shop.ask('GET', '/api/v1/gamification/my_prizes/counts', { token })).body.data
    const zero = { all: 0, locked: 0, unlocked: 0, applied: 0, expired: 0 }
    assert.deepEqual(await counts(), zero)
    const play_id = await shop.win('cleo')
    assert.deepEqual(await counts(), { ...zero, all: 1, locked: 1 })
    await shop.unlock('cleo', play_id)
    assert.deepEqual(await counts(), { ...zero, all: 1, unlocked: 1 })
    assert.equal(
      (await shop.apply(play_id, { order_id: 1, order_amount: 75.5, order_type: 'delivery' })).status,
      200,
    )
    assert.deepEqual(await counts(), { ...zero, all: 1, applied: 1 })
    const late = await shop.win('cleo')
    shop.clock.advance(8 * 86_400_000)
    assert.deepEqual(await counts(), { ...zero, all: 2, applied: 1, expired: 1 })
    assert.equal((await shop.unlock('cleo', late)).status, 409)
  })
})
