/** The room of a guess game: what is taken, what is told, what stays sealed. */
import assert from 'node:assert/strict'
import { Metadata } from '@colyseus/schema'
import { GuessReveal, GuessState, GuessWinner } from '../../rooms/guess/state.ts'
import { joinRaw, until, within } from './harness.ts'
import {
  aRequest,
  cutSocket,
  refusalOf,
  roomOf,
  type Stage,
  startStage,
  type WheelSdkRoom,
} from './wheel-stage.ts'

/** Longer than a room goes without a look at its table. */
const RECONCILED_AFTER_MS = 31_000

const fieldsOf = (of: object) => Object.keys(Metadata.getFields(of))

describe('the room of a guess game', () => {
  let stage: Stage
  before(async () => {
    stage = await startStage()
    await stage.aTenant('other')
  })
  after(() => stage.stop())
  afterEach(() => assert.deepEqual(stage.reports, []))

  const play = async (user: string, game: string): Promise<WheelSdkRoom> =>
    stage.enter('guess', { game }, await stage.token(user))
  const watch = (game: string): Promise<WheelSdkRoom> =>
    stage.enter('guess', { game, tenant: 'demo', spectate: true })
  const guess = (client: WheelSdkRoom, value: number | null): Promise<any> =>
    client.request('guess', { request_id: aRequest(), value })
  /** The state but for what moves by the clock of a process. */
  const shown = (client: WheelSdkRoom) => {
    const { serverTime: _t, players: _p, spectators: _s, checkpoint: _c, ...rest } = client.state.toJSON()
    return rest
  }
  /**
   * What another process wrote is found when the room looks at the table: let that time be now, and again until it is
   * there, because a look that is under way may have begun before the last of it was committed.
   */
  const untilSeen = (client: WheelSdkRoom, what: string, isTrue: () => boolean) =>
    until(what, () => {
      if (isTrue()) return true
      roomOf(client).clock.currentTime -= RECONCILED_AFTER_MS
      return false
    })
  const leave = (...clients: WheelSdkRoom[]) => Promise.all(clients.map((client) => client.leave()))

  it('the fields of the state keep their names and their places (H45)', () => {
    assert.deepEqual(fieldsOf(GuessState).slice(9), [
      'entries',
      'range',
      'winners',
      'winningNumbers',
      'title',
      'mode',
      'rule',
      'numberOfWinners',
      'notAwarded',
      'drawId',
      'entriesRoot',
      'reveals',
      'settleAt',
      'cancelReason',
      'checkpoint',
      'pausedUntil',
    ])
    assert.deepEqual(fieldsOf(GuessWinner), ['place', 'player', 'guess', 'entryIndex', 'revealAt'])
    assert.deepEqual(fieldsOf(GuessReveal), ['place', 'revealAt'])
  })

  it('S0-12 S0-07 takes a guess with its receipt, once per request id, counts it for everybody and shows it to its maker alone', async () => {
    const game = await stage.aGuessGame()
    const [ann, bob, watcher] = await Promise.all([play('ann', game), play('bob', game), watch(game)])
    assert.deepEqual(
      [ann.state.phase, ann.state.entries, ann.state.range.toJSON(), ann.state.numberOfWinners],
      ['open', 0, { min: 1, max: 1000 }, 1],
    )
    const told: any[] = []
    watcher.onMessage('entered', (message: unknown) => told.push(message))
    const request = { request_id: aRequest(), value: 512 }
    const answer: any = await ann.request('guess', request)
    assert.deepEqual([answer.value, answer.seq, answer.entry_count], [512, 0, 1])
    assert.equal(answer.receipt.split('.').length, 3)
    assert.deepEqual(await ann.request('guess', request), answer, 'a repetition gets the same answer')
    await until('everybody to see the count', () =>
      [ann, bob, watcher].every((client) => client.state.entries === 1),
    )
    await until('the message', () => told.length > 0)
    assert.deepEqual(told, [{ version: watcher.state.version, entries: 1 }])
    const mine: any = await ann.request('mine')
    assert.deepEqual(
      mine.guesses.map((each: any) => [each.value, each.is_in_force, each.submission_id]),
      [[512, true, answer.submission_id]],
    )
    assert.deepEqual(await bob.request('mine'), { guesses: [] })
    await leave(ann, bob, watcher)
  })

  it('S0-06 S0-35 abuse 33 refuses with the codes of HTTP: shape, range, no guesses left, another number under one id, late', async () => {
    const game = await stage.aGuessGame()
    const ann = await play('ann', game)
    const bad: [unknown, string][] = [
      [{ request_id: aRequest(), value: '7' }, 'invalid_input'],
      [{ request_id: aRequest(), value: 1.5 }, 'invalid_input'],
      [{ value: 7 }, 'invalid_input'],
      [{ request_id: aRequest(), value: 7, seq: 0 }, 'invalid_input'],
      [{ request_id: aRequest(), value: 0 }, 'guess_invalid'],
      [{ request_id: aRequest(), value: 1001 }, 'guess_invalid'],
      [{ request_id: aRequest(), value: null }, 'guess_invalid'],
    ]
    for (const [payload, code] of bad)
      assert.equal((await refusalOf(ann.request('guess', payload))).code, code, JSON.stringify(payload))
    const request_id = aRequest()
    await ann.request('guess', { request_id, value: 7 })
    assert.equal(
      (await refusalOf(ann.request('guess', { request_id, value: 8 }))).code,
      'idempotency_key_reused',
    )
    assert.equal((await refusalOf(guess(ann, 8))).code, 'no_guesses_left')
    stage.clock.advance(61_000)
    const bob = await play('bob', game)
    const late = await refusalOf(guess(bob, 9))
    assert.deepEqual([late.code, late['facts'].status], ['game_not_open', 'closed'])
    await leave(ann, bob)
  })

  it('K-03 S0-07 a spectator watches and does not act, whether known or not', async () => {
    const game = await stage.aGuessGame()
    const stranger = await watch(game)
    const known = await stage.enter('guess', { game, spectate: true }, await stage.token('ann'))
    for (const client of [stranger, known]) {
      assert.equal((await refusalOf(guess(client, 5))).code, 'spectator_read_only')
      assert.equal((await refusalOf(client.request('mine'))).code, 'spectator_read_only')
      assert.ok(((await client.request('since', { version: 0 })) as any).events.length > 0)
    }
    assert.equal(stranger.roomId, known.roomId)
    await leave(stranger, known)
  })

  it('S1-16 unknown, foreign, draft and private games answer a stranger alike, and a room opens to its own door only', async () => {
    const theirs = await stage.aGuessGame({}, 'other')
    const secret = await stage.aGuessGame({ is_public: false })
    const open = await stage.aGuessGame()
    const unknown = '01a1f938-87bf-72bd-8203-e461f26d8a24'
    for (const game of [unknown, theirs, secret, 'no-uuid', '', 5])
      await assert.rejects(stage.enter('guess', { game, tenant: 'demo', spectate: true }), {
        code: 404,
        message: 'game_not_found',
      })
    const ann = await play('ann', secret)
    const bob = await play('bob', open)
    await assert.rejects(stage.sdk().joinById(bob.roomId, { game: open, tenant: 'demo', spectate: true }), {
      code: 404,
    })
    const token = await stage.token('zoe', ['player'], 'other')
    await assert.rejects(stage.sdk(token).joinById(bob.roomId, { game: theirs }), { code: 404 })
    await leave(ann, bob)
  })

  it('S0-18 S0-03 winners come one by one at their time, the same to players and spectators, with numbers and the open place at the end', async () => {
    const game = await stage.aGuessGame({ number_of_winners: 3, number_of_alternates: 1 })
    const [ann, bob, watcher] = await Promise.all([play('ann', game), play('bob', game), watch(game)])
    const clients = [ann, bob, watcher]
    const phases: string[] = []
    const winners: any[] = []
    watcher.onMessage('phase', ({ phase }: any) => phases.push(phase))
    watcher.onMessage('winner', (message: unknown) => winners.push(message))
    await guess(ann, 100)
    await guess(bob, 900)
    await stage.pass(61)
    await until('the draw', () => clients.every((client) => client.state.phase === 'drawn'))
    assert.equal(watcher.state.winners.length, 0)
    assert.match(watcher.state.entriesRoot, /^[0-9a-f]{64}$/)
    const places = [...watcher.state.reveals].map((each: any) => each.place)
    assert.deepEqual(places, [2, 1], 'the best place ends the show')
    await stage.pass(3)
    await until('the first one', () => clients.every((client) => client.state.winners.length === 1))
    assert.equal(watcher.state.winners[0].place, 2)
    assert.equal(watcher.state.winningNumbers.length, 0, 'the number would tell who wins')
    await stage.pass(2)
    await until('the second one', () => clients.every((client) => client.state.winners.length === 2))
    await stage.pass(1)
    await until('the end', () => clients.every((client) => client.state.phase === 'settled'))
    await until('the numbers', () => watcher.state.winningNumbers.length === 1)
    assert.equal(watcher.state.notAwarded, 1)
    const [target] = [...watcher.state.winningNumbers]
    const expected = Math.abs(target - 100) <= Math.abs(target - 900) ? [100, 900] : [900, 100]
    assert.deepEqual(
      [...watcher.state.winners].map((each: any) => each.guess),
      expected,
    )
    // Which of the quick steps before the draw are told depends on where a patch falls among them.
    assert.deepEqual(
      phases,
      ['closed', 'drawing', 'drawn', 'settled'].filter((phase) => phases.includes(phase)),
    )
    assert.deepEqual(phases.slice(-2), ['drawn', 'settled'])
    assert.deepEqual(
      winners.map(({ place, guess }) => [place, guess]),
      [
        [2, expected[1]],
        [1, expected[0]],
      ],
    )
    for (const client of [bob, watcher]) assert.deepEqual(shown(client), shown(ann))
    const late = await watch(game)
    assert.deepEqual(shown(late), shown(ann), 'who comes late sees the same')
    await leave(...clients, late)
  })

  it('a giveaway is entered without a number, and a cancelled game says why', async () => {
    const game = await stage.aGuessGame({ mode: 'draw' })
    const ann = await play('ann', game)
    const notices: any[] = []
    ann.onMessage('notice', (message: unknown) => notices.push(message))
    assert.equal((await guess(ann, null)).entry_count, 1)
    const empty = await stage.aGuessGame()
    const bob = await play('bob', empty)
    await stage.pass(61)
    await until('the call', () => bob.state.phase === 'cancelled')
    assert.deepEqual([bob.state.cancelReason, notices], ['no_entries', []])
    await until('the other draw', () => ann.state.phase === 'drawn')
    await leave(ann, bob)
  })

  it('I30 K-02 no frame holds a guess, a seed, a user id, a salt or a winner before its time', async () => {
    const game = await stage.aGuessGame({ guess_max: 900_000_000, number_of_winners: 2 })
    const watcher = await joinRaw(stage.running, 'guess', { game, tenant: 'demo', spectate: true })
    const spy = await joinRaw(stage.running, 'guess', { game }, { token: await stage.token('spy-player') })
    const players = await Promise.all(['ann-player', 'bob-player'].map((user) => play(user, game)))
    const values = [123_456_789, 765_432_101]
    for (const [i, client] of players.entries()) {
      await guess(client, values[i]!)
      await client.request('mine')
    }
    await stage.pass(61)
    const secrets = await stage.inTenant(async (tx) => {
      const seeds = await tx.rows<Record<string, string>>(
        'select sealed_seed, game_id, seed_hash from fair_seeds where game_id = $1',
        [game],
      )
      const salts = await tx.rows<{ entrant_salt: string }>(
        `select n.entrant_salt from draw_entrants n join draws d on d.id = n.draw_id where d.game_id = $1`,
        [game],
      )
      const opened = seeds.map((seed) =>
        tx.keys.open(seed['sealed_seed']!, { gameId: seed['game_id']!, seedHash: seed['seed_hash']! }),
      )
      return [
        ...opened.flatMap((seed) => [seed, seed.toString('hex'), seed.toString('base64')]),
        ...seeds.map((seed) => seed['sealed_seed']!),
        ...salts.map((salt) => salt.entrant_salt),
        'ann-player',
        'bob-player',
        'carla',
      ] as (string | Buffer)[]
    })
    assert.ok(secrets.length >= 9)
    /** A number as the state and as messages carry it (msgpack and the schema write 32 bits, in their own byte orders). */
    const written = (value: number) => {
      const big = Buffer.alloc(4)
      big.writeInt32BE(value)
      return [big, Buffer.from(big).reverse(), String(value)]
    }
    const wireOf = (client: typeof watcher) => Buffer.concat(client.frames.map(({ data }) => data))
    const sees = (client: typeof watcher, what: (string | Buffer)[]) =>
      what.some((each) => wireOf(client).includes(each))
    await until('the drawn phase', () => [watcher, spy].every((client) => sees(client, ['drawn'])))
    for (const client of [watcher, spy]) {
      assert.deepEqual(
        secrets.filter((secret) => sees(client, [secret])),
        [],
      )
      for (const value of values) assert.ok(!sees(client, written(value)), `${value} is sealed`)
      assert.ok(!sees(client, ['player-']), 'nobody is named before the first reveal')
    }
    await stage.pass(3)
    await until('one winner', () => [watcher, spy].every((client) => sees(client, ['player-'])))
    const open = values.filter((value) => sees(watcher, written(value)))
    assert.equal(open.length, 1, 'the other one waits for its time')
    await stage.pass(3)
    await until('both', () => values.every((value) => sees(watcher, written(value))))
    assert.deepEqual(
      secrets.filter((secret) => sees(watcher, [secret])),
      [],
    )
    watcher.destroy()
    spy.destroy()
    await leave(...players)
  })

  it('S1-13 F20 a guess whose socket dies at any moment is there once, and the seat comes back', async () => {
    const game = await stage.aGuessGame({ guess_policy: 'n_per_user', guesses_per_user: 5 })
    const ann = await play('ann', game)
    ann.reconnection.enabled = true
    ann.reconnection.minUptime = 0
    ann.reconnection.delay = ann.reconnection.minDelay = 20
    for (let i = 0; i < 5; i++) {
      const request = { request_id: aRequest(), value: 10 + i }
      const back = new Promise<void>((resolve) => ann.onReconnect.once(() => resolve()))
      const lost = ann.request('guess', request).catch(() => undefined)
      cutSocket(ann)
      await Promise.all([back, lost])
      const again: any = await ann.request('guess', request)
      assert.equal(again.value, 10 + i)
    }
    const { guesses }: any = await ann.request('mine')
    assert.deepEqual(
      guesses.map((each: any) => each.value),
      [10, 11, 12, 13, 14],
    )
    ann.reconnection.enabled = false
    await leave(ann)
  })

  it('P-30 since answers what was missed, or a snapshot after a long time away', async () => {
    const game = await stage.aGuessGame()
    const ann = await play('ann', game)
    const { version } = ann.state
    await guess(ann, 5)
    await until('the event', () => ann.state.version === version + 1)
    const missed: any = await ann.request('since', { version })
    assert.deepEqual(
      missed.events.map(({ seq, type, data }: any) => [seq, type, data]),
      [[version + 1, 'game.entered', { entry_count: 1 }]],
    )
    await stage.inTenant(async (tx) => {
      for (let i = 0; i < 201; i++) tx.emit({ gameId: game, type: 'game.nothing', data: {} })
    })
    await until('all of them', () => ann.state.version === version + 202)
    const long: any = await ann.request('since', { version: 0 })
    assert.deepEqual(
      [long.snapshot.version, long.snapshot.entry_count, long.snapshot.draw.winners],
      [version + 202, 1, []],
    )
    await leave(ann)
  })

  it('K-01 P-31 a hundred clients guess at once: every guess is counted once, on every screen', async () => {
    const game = await stage.aGuessGame({ number_of_winners: 5 })
    const users = Array.from({ length: 100 }, (_, i) => `crowd-${i}`)
    const clients = await Promise.all(users.map((user) => play(user, game)))
    const watcher = await watch(game)
    const answers = await Promise.all(clients.map((client, i) => guess(client, i + 1)))
    assert.deepEqual(
      answers.map(({ seq }) => seq).sort((a, b) => a - b),
      users.map((_, i) => i),
    )
    await until('the count', () => [...clients, watcher].every((client) => client.state.entries === 100))
    await until('the crowd', () => watcher.state.players === 100 && watcher.state.spectators === 1)
    await stage.pass(61)
    await stage.pass(60)
    await stage.pass(1)
    await until('the end', () =>
      [...clients, watcher].every(
        (client) => client.state.phase === 'settled' && client.state.winningNumbers.length === 1,
      ),
    )
    assert.equal(new Set([...clients, watcher].map((client) => JSON.stringify(shown(client)))).size, 1)
    assert.equal(watcher.state.winners.length, 5)
    await leave(...clients, watcher)
  }).timeout(60_000)

  it('P-07 a pause stops every screen within a second and says until when; a later close and the end of the pause arrive too', async () => {
    const game = await stage.aGuessGame()
    const ann = await play('ann', game)
    const eve = await watch(game)
    const codes: string[] = []
    eve.onMessage('notice', ({ code }: { code: string }) => codes.push(code))
    const carla = stage.actor('carla', ['creator'])
    const promised = ann.state.closesAt
    await stage.running.guess.pause(carla, { game_id: game, minutes: 10, why: 'the stream broke' })
    await within(1_000, 'the pause on every screen', () =>
      [ann, eve].every(({ state }) => state.phase === 'paused' && state.pausedUntil !== ''),
    )
    assert.equal(Date.parse(ann.state.closesAt) - Date.parse(promised), 600_000)
    assert.equal((await refusalOf(guess(ann, 7))).code, 'game_paused')
    const late = await watch(game)
    assert.deepEqual(shown(late), shown(eve), 'who comes in the pause sees it')

    await stage.pass(600)
    await until('the end of the pause', () => ann.state.phase === 'open' && ann.state.pausedUntil === '')
    await guess(ann, 7)
    const closes_at = new Date(Date.parse(ann.state.closesAt) + 60_000)
    await stage.running.guess.extend(carla, { game_id: game, closes_at, why: 'one more minute' })
    await until('the later close', () => eve.state.closesAt === closes_at.toISOString())
    await until('the notices', () => codes.length === 4)
    assert.deepEqual(codes, ['extended', 'paused', 'resumed', 'extended'])
    const { events } = await ann.request('since', { version: 0 })
    assert.ok(events.some(({ type }: { type: string }) => type === 'draw.paused'))
    await leave(ann, eve, late)
  })

  it('S1-53 P-30 what another process writes shows here, without a message lost', async () => {
    const game = await stage.aGuessGame()
    const ann = await play('ann', game)
    const other = stage.anotherProcess()
    await other.guess.guess(stage.actor('bob'), { game_id: game, request_id: aRequest(), value: 9 })
    await untilSeen(ann, 'the other process', () => ann.state.entries === 1)
    await guess(ann, 10)
    stage.clock.advance(61_000)
    const tenantId = stage.tenants.get('demo')!
    await Promise.all([other.draws.advanceDue(tenantId), stage.running.draws.advanceDue(tenantId)])
    await untilSeen(ann, 'one draw', () => ann.state.phase === 'drawn')
    assert.equal(ann.state.entries, 2)
    stage.clock.advance(10_000)
    await other.draws.advanceDue(tenantId)
    await untilSeen(
      ann,
      'its end',
      () => ann.state.phase === 'settled' && ann.state.winningNumbers.length === 1,
    )
    const late = await watch(game)
    assert.deepEqual(shown(late), shown(ann))
    await other.stop()
    await leave(ann, late)
  })

  it('S1-20 P-37 a restart in the middle of the reveal shows the same winners, and a repeated guess its answer', async () => {
    const game = await stage.aGuessGame({ number_of_winners: 2 })
    const ann = await play('ann', game)
    const left = new Promise<number>((resolve) => ann.onLeave((code: number) => resolve(code)))
    const request = { request_id: aRequest(), value: 77 }
    const answer = await ann.request('guess', request)
    const bob = await play('bob', game)
    await guess(bob, 500)
    await stage.pass(61)
    await stage.pass(3)
    await until('the first winner', () => ann.state.winners.length === 1)
    const before = shown(ann)
    await stage.restart()
    assert.equal(await left, 4001)
    const again = await play('ann', game)
    assert.deepEqual(shown(again), before)
    assert.deepEqual(await again.request('guess', request), answer)
    await stage.pass(3)
    await until('the second winner', () => again.state.winners.length === 2)
    assert.deepEqual(again.state.toJSON().winners[1], before['winners'][0])
    await leave(again)
  })
})
