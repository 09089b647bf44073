import assert from 'node:assert/strict'
import { until, within } from './harness.ts'
import { aRequest, cutSocket, refusalOf, roomOf, type Stage, startStage } from './wheel-stage.ts'

describe('playing in wheel rooms', () => {
  let stage: Stage
  let wheelId: string
  before(async () => {
    stage = await startStage({ limits: { wheel: { players_max: 3 } } })
    wheelId = await stage.aWheel()
    for (const user of ['ann', 'bob', 'cid', 'dan', 'eve', 'tab']) await stage.grant(user, 50)
  })
  after(() => stage.stop())
  afterEach(() => assert.deepEqual(stage.reports, []))

  it('S1-53 P-30 five players who spin at once in two rooms of one wheel see the committed rows, in order, in every room', async () => {
    const clients = await Promise.all(['ann', 'bob', 'cid', 'dan', 'eve'].map((user) => stage.play(user)))
    const rooms = new Set(clients.map((client) => client.roomId))
    assert.equal(rooms.size, 2)
    const watcher = await stage.watch()
    const heard: string[] = []
    watcher.onMessage('spun', (spun: { spin_id: string }) => heard.push(spun.spin_id))

    const answers: any[] = (
      await Promise.all(
        clients.map(async (client) => {
          const mine = []
          for (let i = 0; i < 5; i++) mine.push(await client.request('spin', { request_id: aRequest() }))
          return mine
        }),
      )
    ).flat()
    const rows = await stage.results(wheelId)
    assert.equal(rows.length, 25)
    const byId = new Map(rows.map((row) => [row.spin_id, row]))
    for (const answer of answers) {
      const row = byId.get(answer.spin_id)!
      assert.deepEqual([answer.segment, answer.reward_slug], [row.segment, row.reward_slug])
      assert.equal(answer.won, row.win_status === 'won')
      assert.ok(
        answer.landing.angle >= 360 && answer.landing.duration_ms > 0 && answer.commit_hash.length === 64,
      )
    }
    const newest = rows.slice(0, 20).map((row) => row.spin_id)
    for (const client of [...clients, watcher]) {
      await until('the state to hold the newest twenty', () => client.state.recent[0]?.spinId === newest[0])
      assert.deepEqual(
        client.state.recent.map((spin: any) => spin.spinId),
        newest,
      )
      assert.deepEqual(
        client.state.recent.map((spin: any) => spin.segment),
        rows.slice(0, 20).map((row) => row.segment),
      )
    }
    const versions = new Set([...clients, watcher].map((client) => client.state.version))
    assert.equal(versions.size, 1)
    // I29: what a room announces, it announces in the order of the events. A flood may leave some out, never swap them.
    await until('the watcher to hear the newest', () => heard.includes(newest[0]!))
    const order = rows.map((row) => row.spin_id).reverse()
    const places = heard.map((id) => order.indexOf(id))
    assert.ok(!places.includes(-1), 'only committed results are announced (I28)')
    assert.deepEqual(
      places,
      [...places].sort((a, b) => a - b),
    )
    for (const client of [...clients, watcher]) await client.leave()
  })

  it('abuse 29 S1-17 K-05 the same request_id gives the same answer from two tabs and from the use case, and one row', async () => {
    const before = (await stage.results(wheelId)).length
    const [left, right] = await Promise.all([stage.play('tab'), stage.play('tab')])
    const request = { request_id: aRequest(), client_entropy: 'abcdefghijklmnopqrst' }
    const answers = await Promise.all([left, right, left, right].map((tab) => tab.request('spin', request)))
    const { answer } = await stage.running.wheel.spin(stage.actor('tab'), { wheel_id: wheelId, ...request })
    for (const each of answers) assert.deepEqual(each, answer)
    assert.equal((await stage.results(wheelId)).length, before + 1)
    const refusal = await refusalOf(
      left.request('spin', { ...request, client_entropy: 'ABCDEFGHIJKLMNOPQRST' }),
    )
    assert.equal(refusal.code, 'idempotency_key_reused')
    const chances: any = await right.request('chances')
    assert.equal(chances.chances_left, 49)
    await Promise.all([left.leave(), right.leave()])
  })

  it('abuse 51 S1-17 a client that sends its own result, angle or prize is refused and nothing is spent', async () => {
    const client = await stage.play('ann')
    const { chances_left }: any = await client.request('chances')
    for (const forged of [
      { segment: 0 },
      { landing: { angle: 0 } },
      { won: true, prize_status: 'unlocked' },
      { wheel_id: wheelId },
      { chances_left: 99 },
    ]) {
      const refusal = await refusalOf(client.request('spin', { request_id: aRequest(), ...forged }))
      assert.equal(refusal.code, 'invalid_input')
    }
    const refusal = await refusalOf(client.request('spin', { request_id: '' }))
    assert.deepEqual(
      refusal['errors'].map((error: any) => error.pointer),
      ['/request_id'],
    )
    assert.equal(((await client.request('chances')) as any).chances_left, chances_left)
    await client.leave()
  })

  it('abuse 33 S1-07 a paused wheel refuses spins with a reason, and an open room says so within a second', async () => {
    const client = await stage.play('bob')
    const told: any[] = []
    client.onMessage('phase', (message: unknown) => told.push(message))
    await stage.setStatus('summer', 'paused')
    const refused = refusalOf(client.request('spin', { request_id: aRequest() }))
    await within(1_000, 'the state to say so', () => client.state.phase === 'paused')
    const refusal = await refused
    assert.deepEqual([refusal.code, refusal.message], ['wheel_paused', 'This wheel is paused.'])
    await stage.setStatus('summer', 'live')
    await until('the wheel to be open again', () => client.state.phase === 'open' && told.length === 2)
    assert.deepEqual(
      told.map((message) => message.phase),
      ['paused', 'open'],
    )
    await client.request('spin', { request_id: aRequest() })
    await client.leave()
  })

  it('S1-07 a wheel that is published again shows its new version in open rooms', async () => {
    const client = await stage.play('bob')
    const { commitHash } = client.state
    const notices: any[] = []
    client.onMessage('notice', (notice: unknown) => notices.push(notice))
    await stage.inTenant((tx) =>
      tx.rows(`update wheel_rewards set reward_label = 'Eleven' where reward_slug = 'ten'`),
    )
    await stage.running.wheel.publish(stage.actor('boss', ['operator']), 'summer')
    await until('the new label', () => client.state.segments[0].label === 'Eleven')
    assert.notEqual(client.state.commitHash, commitHash)
    assert.deepEqual(
      client.state.segments.map((segment: any) => segment.weight),
      [25, 75],
    )
    await until('the notice', () => notices.length > 0)
    assert.deepEqual([notices[0].code, notices[0].config_version], ['published', 2])
    await client.leave()
  })

  it('S1-07 whoever is in the room has a pair for a new version before he spins; a spectator gets none', async () => {
    const [player, watcher] = [await stage.play('dan'), await stage.watch()]
    await stage.inTenant((tx) =>
      tx.rows(`update wheel_rewards set reward_label = 'Twelve' where reward_slug = 'ten'`),
    )
    const { config_version } = await stage.running.wheel.publish(stage.actor('boss', ['operator']), 'summer')
    const pairs = () =>
      stage.inTenant((tx) =>
        tx.rows<{ user_id: string; seed_status: string; next_nonce: number }>(
          `select user_id, seed_status, next_nonce from fair_seeds
           where config_version = $1 and seed_status in ('active', 'next') order by user_id, seed_status`,
          [config_version],
        ),
      )
    await until('the pair', async () => (await pairs()).length > 0)
    assert.deepEqual(await pairs(), [
      { user_id: 'dan', seed_status: 'active', next_nonce: 0 },
      { user_id: 'dan', seed_status: 'next', next_nonce: 0 },
    ])
    const spun: any = await player.request('spin', { request_id: aRequest() })
    assert.equal(spun.nonce, 0)
    await Promise.all([player.leave(), watcher.leave()])
  })

  it('reads seed pairs, rotates them and refuses a client seed that is none', async () => {
    const client = await stage.play('cid')
    const pair: any = await client.request('seed_pair')
    assert.match(pair.current.commit_hash, /^[0-9a-f]{64}$/)
    const rotated: any = await client.request('rotate', {
      request_id: aRequest(),
      client_seed: 'my-own-seed',
      next_commit_hash: pair.next.commit_hash,
    })
    assert.equal(rotated.revealed.commit_hash, pair.current.commit_hash)
    assert.equal(rotated.current.commit_hash, pair.next.commit_hash)
    assert.equal(rotated.current.client_seed, 'my-own-seed')
    assert.equal(
      (await refusalOf(client.request('rotate', { request_id: aRequest(), client_seed: 'x' }))).code,
      'invalid_input',
    )
    await client.leave()
  })

  it('a page visit gives its chances once, in a room as over HTTP', async () => {
    const client = await stage.play('newcomer')
    assert.deepEqual(await client.request('visit'), { awarded: 1, chances_left: 1 })
    assert.deepEqual(await client.request('visit'), { awarded: 0, chances_left: 1 })
    assert.deepEqual(await stage.running.wheel.visit(stage.actor('newcomer'), 'summer'), {
      awarded: 0,
      chances_left: 1,
    })
    await client.leave()
  })

  it('S1-53 a client that asks for what came after a version gets it, or a snapshot when it was away for too long', async () => {
    const client = await stage.play('dan')
    await until('the state to have a version', () => client.state.version > 2)
    const from = client.state.version
    const spun: any[] = []
    for (let i = 0; i < 3; i++) spun.push(await client.request('spin', { request_id: aRequest() }))
    await until('the room to fold them', () => client.state.version === from + 3)
    const missed: any = await client.request('since', { version: from })
    assert.equal(missed.version, from + 3)
    assert.deepEqual(
      missed.events.map((event: any) => [event.seq, event.type, event.data.spin_id]),
      spun.map((each, i) => [from + 1 + i, 'wheel.spun', each.spin_id]),
    )
    assert.ok(!JSON.stringify(missed).includes(stage.tenants.get('demo')!))
    assert.deepEqual(((await client.request('since', { version: from + 3 })) as any).events, [])
    const early: any = await client.request('since', { version: 1 })
    assert.equal(early.events[0].seq, 2)
    assert.ok(Math.abs(early.server_time - stage.clock.now().getTime()) < 2_000)
    await stage.inTenant(async (tx) => {
      for (let i = 0; i < 201; i++) tx.emit({ gameId: wheelId, type: 'wheel.nothing', data: {} })
    })
    const long: any = await client.request('since', { version: 1 })
    assert.equal(long.snapshot.recent[0].spin_id, spun[2].spin_id)
    await until(
      'the state to pass over events it does not know',
      () => client.state.version === long.snapshot.version,
    )
    await client.leave()
  })

  it('P-31 counts players and spectators over all rooms of the wheel', async () => {
    const players = await Promise.all(['ann', 'bob', 'cid', 'dan'].map((user) => stage.play(user)))
    const watchers = await Promise.all([stage.watch(), stage.watch()])
    for (const client of [...players, ...watchers]) {
      await until('the counts', () => client.state.players === 4 && client.state.spectators === 2)
    }
    await players[0]!.leave()
    await until('one less', () => watchers[0]!.state.players === 3)
    for (const client of [...players.slice(1), ...watchers]) await client.leave()
  })

  it('S1-13 F20 a socket that dies at any moment of a spin comes back to its seat and to the same result', async () => {
    const client = await stage.play('eve')
    client.reconnection.enabled = true
    client.reconnection.minUptime = 0
    client.reconnection.delay = client.reconnection.minDelay = 20
    const { sessionId } = client
    for (let later_ms = 0; later_ms < 12; later_ms += 2) {
      const { chances_left }: any = await client.request('chances')
      const request = { request_id: aRequest() }
      const first = client.request('spin', request).catch(() => 'lost')
      const back = new Promise<void>((resolve) => client.onReconnect.once(() => resolve()))
      // Before it was read, while it is decided, while the answer is on its way.
      await new Promise((resolve) => setTimeout(resolve, later_ms))
      cutSocket(client)
      const heard = await first
      await back
      assert.equal(client.sessionId, sessionId)
      const answer: any = await client.request('spin', request)
      if (heard !== 'lost') assert.deepEqual(heard, answer)
      assert.deepEqual(await client.request('spin', request), answer)
      assert.equal(answer.chances_left, chances_left - 1)
      assert.equal((await stage.results(wheelId)).filter((row) => row.spin_id === answer.spin_id).length, 1)
      await until('the result to be in the state again', () =>
        client.state.recent.some((spin: any) => spin.spinId === answer.spin_id),
      )
    }
    client.reconnection.enabled = false
    await client.leave()
  })

  it('S1-16 a blocked user, and a token that ran out, are out of open rooms', async () => {
    const blocked = await stage.play('mallory')
    const short = await stage.enter(
      'wheel',
      { game: 'summer' },
      await stage.token('brief', ['player'], 'demo', 1),
    )
    const codes = new Map<string, number>()
    blocked.onLeave((code: number) => codes.set('blocked', code))
    short.onLeave((code: number) => codes.set('short', code))
    await stage.inTenant((tx) =>
      tx.rows(
        `insert into blocked_users (user_id, reason, blocked_by, created_at) values ('mallory', 'fraud', 'boss', now())`,
      ),
    )
    stage.running.auth.forget(stage.tenants.get('demo')!)
    const clocks = new Set([blocked, short].map((client) => roomOf(client).clock))
    // A room looks every 20 s of its own clock; here that clock is moved instead of waited for.
    await until('both to be closed', () => {
      for (const clock of clocks) {
        for (const delayed of clock.delayed) if (delayed.time === 20_000) delayed.elapsedTime += 20_000
      }
      return codes.size === 2
    })
    assert.deepEqual([codes.get('blocked'), codes.get('short')], [4002, 4002])
    await assert.rejects(stage.play('mallory'), { code: 403, message: 'user_blocked' })
  })
})

