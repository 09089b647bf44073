import assert from 'node:assert/strict'
import { Metadata } from '@colyseus/schema'
import { LobbyGame, LobbyState } from '../../rooms/lobby/state.ts'
import { endReel } from '../../src/games/guess/games.ts'
import { until, within } from './harness.ts'
import { cutSocket, refusalOf, type Stage, startStage, type WheelSdkRoom } from './wheel-stage.ts'

const slugsOf = (client: WheelSdkRoom): string[] =>
  [...client.state.games.values()].map((game: any) => game.slug).sort()
const gameOf = (client: WheelSdkRoom, slug: string): any =>
  [...client.state.games.values()].find((game: any) => game.slug === slug)

describe('the lobby', () => {
  let stage: Stage
  before(async () => {
    stage = await startStage()
    await stage.aTenant('other')
    await stage.aWheel({ slug: 'first' })
    await stage.aWheel({ slug: 'hidden', is_public: false })
    await stage.aWheel({ slug: 'theirs', tenant: 'other' })
  })
  after(() => stage.stop())
  afterEach(() => assert.deepEqual(stage.reports, []))

  const lobby = async (user = 'ann', tenant = 'demo') =>
    stage.enter('lobby', {}, await stage.token(user, ['player'], tenant))

  it('the fields of the state keep their names and their places (H45)', () => {
    const fieldsOf = (of: object) => Object.keys(Metadata.getFields(of))
    assert.deepEqual(fieldsOf(LobbyState), [
      'phase',
      'serverTime',
      'version',
      'commitHash',
      'trust',
      'opensAt',
      'closesAt',
      'players',
      'spectators',
      'games',
    ])
    assert.deepEqual(fieldsOf(LobbyGame), [
      'gameId',
      'kind',
      'slug',
      'name',
      'status',
      'players',
      'spectators',
      'closesAt',
    ])
  })

  it('P-33 lists the games of the own tenant, private ones only for who has a token, and never another tenant', async () => {
    const mine = await lobby()
    const theirs = await lobby('zoe', 'other')
    const stranger = await stage.enter('lobby', { tenant: 'demo' })
    assert.deepEqual(
      [slugsOf(mine), slugsOf(theirs), slugsOf(stranger)],
      [['first', 'hidden'], ['theirs'], ['first']],
    )
    assert.equal(new Set([mine, theirs, stranger].map((client) => client.roomId)).size, 3)
    const since: any = await stranger.request('since', { version: 0 })
    assert.ok(!JSON.stringify(since).includes('hidden'))
    assert.deepEqual(
      since.snapshot.games.map((game: any) => game.slug),
      ['first'],
    )
    for (const client of [mine, theirs, stranger]) await client.leave()
  })

  it('a stranger without a tenant is 401, with an unknown one 404, and joinById does not open the list of others', async () => {
    await assert.rejects(stage.enter('lobby', {}), { code: 401, message: 'unauthorized' })
    await assert.rejects(stage.enter('lobby', { tenant: 'nobody' }), { code: 404, message: 'game_not_found' })
    const theirs = await lobby('zoe', 'other')
    const mine = await lobby()
    const token = await stage.token('ann')
    await assert.rejects(stage.sdk(token).joinById(theirs.roomId, {}), { code: 404 })
    await assert.rejects(stage.sdk().joinById(mine.roomId, { tenant: 'demo' }), { code: 404 })
    await Promise.all([mine.leave(), theirs.leave()])
  })

  it('P-33 a new game, a paused one and an ended one show within a second, in the own tenant only', async () => {
    const mine = await lobby()
    const theirs = await lobby('zoe', 'other')
    const stranger = await stage.enter('lobby', { tenant: 'demo' })
    const seen = async (what: string, act: () => Promise<unknown>, isSeen: () => boolean) => {
      await act()
      const committed_at = performance.now()
      await until(what, isSeen)
      assert.ok(
        performance.now() - committed_at < 1_000,
        `${what} took ${performance.now() - committed_at} ms`,
      )
    }
    await seen(
      'the new wheel',
      () => stage.aWheel({ slug: 'fresh' }),
      () => [mine, stranger].every((client) => slugsOf(client).includes('fresh')),
    )
    await seen(
      'the pause',
      () => stage.setStatus('fresh', 'paused'),
      () => gameOf(mine, 'fresh').status === 'paused',
    )
    await seen(
      'the end',
      () => stage.setStatus('fresh', 'ended'),
      () => [mine, stranger].every((client) => !slugsOf(client).includes('fresh')),
    )
    await seen(
      'a private wheel',
      () => stage.aWheel({ slug: 'secret', is_public: false }),
      () => slugsOf(mine).includes('secret'),
    )
    assert.ok(!slugsOf(stranger).includes('secret'))
    assert.deepEqual(slugsOf(theirs), ['theirs'])
    for (const client of [mine, theirs, stranger]) await client.leave()
  })

  it('P-33 S0-11 a guess game stands beside the wheels with its close from its promise to its last winner', async () => {
    const mine = await lobby()
    const id = await stage.aGuessGame({ title: 'Weight of the pumpkin' })
    await until('the game', () => gameOf(mine, id) !== undefined)
    const { kind, name, status, closesAt } = gameOf(mine, id)
    const closes_at = new Date(stage.clock.now().getTime() + 60_000)
    assert.deepEqual([kind, name, status], ['guess', 'Weight of the pumpkin', 'open'])
    assert.ok(Math.abs(Date.parse(closesAt) - closes_at.getTime()) < 5_000)
    const late = await lobby('bob')
    assert.deepEqual(gameOf(late, id).toJSON(), gameOf(mine, id).toJSON())
    await stage.running.guess.guess(stage.actor('ann'), { game_id: id, request_id: 'l-1', value: 5 })
    await stage.pass(61)
    await until('the draw', () => gameOf(mine, id).status === 'drawn')
    await stage.pass(60)
    await stage.pass(1)
    await until('the end', () => gameOf(mine, id) === undefined && gameOf(late, id) === undefined)
    await Promise.all([mine.leave(), late.leave()])
  })

  it('S0-17 a reel that ended is told within a second to those who watch it, and to nobody else', async () => {
    const on = async (reel_id: string | null, user?: string) => {
      const client = user === undefined ? await stage.enter('lobby', { tenant: 'demo' }) : await lobby(user)
      const told: any[] = []
      client.onMessage('reel_ended', (message: unknown) => told.push(message))
      if (reel_id !== null) assert.deepEqual(await client.request('watch', { reel_id }), { reel_id })
      return { client, told }
    }
    const viewers = [await on('r-1', 'ann'), await on('r-1')]
    const others = [await on('r-2', 'bob'), await on(null, 'cleo')]
    const gone = await on('r-1', 'dan')
    await gone.client.request('watch', { reel_id: null })
    const id = await stage.aGuessGame({ reel_id: 'r-1' })
    const games = stage.running.draws.games
    const end = () =>
      stage.running.app.run(stage.actor('carla', ['creator']), endReel, { reel_id: 'r-1', games })
    await end()
    await within(1_000, 'the viewers to know', () => viewers.every(({ told }) => told.length === 1))
    const { game_id, status, title, reel_id } = viewers[0]!.told[0]
    assert.deepEqual([game_id, status, title, reel_id], [id, 'open', 'Guess the weight', 'r-1'])
    assert.deepEqual(viewers[1]!.told, viewers[0]!.told)
    const secret = await stage.aGuessGame({ reel_id: 'r-2', is_public: false })
    await stage.running.app.run(stage.actor('carla', ['creator']), endReel, { reel_id: 'r-2', games })
    await until('the one viewer of the other reel', () => others[0]!.told.length === 1)
    assert.equal(others[0]!.told[0].game_id, secret)
    assert.deepEqual([others[1]!.told, gone.told], [[], []])
    assert.equal(viewers[1]!.told.length, 1)
    const stranger = await on('r-2')
    await stage.running.app.run(stage.actor('carla', ['creator']), endReel, { reel_id: 'r-2', games })
    await until('the player again', () => others[0]!.told.length === 2)
    assert.deepEqual(stranger.told, [], 'a private game is not told to strangers')
    for (const reel of ['', 'x'.repeat(129), 'a b', 5])
      assert.equal(
        (await refusalOf(stranger.client.request('watch', { reel_id: reel }))).code,
        'invalid_input',
      )
    await Promise.all([...viewers, ...others, gone, stranger].map(({ client }) => client.leave()))
  })

  it('a visitor whose network failed comes back to the same list', async () => {
    const mine = await lobby()
    mine.reconnection.enabled = true
    mine.reconnection.minUptime = 0
    mine.reconnection.delay = mine.reconnection.minDelay = 20
    const { sessionId } = mine
    const back = new Promise<void>((resolve) => mine.onReconnect.once(() => resolve()))
    cutSocket(mine)
    await back
    assert.equal(mine.sessionId, sessionId)
    await until('the list', () => slugsOf(mine).includes('first'))
    mine.reconnection.enabled = false
    await mine.leave()
  })

  it('S1-21 K-01 fifty live wheels have a room each and stand in the lobby with their player counts', async () => {
    await stage.aTenant('fair')
    const slugs = Array.from({ length: 50 }, (_, i) => `wheel-${String(i).padStart(2, '0')}`)
    for (const slug of slugs) await stage.aWheel({ slug, tenant: 'fair' })
    const list = await lobby('zed', 'fair')
    assert.deepEqual(slugsOf(list), slugs)
    const token = await stage.token('ann', ['player'], 'fair')
    const players = await Promise.all(slugs.map((slug) => stage.enter('wheel', { game: slug }, token)))
    assert.equal(new Set(players.map((client) => client.roomId)).size, 50)
    await until('each wheel to have one player', () =>
      slugs.every((slug) => gameOf(list, slug).players === 1),
    )
    assert.equal(list.state.players, 50)
    await players[0]!.leave()
    await until('one to be empty again', () => gameOf(list, slugs[0]!).players === 0)
    await Promise.all([...players.slice(1), list].map((client) => client.leave()))
  })
})
