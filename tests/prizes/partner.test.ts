/** Prizes of partners: codes that are handed out once, pools that run out, what stands at rest. */
import assert from 'node:assert/strict'
import { runAudit } from '../../src/audit/audit.ts'
import { reportText } from '../../src/audit/report.ts'
import { readPartnerCode, uploadCodes } from '../../src/prizes/partner-codes.ts'
import { codesOf, type Stage, startStage, tally } from '../games/kit.ts'
import { type Shop, startShop } from './kit.ts'

describe('partner prizes', function () {
  this.timeout(60_000)
  let shop: Shop
  let count = 0
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const rows = <R = any>(text: string, values: readonly unknown[] = []) =>
    shop.database.query<R>(text, values)
  const upload = (prize_id: number, codes: readonly string[], more: object = {}) =>
    shop.ask('POST', `/api/v1/prizes/${prize_id}/codes`, { token: shop.operator, json: { codes, ...more } })
  const codeOf = async (user: string, play_id: number) =>
    shop.ask('GET', `/api/v1/gamification/partner_code/${play_id}`, { token: await shop.player(user) })
  /** A voucher on a wheel, with these codes. */
  const voucher = async (codes: readonly string[], more: object = {}) => {
    const definition = { type: 'voucher', name: `Cinema ${++count}` }
    // The wheel of the kit is made with the first win; that one came before there were codes.
    const first = await shop.win('early', definition)
    const prize_id = (await shop.row(first))['prize_id'] as number
    assert.equal((await upload(prize_id, codes, more)).status, 200)
    return { definition, prize_id, first }
  }

  it('S2-67 a win takes a code, its winner sees it once the prize is open, and nobody else does', async () => {
    const { definition, prize_id, first } = await voucher(['ALPHA-1', 'ALPHA-2'])
    const play_id = await shop.win('ada', definition)
    const locked = await codeOf('ada', play_id)
    assert.deepEqual([locked.status, locked.body.code], [409, 'prize_locked'])
    await shop.unlock('ada', play_id)
    const { body } = await codeOf('ada', play_id)
    assert.equal(body.code, 'ALPHA-1')
    assert.deepEqual((await codeOf('ada', play_id)).body, body)
    assert.equal((await codeOf('eve', play_id)).status, 404)
    await shop.unlock('early', first)
    assert.equal((await codeOf('early', first)).status, 404, 'won before there were codes')
    assert.equal((await shop.row(play_id))['prize_snapshot'].is_transferable, false)
    const shown = await rows(
      `select 1 from audit_logs where action = 'partner_code.shown' and new_values->>'play_id' = $1`,
      [String(play_id)],
    )
    assert.equal(shown.length, 1)
    const { body: counts } = await shop.ask('GET', `/api/v1/prizes/${prize_id}/codes`, {
      token: shop.operator,
    })
    assert.deepEqual(counts, { prize_id, total: 2, given: 1, left: 1, low_at: 10, is_low: true })
  })

  it('P-28 S2-67 a voucher that was used comes back open with the code it had, which nobody else gets', async () => {
    const { definition, prize_id } = await voucher(['GOLF-1', 'GOLF-2'])
    const play_id = await shop.win('gil', definition)
    await shop.unlock('gil', play_id)
    const { code } = (await codeOf('gil', play_id)).body
    assert.equal((await shop.apply(play_id, { order_id: 'gil-1' })).status, 200)
    const back = await shop.serve(`rollback/${play_id}`, { order_id: 'gil-1', reason: 'Cancelled.' })
    assert.deepEqual([back.status, back.body.data.prize_status], [200, 'unlocked'], back.text)
    assert.equal((await codeOf('gil', play_id)).body.code, code)
    const next = await shop.win('hal', definition)
    await shop.unlock('hal', next)
    assert.deepEqual([code, (await codeOf('hal', next)).body.code].sort(), ['GOLF-1', 'GOLF-2'])
    const { body } = await shop.ask('GET', `/api/v1/prizes/${prize_id}/codes`, { token: shop.operator })
    assert.deepEqual([body.given, body.left], [2, 0])
    assert.equal((await shop.apply(play_id, { order_id: 'gil-2' })).status, 200)
  })

  it('S2-67 codes are sealed at rest, and known again without being found out', async () => {
    const { prize_id } = await voucher(['BRAVO-SECRET-1', ' BRAVO-SECRET-2 ', 'BRAVO-SECRET-2'])
    const again = await upload(prize_id, ['BRAVO-SECRET-1', 'BRAVO-SECRET-3'])
    assert.deepEqual([again.body.accepted, again.body.duplicates, again.body.total], [1, 1, 3])
    const other = await shop.ask('POST', '/api/v1/prizes', {
      token: shop.operator,
      json: { name: 'Other', type: 'digital' },
    })
    assert.equal((await upload(other.body.id, ['BRAVO-SECRET-1'])).body.accepted, 0, 'for another prize too')
    const stored = JSON.stringify([
      await rows('select * from partner_codes'),
      await rows('select * from audit_logs'),
    ])
    assert.ok(!stored.includes('BRAVO'))
    const { createHash } = await import('node:crypto')
    const plain = createHash('sha256').update('BRAVO-SECRET-1').digest('hex')
    assert.equal((await rows('select 1 from partner_codes where code_hash = $1', [plain])).length, 0)
  })

  it('S2-67 a low pool and an empty one are alerts, once each, and an empty one is a prize that ran out', async () => {
    const { definition, prize_id } = await voucher(['C-1', 'C-2', 'C-3'], { low_at: 1 })
    for (let i = 0; i < 3; i++) await shop.win(`cleo-${i}`, definition)
    const alerts = await rows(
      'select alert_type, left_count from stock_alerts where prize_id = $1 order by created_at, id',
      [prize_id],
    )
    assert.deepEqual(alerts, [
      { alert_type: 'codes_low', left_count: 1 },
      { alert_type: 'codes_empty', left_count: 0 },
    ])
    const late = await shop.win('cleo-late', definition)
    assert.equal((await shop.row(late))['is_winner'], false)
    assert.equal((await upload(prize_id, ['C-4'])).status, 200)
    assert.equal((await shop.row(await shop.win('cleo-later', definition)))['is_winner'], true)
  })

  it('S2-67 what is uploaded is checked, and the stock of such a prize is its codes', async () => {
    const { prize_id } = await voucher(['D-1'])
    assert.equal((await upload(prize_id, [])).status, 400)
    assert.equal((await upload(prize_id, [' '])).status, 400)
    assert.equal((await upload(999_999, ['X'])).status, 404)
    const cash = await shop.ask('POST', '/api/v1/prizes', {
      token: shop.operator,
      json: { name: 'Cash', type: 'cash', value: '1.00' },
    })
    assert.equal((await upload(cash.body.id, ['X'])).status, 400)
    const patch = await shop.ask('PATCH', `/api/v1/prizes/${prize_id}`, {
      token: shop.operator,
      json: { stock: 100 },
      headers: { 'if-match': '*' },
    })
    assert.deepEqual([patch.status, patch.body.errors[0].pointer], [400, '/stock'])
    const player = await shop.player('dan')
    assert.equal(
      (await shop.ask('POST', `/api/v1/prizes/${prize_id}/codes`, { token: player, json: { codes: ['X'] } }))
        .status,
      403,
    )
  })

  it('S2-67 SQL is refused to take a code back or to give it twice', async () => {
    const { definition } = await voucher(['E-1', 'E-2'])
    const play_id = await shop.win('eric', definition)
    await assert.rejects(
      rows('update partner_codes set play_id = null, given_at = null where play_id = $1', [play_id]),
      {
        code: '23514',
      },
    )
    await assert.rejects(rows('delete from partner_codes where play_id = $1', [play_id]), { code: '23514' })
    await assert.rejects(
      rows('update partner_codes set play_id = $1, given_at = now() where play_id is null', [play_id]),
      { code: '23505' },
    )
  })

  it('S2-67 the audit finds nothing in all this', async () => {
    const report = await runAudit(shop.database)
    assert.ok(report.ok, reportText(report))
  })

  describe('races', () => {
    let stage: Stage
    before(async () => {
      stage = await startStage()
    })
    after(() => stage.close())

    it('S2-67 fifty winners on two processes share twenty codes: each is given once, nobody wins without one', async () => {
      const prize_id = await stage.aPrize({ type: 'voucher' })
      const codes = Array.from({ length: 20 }, (_, i) => `RACE-${i}`)
      const uploads = await Promise.allSettled([
        stage.app.run(stage.boss(), uploadCodes, { prize_id, codes: codes.slice(0, 12) }),
        stage.app.run(stage.boss(), uploadCodes, { prize_id, codes: codes.slice(8) }),
      ])
      assert.deepEqual(tally(codesOf(uploads)), { ok: 2 })
      const wheel_id = await stage.aWheel({
        rewards: [
          { slug: 'it', probability: '0.999999999', prize: prize_id },
          { slug: 'none', probability: '0.000000001' },
        ],
        spin: { on_exhausted: 'none' },
      })
      const other = stage.aProcess()
      const users = Array.from({ length: 50 }, (_, i) => `racer-${i}`)
      for (const user of users) await stage.grant(user, 1)
      const spins = await Promise.allSettled(
        users.map((user, i) =>
          (i % 2 ? other : stage).wheel.spin(stage.actor(user), { wheel_id, request_id: `race-${i}` }),
        ),
      )
      assert.deepEqual(tally(codesOf(spins)), { ok: 50 })
      const won = await stage.rows('select id, user_id from gamification_game_plays where is_winner')
      const given = await stage.rows('select distinct play_id from partner_codes where play_id is not null')
      const [rolled] = await stage.rows(
        `select count(*)::int as count from spin_results r join wheel_rewards_history h
           on h.id = r.wheel_reward_id and h.config_version = r.config_version where h.reward_slug = 'it'`,
      )
      assert.equal(won.length, Math.min(20, (rolled as any).count))
      assert.equal(given.length, won.length)
      const shown = new Set<string>()
      for (const { id, user_id } of won as { id: number; user_id: string }[]) {
        await stage.rows(
          `update gamification_game_plays set prize_status = 'unlocked', unlocked_at = created_at where id = $1`,
          [id],
        )
        shown.add((await stage.app.run(stage.actor(user_id), readPartnerCode, { play_id: id })).code)
      }
      assert.equal(shown.size, won.length)
      assert.ok([...shown].every((code) => codes.includes(code)))
    })
  })
})