describe('restarts of wheel rooms', () => {
  let stage: Stage
  let wheelId: string
  before(async () => {
    stage = await startStage({ limits: { wheel: { drain_ms: 100 } } })
    wheelId = await stage.aWheel()
    await stage.grant('ann', 50)
  })
  after(() => stage.stop())

  it('S1-20 P-30 P-37 a drain answers what was asked, says so, ends with 4001, and the next process shows the same', async () => {
    await stage.running.wheel.openRound(stage.actor('boss', ['operator']), 'summer')
    const client = await stage.play('ann')
    const notices: any[] = []
    client.onMessage('notice', (message: unknown) => notices.push(message))
    const left = new Promise<number>((resolve) => client.onLeave((code: number) => resolve(code)))
    for (let i = 0; i < 3; i++) await client.request('spin', { request_id: aRequest() })
    await until('the spins to be shown', () => client.state.recent.length === 3)
    const before = client.state.toJSON()
    const request = { request_id: aRequest() }
    const restarting = stage.restart()
    const last: any = await client.request('spin', request)
    assert.equal(await left, 4001)
    assert.deepEqual(
      notices.map((notice) => notice.code),
      ['shutting_down'],
    )
    await restarting

    const again = await stage.play('ann')
    assert.deepEqual(
      again.state.recent.map((spin: any) => spin.spinId),
      [last.spin_id, ...before.recent.map((spin: any) => spin.spinId)],
    )
    for (const field of [
      'roundNo',
      'roundId',
      'roundStatus',
      'roundCommitHash',
      'roundClosesAt',
      'commitHash',
      'trust',
      'segments',
      'durationMs',
    ]) {
      assert.deepEqual(again.state.toJSON()[field], before[field], field)
    }
    assert.equal(again.state.version, before.version + 1)
    assert.deepEqual(await again.request('spin', request), last)
    assert.equal((await stage.results(wheelId)).length, 4)
    assert.deepEqual(stage.reports, [])
    await again.leave()
  })
})
