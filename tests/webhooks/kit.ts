/** A shop with jobs, and a receiver of webhooks on this machine that answers as a test tells it to. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Jobs, makeJobs } from '../../src/jobs/runner.ts'
import { webhookTasks } from '../../src/webhooks/deliver.ts'
import { makeSender } from '../../src/webhooks/send.ts'
import { type Shop, startShop } from '../prizes/kit.ts'

export type Received = { path: string; headers: IncomingHttpHeaders; body: string }

export type Receiver = Awaited<ReturnType<typeof startReceiver>>

/** `answer` says what comes back; null never answers. */
export async function startReceiver() {
  const received: Received[] = []
  const state: { answer: (got: Received) => { status: number; body?: string; location?: string } | null } = {
    answer: () => ({ status: 204 }),
  }
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      const got = { path: request.url!, headers: request.headers, body }
      received.push(got)
      const answer = state.answer(got)
      if (answer === null) return
      response.writeHead(answer.status, answer.location === undefined ? {} : { location: answer.location })
      response.end(answer.body)
    })
  })
  let connection_count = 0
  server.on('connection', () => {
    connection_count++
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/in`,
    port,
    received,
    /** Made so far. */
    connections: () => connection_count,
    state,
    types: () => received.map(({ body }) => JSON.parse(body).type as string),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export type WebhookStage = Awaited<ReturnType<typeof startWebhooks>>

export async function startWebhooks({ timeout_ms = 20_000 } = {}) {
  const shop: Shop = await startShop()
  const receiver = await startReceiver()
  const reports: unknown[] = []
  const send = makeSender({ allows_loopback: true, timeout_ms })
  const aRunner = (): Jobs =>
    makeJobs({
      url: shop.database_url,
      app: shop.app,
      directory: shop.directory,
      tasks: webhookTasks({ app: shop.app, send }),
      report: (where, error) => void reports.push([where, error]),
    })
  const jobs = aRunner()
  const call = async (method: string, path: string, json?: unknown, headers = {}) =>
    shop.ask(method, `/api/v1/webhooks${path}`, {
      token: shop.operator,
      headers,
      ...(json !== undefined && { json }),
    })

  return {
    shop,
    receiver,
    jobs,
    reports,
    call,
    async aWebhook(
      more: Record<string, unknown> = {},
    ): Promise<{ id: string; secret: string; row_version: number }> {
      const answer = await call('POST', '', { url: receiver.url, event_types: ['prize.*'], ...more })
      assert.equal(answer.status, 201, answer.text)
      return answer.body
    },
    remove: async (id: string) => {
      assert.equal((await call('DELETE', `/${id}`, undefined, { 'if-match': '*' })).status, 204)
    },
    deliveries: async (id: string, query = ''): Promise<any[]> => {
      const answer = await call('GET', `/${id}/deliveries${query}`)
      assert.equal(answer.status, 200, answer.text)
      return answer.body.data
    },
    async close() {
      await jobs.stop()
      await receiver.close()
      await shop.close()
    },
  }
}

/** Runs a check at another time of this process: the reference library knows no other clock. */
export function atTime<T>(at: Date, work: () => T): T {
  const { now } = Date
  Date.now = () => at.getTime()
  try {
    return work()
  } finally {
    Date.now = now
  }
}
