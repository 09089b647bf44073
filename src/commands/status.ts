/** `npm run status`: where the running server is and how it is. */
import { readConfig } from '../config.ts'
import { readServerFile, type ServerFile } from '../server-file.ts'
import { Failure, isMain, makeCommand, runCommand } from './command.ts'

const command = makeCommand('status', 'Shows the server that runs on DATA_DIR and its health.').option(
  '--json',
  'one JSON object',
)

const ANSWER_MS_MAX = 3_000

type Health = { http_status: number | null; body: unknown }

async function healthOf({ url }: ServerFile): Promise<Health> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })
    const text = await response.text()
    return { http_status: response.status, body: jsonOr(text) }
  } catch (error) {
    return { http_status: null, body: (error as Error).message }
  }
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function statusText(server: ServerFile, { http_status, body }: Health): string {
  const mark = http_status === 200 ? '✓' : '✗'
  const health = http_status === null ? `does not answer (${body})` : `answers ${http_status}`
  const rows = ['', 'watch', 'verify', 'docs', 'metrics'].map((path) => `  ${server.url}/${path}`)
  const facts =
    typeof body === 'object' && body !== null
      ? Object.entries(body).map(([name, value]) => `  ${name}: ${JSON.stringify(value)}`)
      : []
  return [`${mark} process ${server.pid}, since ${server.started_at}, ${health}`, ...facts, ...rows].join(
    '\n',
  )
}

if (isMain(import.meta)) {
  await runCommand(command, async ({ json }: { json?: boolean }) => {
    const { dataDir } = readConfig(undefined, { needs: [] })
    const server = readServerFile(dataDir)
    if (server === null) {
      if (json !== true) throw new Failure(`No server is running on ${dataDir}. Start one with "npm start".`)
      process.stdout.write(`${JSON.stringify({ running: false, data_dir: dataDir })}\n`)
      return 1
    }
    const health = await healthOf(server)
    const answer = { running: true, ...server, data_dir: dataDir, health }
    process.stdout.write(`${json === true ? JSON.stringify(answer) : statusText(server, health)}\n`)
    return health.http_status === 200 ? 0 : 1
  })
}
