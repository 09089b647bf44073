/** Mystery prizes: committed pools, one verifiable draw per award, whatever is asked at the same moment. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { runAudit } from '../../src/audit/audit.ts'
import { reportText } from '../../src/audit/report.ts'
import { verifyText } from '../../src/fairness/verify.ts'
import { awardIndexOf, poolConfigOf } from '../../src/prizes/mystery-rules.ts'
import { ORDER, type Shop, startShop } from './kit.ts'

describe('mystery prizes', function () {
  this.timeout(60_000)
  let shop: Shop
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const rows = <R = any>(text: string, values: readonly unknown[] = []) =>
    shop.database.query<R>(text, values)
  let made_count = 0
  const prize = async (input: Record<string, unknown>) => {
    const { status, body } = await shop.ask('POST', '/api/v1/prizes', {
      token: shop.operator,
      json: { name: 'A prize', ...input },
    })
    assert.equal(status, 201, JSON.stringify(body))
    return body as { id: number; pool_version: number }
  }
  /** A mystery definition as `win` takes it; each call another one. */
  const mystery = (pool: { prize_id: number; weight: number }[]) => ({
    type: 'mystery',
    value: 'random',
    name: `Mystery ${++made_count}`,
    pool,
  })
  const resultOf = async (play_id: number) =>
    (await rows('select * from mystery_results where play_id = $1', [play_id]))[0] as
      | Record<string, any>
      | undefined
  const ten = () => prize({ type: 'discount_percentage', value: '10.00', name: 'Ten off' })
  const transcriptOf = async (event_id: string) => (await shop.ask('GET', `/api/v1/verify/${event_id}`)).text

  it('S2-27 opening resolves it by a draw that anybody can verify once the seed is revealed, and shows what it is', async () => {
    const [a, b] = [await ten(), await prize({ type: 'free_delivery', name: 'Free delivery' })]
    const play_id = await shop.win(
      'mia',
      mystery([
        { prize_id: a.id, weight: 3 },
        { prize_id: b.id, weight: 1 },
      ]),
    )
    assert.equal((await shop.list('mia')).body.data[0].prize_type, null)
    const { status, body } = await shop.unlock('mia', play_id)
    assert.equal(status, 200)
    const { event_id, prize_name } = body.data.mystery
    const drawn = (await resultOf(play_id))!
    assert.equal(drawn['id'], event_id)
    const [item] = (await shop.list('mia')).body.data
    assert.equal(item.prize_name, prize_name)
    assert.equal(item.prize_type, drawn['prize_id'] === a.id ? 'discount_percentage' : 'free_delivery')
    assert.equal((await shop.apply(play_id, { ...ORDER, order_id: 'mia-1' })).status, 200)

    const pending = verifyText(await transcriptOf(event_id), {})
    assert.deepEqual([pending.status, pending.code], ['pending', 'NOT_YET_REVEALED'])
    const token = await shop.player('mia')
    const path = `/api/v1/mysteries/${drawn['mystery_prize_id']}/seed-pair`
    const rotated = await shop.ask('POST', `${path}/rotate`, {
      token,
      json: { client_seed: 'mias-own-seed' },
    })
    assert.equal(rotated.status, 200, rotated.text)
    assert.equal(rotated.body.revealed.spins, 1)
    assert.equal(rotated.body.current.client_seed, 'mias-own-seed')
    const verified = verifyText(await transcriptOf(event_id), {})
    assert.deepEqual([verified.status, verified.trust], ['verified', 'operator'])
    const hash = rotated.body.revealed.commit_hash
    const reveal = (await shop.ask('GET', `/api/v1/fairness/commitments/${hash}/reveal`)).text
    assert.equal(verifyText(reveal, {}).status, 'verified')
    const forged = JSON.parse(await transcriptOf(event_id))
    forged.outcome = {
      id: forged.config.segments[1 - forged.outcome.index].id,
      index: 1 - forged.outcome.index,
    }
    assert.equal(verifyText(JSON.stringify(forged), {}).code, 'OUTCOME_MISMATCH')
  })

  it('P-28 S2-27 a mystery that was used comes back as what was drawn: its effect is reversed, nothing is drawn again', async () => {
    const points = await prize({ type: 'loyalty_points', value: '50', name: 'Fifty points' })
    const play_id = await shop.open('nan', mystery([{ prize_id: points.id, weight: 1 }]))
    const drawn = await resultOf(play_id)
    const balance = async () => {
      const token = await shop.player('nan')
      return (await shop.ask('GET', '/api/v1/me/balances', { token })).body.data[0].balance_minor
    }
    const order = { order_id: 'nan-1', reason: 'The customer cancelled.' }
    assert.equal((await shop.apply(play_id, { order_id: 'nan-1' })).status, 200)
    assert.equal(await balance(), 50)
    const back = await Promise.all([1, 2, 3].map(() => shop.serve(`rollback/${play_id}`, order)))
    assert.deepEqual(
      back.map(({ status, body }) => [status, body.data.prize_status, body.data.undone.amount]),
      Array(3).fill([200, 'unlocked', '50']),
    )
    assert.equal(await balance(), 0)
    const [item] = (await shop.list('nan')).body.data
    assert.deepEqual(
      [item.prize_type, item.prize_name, item.can_apply],
      ['loyalty_points', 'Fifty points', true],
    )
    assert.equal((await shop.unlock('nan', play_id)).body.data.mystery.event_id, drawn!['id'])
    assert.deepEqual(await resultOf(play_id), drawn)
    assert.equal((await shop.apply(play_id, { order_id: 'nan-2' })).status, 200)
    assert.equal(await balance(), 50)
  })

  it('S2-27 P-41 the client seed and entropy of the player are in the draw, which is then nobody’s alone', async () => {
    const a = await ten()
    const play_id = await shop.win('nils', mystery([{ prize_id: a.id, weight: 1 }]))
    const [{ prize_id }] = (await rows('select prize_id from gamification_game_plays where id = $1', [
      play_id,
    ])) as any
    const token = await shop.player('nils')
    const pair = await shop.ask('GET', `/api/v1/mysteries/${prize_id}/seed-pair`, { token })
    assert.equal(pair.status, 200, pair.text)
    const [logged] = await rows(
      'select count(*)::int as count from fair_log where commit_hash = any($1) and type = $2',
      [[pair.body.current.commit_hash, pair.body.next.commit_hash], 'commit'],
    )
    assert.equal((logged as any).count, 2)
    const json = { client_seed: 'nils-own-seed', next_commit_hash: pair.body.next.commit_hash }
    assert.equal(
      (await shop.ask('POST', `/api/v1/mysteries/${prize_id}/seed-pair/rotate`, { token, json })).status,
      200,
    )
    const again = await shop.ask('POST', `/api/v1/mysteries/${prize_id}/seed-pair/rotate`, { token, json })
    assert.deepEqual([again.status, again.body.code], [409, 'seed_pair_replaced'])
    const opened = await shop.ask('POST', `/api/v1/gamification/unlock/${play_id}`, {
      token,
      json: { client_entropy: 'entropy-of-nils-1' },
    })
    const transcript = JSON.parse(await transcriptOf(opened.body.data.mystery.event_id))
    assert.deepEqual(transcript.client, { seed: 'nils-own-seed', nonce: 0, entropy: 'entropy-of-nils-1' })
    assert.equal(transcript.trust, 'commit')
    assert.equal(transcript.commit.hash, pair.body.next.commit_hash)
    const bad = await shop.ask('POST', `/api/v1/gamification/unlock/${play_id}`, {
      token,
      json: { client_entropy: 'x' },
    })
    assert.equal(bad.status, 400)
  })

  it('S2-27 of 20 requests to open one, sent at once, one draws and all are answered alike', async () => {
    const pool = await Promise.all(Array.from({ length: 5 }, ten))
    const play_id = await shop.win('olga', mystery(pool.map(({ id }) => ({ prize_id: id, weight: 1 }))))
    const answers = await Promise.all(Array.from({ length: 20 }, () => shop.unlock('olga', play_id)))
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
    assert.equal(answers[0]!.status, 200)
    const [count] = await rows('select count(*)::int as count from mystery_results where play_id = $1', [
      play_id,
    ])
    assert.equal((count as any).count, 1)
  })

  it('S2-15 S2-27 limited prizes of a pool are given as often as there are, then the next of the pool, by the rule that was committed to', async () => {
    const few = await prize({ type: 'discount_fixed', value: '50.00', stock: 2, name: 'Fifty' })
    const many = await ten()
    const definition = mystery([
      { prize_id: few.id, weight: 1_000_000 },
      { prize_id: many.id, weight: 1 },
    ])
    const users = Array.from({ length: 8 }, (_, i) => `pool-${i}`)
    const plays: number[] = []
    for (const user of users) plays.push(await shop.win(user, definition))
    const answers = await Promise.all(plays.map((play_id, i) => shop.unlock(users[i]!, play_id)))
    assert.ok(answers.every(({ status }) => status === 200))
    const results = await Promise.all(plays.map(resultOf))
    const rolled_count = results.filter((row) => row!['segment_index'] === 0).length
    const given_count = results.filter((row) => row!['prize_id'] === few.id).length
    assert.equal(given_count, Math.min(2, rolled_count))
    const [definitionRow] = await rows('select won_count from gamification_prizes where id = $1', [few.id])
    assert.equal((definitionRow as any).won_count, given_count)
    for (const row of results) {
      const { award } = JSON.parse(await transcriptOf(row!['id']))
      assert.equal(award.status, row!['segment_index'] === row!['award_index'] ? 'won' : 'substituted')
      assert.equal(award.reward, `prize-${row!['prize_id']}`)
    }
  })

  it('S2-27 when nothing of a pool is left nothing is drawn, and the prize can be opened when there is more', async () => {
    const only = await prize({ type: 'discount_fixed', value: '5.00', stock: 1, name: 'The only one' })
    const definition = mystery([{ prize_id: only.id, weight: 1 }])
    const [first, second] = [await shop.win('pia', definition), await shop.win('pia', definition)]
    assert.equal((await shop.unlock('pia', first)).status, 200)
    const refused = await shop.unlock('pia', second)
    assert.deepEqual([refused.status, refused.body.code], [409, 'pool_exhausted'])
    assert.equal((await shop.row(second))['prize_status'], 'locked')
    const nonces = () =>
      rows(`select sum(next_nonce)::int as sum from fair_seeds where kind = 'mystery' and user_id = 'pia'`)
    assert.deepEqual(await nonces(), [{ sum: 1 }])
    const less = await shop.ask('PATCH', `/api/v1/prizes/${only.id}`, {
      token: shop.operator,
      json: { stock: 0 },
      headers: { 'if-match': '*' },
    })
    assert.equal(less.status, 400, 'what was drawn counts as given')
    await shop.ask('PATCH', `/api/v1/prizes/${only.id}`, {
      token: shop.operator,
      json: { stock: 2 },
      headers: { 'if-match': '*' },
    })
    assert.equal((await shop.unlock('pia', second)).status, 200)
    assert.deepEqual(await nonces(), [{ sum: 2 }])
  })

  it('S1-12 S2-27 what is drawn does what it promises: money is paid, a thing is owed, chances are there', async () => {
    const drawn = {
      cash: await prize({ type: 'cash', value: '9.99', name: 'Cash' }),
      product: await prize({ type: 'product', name: 'A phone' }),
      chance: await prize({ type: 'spin_chance', value: '4', name: 'Four spins' }),
    }
    const open = async (user: string, prize_id: number) => {
      const play_id = await shop.win(user, mystery([{ prize_id, weight: 1 }]))
      assert.equal((await shop.unlock(user, play_id)).status, 200)
      return play_id
    }
    const cash = await open('rita', drawn.cash.id)
    const [balance] = await rows(
      `select balance_minor from ledger_accounts where owner_id = 'rita' and account_kind = 'cash'`,
    )
    assert.deepEqual(balance, { balance_minor: 999 })
    const row = await shop.row(cash)
    assert.deepEqual(
      [row['prize_status'], row['expires_at'], row['prize_snapshot'].is_transferable],
      ['unlocked', null, false],
    )
    const product = await open('rita', drawn.product.id)
    assert.equal(
      (await rows('select 1 from fulfilments where play_id = $1 and order_id is null', [product])).length,
      1,
    )
    await open('rita', drawn.chance.id)
    const [chances] = await rows(
      `select sum(remaining_chances)::int as sum from spin_chances where user_id = 'rita' and chance_type = 'reward'`,
    )
    assert.deepEqual(chances, { sum: 4 })
  })

  it('S2-12 S2-27 a mystery is drawn from the pool it was won with, whatever became of the definition', async () => {
    const [a, b] = [await ten(), await ten()]
    const definition = mystery([{ prize_id: a.id, weight: 1 }])
    const play_id = await shop.win('sven', definition)
    const mystery_id = (await shop.row(play_id))['prize_id']
    const change = (json: unknown) =>
      shop.ask('PATCH', `/api/v1/prizes/${mystery_id}`, {
        token: shop.operator,
        json,
        headers: { 'if-match': '*' },
      })
    const changed = await change({ pool: [{ prize_id: b.id, weight: 5 }] })
    assert.equal(changed.body.pool_version, 2)
    await shop.ask('PATCH', `/api/v1/prizes/${a.id}`, {
      token: shop.operator,
      json: { name: 'Renamed' },
      headers: { 'if-match': '*' },
    })
    assert.equal((await change({ description: 'No other pool' })).body.pool_version, 2)
    const { body } = await shop.unlock('sven', play_id)
    assert.equal(body.data.mystery.prize_name, 'Ten off')
    assert.equal((await resultOf(play_id))!['prize_id'], a.id)
    const odds = async (query = '') =>
      (await shop.ask('GET', `/api/v1/mysteries/${mystery_id}${query}`, { token: await shop.player('sven') }))
        .body
    assert.deepEqual(
      (await odds()).segments.map((each: any) => [each.prize_id, each.share]),
      [[b.id, '100%']],
    )
    assert.deepEqual(
      (await odds('?pool_version=1')).segments.map((each: any) => each.prize_id),
      [a.id],
    )
    const [mine] = await rows(
      `select count(*)::int as count from fair_log where type = 'config' and event like $1`,
      [`%mystery:${mystery_id}:%`],
    )
    assert.equal((mine as any).count, 2)
    const removed = await shop.ask('DELETE', `/api/v1/prizes/${b.id}`, {
      token: shop.operator,
      headers: { 'if-match': '*' },
    })
    assert.deepEqual([removed.status, removed.body.code], [409, 'in_use'])
  })

  it('S2-27 a pool is refused when it holds nothing, a riddle, or what cannot be given', async () => {
    const a = await ten()
    const riddle = await prize(mystery([{ prize_id: a.id, weight: 1 }]))
    const tryPool = async (pool: unknown, type = 'mystery') => {
      const answer = await shop.ask('POST', '/api/v1/prizes', {
        token: shop.operator,
        json: { name: 'M', type, ...(pool !== undefined && { pool }) },
      })
      return [answer.status, answer.body.errors?.map((each: any) => each.pointer)]
    }
    assert.deepEqual(await tryPool(undefined), [400, ['/pool']])
    assert.deepEqual(await tryPool([]), [400, ['/pool']])
    assert.deepEqual(await tryPool([{ prize_id: 999_999, weight: 1 }]), [400, ['/pool/0/prize_id']])
    assert.deepEqual(await tryPool([{ prize_id: riddle.id, weight: 1 }]), [400, ['/pool/0/prize_id']])
    const twice = [
      { prize_id: a.id, weight: 1 },
      { prize_id: a.id, weight: 2 },
    ]
    assert.deepEqual(await tryPool(twice), [400, ['/pool/1/prize_id']])
    assert.deepEqual(await tryPool([{ prize_id: a.id, weight: 0 }]), [400, ['/pool/0/weight']])
    assert.deepEqual(await tryPool([{ prize_id: a.id, weight: 1 }], 'in_kind'), [400, ['/pool']])
  })

  it('S2-27 SQL is refused another prize than the one that was drawn, and another draw', async () => {
    const a = await ten()
    const play_id = await shop.win('tara', mystery([{ prize_id: a.id, weight: 1 }]))
    const another = `update gamification_game_plays set prize_snapshot = '{"type": "cash", "name": "A million"}' where id = $1`
    await assert.rejects(rows(another, [play_id]), { code: '23514' })
    await shop.unlock('tara', play_id)
    await assert.rejects(rows(another, [play_id]), { code: '23514' })
    await assert.rejects(rows('update mystery_results set award_index = 0'), { code: '55000' })
    await assert.rejects(rows('delete from mystery_results'), { code: '55000' })
    await assert.rejects(rows(`update mystery_pools set config = '{}'`), { code: '55000' })
  })

  it('S2-27 what is given for a rolled part is left, is the part itself when that is left, and is found when any is', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }), fc.nat(), (is_left, any) => {
        const rolled = any % is_left.length
        const index = awardIndexOf(rolled, is_left)
        if (!is_left.includes(true)) return assert.equal(index, null)
        assert.ok(is_left[index!])
        if (is_left[rolled]) assert.equal(index, rolled)
      }),
    )
    const config = poolConfigOf(
      [{ prize_id: 5, weight: 2 }],
      [{ id: 5, name: 'N', type: 'cash', value: '1.00', version: 3 }],
    )
    assert.deepEqual(config.segments, [
      { id: 'prize-5', weight: 2, prize: { id: 5, version: 3, name: 'N', type: 'cash', value: '1.00' } },
    ])
  })

  it('S2-27 the audit re-derives what was revealed and finds nothing', async () => {
    const report = await runAudit(shop.database)
    assert.ok(report.ok, reportText(report))
    const check = report.checks.find(({ title }) => title.startsWith('Every mystery of a revealed'))
    assert.ok(check!.checked! > 0)
  })
})
