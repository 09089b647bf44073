/** `npm run loadtest`: a crowd that plays and watches, figures with thresholds, and a proof that nothing was lost. */
import { createPublicKey } from 'node:crypto'
import { setPriority } from 'node:os'
import { runAudit } from '../src/audit/audit.ts'
import { Failure, isMain, makeCommand, runCommand, WrongUse } from '../src/commands/command.ts'
import { runningEmbeddedUrl } from '../src/commands/database.ts'
import { readConfig } from '../src/config.ts'
import { type Database, openPool, POOL_LIMITS } from '../src/db/pool.ts'
import { makeTokens } from '../src/http/tokens.ts'
import { loadFairnessKey, loadTokenKey } from '../src/keyfiles.ts'
import { makeApi } from './api.ts'
import { check, type Evidence, type Truth } from './check.ts'
import { playGuess, playRaffle } from './closing.ts'
import { type Course, runCourse, type Second } from './course.ts'
import type { Wishes } from './crowd.ts'
import { makeLive } from './live.ts'
import { type OwnServer, startOwnServer } from './own-server.ts'
import { type Limits, reportOf, reportText, SCENARIOS, type Scenario, writeReport } from './report.ts'
import { prepareWheel } from './scenario.ts'
import { truthOfApi, truthOfDatabase } from './truth.ts'
import { playWallet } from './wallet.ts'

/** Of the operating system: 0 is everybody else's, 19 the last. */
const GENERATOR_NICENESS = 10

/** A player may spin, buy or guess five times a second (rooms/index.ts), and one request in twenty is asked twice. */
const RATE_PER_PLAYER_MAX = 3

const command = makeCommand(
  'loadtest',
  'Plays and watches with many clients. Exit 1 when a threshold is crossed.',
)
  .option('--scenario <name>', `what is played: ${SCENARIOS.join(', ')}`, 'wheel')
  .option('--clients <count>', 'players', '100')
  .option('--numClients <count>', 'the same as --clients')
  .option('--spectators <count>', 'spectators; as many as players by default')
  .option('--duration <time>', 'how long requests are offered, such as 30s or 2m', '30s')
  .option('--rate <per second>', 'requests offered per second; a tenth of the players by default')
  .option('--delay <ms>', 'pause between two joins', '0')
  .option('--endpoint <url>', 'a running server; without it one is started for the test and removed after it')
  .option('--tenant <code>', 'tenant of the test', 'demo')
  .option('--out <file>', 'writes the report as one HTML page, and its data as .json beside it')
  .option('--reply-p99 <ms>', 'threshold', '100')
  .option('--loop-p99 <ms>', 'threshold', '50')
  .option('--skew-p99 <ms>', 'threshold of raffle and guess', '250')

type Options = {
  scenario: string
  clients: string
  numClients?: string
  spectators?: string
  duration: string
  rate?: string
  delay: string
  endpoint?: string
  tenant: string
  out?: string
  replyP99: string
  loopP99: string
  skewP99: string
}

/** Reads the options. Throws WrongUse with a sentence for each mistake. */
export function readOptions(options: Options): { scenario: Scenario; wishes: Wishes; limits: Limits } {
  const mistakes: string[] = []
  const number = (name: string, text: string, least: number) => {
    const value = Number(text)
    if (text.trim() === '' || !Number.isFinite(value) || value < least)
      mistakes.push(`--${name} is a number from ${least}.`)
    return value
  }
  const count = (name: string, text: string, least: number) => {
    const value = number(name, text, least)
    if (!Number.isInteger(value)) mistakes.push(`--${name} is a whole number.`)
    return value
  }
  const scenario = options.scenario as Scenario
  if (!SCENARIOS.includes(scenario)) mistakes.push(`--scenario knows: ${SCENARIOS.join(', ')}.`)
  if (closes(scenario) && options.endpoint !== undefined)
    mistakes.push(
      `--scenario ${scenario} is compared with rows and needs a server of its own: no --endpoint.`,
    )
  const clients = count('clients', options.numClients ?? options.clients, 1)
  const spectators =
    scenario === 'wallet'
      ? 0
      : options.spectators === undefined
        ? clients
        : count('spectators', options.spectators, 0)
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(options.duration) ?? []
  if (amount === undefined || Number(amount) === 0)
    mistakes.push('--duration is a time such as 30s, 2m or 500ms.')
  const duration_ms = Number(amount) * { ms: 1, s: 1_000, m: 60_000 }[unit as 'ms' | 's' | 'm']
  const rate = options.rate === undefined ? Math.max(1, clients / 10) : number('rate', options.rate, 0.1)
  if (scenario !== 'wallet' && rate > clients * RATE_PER_PLAYER_MAX)
    mistakes.push(`--rate is at most ${RATE_PER_PLAYER_MAX} per player: a player that is faster is refused.`)
  const delay_ms = number('delay', options.delay, 0)
  const limits = {
    reply_p99_ms: number('reply-p99', options.replyP99, 0),
    loop_p99_ms: number('loop-p99', options.loopP99, 0),
    skew_p99_ms: number('skew-p99', options.skewP99, 0),
  }
  if (mistakes.length > 0) throw new WrongUse(mistakes.join('\n'))
  return { scenario, wishes: { clients, spectators, rate, duration_ms, delay_ms }, limits }
}

/** A game that closes: its draw is made within the run. */
const closes = (scenario: Scenario): scenario is 'raffle' | 'guess' =>
  scenario === 'raffle' || scenario === 'guess'

