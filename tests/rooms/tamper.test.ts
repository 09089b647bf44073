/** A client that sends a result of its own, through a room: refused, counted, told once (S1-17). */
import assert from 'node:assert/strict'
import { aRequest, refusalOf, type Stage, startStage } from './wheel-stage.ts'

describe('a tampered client in a room', () => {
  let stage: Stage
  before(async () => {
    stage = await startStage({ suspects: true })
    await stage.aWheel()
  })
  after(() => stage.stop())

  const alerts = () =>
    stage.inTenant((tx) =>
      tx.rows<{ alert_metadata: any; seen_count: number }>(
        `select alert_metadata, seen_count from game_alerts where alert_type = 'tampering'`,
      ),
    )

  it('S1-17 an own result, an own angle and a reused request id change nothing and raise one fraud event that counts them', async () => {
    await stage.grant('mia', 10)
    const client = await stage.play('mia')
    const used = aRequest()
    const answer = await client.request('spin', { request_id: used })
    assert.deepEqual(await client.request('spin', { request_id: used }), answer, 'a repetition is honest')
    for (const own of [{ segment: 0 }, { angle: 12.5 }, { won: true, reward_slug: 'ten' }]) {
      const refusal = await refusalOf(client.request('spin', { request_id: aRequest(), ...own }))
      assert.equal(refusal.code, 'invalid_input')
      assert.ok(!('unknown_members' in refusal))
    }
    const reused = await refusalOf(
      client.request('spin', { request_id: used, client_entropy: 'entropy-of-another-one' }),
    )
    assert.equal(reused.code, 'idempotency_key_reused')
    await stage.running.tamperLog.flush()
    const [alert, ...others] = await alerts()
    assert.deepEqual(others, [])
    assert.deepEqual(
      [alert!.alert_metadata.user_id, alert!.alert_metadata.messages, alert!.alert_metadata.where],
      ['mia', 4, ['wheel.spin']],
    )
    assert.deepEqual(alert!.alert_metadata.what, [
      'member segment',
      'member angle',
      'member won',
      'member reward_slug',
      'another content under a used request id',
    ])
    assert.deepEqual(await client.request('chances', {}), { chances_left: 9, next_expires_at: null })
    await client.leave()
  })

  it('S1-17 an honest client that is refused raises nothing', async () => {
    const client = await stage.play('noa')
    assert.equal(
      (await refusalOf(client.request('spin', { request_id: aRequest() }))).code,
      'no_chances_left',
    )
    assert.equal((await refusalOf(client.request('spin', { request_id: '' }))).code, 'invalid_input')
    await stage.running.tamperLog.flush()
    assert.equal((await alerts()).length, 1)
    await client.leave()
  })
})
