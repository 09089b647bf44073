/** The real server, killed with events on their way: what was committed is told after the restart, and only that. */
import assert from 'node:assert/strict'
import { furnish, makePlace, post, type Server, spin } from '../chaos/server.ts'
import { eventually } from '../games/kit.ts'
import { startReceiver } from './kit.ts'

describe('webhooks: a server that is killed', function () {
  this.timeout(240_000)
  const place = makePlace()
  after(() => place.remove())

  it('F1 F28 S1-19 every prize that was won is told after a kill, none that was not, and the audit is clean', async () => {
    const receiver = await startReceiver()
    try {
      // Nobody is at home at first: the server dies with everything still to be sent.
      receiver.state.answer = () => ({ status: 503 })
      let server: Server = await place.start()
      const tokens = await furnish(place, server, 2)
      const made = await post(`${server.url}/api/v1/webhooks`, await place.token('boss', ['operator']), {
        url: receiver.url,
        event_types: ['prize.won'],
      })
      assert.equal(made.status, 201, made.text)
      const won = new Set<number>()
      for (let i = 0; i < 10; i++)
        for (const token of tokens) {
          const outcome = await spin(server, token, `told-${i}`)
          assert.equal(outcome.kind, 'ok')
          const { play_id, won: is_won } = JSON.parse((outcome as { text: string }).text)
          if (is_won) won.add(play_id)
        }
      const boss = await place.token('boss', ['operator'])
      const { id } = JSON.parse(made.text)
      await eventually('a failed attempt of each is written down', async () => {
        const answer = await fetch(`${server.url}/api/v1/webhooks/${id}/deliveries?limit=100`, {
          headers: { authorization: `Bearer ${boss}`, connection: 'close' },
        })
        const { data } = (await answer.json()) as { data: { next_attempt_at: string }[] }
        // None is being tried at this moment: it would keep its lease, and the test would wait for that.
        const in_ms = data.map((each) => Date.parse(each.next_attempt_at) - Date.now())
        return data.length === won.size && in_ms.every((ms) => ms > 300 && ms < 6_000)
      })
      server.child.kill('SIGKILL')
      await server.exited

      const told = new Map<number, string>()
      receiver.state.answer = ({ body, headers }) => {
        told.set(JSON.parse(body).data.play_id, String(headers['webhook-id']))
        return { status: 204 }
      }
      server = await place.start()
      // Seconds, but for a delivery that was just being tried again: that one waits for its lease and a turn of the sweep.
      await eventually('all of them told', async () => told.size >= won.size, 150_000)
      assert.deepEqual([...told.keys()].sort(), [...won].sort())
      assert.equal(new Set(told.values()).size, won.size)
      const { code, text } = await place.command('audit')
      assert.equal(code, 0, text)
    } finally {
      await receiver.close()
    }
  })
})
