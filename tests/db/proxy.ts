/** A TCP proxy in front of PostgreSQL that can lose what the network loses: an answer to a commit, or everything. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type DatabaseProxy = {
  url: string
  /** The next commit reaches the server; its answer does not come back, and the connection is gone. */
  loseNextCommit(): void
  /** The connection is cut when the next commit is about to be sent: the server never sees it. */
  cutBeforeNextCommit(): void
  /** From now on nothing passes, in either direction, and nobody is told. */
  freeze(): void
  thaw(): void
  close(): Promise<void>
}

/** The message that asks for a commit; it may travel behind others. */
const COMMIT = Buffer.from('Q\0\0\0\x0bcommit\0', 'latin1')
const COMMITTED = Buffer.from('COMMIT\0', 'latin1')

export async function startProxy(target_url: string): Promise<DatabaseProxy> {
  const target = new URL(target_url)
  const sockets = new Set<Socket>()
  const held: (() => void)[] = []
  let is_frozen = false
  let next_commit: 'pass' | 'lose answer' | 'cut' = 'pass'

  const pass = (work: () => void) => {
    if (is_frozen) held.push(work)
    else work()
  }

  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    let deaf = false
    const end = () => {
      client.destroy()
      upstream.destroy()
      sockets.delete(client)
      sockets.delete(upstream)
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', end).on('close', end)
    }
    client.on('data', (bytes) =>
      pass(() => {
        if (next_commit !== 'pass' && bytes.includes(COMMIT)) {
          const how = next_commit
          next_commit = 'pass'
          if (how === 'cut') return end()
          deaf = true
        }
        upstream.write(bytes)
      }),
    )
    upstream.on('data', (bytes) =>
      pass(() => {
        if (!deaf) client.write(bytes)
        else if (bytes.includes(COMMITTED)) end()
      }),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const url = new URL(target_url)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    loseNextCommit() {
      next_commit = 'lose answer'
    },
    cutBeforeNextCommit() {
      next_commit = 'cut'
    },
    freeze() {
      is_frozen = true
    },
    thaw() {
      is_frozen = false
      for (const work of held.splice(0)) work()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
