/** Applications of many callers in one transaction: each sees what those before it did, and a refused one harms nobody. */
import assert from 'node:assert/strict'
import { inputHash } from '../../src/db/tx.ts'
import type { Refusal } from '../../src/errors.ts'
import { type ApplyRequest, applyAll, makeApplyBatch } from '../../src/prizes/redemption.ts'
import { systemActor } from '../../src/system.ts'
import { ORDER, type Shop, startShop } from './kit.ts'

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))

describe('applications in one batch', () => {
  let shop: Shop
  before(async () => {
    shop = await startShop()
  })
  after(() => shop.close())

  const request = (
    play_id: number,
    order_id: string | number,
    more: Partial<ApplyRequest> = {},
  ): ApplyRequest => ({
    play_ids: [play_id],
    order_id,
    order: { order_amount: '75.50', order_type: 'delivery' },
    by: { tenantId: shop.tenant.id, userId: 'shop', roles: ['service'] },
    is_single: true,
    ...more,
  })
  const applied = async (requests: readonly ApplyRequest[]) => {
    const verdicts = await shop.app.run(systemActor(shop.tenant.id), applyAll, requests)
    return verdicts.map((verdict) => ('answer' in verdict ? verdict.answer : verdict.refusal.code))
  }
  const codes = (outcomes: readonly unknown[]) =>
    outcomes.map((outcome) => (typeof outcome === 'string' ? outcome : 'ok'))

  it('S2-18 of thirty that want one prize the first gets it, and each is told why not', async () => {
    const play_id = await shop.open('crowd')
    const outcomes = await applied(times(30, (i) => request(play_id, `crowd-${i}`)))
    assert.deepEqual(codes(outcomes), ['ok', ...times(29, () => 'prize_applied')])
    assert.equal((await shop.row(play_id))['applied_to_order_id'], 'crowd-0')
    const rows = await shop.database.query('select 1 from prize_applications where play_id = $1', [play_id])
    assert.equal(rows.length, 1)
  })

  it('S2-18 the same order twice in a batch is one application with one answer, and with other facts a conflict', async () => {
    const play_id = await shop.open('twice')
    const [first, second, other] = await applied([
      request(play_id, 'twice'),
      request(play_id, 'twice'),
      request(play_id, 'twice', { order: { order_amount: '80.00', order_type: 'delivery' } }),
    ])
    assert.deepEqual(second, first)
    assert.equal(other, 'obligation_conflict')
    assert.deepEqual(codes(await applied([request(play_id, 'twice')])), ['ok'])
  })

  it('P-28 two requests for one order stack as they would one after the other', async () => {
    const [a, b] = [await shop.open('stack'), await shop.open('stack')]
    const [c, d] = [await shop.open('stack'), await shop.open('stack')]
    const together = await applied([request(a, 'stack-1'), request(b, 'stack-1')])
    const singly = [...(await applied([request(c, 'stack-2')])), ...(await applied([request(d, 'stack-2')]))]
    assert.deepEqual(codes(together), codes(singly))
    const amounts = (outcomes: readonly unknown[]) =>
      outcomes.map(
        (outcome) =>
          (outcome as { data?: { applied_details: { final_amount: string } } }).data?.applied_details
            .final_amount,
      )
    assert.deepEqual(amounts(together), amounts(singly))
  })

  it('S2-03 S2-51 each application names its own caller, in the history and in the audit chain', async () => {
    const plays = [await shop.open('names'), await shop.open('names')]
    const by = (userId: string) => ({ by: { ...request(0, '').by, userId } })
    await applied([request(plays[0]!, 'names-0', by('till-1')), request(plays[1]!, 'names-1', by('till-2'))])
    const moves = await shop.database.query(
      `select moved_by, why from prize_history where play_id = any($1) and to_status = 'applied' order by play_id`,
      [plays],
    )
    assert.deepEqual(moves, [
      { moved_by: 'till-1', why: 'apply to order names-0' },
      { moved_by: 'till-2', why: 'apply to order names-1' },
    ])
    const audited = await shop.database.query(
      `select user_id from audit_logs where action = 'apply' and new_values->>'order_id' like 'names-%' order by seq`,
    )
    assert.deepEqual(audited, [{ user_id: 'till-1' }, { user_id: 'till-2' }])
  })

  it('S2-19 what one request may not state refuses that one alone', async () => {
    const [a, b] = [await shop.open('alone'), await shop.open('alone')]
    const outcomes = await applied([
      request(a, 'alone-0', {
        order: { ...request(0, '').order, customer_order_count: 3 },
        by: { ...request(0, '').by, roles: [] },
      }),
      request(b, 'alone-1'),
      request(999_999_999, 'alone-2'),
    ])
    assert.deepEqual(codes(outcomes), ['forbidden', 'ok', 'not_found'])
  })

  it('S2-18 I31 a key is one application, also twice in one batch; with another request it is refused', async () => {
    const [a, b] = [await shop.open('keys'), await shop.open('keys')]
    const batch = makeApplyBatch(shop.app)
    const send = (play_id: number, key: string) => {
      const { by, ...input } = request(play_id, 'keys')
      const claim = {
        endpoint: 'test',
        key,
        status: 200,
        principal: by.userId,
        request_hash: inputHash(play_id),
      }
      return batch(by, input, claim).catch((error) => (error as Refusal).code)
    }
    const [first, again, other] = await Promise.all([send(a, 'k'), send(a, 'k'), send(b, 'k')])
    assert.ok(typeof first === 'object' && typeof again === 'object')
    assert.deepEqual([first.replayed, again.replayed, again.body === first.body], [false, true, true])
    assert.equal(other, 'idempotency_key_reused')
    assert.deepEqual(await send(a, 'k'), { ...first, replayed: true })
  })

  it('S2-18 applies of many shops at once over HTTP: each prize once, each caller its own answer', async () => {
    const plays: number[] = []
    for (let i = 0; i < 12; i++) plays.push(await shop.open(`many-${i}`))
    const answers = await Promise.all(
      plays.flatMap((play_id, i) =>
        [0, 1].map((n) => shop.apply(play_id, { ...ORDER, order_id: `many-${i}-${n}` })),
      ),
    )
    for (const [i] of plays.entries()) {
      const statuses = [answers[2 * i]!, answers[2 * i + 1]!].map(({ status }) => status).sort()
      assert.deepEqual(statuses, [200, 409])
    }
    for (const [n, answer] of answers.entries())
      if (answer.status === 200)
        assert.equal(answer.body.data.applied_to_order_id, `many-${Math.floor(n / 2)}-${n % 2}`)
  })
})
