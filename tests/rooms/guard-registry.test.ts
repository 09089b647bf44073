/** What each room of the product must ask of the guards itself, shown on the real rooms. */
import assert from 'node:assert/strict'
import { CloseCode } from '@colyseus/core'
import { guardSockets } from '../../rooms/wire.ts'
import { GAMES } from '../../src/games/index.ts'
import { joinRaw, roomOf, until } from './harness.ts'
import { type Stage, startStage } from './wheel-stage.ts'

const JOIN_ACK_MS = 5_000
const OPTIONS: Record<string, object> = {
  wheel: { game: 'summer' },
  ...Object.fromEntries(GAMES.map(({ name }) => [name, {}])),
  lobby: {},
  inbox: {},
}

describe('guards of every room of the registry', () => {
  let stage: Stage
  before(async () => {
    stage = await startStage()
    await stage.aWheel()
    for (const game of GAMES) OPTIONS[game.name] = { game: await stage.aSample(game) }
    // The sweep of wire.ts would end such a client too, seconds later: here only the room's own deadline counts.
    guardSockets({ join_ack_ms: 600_000 })
  })
  after(async () => {
    guardSockets()
    await stage.stop()
  })

  it('H37 every room is in this file', () => {
    assert.deepEqual(Object.keys(OPTIONS), Object.keys(stage.running.rooms))
  })

  for (const name of Object.keys(OPTIONS)) {
    it(`H37 ${name} closes a client that has not acknowledged its join after 5 s, and nobody else`, async () => {
      const options = OPTIONS[name]!
      const token = await stage.token('ann')
      const polite = await joinRaw(stage.running, name, options, { token })
      const mute = await joinRaw(stage.running, name, options, { token, acknowledge: false })
      assert.equal(mute.roomId, polite.roomId)
      await until('the state', () => polite.byCode(14).length > 0)
      const { clock } = roomOf(mute.roomId)
      // The clock of the room is moved by hand: its last tick was so long ago.
      clock.currentTime -= JOIN_ACK_MS
      clock.tick()
      await until('the close', () => mute.close_code !== undefined)
      assert.equal(mute.close_code, CloseCode.WITH_ERROR)
      assert.equal(polite.close_code, undefined)
      assert.ok(!polite.is_gone)
      mute.destroy()
      polite.destroy()
    })
  }
})
