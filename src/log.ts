/**
 * The log: pino on standard error, because standard output belongs to the ready line and to answers of commands.
 * Secrets are taken out by name, at any place where a request, a row or an error can carry them.
 */
import { createRequire } from 'node:module'
import { formatWithOptions } from 'node:util'
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
const SECRET_QUERY = /((?:[?&](?:t|token)|authToken|access_token|sessionId|reconnectionToken)=)[^&#\s"']+/g

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

/** The part of pino that is used here. */
export type LineLog = Record<
  'debug' | 'info' | 'warn' | 'error' | 'trace',
  (fields: object, text: string) => void
>

const LINES_PER_WINDOW = 30
const WINDOW_MS = 10_000
const TEXT_LENGTH_MAX = 300

/**
 * What Colyseus takes as its logger, on a pino logger: one line per call, without stack (any client can cause those
 * by the thousand with bad payloads, H31) and without tokens (they stand in the URL of a WebSocket, H13). Colyseus
 * calls `warn(text, value)` and pino would drop the value, so the arguments become one text. At most 30 lines per
 * level and 10 s of `now_ms`; the first line after that says how many were left out.
 */
export function colyseusLogger(
  log: LineLog,
  now_ms: () => number = () => performance.now(),
): Record<keyof LineLog, (...parts: unknown[]) => void> {
  const levelOf = (level: keyof LineLog) => {
    let from_ms = 0
    let line_count = 0
    let left_out = 0
    return (...parts: unknown[]) => {
      const now = now_ms()
      if (now - from_ms >= WINDOW_MS) {
        if (left_out > 0) log[level]({ from: 'colyseus', left_out }, 'lines left out')
        from_ms = now
        line_count = 0
        left_out = 0
      }
      line_count += 1
      if (line_count > LINES_PER_WINDOW) left_out += 1
      else log[level]({ from: 'colyseus' }, oneLine(parts))
    }
  }
  return {
    debug: levelOf('debug'),
    info: levelOf('info'),
    warn: levelOf('warn'),
    error: levelOf('error'),
    trace: levelOf('trace'),
  }
}

/** A token by its look, and members of a printed object by their names: redaction by path sees no text. */
const BEARER = /\b(Bearer )\S+/gi
const JSON_WEB_TOKEN = /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g
const SECRET_MEMBER = new RegExp(
  `\\b((?:${[...SECRET_NAMES, 'sessionId'].join('|')})['"]?: ?)(?:'[^']*'|"[^"]*"|[^\\s,}]+)`,
  'gi',
)

/** The first line of what was said: what follows it is a stack, or advice to the developer of a room. */
function oneLine(parts: unknown[]): string {
  const plain = parts.map((part) => (part instanceof Error ? part.message : part))
  const [first = ''] = formatWithOptions({ breakLength: Number.POSITIVE_INFINITY }, ...plain).split('\n')
  return withoutSecrets(first)
    .replace(BEARER, '$1[gone]')
    .replace(JSON_WEB_TOKEN, '[gone]')
    .replace(SECRET_MEMBER, '$1[gone]')
    .slice(0, TEXT_LENGTH_MAX)
}
