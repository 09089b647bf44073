/** The story of a spin for support: every line of it, in order, filtered by level, and nothing of anybody else. */
import assert from 'node:assert/strict'
import { purgeLogs } from '../../src/insight/logs.ts'
import { makeSpinLog } from '../../src/insight/spin-log.ts'
import { systemActor } from '../../src/system.ts'
import { ORDER, type Shop, startShop, TEN_OFF } from '../prizes/kit.ts'

describe('the log of a spin', () => {
  let shop: Shop
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const get = (query: string, token = shop.operator) => shop.ask('GET', `/api/v1/logs?${query}`, { token })
  const add = (json: Record<string, unknown>, token = shop.service) =>
    shop.ask('POST', '/api/v1/logs', { token, json })
  const LINE = { level: 'info', category: 'delivery', component: 'shop', message: 'The parcel left.' }
  const spinOf = async (play_id: number): Promise<string> => (await shop.row(play_id))['event_id']

  it('S1-44 support opens a spin and sees every line of it in order, from the request to the order, each with its trace', async () => {
    const play_id = await shop.open('ann', TEN_OFF)
    const spin_id = await spinOf(play_id)
    shop.clock.advance(1_000)
    assert.equal((await shop.apply(play_id, { ...ORDER, order_amount: 10 })).status, 409)
    shop.clock.advance(1_000)
    assert.equal((await shop.apply(play_id, ORDER)).status, 200)
    shop.clock.advance(1_000)
    assert.equal((await add({ ...LINE, spin_id, trace_id: 'parcel-7' })).status, 201)
    await shop.spinLog.flush()

    const { status, body } = await get(`spin_id=${spin_id}`)
    assert.equal(status, 200)
    const lines = body.data as {
      at: string
      level: string
      category: string
      message: string
      trace_id: string
    }[]
    const times = lines.map(({ at }) => at)
    assert.deepEqual(times, [...times].sort())
    assert.deepEqual(
      lines.slice(0, 6).map(({ category }) => category),
      ['session', 'chance', 'fairness', 'fairness', 'award', 'prize'],
    )
    const said = lines.map(({ message }) => message).join('\n')
    const inOrder = [
      /ann asked for a spin/,
      /A chance was taken: granted/,
      /Number 0 of the commitment/,
      /fell on segment 0, it/,
      /The reward of the segment was given/,
      new RegExp(`issued as play ${play_id}, locked`),
      /from locked to unlocked/,
      /apply\.refused by shop/,
      /from unlocked to applied/,
      /The parcel left/,
    ]
    let from = 0
    for (const part of inOrder) {
      const at = said.slice(from).search(part)
      assert.ok(at >= 0, `${part} comes after ${from} in:\n${said}`)
      from += at + 1
    }
    assert.match(said, /Answered after \d+ ms/)
    assert.ok(lines.every(({ trace_id }) => trace_id.length > 0))
    assert.ok(lines.some(({ trace_id }) => trace_id === 'parcel-7'))
    const session = (
      await shop.database.query<{ session_id: string }>(
        'select session_id from spin_sessions where id = $1',
        [spin_id],
      )
    )[0]
    assert.equal(lines[0]!.trace_id, session!.session_id)
  })

  it('S1-44 lines are filtered by level and by category', async () => {
    const spin_id = await spinOf(await shop.win('bob'))
    await shop.spinLog.flush()
    for (const [level, category] of [
      ['debug', 'chance'],
      ['warn', 'delivery'],
      ['error', 'delivery'],
    ] as const)
      if (level !== 'debug') await add({ ...LINE, spin_id, level, category })
    const levels = async (query: string) =>
      (await get(`spin_id=${spin_id}${query}`)).body.data.map((line: any) => line.level)
    assert.deepEqual(await levels('&level=error'), ['error'])
    assert.deepEqual(await levels('&level=warn'), ['warn', 'error'])
    assert.ok(!(await levels('&level=info')).includes('debug'))
    assert.ok((await levels('')).includes('debug'))
    assert.deepEqual((await get(`spin_id=${spin_id}&category=chance`)).body.data.length, 1)
    assert.equal((await get(`spin_id=${spin_id}&level=loud`)).status, 400)
  })

  it('S1-44 S1-02 a spin of another tenant, or of nobody, is 404 alike, to read and to write', async () => {
    const spin_id = await spinOf(await shop.win('cid'))
    const nobodys = '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14'
    const theirs = await shop.token('operator', { tenant: 'other' })
    const answers = [
      await get(`spin_id=${spin_id}`, theirs),
      await get(`spin_id=${nobodys}`),
      await add({ ...LINE, spin_id }, theirs),
      await add({ ...LINE, spin_id: nobodys }),
    ]
    for (const { status, body } of answers) assert.deepEqual([status, body.code], [404, 'not_found'])
    for (const role of ['player', 'spectator', 'creator'] as const)
      assert.equal((await get(`spin_id=${spin_id}`, await shop.token(role))).status, 403)
    assert.equal((await get('', theirs)).body.data.length, 0)
  })

  it('S1-44 what is no line is refused, and a line that was written stays', async () => {
    const spin_id = await spinOf(await shop.win('dan'))
    for (const bad of [
      { level: 'fatal' },
      { message: '' },
      { message: 'two\nlines' },
      { message: 'x'.repeat(201) },
      { category: 'Of mine' },
      { component: '' },
      { details: 'x'.repeat(4_001) },
      { at: '2020-01-01T00:00:00Z' },
    ])
      assert.equal((await add({ ...LINE, spin_id, ...bad })).status, 400, JSON.stringify(bad))
    assert.equal((await add({ ...LINE, spin_id })).status, 201)
    await assert.rejects(shop.database.query(`update game_logs set log_message = 'other'`), { code: '55000' })
  })

  it('S1-44 the newest lines of all spins come in pages without gap or repeat', async () => {
    const spin_id = await spinOf(await shop.win('eve'))
    for (let i = 0; i < 7; i++) await add({ ...LINE, spin_id, category: 'paged', message: `Line ${i}.` })
    const seen: string[] = []
    let cursor = ''
    do {
      const { body } = await get(`category=paged&limit=3${cursor}`)
      seen.push(...body.data.map((line: any) => line.message))
      cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`
    } while (cursor !== '')
    assert.deepEqual(
      [...seen].sort(),
      Array.from({ length: 7 }, (_, i) => `Line ${i}.`),
    )
    for (const bad of ['AAAA', 'x', Buffer.from('2026-13-45T00:00:00Z x').toString('base64url')])
      assert.equal((await get(`cursor=${bad}`)).status, 400, bad)
  })

  it('S1-44 a spin that is asked for again has one line more and no effect', async () => {
    await shop.grant('fay', 3)
    const wheel = (
      await shop.database.query<{ wheel_slug: string }>('select wheel_slug from wheel_games limit 1')
    )[0]!
    const token = await shop.player('fay')
    const ask = () =>
      shop.ask('POST', `/api/v1/wheels/${wheel.wheel_slug}/spins`, { token, json: { request_id: 'again' } })
    const [first, second] = [await ask(), await ask()]
    assert.equal(second.text, first.text)
    await shop.spinLog.flush()
    const { body } = await get(`spin_id=${first.body.spin_id}&category=answer`)
    assert.deepEqual(
      body.data.map((line: any) => [line.level, /again/.test(line.message)]),
      [
        ['info', false],
        ['debug', true],
      ],
    )
  })

  it('S1-44 more answers than a log can hold cost no memory: their number is told', async () => {
    const spin_id = await spinOf(await shop.win('gus'))
    const log = makeSpinLog(shop.app, (_where, error) => assert.fail(String(error)))
    const actor = systemActor(shop.tenant.id)
    for (let i = 0; i < 750; i++)
      log.note({ actor, spin_id, request_id: `r-${i}`, took_ms: 1, tries: 1, replayed: false })
    await log.flush()
    const rows = await shop.database.query<{ log_details: string }>(
      `select log_details from game_logs where spin_session_id = $1 and trace_id like 'r-%'`,
      [spin_id],
    )
    assert.equal(rows.length, 500)
    assert.equal(rows.filter(({ log_details }) => /250 more lines/.test(log_details)).length, 1)
  })

  it('S1-44 lines go after their time, and what is read from the rows of the spin stays', async () => {
    const spin_id = await spinOf(await shop.win('hal'))
    await add({ ...LINE, spin_id })
    const before = new Date(shop.clock.now().getTime() + 1)
    while ((await shop.app.run(systemActor(shop.tenant.id), purgeLogs, { before })) > 0);
    assert.deepEqual(await shop.database.query('select 1 from game_logs'), [])
    const { body } = await get(`spin_id=${spin_id}`)
    assert.ok(body.data.length >= 6 && body.data.every((line: any) => line.id === null))
  })
})