async function main(options: Options): Promise<number> {
  const asked = readOptions(options)
  const own = options.endpoint === undefined ? await startOwnServer() : null
  // Beside a server on the same cores: times of replies are to be the server's, and not those of who asks. The threads
  // of bots inherit it.
  if (own !== null) setPriority(GENERATOR_NICENESS)
  const interrupted = new Promise<never>((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => reject(new Failure('Interrupted.')))
  })
  try {
    const endpoint = own?.url ?? options.endpoint!.replace(/\/+$/, '')
    const report = await Promise.race([play(endpoint, own, options, asked), interrupted])
    process.stdout.write(`${reportText(report)}\n`)
    if (options.out !== undefined) {
      const files = await writeReport(report, options.out)
      process.stdout.write(`\nReport: ${files.join(', ')}\n`)
    }
    return report.is_passed ? 0 : 1
  } finally {
    await own?.stop()
  }
}

async function play(
  endpoint: string,
  own: OwnServer | null,
  options: Options,
  { scenario, wishes, limits }: ReturnType<typeof readOptions>,
) {
  const api = makeApi(endpoint)
  // Tokens are signed with the server's own key: that of our server, or the one in TOKEN_KEY or DATA_DIR.
  const config = readConfig(own === null ? process.env : { DATA_DIR: own.dataDir }, { needs: ['TOKEN_KEY'] })
  const tokens = makeTokens(loadTokenKey(config))
  const live = makeLive(wishes.clients + wishes.spectators, wishes.duration_ms / 1_000)
  const show = (second: Second | null, joined: number) =>
    second === null ? live.joined(joined) : live.second(second)
  const given = { scenario, wishes, limits, endpoint }

  if (scenario === 'wallet') {
    const { course, findings } = await playWallet(api, tokens, options.tenant, wishes, show)
    live.end()
    return reportOf(course, findings, own && (await auditOf(own)), given)
  }
  const ground = { endpoint, tenant: options.tenant, tokens, has_addresses: own !== null }
  if (closes(scenario)) {
    const play = scenario === 'raffle' ? playRaffle : playGuess
    const closed = await inDatabase(own!, (database) =>
      play(api, ground, { database, keys: hexKeysOf(own!) }, wishes, show),
    )
    live.end()
    const { course, findings, figures } = closed
    return reportOf(course, findings, await auditOf(own!), { ...given, figures })
  }
  const stage = await prepareWheel(api, ground, wishes)
  const course = await runCourse<Evidence>(api, 'bots.ts', stage.plans, show)
  live.end()
  const truth =
    own === null
      ? await truthOfApi(api, stage.slug, stage.players, course.log)
      : await inDatabase(own, (database) => truthOfDatabase(database, stage.wheel_id))
  const findings = [...check(course.evidence, truth), readLogIsWhole(course, truth)]
  return reportOf(course, findings, own && (await auditOf(own)), given)
}

/** The database of our own server. */
async function inDatabase<T>(own: OwnServer, work: (database: Database) => Promise<T>): Promise<T> {
  const url = runningEmbeddedUrl(own.dataDir)
  if (url === null) throw new Failure('The database of the server is gone.')
  const database = openPool(url, () => {}, { ...POOL_LIMITS, statement_timeout_ms: 0, query_timeout_ms: 0 })
  try {
    return await work(database)
  } finally {
    await database.end()
  }
}

/** What the server signs with, from its own files and not from what it says. */
function signingKeysOf({ dataDir }: OwnServer): Map<string, Uint8Array> {
  const key = loadFairnessKey({ dataDir, fairnessKey: null })!
  const raw = Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x!, 'base64url')
  return new Map([[`fair-${raw.subarray(0, 6).toString('hex')}`, new Uint8Array(raw)]])
}

const hexKeysOf = (own: OwnServer): Record<string, string> =>
  Object.fromEntries([...signingKeysOf(own)].map(([kid, key]) => [kid, Buffer.from(key).toString('hex')]))

/** The whole audit over what the run has left. */
async function auditOf(own: OwnServer) {
  const signingKeys = signingKeysOf(own)
  const report = await inDatabase(own, (database) => runAudit(database, { signingKeys }))
  const violated = report.checks.filter((each) => each.status === 'violated')
  for (const each of violated)
    process.stderr.write(`${each.id} ${each.title}: ${JSON.stringify(each.examples)}\n`)
  const checks = report.checks.filter((each) => each.status === 'ok').length
  return { ok: report.ok, checks, violations: violated.reduce((sum, each) => sum + each.violations, 0) }
}

/** A client that asked `since` all the time has every event, in order, without a hole. */
function readLogIsWhole({ log }: Course, truth: Truth) {
  const finding = {
    name: 'the log that a client read is whole',
    checked: log.length,
    violations: 0,
    examples: [] as string[],
  }
  const say = (text: string) => {
    finding.violations += 1
    if (finding.examples.length < 5) finding.examples.push(text)
  }
  for (const [i, { seq }] of log.entries())
    if (seq !== i + 1) say(`event ${seq} stands where ${i + 1} belongs`)
  const spun = log.filter(({ type }) => type === 'wheel.spun').length
  if (spun !== truth.log.length) say(`${spun} spins were read and ${truth.log.length} are committed`)
  return finding
}

if (isMain(import.meta)) await runCommand(command, main)
