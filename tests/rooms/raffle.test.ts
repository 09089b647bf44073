/** The room of a raffle: tickets are bought in it, seen by everybody, and winners appear when they are shown. */
import assert from 'node:assert/strict'
import { Metadata } from '@colyseus/schema'
import { RaffleDrawView, RaffleState, RaffleWinnerView } from '../../rooms/raffle/state.ts'
import { until } from './harness.ts'
import { aRequest, refusalOf, type Stage, startStage, type WheelSdkRoom } from './wheel-stage.ts'

const fieldsOf = (of: object) => Object.keys(Metadata.getFields(of))

describe('the room of a raffle', () => {
  let stage: Stage
  before(async () => {
    stage = await startStage()
    await stage.aTenant('other')
  })
  after(() => stage.stop())
  afterEach(() => assert.deepEqual(stage.reports, []))

  const play = async (user: string, game: string): Promise<WheelSdkRoom> =>
    stage.enter('raffle', { game }, await stage.token(user))
  const watch = (game: string): Promise<WheelSdkRoom> =>
    stage.enter('raffle', { game, tenant: 'demo', spectate: true })
  const buy = (client: WheelSdkRoom, asked: object): Promise<any> =>
    client.request('buy', { request_id: aRequest(), ...asked })
  /** The state but for what moves by the clock of a process. */
  const shown = (client: WheelSdkRoom) => {
    const { serverTime: _t, players: _p, spectators: _s, checkpoint: _c, ...rest } = client.state.toJSON()
    return rest
  }
  const leave = (...clients: WheelSdkRoom[]) => Promise.all(clients.map((client) => client.leave()))

  it('the fields of the state keep their names and their places (H45)', () => {
    assert.deepEqual(fieldsOf(RaffleState).slice(9), [
      'total',
      'sold',
      'draws',
      'winners',
      'left',
      'title',
      'ticketPrice',
      'currency',
      'instantHash',
      'checkpoint',
    ])
    assert.deepEqual(fieldsOf(RaffleDrawView).slice(0, 4), ['drawId', 'name', 'status', 'commitHash'])
    assert.deepEqual(fieldsOf(RaffleWinnerView).slice(0, 4), ['drawId', 'place', 'player', 'ticketNumber'])
  })

  it('P-08 S1-33 a ticket is bought once per request id; everybody sees the count and which number is gone', async () => {
    const { slug } = await stage.aRaffle()
    const [ann, bob, watcher] = await Promise.all([play('ann', slug), play('bob', slug), watch(slug)])
    assert.deepEqual([ann.state.phase, ann.state.total, ann.state.sold, ann.state.left], ['open', 50, 0, 50])
    const told: any[] = []
    watcher.onMessage('entered', (message: unknown) => told.push(message))
    const request = { request_id: aRequest(), numbers: [7, 8] }
    const answer: any = await ann.request('buy', request)
    assert.deepEqual([answer.numbers, answer.tickets.length], [['7', '8'], 2])
    assert.deepEqual(await ann.request('buy', request), answer, 'a repetition gets the same answer')
    const refused = await refusalOf(buy(bob, { numbers: [8] }))
    assert.deepEqual([refused.code, refused.facts], ['number_taken', { numbers: [8] }])
    await until('everybody to see the count', () =>
      [ann, bob, watcher].every((client) => client.state.sold === 2 && client.state.left === 48),
    )
    await until('the message', () => told.length > 0)
    assert.deepEqual([told[0].gone, told[0].sold], [[7, 8], 2])
    const mine: any = await ann.request('tickets', {})
    assert.deepEqual(mine.data.map((ticket: any) => ticket.ticket_number).sort(), ['7', '8'])
    assert.deepEqual(((await bob.request('tickets', {})) as any).data, [])
    await leave(ann, bob, watcher)
  })

  it('abuse 33 refuses with the codes of HTTP: shape, numbers that are not there, both or neither, a spectator', async () => {
    const { slug } = await stage.aRaffle()
    const [ann, watcher] = await Promise.all([play('ann', slug), watch(slug)])
    for (const asked of [
      {},
      { quantity: 1, numbers: [1] },
      { quantity: 0 },
      { quantity: 101 },
      { numbers: [0] },
      { numbers: [51] },
    ])
      assert.equal((await refusalOf(buy(ann, asked))).code, 'invalid_input', JSON.stringify(asked))
    assert.equal((await refusalOf(buy(watcher, { quantity: 1 }))).code, 'spectator_read_only')
    assert.equal((await refusalOf(buy(ann, { quantity: 51 }))).code, 'sold_out')
    stage.clock.advance(61_000)
    assert.equal((await refusalOf(buy(ann, { quantity: 1 }))).code, 'raffle_not_open')
    await leave(ann, watcher)
  })

  it('K-03 K-04 winners appear in step on all screens and not before; whoever comes late sees the same', async () => {
    const { slug, draw_id } = await stage.aRaffle()
    const [ann, watcher] = await Promise.all([play('zoe-of-acme', slug), watch(slug)])
    await buy(ann, { quantity: 10 })
    const told: any[] = []
    watcher.onMessage('winner', (message: unknown) => told.push(message))
    await stage.pass(61)
    await until('the draw', () => watcher.state.draws[0].status === 'drawn')
    assert.deepEqual([watcher.state.winners.length, told.length], [0, 0])
    assert.match(watcher.state.draws[0].entriesRoot, /^[0-9a-f]{64}$/)
    await stage.pass(3.5)
    await until('the second place', () => watcher.state.winners.length === 1)
    assert.equal(watcher.state.winners[0].place, 2)
    await stage.pass(60)
    await until('the end', () => [ann, watcher].every((client) => client.state.phase === 'settled'))
    await until('the messages', () => told.length === 3)
    assert.deepEqual(
      watcher.state.winners.map((winner: any) => [winner.place, winner.isAlternate]),
      [
        [1, false],
        [2, false],
        [3, true],
      ],
    )
    assert.ok(
      told.every((message) => message.draw_id === draw_id && !JSON.stringify(message).includes('zoe')),
    )
    const late = await watch(slug)
    assert.deepEqual(shown(late), shown(watcher))
    assert.deepEqual(shown(ann), shown(watcher))
    await leave(ann, watcher, late)
  })

  it('S1-29 unknown, foreign and unpublished raffles answer alike', async () => {
    const { slug } = await stage.aRaffle({}, 'other')
    for (const game of [
      'no-such-raffle',
      slug === 'spring-raffle' ? '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f10' : slug,
    ])
      await assert.rejects(play('ann', game), /game_not_found|404/)
  })
})
