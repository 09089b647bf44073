import assert from 'node:assert/strict'
import { Metadata } from '@colyseus/schema'
import { InboxState } from '../../rooms/inbox/state.ts'
import { makeApp } from '../../src/app.ts'
import { openPool } from '../../src/db/pool.ts'
import { notify } from '../../src/insight/inbox.ts'
import { applyPrize } from '../../src/prizes/redemption.ts'
import { acceptDeal, offerDeal } from '../../src/prizes/social/deals.ts'
import { countMyPrizes, readMyPrizes, unlockPrize } from '../../src/prizes/wallet.ts'
import { until, within } from './harness.ts'
import { aRequest, cutSocket, refusalOf, type Stage, startStage, type WheelSdkRoom } from './wheel-stage.ts'

type Changed = { version: number; prizes: any[]; notifications: any[]; is_complete: boolean }

describe('the inbox', () => {
  let stage: Stage
  let wheel_id: string
  before(async () => {
    stage = await startStage()
    await stage.aTenant('other')
    wheel_id = await stage.aWheel()
    await stage.aWheel({ tenant: 'other' })
  })
  after(() => stage.stop())
  afterEach(() => assert.deepEqual(stage.reports.splice(0), []))

  /** An open inbox, with what it was told from then on. */
  async function inbox(user: string, tenant = 'demo', options: Record<string, unknown> = {}) {
    const client = await stage.enter('inbox', options, await stage.token(user, ['player'], tenant))
    const told: Changed[] = []
    client.onMessage('changed', (message: Changed) => told.push(message))
    return { client, told }
  }

  /** Spins until this user has won. Returns the play. */
  async function win(user: string, tenant = 'demo'): Promise<number> {
    const actor = stage.actor(user, ['player'], tenant)
    await stage.grant(user, 200, tenant)
    const game = (await stage.running.wheel.find(actor, 'summer'))!.id
    for (let tries = 0; tries < 200; tries++) {
      const { answer } = await stage.running.wheel.spin(actor, { wheel_id: game, request_id: aRequest() })
      if (answer.won) return answer.play_id
    }
    return assert.fail('a quarter of the wheel never came in 200 spins')
  }

  const numbersOf = ({ state }: WheelSdkRoom) => {
    const { unread, locked, unlocked, applied, expired } = state
    return { unread, locked, unlocked, applied, expired }
  }
  const counted = async (user: string) =>
    (await stage.running.app.run(stage.actor(user), countMyPrizes, undefined)).data

  /** Waits for what must show within a second of the commit. */
  const soon = (what: string, isSeen: () => boolean) => within(1_000, what, isSeen)

  it('the fields of the state keep their names and their places (H45)', () => {
    assert.deepEqual(Object.keys(Metadata.getFields(InboxState)), [
      'phase',
      'serverTime',
      'version',
      'commitHash',
      'trust',
      'opensAt',
      'closesAt',
      'players',
      'spectators',
      'unread',
      'locked',
      'unlocked',
      'applied',
      'expired',
    ])
  })

  it('S2-02 a win on one device appears in the inbox open on another within a second, and names no prize', async () => {
    const { client, told } = await inbox('ann')
    const play_id = await win('ann')
    await soon('the win', () => told.length > 0 && client.state.locked === 1)
    const { version, prizes, notifications, is_complete } = told[0]!
    assert.deepEqual(
      [
        prizes.map((prize) => [prize.id, prize.prize_status, prize.prize_name, prize.prize_code]),
        is_complete,
      ],
      [[[play_id, 'locked', null, null]], true],
    )
    assert.deepEqual(
      notifications.map(({ kind, message, play_id: about, is_read }) => ({ kind, message, about, is_read })),
      [{ kind: 'prize_won', message: 'You won a prize.', about: play_id, is_read: false }],
    )
    assert.equal(client.state.version, version)
    assert.deepEqual(numbersOf(client), { unread: 1, locked: 1, unlocked: 0, applied: 0, expired: 0 })
    await client.leave()
  })

  it('S2-02 unlock, application and expiry over HTTP show on every device, each once', async () => {
    const play_id = await win('bea')
    const expiring = await win('bea')
    const devices = await Promise.all([inbox('bea'), inbox('bea')])
    assert.equal(new Set(devices.map(({ client }) => client.roomId)).size, 1, 'one room for one user')
    const seen = async (what: string, act: () => Promise<unknown>, isSeen: (state: any) => boolean) => {
      await act()
      await soon(what, () => devices.every(({ client }) => isSeen(client.state)))
    }
    const { app } = stage.running
    await seen(
      'the unlock',
      () => app.run(stage.actor('bea'), unlockPrize, { play_id }),
      (state) => state.unlocked === 1 && state.locked === 1,
    )
    await seen(
      'the application',
      () =>
        app.run(stage.actor('shop', ['service']), applyPrize, {
          play_id,
          order_id: 'o-1',
          order: { order_amount: '80.00' },
        }),
      (state) => state.applied === 1 && state.unlocked === 0,
    )
    await seen(
      'the expiry',
      () =>
        stage.inTenant(async (tx) => {
          await tx.rows(
            `update gamification_game_plays set prize_status = 'expired', updated_at = $2 where id = $1`,
            [expiring, tx.now],
          )
          tx.audit({ action: 'expire', entity_type: 'game_play', new_values: { play_id: expiring } })
        }),
      (state) => state.expired === 1 && state.locked === 0,
    )
    for (const { told, client } of devices) {
      await until('three moves', () => told.flatMap(({ prizes }) => prizes).length >= 3)
      assert.deepEqual(
        told.flatMap(({ prizes }) => prizes.map((prize) => [prize.id, prize.prize_status])),
        [
          [play_id, 'unlocked'],
          [play_id, 'applied'],
          [expiring, 'expired'],
        ],
      )
      await client.leave()
    }
  })

  it('S2-02 what another process does shows within a second too', async () => {
    const play_id = await win('cleo')
    const { client } = await inbox('cleo')
    const database = openPool(stage.database_url, () => {})
    const elsewhere = makeApp({
      database,
      clock: stage.clock,
      keys: stage.running.app.keys,
      report: (_where, error) => assert.fail(String(error)),
    })
    await elsewhere.run(stage.actor('cleo'), unlockPrize, { play_id })
    await soon('the unlock of another process', () => client.state.unlocked === 1)
    await database.end()
    await client.leave()
  })

  it('S0-34 S2-58 a gift shows in the open inbox of the one who gets it, and its acceptance in the giver’s', async () => {
    const play_id = await win('gina')
    const [giver, receiver] = [await inbox('gina'), await inbox('hugo')]
    const kinds = ({ told }: typeof giver) =>
      told.flatMap(({ notifications }) => notifications.map((note) => note.kind))
    const { app } = stage.running
    const { id } = await app.run(stage.actor('gina'), offerDeal, {
      kind: 'gift',
      to: 'hugo',
      give: [play_id],
    })
    await soon(
      'the gift',
      () => kinds(receiver).includes('gift_offered') && receiver.client.state.unread === 1,
    )
    assert.deepEqual(kinds(giver), [])
    await app.run(stage.actor('hugo'), acceptDeal, { kind: 'gift', id })
    await soon('the acceptance', () => kinds(giver).includes('gift_accepted'))
    await soon('the prize', () => receiver.client.state.locked === 1 && giver.client.state.locked === 0)
    await giver.client.leave()
    await receiver.client.leave()
  })

  it('S2-38 the counts change at a deadline, though nobody has moved the prize yet', async () => {
    await win('dora')
    const { client } = await inbox('dora')
    assert.equal(client.state.locked, 1)
    stage.clock.advance(7 * 86_400_000 + 60_000)
    await soon('the deadline', () => client.state.expired === 1 && client.state.locked === 0)
    const { all: _, ...counts } = await counted('dora')
    const { unread: _unread, ...shown } = numbersOf(client)
    assert.deepEqual(shown, counts)
    await client.leave()
  })

  it('S0-34 who was away sees it at the next join; read marks are counted once and reach the other device', async () => {
    await win('eve')
    await stage.inTenant((tx) =>
      notify(tx, [{ user_id: 'eve', kind: 'claim_message', message: 'Your parcel is on its way.' }]),
    )
    const [one, two] = await Promise.all([inbox('eve'), inbox('eve')])
    assert.equal(one.client.state.unread, 2)
    const { snapshot }: any = await one.client.request('since', { version: 0 })
    assert.deepEqual(
      snapshot.notifications.map((note: any) => [note.kind, note.message, note.is_read]),
      [
        ['claim_message', 'Your parcel is on its way.', false],
        ['prize_won', 'You won a prize.', false],
      ],
    )
    assert.equal(snapshot.prizes.length, 1)
    const ids = [snapshot.notifications[0].id]
    const answers: any[] = await Promise.all(
      Array.from({ length: 5 }, () => one.client.request('read', { ids, request_id: aRequest() })),
    )
    assert.equal(
      answers.reduce((sum, { marked }) => sum + marked, 0),
      1,
    )
    await soon('the mark', () => two.client.state.unread === 1)
    assert.deepEqual(await one.client.request('read', {}), { marked: 1, unread_count: 0 })
    await soon('all marks', () => [one, two].every(({ client }) => client.state.unread === 0))
    const since: any = await one.client.request('since', { version: one.client.state.version })
    assert.deepEqual(since.events, [])
    await Promise.all([one.client.leave(), two.client.leave()])
  })

  it('nothing of another user is on the wire: not by options, not by room id, not of the same name in another tenant', async () => {
    const mine = await inbox('fay')
    const theirs = await inbox('gus', 'demo', { game: Buffer.from('fay').toString('base64url'), user: 'fay' })
    const namesake = await inbox('fay', 'other')
    assert.equal(new Set([mine, theirs, namesake].map(({ client }) => client.roomId)).size, 3)
    const gus = await stage.token('gus')
    await assert.rejects(stage.sdk(gus).joinById(mine.client.roomId, {}), { code: 404 })
    await assert.rejects(stage.enter('inbox', {}), { code: 401 })
    await assert.rejects(stage.enter('inbox', { tenant: 'demo', spectate: true }), { code: 404 })

    const play_id = await win('fay')
    await soon('the own win', () => mine.told.length > 0)
    const notes: any = await mine.client.request('since', { version: 0 })
    const { ids } = { ids: notes.snapshot.notifications.map((note: any) => note.id) }
    assert.deepEqual(await theirs.client.request('read', { ids }), { marked: 0, unread_count: 0 })
    assert.equal(mine.client.state.unread, ids.length)
    for (const other of [theirs, namesake]) {
      const since: any = await other.client.request('since', { version: 9 })
      assert.deepEqual([since.snapshot.prizes, since.snapshot.notifications, other.told], [[], [], []])
    }
    assert.ok(JSON.stringify(mine.told).includes(String(play_id)))
    await Promise.all([mine, theirs, namesake].map(({ client }) => client.leave()))
  })

  it('refuses what has another shape, and a device whose network failed comes back to the same inbox', async () => {
    const { client } = await inbox('hal')
    for (const payload of [
      { ids: [] },
      { ids: ['1'] },
      { ids: [0] },
      { user_id: 'fay' },
      { ids: Array(101).fill(1) },
    ]) {
      assert.equal((await refusalOf(client.request('read', payload))).code, 'invalid_input')
    }
    client.reconnection.enabled = true
    client.reconnection.minUptime = 0
    client.reconnection.delay = client.reconnection.minDelay = 20
    const back = new Promise<void>((resolve) => client.onReconnect.once(() => resolve()))
    cutSocket(client)
    await back
    await win('hal')
    await soon('the win', () => client.state.locked === 1)
    client.reconnection.enabled = false
    await client.leave()
  })

  it('S2-48 the state equals a recount after a flood of wins', async () => {
    const { client } = await inbox('ivy')
    await stage.grant('ivy', 100)
    await Promise.all(
      Array.from({ length: 60 }, () =>
        stage.running.wheel.spin(stage.actor('ivy'), { wheel_id, request_id: aRequest() }),
      ),
    )
    const list = await stage.running.app.run(stage.actor('ivy'), readMyPrizes, {
      status: 'locked',
      page: 1,
      per_page: 100,
    })
    await soon('the flood', () => client.state.locked === list.data.length)
    assert.equal(list.pagination.total_items, list.data.length)
    await client.leave()
  })
})
