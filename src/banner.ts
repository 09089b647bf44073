/** What standard output says when the server is ready: a tree of links for a person, one JSON line for a program. */
import { styleText } from 'node:util'

export type Ready = {
  /** Base address, without a slash at its end. */
  url: string
  pid: number
  database: 'embedded' | 'external'
  /** Server version such as 18.4. */
  postgres_version: string
  /** Where the embedded cluster lives, or null. */
  dataDir: string | null
  started_in_ms: number
  is_demo: boolean
  bot_count: number
  /** Opens the desk of a demo once; it is for the terminal alone. */
  admin_code: string | null
  is_production: boolean
  /** Sentences that a person should see at once: warnings of the configuration, keys that were made. */
  notes: readonly string[]
}

/** The ready line of protocol.md section 1, without its line feed. */
export function readyLine({ url, pid, database }: Ready): string {
  return JSON.stringify({ event: 'ready', url, pid, database, redis: false })
}

type Link = { name: string; path: string; says: string }

function linksOf({ is_production, is_demo, admin_code }: Ready): Link[] {
  return [
    { name: 'Play', path: '/', says: 'spin the wheel' },
    ...(is_demo ? [{ name: 'Reel', path: '/reel', says: 'its game pops up when it ends' }] : []),
    { name: 'Wallet', path: '/wallet', says: 'unlock and use what you won' },
    { name: 'Desk', path: '/desk', says: 'hand rewards over, decide complaints' },
    ...(is_demo ? [{ name: 'Shop', path: '/shop', says: 'order with a prize' }] : []),
    { name: 'Watch', path: '/watch', says: 'big screen, no login' },
    { name: 'Verify', path: '/verify', says: 'check any result; offline too' },
    { name: 'Odds', path: '/odds', says: 'what was rolled beside what was promised' },
    ...(admin_code === null
      ? []
      : [{ name: 'Desk', path: `/enter#${admin_code}`, says: 'for you, the operator; opens once' }]),
    {
      name: 'API docs',
      path: '/docs',
      says: `/openapi.json · /metrics · ${is_production ? '/readyz' : '/health'}`,
    },
  ]
}

/** The banner, for a terminal. Colours follow the terminal's own wishes (NO_COLOR, FORCE_COLOR). */
export function bannerText(ready: Ready): string {
  const node = process.versions.node.split('.').slice(0, 2).join('.')
  const where = ready.database === 'embedded' ? `embedded, ${ready.dataDir}` : 'external'
  const facts = `Node ${node} · PostgreSQL ${ready.postgres_version} (${where}) · Redis: off (one process)`
  const links = linksOf(ready)
  const width = Math.max(...links.map(({ path }) => ready.url.length + path.length))
  const rows = links.map(
    ({ name, path, says }) =>
      `${name.padEnd(9)} ${styleText('cyan', (ready.url + path).padEnd(width))}   ${styleText('dim', says)}`,
  )
  if (ready.is_demo) rows.push(demoRow(ready))
  const tree = rows.map((row, i) => `  ${i === rows.length - 1 ? '└─' : '├─'} ${row}`)
  const notes = ready.notes.map((note) => `  ${styleText('yellow', '!')} ${note}`)
  const head = `  ${styleText('green', '✔')} ready in ${(ready.started_in_ms / 1000).toFixed(1)} s   ${facts}`
  return ['', head, ...tree, ...notes, ''].join('\n')
}

function demoRow({ bot_count }: Ready): string {
  const bots =
    bot_count === 0 ? 'no bots are playing' : `${bot_count} bot${bot_count === 1 ? ' is' : 's are'} playing`
  return `demo: ${bots}; DEMO=0 switches the demo off`
}

/** Says that the server is ready, once, in the form that fits where standard output goes. */
export function announce(ready: Ready, out: NodeJS.WriteStream = process.stdout): void {
  out.write(`${out.isTTY ? bannerText(ready) : readyLine(ready)}\n`)
}
