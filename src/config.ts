/** The only reader of process.env: what was asked for, checked as a whole, every mistake named at once. */
import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import type { JWK } from 'jose'
import { z } from 'zod'
import { parseSeedKeys, parseSigningKey, type SeedKey } from './proofs/keys.ts'

export type LogLevel = (typeof LOG_LEVELS)[number]

/** Where shared draws get their entropy (fair-1.md section 7). */
export type EntropyChoice = { source: 'local' } | { source: 'drand'; relays: readonly string[] }

/** A named commit step at which a test lets something happen, from the `at`-th time on it is reached. */
export type FaultPoint = { name: string; at: number; action: string }

/** What the process was told, after defaults. Nothing here is opened, made or reached yet. */
export type Config = {
  /** NODE_ENV=production: no demo, no test clock, no fault points, keys must be given. */
  is_production: boolean
  host: string
  /** PORT plus NODE_APP_INSTANCE; 0 lets the system choose. */
  port: number
  /** PostgreSQL of somebody else; null means the embedded one below `dataDir`. */
  databaseUrl: string | null
  /** Absolute. */
  dataDir: string
  /** Host (and port, path) under which this very process is reached for WebSockets; null when it is the same as ours. */
  publicAddress: string | null
  /** Exact origins besides our own that browsers may come from. */
  allowedOrigins: readonly string[]
  /** Addresses and CIDR ranges whose forwarding headers count; empty means none do. */
  trustProxy: readonly string[]
  /** Null: to be read from, or made in, `dataDir` (keyfiles.ts). Never null in production, when it was needed. */
  seedKeys: readonly SeedKey[] | null
  /** Ed25519 private key as JWK. */
  tokenKey: JWK | null
  fairnessKey: KeyObject | null
  is_demo: boolean
  entropy: EntropyChoice
  has_test_clock: boolean
  /** Webhooks may point to this machine. */
  allows_webhook_loopback: boolean
  /** Days after which addresses of plays become fingerprints, and after which they are forgotten. */
  traces: { hash_days: number; purge_days: number; audit_days: number }
  shutdown_deadline_ms: number
  logLevel: LogLevel
  faultPoint: FaultPoint | null
  /** Browser for tests and `doctor`. */
  chromiumPath: string | null
  /** Sentences about variables that are legal and probably not what was meant. */
  warnings: readonly string[]
}

/** The environment is wrong. `mistakes` has one sentence per mistake; a command prints them and exits 2. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly mistakes: readonly string[]

  constructor(mistakes: readonly string[]) {
    super(
      `The environment has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}:\n${mistakes.map((each) => `  ✗ ${each}`).join('\n')}`,
    )
    this.mistakes = mistakes
  }
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

export type KeyName = 'SEED_KEYS' | 'TOKEN_KEY' | 'FAIRNESS_KEY'

const ED25519_ONE_LINER = `node -e "console.log(JSON.stringify(require('node:crypto').generateKeyPairSync('ed25519').privateKey.export({format:'jwk'})))"`

/** How each key is made, for the person who has to. */
export const HOW_TO_MAKE: Record<KeyName, string> = {
  SEED_KEYS: `node -e "console.log('k1:'+require('node:crypto').randomBytes(32).toString('base64'))"`,
  TOKEN_KEY: ED25519_ONE_LINER,
  FAIRNESS_KEY: ED25519_ONE_LINER,
}

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `must be an integer from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be an integer from ${min} to ${max}`)

const flag = z.enum(['0', '1'], 'must be 0 or 1').transform((text) => text === '1')

const list = (text: string) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

/** A comma-separated list in which `whyNot` finds no fault. */
const listOf = (whyNot: (part: string) => string | null) =>
  z.string().transform((text, context) => {
    const parts = list(text)
    for (const part of parts) {
      const why = whyNot(part)
      if (why !== null) context.addIssue(`${JSON.stringify(part)} ${why}`)
    }
    return parts
  })

/** A value whose parser throws a sentence. The value itself is secret and never repeated. */
const parsed = <T>(parse: (text: string) => T) =>
  z.string().transform((text, context) => {
    try {
      return parse(text)
    } catch (error) {
      const why = error instanceof SyntaxError ? 'is not JSON' : (error as Error).message
      context.addIssue(`cannot be read: ${why}`)
      return z.NEVER
    }
  })

const urlOf = (text: string): URL | null => (URL.canParse(text) ? new URL(text) : null)

function whyNoOrigin(text: string): string | null {
  const url = urlOf(text)
  const is_origin = url !== null && /^https?:$/.test(url.protocol) && url.origin === text
  return is_origin
    ? null
    : 'is not an origin such as https://play.example (scheme, host, port; no path, no star)'
}

