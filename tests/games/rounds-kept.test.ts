/** A shared spin under plain SQL: what was published of it stays. */
import assert from 'node:assert/strict'
import { advanceRound, openRound } from '../../src/games/wheel/rounds.ts'
import { localEntropy } from '../../src/proofs/round-entropy.ts'
import { systemActor } from '../../src/system.ts'
import { refusalOf, type Stage, startStage } from './kit.ts'

describe('a shared spin and SQL', () => {
  let stage: Stage
  before(async () => {
    stage = await startStage()
  })
  after(() => stage.close())

  const refused = (change: string, id: string) =>
    assert.rejects(
      stage.inTenant((tx) => tx.rows(`update wheel_rounds set ${change} where id = $1`, [id])),
      { code: '55000' },
    )

  it('P-49 nobody is let into a shared spin before a checkpoint covers its commitment', async () => {
    await stage.aWheel({ slug: 'early' })
    const { versions } = stage.wheel
    await stage.app.run(stage.boss(), openRound, { game: 'early', versions, entropy: localEntropy })
    const join = () => stage.wheel.joinRound(stage.actor('alice'), 'early', 'entropy-of-alice-1')
    assert.equal((await refusalOf(join())).code, 'round_not_open')
    await stage.checkpoints.make(stage.boss().tenantId)
    assert.equal((await join()).entry_index, 0)
  })

  it('P-45 no SQL skips a state, moves the close, takes another seed, or redraws', async () => {
    await stage.aWheel({ spin: { round_join_s: 1 } })
    const { round_id } = await stage.wheel.openRound(stage.boss(), 'summer')
    for (const change of [
      `round_status = 'drawn'`,
      `round_status = 'settled'`,
      `closes_at = closes_at + interval '1 hour'`,
      `commit_hash = repeat('0', 64)`,
      `seed_id = null`,
      `round_no = 7`,
    ]) {
      await refused(change, round_id)
    }
    await assert.rejects(stage.rows('delete from wheel_rounds where id = $1', [round_id]), { code: '55000' })

    stage.clock.advance(2_000)
    const actor = systemActor(stage.boss().tenantId)
    const move = () => stage.app.run(actor, advanceRound, { round_id, obtained: {} } as never)
    await move()
    await refused(`entries_root = repeat('0', 64)`, round_id)
    await refused(`entry_count = 5`, round_id)
    await refused(`round_status = 'open'`, round_id)
    await stage.checkpoints.make(actor.tenantId)
    await move()
    await refused(`outcome = '{"id":"none of the wheel","index":0}'`, round_id)
    await refused(`ctx = 'fair/1|round|x'`, round_id)
    await refused(`round_status = 'void'`, round_id)
  })
})
