/** The demo's raffle: one at a time, the next one when it is over, and credit for guests to buy with. */
import assert from 'node:assert/strict'
import { giveCredit } from '../../src/demo/credit.ts'
import { makeDemo } from '../../src/demo/demo.ts'
import { makeDemoRaffle } from '../../src/demo/raffle.ts'
import { readLobby } from '../../src/games/lobby-list.ts'
import { wheelResource } from '../../src/games/wheel/resource.ts'
import { type Shop, startShop } from '../prizes/kit.ts'
import { type RaffleStage, startRaffles } from '../raffle/kit.ts'

describe('the raffle of the demo', () => {
  let stage: RaffleStage
  let tend: (tenantId: string) => Promise<number>

  const tendBy = (process: Pick<RaffleStage, 'app' | 'checkpoints'>) =>
    makeDemoRaffle({
      app: process.app,
      draws: stage.service(process).draws,
      raffles: stage.resources.raffles,
      tenant_id: stage.tenantId,
    })
  const raffles = () =>
    stage.rows(
      'select id, campaign_slug as slug, campaign_status as status from raffle_campaigns order by created_at, id',
    )

  beforeEach(async () => {
    stage = await startRaffles()
    await makeDemo({ ...stage, wheels: wheelResource() })
    tend = tendBy(stage)
  })
  afterEach(() => stage.close())

  it('is open after the first look, stands in the lobby, and is not opened twice', async () => {
    const again_ms = await tend(stage.tenantId)
    assert.ok(again_ms > 0)
    await tend(stage.tenantId)
    const [raffle, ...more] = await raffles()
    assert.deepEqual([raffle.slug, raffle.status, more.length], ['summer-raffle-1', 'open', 0])
    const { games } = await stage.inTenant((tx) => readLobby(tx))
    assert.deepEqual(
      games.filter(({ kind }) => kind === 'raffle').map(({ slug }) => slug),
      ['summer-raffle-1'],
    )
    await tend(stage.tenants.get('demo')!.replace(/.$/, '0'))
    assert.equal((await raffles()).length, 1, 'nothing is opened for another tenant')
  })

  it('F17 two processes that look at once open one', async () => {
    const looks = [stage.aProcess(), stage.aProcess(), stage.aProcess()].map(tendBy)
    await Promise.all(looks.map((look) => look(stage.tenantId)))
    assert.equal((await raffles()).length, 1)
  })

  it('sells to those who have the credit of the demo, draws twice, leaves the lobby, and the next one opens', async () => {
    await tend(stage.tenantId)
    const [{ id }] = await raffles()
    const draw_ids = (await stage.rows('select id from raffle_draws order by draw_order')).map(
      (row) => row.id as string,
    )
    const give = (user_id: string) =>
      stage.inTenant((tx) => giveCredit(tx, { user_id, currency: 'EUR', occasion: id }))
    assert.deepEqual(await give('ann'), { amount_minor: 5_000, currency: 'EUR' })
    assert.deepEqual(await give('ann'), { amount_minor: 0, currency: 'EUR' })
    await stage.buy('ann', id, { quantity: 3 })
    await stage.buy('ann', id, { quantity: 9 })
    assert.equal(await stage.balance('ann'), 5_000 - 8 * 200, 'three cost two')

    await stage.pass(241, ...draw_ids)
    await tend(stage.tenantId)
    assert.equal((await raffles()).length, 1, 'it is still being drawn')
    for (let i = 0; i < 4; i++) await stage.pass(60, ...draw_ids)
    assert.equal((await raffles())[0].status, 'settled')
    const winners = await stage.rows(
      "select raffle_draw_id from raffle_winners where winner_status = 'announced'",
    )
    assert.equal(winners.length, 4)

    await tend(stage.tenantId)
    assert.deepEqual(
      (await raffles()).map(({ slug, status }) => [slug, status]),
      [
        ['summer-raffle-1', 'settled'],
        ['summer-raffle-2', 'open'],
      ],
    )
    const { games } = await stage.inTenant((tx) => readLobby(tx))
    assert.deepEqual(
      games.filter(({ kind }) => kind === 'raffle').map(({ slug }) => slug),
      ['summer-raffle-2'],
    )
    assert.deepEqual(stage.reports, [])
    await stage.assertClean()
  })
})

describe('credit to try the demo with', () => {
  let shop: Shop
  const PATH = '/api/v1/demo/credit'

  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  it('is given to a guest once, however often it is asked for', async () => {
    const token = await shop.player('greta')
    const answers = await Promise.all(Array.from({ length: 5 }, () => shop.ask('POST', PATH, { token })))
    assert.deepEqual(answers.map(({ body }) => body.amount_minor).sort(), [0, 0, 0, 0, 5_000])
    const { body } = await shop.ask('GET', '/api/v1/me/balances', { token })
    assert.deepEqual(body.data, [{ account_kind: 'wallet_credit', currency: 'EUR', balance_minor: 5_000 }])
  })

  it('is not there for a tenant that is no demo, and for no other role than player', async () => {
    const token = await shop.token('player', { sub: 'olga', tenant: 'other' })
    assert.equal((await shop.ask('POST', PATH, { token })).status, 404)
    assert.equal((await shop.ask('POST', PATH, { token: shop.service })).status, 403)
  })
})
