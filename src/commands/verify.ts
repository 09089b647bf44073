// npm run verify -- FILE_OR_URL: checks a transcript or a pair reveal, step by step, and trusts nothing it was not given.
import { readFile, stat } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { isHex, toHex } from '../fairness/bytes.ts'
import { TRUST_SENTENCES } from '../fairness/commit.ts'
import { parseVerifierKey } from '../fairness/merkle.ts'
import { leftOpen, type Step, TEXT_BYTES_MAX, type VerifyOptions, verifyText } from '../fairness/verify.ts'
import { NODE_HASH } from '../node-hash.ts'

/** Exit codes. Wrong use covers a document or key file that cannot be read: then nothing was verified or refuted. */
export const EXIT = { verified: 0, mismatch: 1, wrong_use: 2, pending: 4 } as const

/** What the command touches of the outside, so that a test can stand in for it. */
export type VerifyIo = {
  out(line: string): void
  err(line: string): void
  readText(path: string): Promise<string>
  fetch: typeof globalThis.fetch
}

class WrongUse extends Error {}

const FETCH_TIMEOUT_MS = 20_000
const JWKS_BYTES_MAX = 256 * 1024

type Flags = {
  key: Record<string, string>
  log: string[]
  stored?: string
  bls: boolean
  serverKeys: boolean
}

/**
 * Runs the command with its arguments (without node and script) and answers its exit code: 0 VERIFIED, 1 MISMATCH,
 * 2 wrong use, 4 PENDING. Never throws.
 */
export async function runVerify(args: readonly string[], io: VerifyIo): Promise<number> {
  try {
    const { source, flags } = parse(args, io)
    return await verifySource(source, flags, io)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.verified : EXIT.wrong_use
    io.err(`error: ${error instanceof Error ? error.message : 'unknown'}`)
    return EXIT.wrong_use
  }
}

function parse(args: readonly string[], io: VerifyIo): { source: string; flags: Flags } {
  const program = new Command('verify')
    .description('Verify a transcript or a pair reveal of a game, from a file or a URL.')
    .argument('<file-or-url>', 'canonical JSON as the server publishes it, at most 32 MiB')
    .option('--key <kid=hex>', 'public key that may sign commitments; repeatable', addKey, {})
    .option('--log <vkey>', 'verifier key of the public log; repeatable', addLog, [])
    .option('--stored <file>', 'JSON {"checkpoint","proof"}: a checkpoint you kept, with a consistency proof')
    .option('--no-bls', "skip the beacon's signature (its hash is still checked)")
    .option('--no-server-keys', 'with a URL: do not take keys from that same server')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
    })
  program.parse([...args], { from: 'user' })
  return { source: program.args[0]!, flags: program.opts<Flags>() }
}

function addKey(text: string, keys: Record<string, string>): Record<string, string> {
  const at = text.lastIndexOf('=')
  const hex = text.slice(at + 1)
  if (at < 1 || !isHex(hex, 32)) throw new InvalidArgumentError('write it as kid=64 lowercase hex digits.')
  return { ...keys, [text.slice(0, at)]: hex }
}

function addLog(text: string, logs: string[]): string[] {
  try {
    parseVerifierKey(text, NODE_HASH)
  } catch {
    throw new InvalidArgumentError('write it as name+8 hex digits+base64.')
  }
  return [...logs, text]
}

async function verifySource(source: string, flags: Flags, io: VerifyIo): Promise<number> {
  const url = urlOf(source)
  const text = url ? await textOf(url, TEXT_BYTES_MAX, io) : await io.readText(source)
  const options: VerifyOptions = {
    keys: url && flags.serverKeys ? await withServerKeys(url, flags.key, io) : flags.key,
    logs: flags.log,
    bls: flags.bls,
    hash: NODE_HASH,
    ...(flags.stored && { stored: storedFrom(await io.readText(flags.stored)) }),
  }
  const verdict = verifyText(text, options)
  for (const step of verdict.steps) io.out(lineOf(step))
  if (verdict.status !== 'failed') {
    for (const note of leftOpen(JSON.parse(text), options)) io.out(`note: ${note}`)
    io.out(`trust: ${verdict.trust} - ${TRUST_SENTENCES[verdict.trust!]}`)
  }
  if (verdict.status === 'pending') {
    io.out('PENDING')
    return EXIT.pending
  }
  io.out(verdict.ok ? 'VERIFIED' : `MISMATCH ${verdict.code}`)
  return verdict.ok ? EXIT.verified : EXIT.mismatch
}

function lineOf({ id, status, code }: Step): string {
  return `${status.padEnd(8)} ${id}${code ? ` ${code}` : ''}`
}

function urlOf(source: string): URL | null {
  return /^https?:\/\//.test(source) ? new URL(source) : null
}

async function textOf(url: URL, bytes_max: number, io: VerifyIo): Promise<string> {
  const response = await io.fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) })
  if (!response.ok) throw new WrongUse(`${url} answered ${response.status}`)
  const chunks: Uint8Array[] = []
  let byte_count = 0
  for await (const chunk of response.body ?? []) {
    byte_count += chunk.length
    // Counted while it arrives: a length header may be missing or wrong.
    if (byte_count > bytes_max) throw new WrongUse(`${url} is larger than ${bytes_max} bytes`)
    chunks.push(chunk)
  }
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks))
}

// Keys given by hand win over a server's: they may come from somewhere the server does not control.
async function withServerKeys(url: URL, given: Record<string, string>, io: VerifyIo) {
  try {
    const jwks = JSON.parse(await textOf(new URL('/.well-known/jwks.json', url), JWKS_BYTES_MAX, io))
    const found = fairnessKeys(jwks)
    const added = Object.keys(found).filter((kid) => !Object.hasOwn(given, kid))
    if (added.length > 0) {
      io.out(
        `note: took ${added.join(', ')} from ${url.origin}. Keys from the server that is being checked prove less;`,
      )
      io.out('note: get them from somewhere else and pass them with --key.')
    }
    return { ...found, ...given }
  } catch {
    io.out(`note: ${url.origin} offers no fairness keys, so signatures are checked with the given ones only.`)
    return given
  }
}

function fairnessKeys(jwks: any): Record<string, string> {
  const keys: Record<string, string> = {}
  for (const { kid, kty, crv, x } of jwks.keys) {
    // The pattern also keeps a server from writing escape sequences to the reader's terminal.
    if (!/^fair-[A-Za-z0-9_.-]{1,64}$/.test(kid) || kty !== 'OKP' || crv !== 'Ed25519') continue
    const bytes = Buffer.from(String(x), 'base64url')
    if (bytes.length === 32) keys[kid] = toHex(bytes)
  }
  return keys
}

function storedFrom(text: string): { checkpoint: string; proof: string[] } {
  const stored = JSON.parse(text)
  if (typeof stored?.checkpoint !== 'string' || !Array.isArray(stored?.proof)) {
    throw new WrongUse('a stored checkpoint is {"checkpoint": "…", "proof": ["…"]}')
  }
  return stored
}

async function readTextFile(path: string): Promise<string> {
  const { size } = await stat(path)
  if (size > TEXT_BYTES_MAX) throw new WrongUse(`${path} is larger than ${TEXT_BYTES_MAX} bytes`)
  // fatal: a broken byte must not be read as U+FFFD; ignoreBOM keeps a byte order mark, which is not canonical.
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(path))
}

const is_main = process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href
if (is_main) {
  process.exitCode = await runVerify(process.argv.slice(2), {
    out: (line) => console.log(line),
    err: (line) => console.error(line),
    readText: readTextFile,
    fetch: globalThis.fetch,
  })
}
