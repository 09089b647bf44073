import assert from 'node:assert/strict'
import { matchMaker } from '@colyseus/core'
import { joinRaw, until } from './harness.ts'
import { aRequest, refusalOf, roomOf, type Stage, startStage } from './wheel-stage.ts'

describe('watching a wheel', () => {
  let stage: Stage
  let wheelId: string
  before(async () => {
    stage = await startStage({ limits: { wheel: { spectators_max: 2 } } })
    wheelId = await stage.aWheel({ spin_config: { round_join_s: 1, duration_ms: 5_000 } })
    await stage.aWheel({ slug: 'private', is_public: false })
    for (const user of ['ann-the-player', 'bob-the-player']) await stage.grant(user, 50)
  })
  after(() => stage.stop())
  afterEach(() => assert.deepEqual(stage.reports, []))

  it('K-02 I30 no frame that a spectator gets holds a seed, a user id, a balance, a prize code or a salt', async () => {
    const options = { game: 'summer', tenant: 'demo', spectate: true }
    const watcher = await joinRaw(stage.running, 'wheel', options)
    const players = await Promise.all(['ann-the-player', 'bob-the-player'].map((user) => stage.play(user)))
    await stage.running.wheel.openRound(stage.actor('boss', ['operator']), 'summer')
    await players[0]!.request('join_round', {
      request_id: aRequest(),
      client_entropy: 'entropy-of-ann-0123456789',
    })
    for (const player of players) {
      await player.request('chances')
      await player.request('seed_pair')
      for (let i = 0; i < 10; i++)
        await player.request('spin', { request_id: aRequest(), client_entropy: `fresh-entropy-${i}-0123` })
      await player.request('rotate', {
        request_id: aRequest(),
        client_seed: `the-seed-of-${player.sessionId}`,
      })
    }
    const rows = await stage.results(wheelId)
    const newest = rows[0]!.spin_id
    await until('the newest result to be on the wire', () =>
      watcher.frames.some(({ data }) => data.includes(newest)),
    )

    const secrets = await stage.inTenant(async (tx) => {
      const seeds = await tx.rows<Record<string, string>>(
        `select sealed_seed, server_seed, client_seed, holder_salt, user_id, game_id, seed_hash from fair_seeds`,
      )
      const codes = await tx.rows<{ prize_code: string }>(
        'select prize_code from gamification_game_plays where prize_code is not null',
      )
      const salts = await tx.rows<{ entrant_salt: string; client_entropy: string }>(
        'select entrant_salt, client_entropy from wheel_round_entries',
      )
      const opened = seeds.map((seed) =>
        tx.keys.open(seed['sealed_seed']!, { gameId: seed['game_id']!, seedHash: seed['seed_hash']! }),
      )
      return [
        ...opened.flatMap((seed) => [
          seed,
          seed.toString('hex'),
          seed.toString('base64'),
          seed.toString('base64url'),
        ]),
        ...seeds
          .flatMap((seed) => [seed['sealed_seed'], seed['holder_salt'], seed['client_seed']])
          .filter((text) => text != null && text !== '-'),
        ...codes.map((code) => code.prize_code),
        ...salts.flatMap((salt) => [salt.entrant_salt, salt.client_entropy]),
        'ann-the-player',
        'bob-the-player',
        'boss',
        'fresh-entropy-',
        'chances_left',
        'prize_status',
        'play_id',
      ] as (string | Buffer)[]
    })
    assert.ok(secrets.length > 30)
    const wire = Buffer.concat(watcher.frames.map(({ data }) => data))
    const found = secrets.filter((secret) => wire.includes(secret))
    assert.deepEqual(found, [])
    // The same search finds what is there: it is the frames that are clean, not the search that is blind.
    assert.ok(wire.includes(newest) && wire.includes('spun'))
    watcher.destroy()
    for (const player of players) await player.leave()
  })

  it('abuse 31 K-03 a spectator watches and does not act: every acting or private request is refused, since is answered', async () => {
    const client = await stage.watch()
    const requests: [string, unknown][] = [
      ['spin', { request_id: aRequest() }],
      ['chances', undefined],
      ['visit', undefined],
      ['seed_pair', undefined],
      ['rotate', { request_id: aRequest(), client_seed: 'abcdefgh' }],
      ['join_round', { request_id: aRequest(), client_entropy: 'abcdefghijklmnopq' }],
    ]
    for (const [type, payload] of requests) {
      assert.equal((await refusalOf(client.request(type, payload))).code, 'spectator_read_only', type)
    }
    assert.ok(((await client.request('since', { version: 1 })) as any).events.length > 0)
    await client.leave()
  })

  it('K-03 a player who spectates cannot act either, and sits in the room of the spectators', async () => {
    const token = await stage.token('ann-the-player')
    const client = await stage.enter('wheel', { game: 'summer', spectate: true }, token)
    assert.equal(
      (await refusalOf(client.request('spin', { request_id: aRequest() }))).code,
      'spectator_read_only',
    )
    const player = await stage.play('ann-the-player')
    assert.notEqual(client.roomId, player.roomId)
    assert.deepEqual(
      [roomOf(client), roomOf(player)].map((room) => [room.patchRate, room.maxClients]),
      [
        [250, 2],
        [50, 500],
      ],
    )
    await assert.rejects(
      stage.sdk().joinById(player.roomId, { game: 'summer', tenant: 'demo', spectate: true }),
      { code: 404 },
    )
    await Promise.all([client.leave(), player.leave()])
  })

  it('more spectators than fit a room get another one, and all see the same wheel', async () => {
    const clients = await Promise.all(Array.from({ length: 5 }, () => stage.watch()))
    assert.equal(new Set(clients.map((client) => client.roomId)).size, 3)
    assert.equal(new Set(clients.map((client) => JSON.stringify(client.state.recent))).size, 1)
    await Promise.all(clients.map((client) => client.leave()))
  })

  it('unknown, foreign, draft and private games, and unknown tenants, answer a stranger alike', async () => {
    await stage.aTenant('other')
    await stage.aWheel({ slug: 'theirs', tenant: 'other' })
    const ask = (body: unknown, headers: Record<string, string> = {}) =>
      fetch(`http://127.0.0.1:${stage.running.port}/matchmake/joinOrCreate/wheel`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }).then(async (answer) => ({ status: answer.status, body: await answer.text() }))
    const bearer = { authorization: `Bearer ${await stage.token('ann-the-player')}` }
    const answers = [
      await ask({ tenant: 'demo', game: 'nothing', spectate: true }),
      await ask({ tenant: 'demo', game: 'theirs', spectate: true }),
      await ask({ tenant: 'demo', game: 'private', spectate: true }),
      await ask({ tenant: 'nobody', game: 'summer', spectate: true }),
      await ask({ tenant: 'demo', spectate: true }),
      await ask({ tenant: 'demo', game: { slug: 'summer' }, spectate: true }),
      await ask({ tenant: ['demo'], game: 'summer', spectate: true }),
      await ask({ tenant: 'demo', game: 's'.repeat(3_000), spectate: true }),
      await ask({ tenant: 'demo', game: "summer' or 1=1 --", spectate: true }),
      await ask({ tenant: 'demo', game: '\u0000', spectate: true }),
      await ask({ game: 'theirs' }, bearer),
      await ask({ game: 'theirs', tenant: 'other' }, bearer),
      await ask({ game: 'theirs', tenant: 'other', spectate: true }, bearer),
    ]
    for (const answer of answers) assert.deepEqual(answer, answers[0])
    assert.equal(answers[0]!.status, 404)
    assert.match(answers[0]!.body, /game_not_found/)
    // A player of the tenant may know its private game.
    const player = await stage.play('ann-the-player', { game: 'private' })
    assert.equal(player.state.phase, 'open')
    await player.leave()
  })

  it('abuse 49 S1-16 options that are no object are 400, a missing token is 401, and neither makes a room', async () => {
    const before = (await matchMaker.query({})).length
    const ask = (text: string) =>
      fetch(`http://127.0.0.1:${stage.running.port}/matchmake/joinOrCreate/wheel`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: text,
      })
    for (const text of ['null', '[]', '"x"', '123']) assert.equal((await ask(text)).status, 400, text)
    for (const text of [
      '{}',
      '{"game":"summer"}',
      '{"game":"summer","tenant":"demo"}',
      '{"game":"summer","tenant":"demo","spectate":"yes"}',
    ]) {
      assert.equal((await ask(text)).status, 401, text)
    }
    await assert.rejects(stage.enter('wheel', { game: 'summer' }, 'not.a.token'), {
      code: 401,
      message: 'unauthorized',
    })
    assert.equal((await matchMaker.query({})).length, before)
  })

  it('abuse 51 H6 S1-16 a forged room key, tenant or limit in the options changes nothing; slug and id lead to one room', async () => {
    await stage.aTenant('third')
    await stage.aWheel({ slug: 'summer', tenant: 'third' })
    const forged = {
      room_key: 'x',
      roomId: 'mine',
      maxClients: 1,
      seed: 'abc',
      tenantId: 'third',
      tenant: 'third',
      private: true,
    }
    const mine = await stage.play('ann-the-player', { game: 'summer', ...forged })
    const byId = await stage.play('bob-the-player', { game: wheelId })
    const theirs = await stage.play('zoe', { game: 'summer' }, 'third')
    assert.equal(mine.roomId, byId.roomId)
    assert.notEqual(mine.roomId, theirs.roomId)
    const [listing] = await matchMaker.query({ roomId: mine.roomId })
    assert.deepEqual(listing!.metadata, { room_key: `${stage.tenants.get('demo')}/${wheelId}/players` })
    await assert.rejects(
      stage.sdk(await stage.token('zoe', ['player'], 'third')).joinById(mine.roomId, { game: 'summer' }),
      { code: 404 },
    )
    await Promise.all([mine.leave(), byId.leave(), theirs.leave()])
  })

  it('P-04 everybody gets the same shared spin on the server clock, and who comes late sees it in the middle', async () => {
    const wheel = await stage.aWheel({
      slug: 'shared',
      spin_config: { round_join_s: 1, duration_ms: 20_000 },
    })
    const tenantId = stage.tenants.get('demo')!
    const players = await Promise.all(
      ['ann-the-player', 'bob-the-player'].map((user) => stage.play(user, { game: 'shared' })),
    )
    const early = await stage.watch({ game: 'shared', tenant: 'demo', spectate: true })
    const round = await stage.running.wheel.openRound(stage.actor('boss', ['operator']), wheel)
    const receipt: any = await players[0]!.request('join_round', {
      request_id: aRequest(),
      client_entropy: 'entropy-of-ann-0123456789',
    })
    assert.equal(receipt.round_id, round.round_id)
    await until(
      'the round to be announced',
      () => early.state.roundStatus === 'open' && early.state.roundEntries === 1,
    )
    assert.deepEqual([early.state.commitHash, early.state.landingSegment], [round.commit_hash, -1])

    stage.clock.advance(1_500)
    await stage.running.wheel.advanceRounds(tenantId)
    await until('the draw', () => [...players, early].every((client) => client.state.roundStatus === 'drawn'))
    stage.clock.advance(8_000)
    const late = await stage.watch({ game: 'shared', tenant: 'demo', spectate: true })
    const landings = [...players, early, late].map(({ state }) => [
      state.landingStartsAt,
      state.landingDurationMs,
      state.landingAngle,
      state.landingSegment,
    ])
    for (const landing of landings) assert.deepEqual(landing, landings[0])
    const into_ms = () => late.state.serverTime - late.state.landingStartsAt
    await until('the server clock to be in the middle of the spin', () => into_ms() > 5_000)
    assert.ok(into_ms() < late.state.landingDurationMs, `${into_ms()} ms into the spin`)
    const [row] = await stage.inTenant((tx) =>
      tx.rows<any>('select outcome, landing from wheel_rounds where id = $1', [round.round_id]),
    )
    assert.deepEqual(
      [row.outcome.index, row.landing.angle],
      [late.state.landingSegment, late.state.landingAngle],
    )

    stage.clock.advance(30_000)
    await stage.running.wheel.advanceRounds(tenantId)
    await until('the end of it', () => late.state.roundStatus === 'settled')
    assert.notEqual(late.state.commitHash, round.commit_hash)
    assert.equal(late.state.landingAngle, landings[0]![2])
    for (const client of [...players, early, late]) await client.leave()
  })

  it('the newest signed checkpoint of the log is in the state', async () => {
    const client = await stage.watch()
    const { note } = await stage.running.checkpoints.make(stage.tenants.get('demo')!)
    await until('the checkpoint', () => client.state.checkpoint === note)
    await client.leave()
  })
})