function whyNoAddress(text: string): string | null {
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  const bits_max = family === 6 ? 128 : 32
  const is_range = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= bits_max)
  return family !== 0 && is_range && rest.length === 0 ? null : 'is not an IP address or CIDR range'
}

function whyNoRelay(text: string): string | null {
  return urlOf(text)?.protocol === 'https:' ? null : 'is not an https:// address'
}

function signingJwk(text: string): JWK {
  parseSigningKey(text)
  return JSON.parse(text) as JWK
}

/** One line per variable: its name, and what its text must be. Unset and empty mean the same. */
const VARIABLES = {
  NODE_ENV: z.string(),
  PORT: integer(0, 65_535),
  NODE_APP_INSTANCE: integer(0, 10_000),
  HOST: z.string().regex(/^[A-Za-z0-9._:-]+$/, 'must be an address or host name'),
  DATABASE_URL: z
    .string()
    .refine(
      (text) => /^postgres(ql)?:$/.test(urlOf(text)?.protocol ?? ''),
      'must be postgres://user:password@host:port/database',
    ),
  DATA_DIR: z.string().transform((text) => resolve(text)),
  REDIS_URL: z.string(),
  REDIS_URI: z.string(),
  PUBLIC_ADDRESS: z
    .string()
    .regex(
      /^[A-Za-z0-9.-]+(:\d{1,5})?(\/[A-Za-z0-9._~/-]*)?$/,
      'must be host, host:port or host/path, without a scheme',
    ),
  ALLOWED_ORIGINS: listOf(whyNoOrigin),
  TRUST_PROXY: listOf(whyNoAddress),
  SEED_KEYS: parsed(parseSeedKeys),
  TOKEN_KEY: parsed(signingJwk),
  FAIRNESS_KEY: parsed(parseSigningKey),
  DEMO: flag,
  ENTROPY: z.enum(['local', 'drand'], 'must be local or drand'),
  DRAND_RELAYS: listOf(whyNoRelay),
  TEST_CLOCK: flag,
  WEBHOOK_LOOPBACK: flag,
  TRACE_HASH_DAYS: integer(1, 3_650),
  TRACE_PURGE_DAYS: integer(1, 3_650),
  AUDIT_TRACE_DAYS: integer(1, 3_650),
  SHUTDOWN_DEADLINE_MS: integer(100, 600_000),
  LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`),
  FAULT_POINT: z
    .string()
    .regex(/^[a-z0-9._-]+:[1-9]\d{0,8}:[a-z0-9_-]+$/, 'must be name:n:action')
    .transform(faultPointOf),
  CHROMIUM_PATH: z.string(),
  CORS_ORIGINS: z.string(),
  COLYSEUS_CLOUD: z.string(),
}

function faultPointOf(text: string): FaultPoint {
  const [name, at, action] = text.split(':') as [string, string, string]
  return { name, at: Number(at), action }
}

type Read = { [Name in keyof typeof VARIABLES]?: z.output<(typeof VARIABLES)[Name]> }

export type ReadOptions = {
  /** The keys that this command cannot do without in production. The server needs all three. */
  needs?: readonly KeyName[]
}

const ALL_KEYS: readonly KeyName[] = ['SEED_KEYS', 'TOKEN_KEY', 'FAIRNESS_KEY']

/**
 * Reads the environment (protocol.md section 1). Pure but for its default argument.
 * Throws ConfigError with every mistake, never with the first one only.
 */
export function readConfig(
  env: NodeJS.ProcessEnv = process.env,
  { needs = ALL_KEYS }: ReadOptions = {},
): Config {
  const { read, mistakes } = readEach(env)
  const is_production = read.NODE_ENV === 'production'
  mistakes.push(...mistakesTogether(read, env, is_production, needs))
  if (mistakes.length > 0) throw new ConfigError(mistakes)

  const port = read.PORT ?? 2567
  const relays = read.DRAND_RELAYS ?? []
  return {
    is_production,
    host: read.HOST ?? '127.0.0.1',
    port: port === 0 ? 0 : port + (read.NODE_APP_INSTANCE ?? 0),
    databaseUrl: read.DATABASE_URL ?? null,
    dataDir: read.DATA_DIR ?? resolve('.data'),
    publicAddress: read.PUBLIC_ADDRESS ?? null,
    allowedOrigins: read.ALLOWED_ORIGINS ?? [],
    trustProxy: read.TRUST_PROXY ?? [],
    seedKeys: read.SEED_KEYS ?? null,
    tokenKey: read.TOKEN_KEY ?? null,
    fairnessKey: read.FAIRNESS_KEY ?? null,
    is_demo: read.DEMO ?? !is_production,
    entropy: read.ENTROPY === 'drand' ? { source: 'drand', relays } : { source: 'local' },
    has_test_clock: read.TEST_CLOCK ?? false,
    allows_webhook_loopback: read.WEBHOOK_LOOPBACK ?? false,
    traces: {
      hash_days: read.TRACE_HASH_DAYS ?? 30,
      purge_days: read.TRACE_PURGE_DAYS ?? 90,
      audit_days: read.AUDIT_TRACE_DAYS ?? 365,
    },
    shutdown_deadline_ms: read.SHUTDOWN_DEADLINE_MS ?? 15_000,
    logLevel: read.LOG_LEVEL ?? 'info',
    faultPoint: read.FAULT_POINT ?? null,
    chromiumPath: read.CHROMIUM_PATH ?? null,
    warnings: warningsOf(read),
  }
}

function readEach(env: NodeJS.ProcessEnv): { read: Read; mistakes: string[] } {
  const read: Record<string, unknown> = {}
  const mistakes: string[] = []
  for (const [name, schema] of Object.entries(VARIABLES)) {
    const text = env[name]?.trim()
    if (text === undefined || text === '') continue
    const result = schema.safeParse(text)
    if (result.success) read[name] = result.data
    else mistakes.push(...result.error.issues.map((issue) => `${name} ${issue.message}.`))
  }
  return { read: read as Read, mistakes }
}

/** What is wrong although each variable is right by itself. A malformed variable counts as given here. */
function mistakesTogether(
  read: Read,
  env: NodeJS.ProcessEnv,
  is_production: boolean,
  needs: readonly KeyName[],
): string[] {
  const mistakes: string[] = []
  const given = (name: keyof typeof VARIABLES) => (env[name]?.trim() ?? '') !== ''
  const wrongWhen = (is_wrong: boolean, sentence: string) => {
    if (is_wrong) mistakes.push(sentence)
  }

  wrongWhen(
    (read.PORT ?? 2567) + (read.NODE_APP_INSTANCE ?? 0) > 65_535,
    'PORT plus NODE_APP_INSTANCE is above 65535.',
  )
  for (const name of ['REDIS_URL', 'REDIS_URI'] as const) {
    wrongWhen(
      given(name),
      `${name} asks for many processes, which this version does not have yet: unset it and run one process.`,
    )
  }
  wrongWhen(
    given('COLYSEUS_CLOUD'),
    'COLYSEUS_CLOUD must be unset: it makes Colyseus look for a process manager that is not there.',
  )
  if (read.ENTROPY === 'drand' && (read.DRAND_RELAYS !== undefined || !given('DRAND_RELAYS'))) {
    const count = read.DRAND_RELAYS?.length ?? 0
    const count_min = is_production ? 2 : 1
    wrongWhen(
      count < count_min,
      `DRAND_RELAYS needs at least ${count_min === 1 ? 'one https:// address' : 'two https:// addresses in production'} when ENTROPY=drand, and has ${count}.`,
    )
  }
  if (!is_production) return mistakes

  wrongWhen(
    read.TEST_CLOCK === true,
    'TEST_CLOCK=1 is refused when NODE_ENV=production: nobody may move the clock of a live server.',
  )
  wrongWhen(
    read.WEBHOOK_LOOPBACK === true,
    'WEBHOOK_LOOPBACK=1 is refused when NODE_ENV=production: a webhook could reach what listens on this machine.',
  )
  wrongWhen(
    given('FAULT_POINT'),
    'FAULT_POINT is refused when NODE_ENV=production: it breaks the server on purpose.',
  )
  for (const name of needs) {
    wrongWhen(
      !given(name),
      `${name} is required when NODE_ENV=production. Make one with: ${HOW_TO_MAKE[name]}`,
    )
  }
  return mistakes
}

function warningsOf(read: Read): string[] {
  const warnings: string[] = []
  if (read.CORS_ORIGINS !== undefined) {
    warnings.push('CORS_ORIGINS is not read: the name of that setting is ALLOWED_ORIGINS.')
  }
  if (read.DRAND_RELAYS !== undefined && read.ENTROPY !== 'drand') {
    warnings.push('DRAND_RELAYS has no effect while ENTROPY is not drand.')
  }
  if (read.NODE_APP_INSTANCE !== undefined && read.PORT === 0) {
    warnings.push('NODE_APP_INSTANCE has no effect while PORT is 0, which lets the system choose.')
  }
  return warnings
}
