/** The HTTP API as the load test uses it. */
import { randomUUID } from 'node:crypto'

export type Api = {
  /** One request; answers the body. Throws with the problem's code and detail for anything but 2xx. */
  ask<T = any>(method: 'GET' | 'POST', path: string, token: string, body?: unknown): Promise<T>
  /** The same with a key of the caller's, answered as it came, refusals too. */
  send(
    method: 'POST',
    path: string,
    token: string,
    body: unknown,
    key: string,
  ): Promise<{ status: number; text: string }>
  /** A public page, without a token; as `ask`. */
  read<T = any>(path: string): Promise<T>
  /** The same as it was sent. */
  text(path: string): Promise<string>
  /** Prometheus metrics of the process by name, without labels. */
  metrics(): Promise<Map<string, number>>
}

const TIMEOUT_MS = 30_000

/** Makes a client of one server. */
export function makeApi(endpoint: string): Api {
  const request = (method: string, path: string, token: string, body: unknown, key: string) =>
    fetch(`${endpoint}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(method === 'POST' && { 'idempotency-key': key }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })

  async function text(path: string): Promise<string> {
    const answer = await fetch(`${endpoint}/api/v1${path}`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    const said = await answer.text()
    if (!answer.ok) throw new Error(`GET ${path} answered ${answer.status}: ${said.slice(0, 500)}`)
    return said
  }

  return {
    text,
    read: async (path) => JSON.parse(await text(path)),
    async send(method, path, token, body, key) {
      const answer = await request(method, path, token, body, key)
      return { status: answer.status, text: await answer.text() }
    },
    async ask(method, path, token, body) {
      const answer = await request(method, path, token, body, randomUUID())
      const text = await answer.text()
      if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text.slice(0, 500)}`)
      return JSON.parse(text)
    },
    async metrics() {
      const answer = await fetch(`${endpoint}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
      if (!answer.ok) throw new Error(`/metrics answered ${answer.status}`)
      return parseMetrics(await answer.text())
    },
  }
}

/** The samples without labels of the text format; histograms and labelled ones are left out. */
export function parseMetrics(text: string): Map<string, number> {
  const values = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, name, value] = /^([a-zA-Z_:][\w:]*) (\S+)$/.exec(line) ?? []
    if (name !== undefined) values.set(name, Number(value))
  }
  return values
}

/** Does `work` for each item, a few at a time, and keeps the order of the answers. */
export async function eachOf<T, R>(
  items: readonly T[],
  at_once: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const answers: R[] = new Array(items.length)
  let next = 0
  const line = async () => {
    while (next < items.length) {
      const i = next++
      answers[i] = await work(items[i]!)
    }
  }
  await Promise.all(Array.from({ length: Math.min(at_once, items.length) }, line))
  return answers
}
