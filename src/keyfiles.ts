/**
 * The keys of this installation: from the environment, or from DATA_DIR/keys, or made there for a demo.
 * A key that sealed seeds exist for is never replaced by a new one: that would make every open promise unopenable.
 */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { JWK } from 'jose'
import type { ClientBase } from 'pg'
import { newestSealedSeed, newestSealedSeedOn, type SealedSeed } from './audit/store.ts'
import type { Config, KeyName } from './config.ts'
import type { Database } from './db/pool.ts'
import { type FairKeys, parseSeedKeys, parseSigningKey, type SeedKey } from './proofs/keys.ts'

export type LoadedKeys = {
  seedKeys: readonly SeedKey[]
  /** Ed25519 private key (JWK) that signs the server's own tokens. */
  tokenKey: JWK
  /** Ed25519 private key that signs commitments, receipts and checkpoints. */
  fairnessKey: KeyObject
  /** Names of the keys that were made just now and are in memory only, until `keepKeys`. */
  readonly made: readonly KeyName[]
}

/** The keys cannot be used; the message is one sentence that says what to do. */
export class KeyError extends Error {
  override name = 'KeyError'
}

const FILES: Record<KeyName, string> = {
  SEED_KEYS: 'seed-keys',
  TOKEN_KEY: 'token-key.json',
  FAIRNESS_KEY: 'fairness-key.json',
}

/** Text of keys that were made and not yet written, by the object they were handed out in. */
const unwritten = new WeakMap<LoadedKeys, Map<KeyName, string>>()

/** Where a key lives below DATA_DIR. */
export function keyFile(dataDir: string, name: KeyName): string {
  return join(dataDir, 'keys', FILES[name])
}

/**
 * Takes each key from the configuration, else from its file, else makes it in memory.
 *
 * A start calls, in this order: `loadKeys`, open the database, `checkSeedKeys`, `keepKeys`; so a new seed key is
 * written only after it is known that no sealed seed waits for an old one.
 * Throws KeyError when a file is there and cannot be read.
 */
export function loadKeys(
  config: Pick<Config, 'dataDir' | 'seedKeys' | 'tokenKey' | 'fairnessKey'>,
): LoadedKeys {
  const fresh = new Map<KeyName, string>()
  const textOf = (name: KeyName, make: () => string): string => {
    const found = readKeyFile(config.dataDir, name)
    if (found !== null) return found
    const text = make()
    fresh.set(name, text)
    return text
  }
  const from = <T>(name: KeyName, make: () => string, parse: (text: string) => T): T => {
    const text = textOf(name, make)
    try {
      return parse(text)
    } catch (error) {
      const why = error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message
      throw new KeyError(
        `${keyFile(config.dataDir, name)} cannot be used (${why}); bring back the file that was there.`,
      )
    }
  }
  const keys: LoadedKeys = {
    seedKeys: config.seedKeys ?? from('SEED_KEYS', makeSeedKeys, parseSeedKeys),
    tokenKey: config.tokenKey ?? from('TOKEN_KEY', makeSigningJwk, signingJwk),
    fairnessKey: config.fairnessKey ?? from('FAIRNESS_KEY', makeSigningJwk, parseSigningKey),
    made: [...fresh.keys()],
  }
  unwritten.set(keys, fresh)
  return keys
}

/**
 * Refuses a start whose seed keys do not open what the database holds: opens the newest seed that is not revealed.
 * Does nothing on a database without such seeds. Throws KeyError. Source: fair-1.md section 13, "fails closed".
 */
export async function checkSeedKeys(database: Database, keys: Pick<FairKeys, 'open'>): Promise<void> {
  refuseOtherKeys(await newestSealedSeed(database), keys)
}

/** The same on a connection that reads as the auditor. */
export async function checkSeedKeysOn(client: ClientBase, keys: Pick<FairKeys, 'open'>): Promise<void> {
  refuseOtherKeys(await newestSealedSeedOn(client), keys)
}

function refuseOtherKeys(newest: SealedSeed | undefined, keys: Pick<FairKeys, 'open'>): void {
  if (newest === undefined) return
  try {
    keys.open(newest.sealed_seed, { gameId: newest.game_id, seedHash: newest.seed_hash })
  } catch {
    const kid = newest.sealed_seed.split('.')[1]
    throw new KeyError(
      `The seed keys do not open the seeds in the database, which were sealed with the key "${kid}": ` +
        'give that key in SEED_KEYS, or bring back the file seed-keys in DATA_DIR/keys.',
    )
  }
}

/**
 * Writes the keys that were made, each whole or not at all and readable by us alone. Returns their files.
 * Throws KeyError when another process made its own in the meantime: the next start then reads those.
 */
export function keepKeys(dataDir: string, keys: LoadedKeys): string[] {
  const fresh = unwritten.get(keys) ?? new Map<KeyName, string>()
  const files = [...fresh].map(([name, text]) => writeKeyFile(dataDir, name, text))
  unwritten.delete(keys)
  return files
}

/** The key that signs tokens, for `npm run token`: written at once when it is new, because nothing is sealed with it. */
export function loadTokenKey(config: Pick<Config, 'dataDir' | 'tokenKey'>): JWK {
  if (config.tokenKey !== null) return config.tokenKey
  const found = readKeyFile(config.dataDir, 'TOKEN_KEY')
  if (found !== null) return signingJwk(found)
  const text = makeSigningJwk()
  writeKeyFile(config.dataDir, 'TOKEN_KEY', text)
  return signingJwk(text)
}

/** The key that signs commitments, where there is one; for tools that only need its public half. */
export function loadFairnessKey(config: Pick<Config, 'dataDir' | 'fairnessKey'>): KeyObject | null {
  if (config.fairnessKey !== null) return config.fairnessKey
  const found = readKeyFile(config.dataDir, 'FAIRNESS_KEY')
  return found === null ? null : parseSigningKey(found)
}

const makeSeedKeys = () => `k1:${randomBytes(32).toString('base64')}`

const makeSigningJwk = () =>
  JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }))

function signingJwk(text: string): JWK {
  parseSigningKey(text)
  return JSON.parse(text) as JWK
}

function readKeyFile(dataDir: string, name: KeyName): string | null {
  const path = keyFile(dataDir, name)
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new KeyError(`${path} cannot be read (${(error as Error).message}); let this user read it.`)
  }
}

/** A hard link to a finished draft: the name appears with the whole key behind it, and never replaces another. */
function writeKeyFile(dataDir: string, name: KeyName, text: string): string {
  const path = keyFile(dataDir, name)
  mkdirSync(join(dataDir, 'keys'), { recursive: true, mode: 0o700 })
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  const file = openSync(draft, 'wx', 0o600)
  try {
    writeSync(file, `${text}\n`)
    fsyncSync(file)
    linkSync(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new KeyError(`Another process made ${path} at this moment; start again to use it.`)
  } finally {
    closeSync(file)
    rmSync(draft, { force: true })
  }
  syncDirectory(join(dataDir, 'keys'))
  return path
}

function syncDirectory(dir: string): void {
  if (process.platform === 'win32') return
  const handle = openSync(dir, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
