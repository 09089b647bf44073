/** Games of the wallet as staff sees them, plays with their traces, and how long those are kept. */
import assert from 'node:assert/strict'
import { checkChain } from '../../src/audit/chain.ts'
import { purgeAuditTraces } from '../../src/audit/retention.ts'
import type { Actor } from '../../src/db/tx.ts'
import { purgePlayTraces } from '../../src/prizes/traces.ts'
import { systemActor } from '../../src/system.ts'
import { ORDER, type Shop, startShop } from './kit.ts'

const DAY_MS = 86_400_000
const RETENTION = { hash_days: 30, purge_days: 90 }

describe('games and plays of the wallet', function () {
  this.timeout(60_000)
  let shop: Shop
  let game: any
  before(async () => {
    shop = await startShop()
    await shop.win('uma')
    game = (await shop.ask('GET', '/api/v1/gamification/games', { token: shop.operator })).body.data[0]
  })
  after(() => shop.close())

  const patch = (json: unknown, tag = '*', token = shop.operator) =>
    shop.ask('PATCH', `/api/v1/gamification/games/${game.id}`, { token, json, headers: { 'if-match': tag } })

  it('S2-13 a game shows settings, look, limits and schedule, and free settings are changed by their version', async () => {
    assert.deepEqual(game.play_limits, { plays_per_day: null, cooldown_ms: 0 })
    assert.equal(game.game_type, 'spin_wheel')
    const changed = await patch({ settings: { banner: 'Hello' } }, `"${game.row_version}"`)
    assert.deepEqual([changed.status, changed.body.settings], [200, { banner: 'Hello' }])
    assert.equal((await patch({ settings: {} }, `"${game.row_version}"`)).status, 412)
    const [audit] = await shop.database.query<any>(
      `select old_values->'settings' as was, new_values->'settings' as is from audit_logs
       where entity_type = 'gamification_game' order by seq desc limit 1`,
    )
    assert.deepEqual(audit, { was: {}, is: { banner: 'Hello' } })
    assert.equal((await patch({}, '*', shop.service)).status, 403)
    const bare = await shop.ask('PATCH', `/api/v1/gamification/games/${game.id}`, {
      token: shop.operator,
      json: {},
    })
    assert.equal(bare.status, 428)
  })

  it('S2-13 what a wheel was published with is changed in the wheel: name, look, limits, schedule', async () => {
    for (const [name, value] of [
      ['game_name', 'Other'],
      ['theme', { background_color: '#112233' }],
    ] as const) {
      const refused = await patch({ [name]: value })
      assert.deepEqual([refused.status, refused.body.errors[0].pointer], [400, `/${name}`])
    }
    for (const name of ['play_limits', 'schedule', 'game_type'])
      assert.equal((await patch({ [name]: {} })).status, 400, name)
    assert.equal((await patch({ settings: { text: 'x'.repeat(10_001) } })).status, 400)
    assert.equal((await patch({ theme: { background_color: 'red' } })).status, 400)
  })

  it('S2-13 with at most 3 plays a day the 4th is refused with the time of the next, and the game shows the limit', async () => {
    const post = (path: string, json: unknown, token = shop.operator) =>
      shop.ask('POST', `/api/v1/${path}`, { token, json, headers: { 'idempotency-key': path.slice(-60) } })
    const wheel = {
      wheel_name: 'Limited',
      wheel_slug: 'limited',
      spin_config: { plays_per_day: 3 },
      rewards: [{ reward_slug: 'none', reward_label: 'None', probability: '1' }],
    }
    assert.equal((await post('wheels', wheel)).status, 201)
    await shop.ask('POST', '/api/v1/wheels/limited/publish', { token: shop.operator })
    await post('spin-chances', { user_id: 'vera', count: 9, reason: 'test' })
    const token = await shop.player('vera')
    const spin = (i: number) =>
      shop.ask('POST', '/api/v1/wheels/limited/spins', { token, json: { request_id: `limited-${i}` } })
    for (let i = 0; i < 3; i++) assert.equal((await spin(i)).status, 200)
    const refused = await spin(4)
    assert.deepEqual([refused.status, refused.body.code], [409, 'plays_per_day_reached'])
    assert.ok(Number(refused.headers.get('retry-after')) > 0)
    assert.ok(new Date(refused.body.facts.valid_from) > shop.clock.now())
    const games = (await shop.ask('GET', '/api/v1/gamification/games', { token: shop.operator })).body.data
    const limited = games.find((each: any) => each.game_name === 'Limited')
    assert.equal(limited.play_limits.plays_per_day, 3)
  })

  it('S2-11 staff sees address, browser and data of a play, and nobody else does; no locked prize is in it', async () => {
    const ask = (token: string, query = '') =>
      shop.ask('GET', `/api/v1/gamification/plays${query}`, { token })
    const { body } = await ask(shop.operator, '?user_id=uma')
    assert.equal(body.data.length, 1)
    assert.ok(body.data[0].ip_address)
    assert.equal(body.data[0].game_data.reward_slug, 'it')
    assert.ok(!JSON.stringify(body).includes('10% Discount'))
    assert.equal((await ask(await shop.player('uma'))).status, 403)
    assert.equal((await ask(shop.service)).status, 403)
    const pages: number[] = []
    let cursor = ''
    do {
      const page = (await ask(shop.operator, `?limit=2${cursor}`)).body
      pages.push(...page.data.map((each: any) => each.id))
      cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`
    } while (cursor !== '')
    const all = await shop.database.query('select id from gamification_game_plays')
    assert.deepEqual([new Set(pages).size, pages.length], [all.length, all.length])
    assert.equal((await ask(shop.operator, '?cursor=xx')).status, 400)
  })

  it('S2-11 after so many days an address is a fingerprint, the same for the same, and after so many more it is gone', async () => {
    const [tenant] = await shop.database.query<{ id: string }>(
      'select tenant_id as id from gamification_game_plays limit 1',
    )
    const actor: Actor = { tenantId: tenant!.id, userId: 'system', roles: ['service'] }
    const purge = () => shop.app.run(actor, purgePlayTraces, RETENTION)
    const traces = () =>
      shop.database.query<{ ip_address: string | null; user_agent: string | null; game_data: object }>(
        'select ip_address, user_agent, game_data from gamification_game_plays where is_winner order by id',
      )
    await shop.win('wim')
    const moved = () =>
      shop.database.query('select id, row_version, updated_at from gamification_game_plays order by id')
    const as_it_was = await moved()
    const before = await traces()
    assert.ok(before.every((each) => each.ip_address))
    assert.equal(await purge(), 0, 'too young')
    shop.clock.advance(31 * DAY_MS)
    const counts = await Promise.all([purge(), purge(), purge()])
    assert.ok(counts.some((count) => count > 0))
    while ((await purge()) > 0);
    const hashed = await traces()
    assert.ok(hashed.every((each) => /^h:[0-9a-f]{32}$/.test(each.ip_address!) && each.user_agent === null))
    const kinds = (list: typeof hashed) => new Set(list.map((each) => each.ip_address)).size
    assert.equal(kinds(hashed), kinds(before))
    shop.clock.advance(60 * DAY_MS)
    while ((await purge()) > 0);
    const gone = await traces()
    assert.ok(gone.every((each) => each.ip_address === null))
    assert.deepEqual(
      gone.map((each) => each.game_data),
      before.map((each) => each.game_data),
    )
    assert.deepEqual(await moved(), as_it_was, 'no prize has moved by it')
  })

  it('S2-11 S2-51 the audit chain forgets addresses after so many days, goes on, and is whole afterwards', async () => {
    const { id: tenantId } = shop.tenant
    const purge = () => shop.app.run(systemActor(tenantId), purgeAuditTraces, { audit_days: 365 })
    const traced = async () => {
      const [row] = await shop.database.query<{ count: number }>(
        `select count(*)::int from audit_logs where tenant_id = $1 and (ip_address is not null or user_agent is not null)`,
        [tenantId],
      )
      return row!.count
    }
    const told = async () => {
      const [row] = await shop.database.query<{ sum: number }>(
        `select coalesce(sum((new_values->>'audit_rows')::int), 0)::int as sum from audit_logs
         where tenant_id = $1 and action = 'traces.purged'`,
        [tenantId],
      )
      return row!.sum
    }
    // What other tests left.
    shop.clock.advance(366 * DAY_MS)
    while (await purge());
    assert.equal(await traced(), 0)
    const told_before = await told()
    const play_id = await shop.open('yve')
    assert.equal((await shop.apply(play_id, { ...ORDER, order_id: 'yve-1' })).status, 200)
    const before = await traced()
    assert.ok(before > 0)
    assert.equal(await purge(), false)
    assert.equal(await traced(), before, 'too young')
    shop.clock.advance(365 * DAY_MS)
    assert.equal(await purge(), false)
    assert.equal(await traced(), before, 'the very instant is kept')

    await shop.open('yve')
    const young = (await traced()) - before
    shop.clock.advance(1)
    await Promise.all([purge(), purge(), purge()])
    while (await purge());
    assert.equal(await traced(), young, 'what is younger keeps its own')
    assert.equal((await checkChain(shop.app, tenantId)).broken, null)
    assert.equal((await told()) - told_before, before, 'each row is forgotten once')
    for (const change of [`new_values = '{}'`, `ip_address = '192.0.2.9'`, `row_version = 2`])
      await assert.rejects(
        shop.app.run(
          systemActor(tenantId),
          (tx) => tx.rows(`update audit_logs set ${change} where seq = 1`),
          undefined,
        ),
        /permission denied|append-only/,
        change,
      )
  })
})
