/** The rooms under the framework's own test kit, as its users would drive them. */
import assert from 'node:assert/strict'
import { ColyseusTestServer } from '@colyseus/testing'
import { aRequest, type Stage, startStage } from './wheel-stage.ts'

describe('wheel rooms under @colyseus/testing', () => {
  let stage: Stage
  let kit: ColyseusTestServer

  before(async () => {
    stage = await startStage()
    const { server, port } = stage.running
    // The kit asks the server for its port, which says 0 where the system chose one.
    kit = new ColyseusTestServer(Object.assign(server, { port }) as never)
  })
  after(() => stage.stop())

  it('K-09 a player of the kit joins, spins and sees the patch that the committed row made', async () => {
    const wheelId = await stage.aWheel({ slug: 'kit' })
    kit.sdk.auth.token = await stage.token('alice', ['player'])
    const client = await kit.sdk.joinOrCreate<any>('wheel', { game: 'kit' })
    await client.waitForInitialState()
    await stage.grant('alice', 1)

    // Armed before the change: the patch would otherwise have come already (colyseus.md 12).
    const patched = client.waitForNextPatch()
    const spin = await client.request('spin', { request_id: aRequest() })
    await patched
    for (let tries = 0; client.state.recent.length === 0 && tries < 40; tries++)
      await client.waitForNextPatch()

    assert.equal(client.state.recent[0].spinId, spin.spin_id)
    assert.deepEqual(
      (await stage.results(wheelId)).map((row) => row.spin_id),
      [spin.spin_id],
    )
  })
})
