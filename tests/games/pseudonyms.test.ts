/** Pseudonyms: stable, of a tenant's own, and no hash that anybody could try user ids against. */
import assert from 'node:assert/strict'
import { playerNames } from '../../src/games/players.ts'
import { type Stage, startStage } from './kit.ts'

describe('pseudonyms', () => {
  let stage: Stage
  before(async () => {
    stage = await startStage()
    await stage.aTenant('other')
  })
  after(() => stage.close())

  const nameOf = (user: string, tenant = 'demo', app = stage.app) =>
    app.run(stage.actor('anybody', tenant), async (tx) => (await playerNames(tx))(user), undefined)

  it('K-02 P-40 a player has one name in a tenant, at every process, and another one elsewhere', async () => {
    const other = stage.aProcess()
    const names = await Promise.all([nameOf('12345'), nameOf('12345', 'demo', other.app), nameOf('12345')])
    assert.match(names[0]!, /^player-[2-9a-hjkmnp-z]{6}$/)
    assert.equal(new Set(names).size, 1, 'also when two processes make the secret at once')
    assert.notEqual(await nameOf('12345', 'other'), names[0])
    assert.notEqual(await nameOf('12346'), names[0])
  })

  it('K-02 a name whose transaction was rolled back is not remembered with a secret that was never stored', async () => {
    await stage.aTenant('third')
    const failed = stage.app.run(
      stage.actor('anybody', 'third'),
      async (tx) => {
        ;(await playerNames(tx))('12345')
        throw new Error('rolled back')
      },
      undefined,
    )
    await assert.rejects(failed, /rolled back/)
    const name = await nameOf('12345', 'third')
    assert.equal(await nameOf('12345', 'third', stage.aProcess().app), name)
  })
})
