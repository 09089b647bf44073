/** The real server is killed in every state of a draw: the next start goes on to the same winners, once. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { verifyText } from '../../src/fairness/verify.ts'
import { makePlace, type Place, post, type Server } from './server.ts'

const TICKETS = 40
const SALE_MS = 6_000
/** Long enough to be killed while it waits for its time. */
const WAIT_MS = 8_000
const PATIENCE_MS = 60_000

const pause = (duration_ms: number) => new Promise((resolve) => setTimeout(resolve, duration_ms))

describe('chaos: a draw', function () {
  this.timeout(150_000)
  const place: Place = makePlace()
  let server: Server
  after(() => place.remove())

  const get = async (path: string): Promise<any> => {
    const response = await fetch(`${server.url}/api/v1/${path}`, { headers: { connection: 'close' } })
    const text = await response.text()
    assert.ok(response.ok, `${path}: ${response.status} ${text}`)
    return { text, body: JSON.parse(text) }
  }
  const made = async (path: string, token: string, json: unknown) => {
    const { status, text } = await post(
      `${server.url}/api/v1/${path}`,
      token,
      json,
      randomBytes(8).toString('hex'),
    )
    assert.ok(status < 300, `${path}: ${status} ${text}`)
    return JSON.parse(text)
  }
  async function killed(): Promise<void> {
    server.child.kill('SIGKILL')
    await server.exited
    server = await place.start()
  }
  /** Waits until the draw is as wanted, at most so long. */
  async function until(draw_id: string, what: string, wanted: (draw: any) => boolean): Promise<any> {
    const end = performance.now() + PATIENCE_MS
    for (;;) {
      const { body } = await get(`draws/${draw_id}`)
      if (wanted(body)) return body
      if (performance.now() > end) throw new Error(`never: ${what}; it is ${body.status}`)
      await pause(20)
    }
  }

  it('F1 S1-31 P-45 killed while it sells, waits, has drawn, shows and has ended: nothing is drawn twice, what was shown stays', async () => {
    server = await place.start()
    await made('tenants', await place.token('root', ['platform'], null), {
      tenant_code: 'chaos',
      tenant_name: 'Chaos',
    })
    const boss = await place.token('boss', ['operator'])
    const prize = await made('prizes', boss, { name: 'Points', type: 'loyalty_points', value: '5' })
    const at = (ms: number) => new Date(Date.now() + ms).toISOString()
    const raffle = await made('raffles', boss, {
      campaign_name: 'Chaos',
      ticket_price: 0,
      total_tickets: TICKETS,
      start_time: at(-1_000),
      end_time: at(SALE_MS),
      campaign_config: { reveal_lead_ms: 5_000, reveal_step_ms: 2_500 },
      draws: [
        {
          draw_name: 'Only',
          draw_time: at(SALE_MS + WAIT_MS),
          winning_tickets: 3,
          alternates: 2,
          prize_id: prize.id,
        },
      ],
    })
    const { draw_ids } = await made(`raffles/${raffle.id}/publish`, boss, {})
    const draw_id = draw_ids[0] as string
    const ann = await place.token('ann', ['player'])
    await made(`raffles/${raffle.id}/tickets`, ann, { quantity: TICKETS / 2 })
    await killed()
    await made(`raffles/${raffle.id}/tickets`, ann, { quantity: TICKETS / 2 })

    const sealed = await until(draw_id, 'sealed', (draw) => draw.entries_root !== null)
    assert.equal(sealed.entry_count, TICKETS)
    await killed()
    const waiting = await until(draw_id, 'still sealed', () => true)
    assert.equal(waiting.entries_root, sealed.entries_root)

    const drawn = await until(
      draw_id,
      'drawn',
      (draw) => draw.status === 'drawn' || draw.status === 'settled',
    )
    await killed()
    const one = await until(draw_id, 'one shown', (draw) => draw.winners.length > 0)
    assert.deepEqual([one.drawn_at, one.reveals], [drawn.drawn_at, drawn.reveals])
    await killed()
    const settled = await until(draw_id, 'settled', (draw) => draw.status === 'settled')
    await killed()
    const again = await until(draw_id, 'still settled', () => true)
    assert.deepEqual(again.winners, settled.winners)
    assert.equal(again.winners.length, 5)
    for (const winner of one.winners) {
      const after = again.winners.find((each: any) => each.place === winner.place)
      assert.deepEqual([after.player, after.ticket_number], [winner.player, winner.ticket_number])
    }
    const { text } = await get(`verify/${draw_id}`)
    assert.equal(verifyText(text, {}).status, 'verified')
    const plays = await fetch(`${server.url}/api/v1/gamification/my_prizes`, {
      headers: { authorization: `Bearer ${ann}`, connection: 'close' },
    })
    assert.equal(((await plays.json()) as any).data.length, 3, 'three prizes were granted, once')
    const audit = await place.command('audit')
    assert.equal(audit.code, 0, audit.text)
  })
})
