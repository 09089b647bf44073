/**
 * The log: pino on standard error, because standard output belongs to the ready line and to answers of commands.
 * Secrets are taken out by name, at any place where a request, a row or an error can carry them.
 */
import { createRequire } from 'node:module'
import { format } from 'node:util'
import pino, { type DestinationStream, type Logger } from 'pino'
import type { LogLevel } from './config.ts'

export type Log = Logger

/** Members that never reach the log, in the spellings of headers, rows, documents and Colyseus. */
export const SECRET_NAMES = [
  'authorization',
  'cookie',
  'token',
  'authToken',
  '_authToken',
  'access_token',
  'reconnectionToken',
  'password',
  'server_seed',
  'serverSeed',
  'sealed_seed',
  'sealedSeed',
  'seedKeys',
  'tokenKey',
  'fairnessKey',
  'holder_salt',
  'entrant_salt',
] as const

/** pino's wildcards each stand for one level, so every depth is written out; nothing we log nests deeper. */
const DEPTH_MAX = 4
const PATHS = SECRET_NAMES.flatMap((name) =>
  Array.from({ length: DEPTH_MAX + 1 }, (_, depth) => `${'*.'.repeat(depth)}["${name}"]`.replace('.[', '[')),
)

/** Query parameters that carry a right: guest links, Colyseus' seats and tokens. */
const SECRET_QUERY =
  /([?&](?:t|token|authToken|_authToken|access_token|sessionId|reconnectionToken)=)[^&#\s]+/g

/** An address as it may stand in the log: the right that it carries is gone, the rest is as it came. */
export function withoutSecrets(url: string): string {
  return url.replace(SECRET_QUERY, '$1[gone]')
}

export type LogOptions = {
  level: LogLevel
  /** Lines for people. Default: when standard error is a terminal and pino-pretty is installed. */
  is_pretty?: boolean
  /** Where lines go; standard error by default. */
  destination?: DestinationStream
}

/** Makes the process's log. */
export function makeLog({ level, is_pretty = process.stderr.isTTY === true, destination }: LogOptions): Log {
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: PATHS, censor: '[gone]' },
    serializers: { err: pino.stdSerializers.err, req: requestOf },
  }
  return pino(options, destination ?? prettyStream(is_pretty) ?? pino.destination({ fd: 2, sync: true }))
}

/** What a log line says of a request: enough to find it again, nothing that could repeat it. */
function requestOf(request: { id?: unknown; method?: string; url?: string; remoteAddress?: string }) {
  const { id, method, url, remoteAddress } = request
  return { id, method, url: url === undefined ? undefined : withoutSecrets(url), remoteAddress }
}

/** pino-pretty is a tool of development and absent from an image without development packages. */
function prettyStream(is_wanted: boolean): DestinationStream | null {
  if (!is_wanted) return null
  try {
    const { default: pretty } = createRequire(import.meta.url)('pino-pretty')
    return pretty({ destination: 2, sync: true, translateTime: 'HH:MM:ss.l', ignore: 'pid,hostname' })
  } catch {
    return null
  }
}

type Say = (...parts: unknown[]) => void
export type ColyseusLogger = { debug: Say; info: Say; warn: Say; error: Say; log: Say; trace: Say }

/**
 * What Colyseus takes as its logger. It calls `warn(text, value)`; pino would drop everything after the first
 * argument, so the parts become one text, and an error keeps its stack.
 */
export function colyseusLogger(log: Log): ColyseusLogger {
  const say =
    (level: 'trace' | 'debug' | 'info' | 'warn' | 'error'): Say =>
    (...parts) => {
      const err = parts.find((part) => part instanceof Error)
      const text = withoutSecrets(
        format(...parts.map((part) => (part instanceof Error ? part.message : part))),
      )
      if (err === undefined) log[level]({ from: 'colyseus' }, text)
      else log[level]({ from: 'colyseus', err }, text)
    }
  return {
    trace: say('trace'),
    debug: say('debug'),
    info: say('info'),
    log: say('info'),
    warn: say('warn'),
    error: say('error'),
  }
}
