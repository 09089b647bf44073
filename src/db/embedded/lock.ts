/** The lock file that keeps a second server off a data directory. */
import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { processFacts } from './processes.ts'

export type LockHolder = { pid: number; incarnation: string; nonce: string }

export type Lock = { release(): void }

/**
 * Takes the lock at `path` for this process, or tells which living process holds it.
 *
 * A lock whose process is dead, or whose id now belongs to another process, is taken over. That is free of races:
 * a lock appears whole or not at all (`link` refuses an existing name, like O_EXCL), and a stale one may be removed only
 * by the holder of a second lock named after it, who looks again first. That second lock is taken in the same way,
 * so a crash in the middle of a takeover blocks nobody.
 */
export async function takeLock(path: string): Promise<Lock | LockHolder> {
  for (;;) {
    const mine = linkOwn(path)
    if (mine) return { release: () => release(path, mine) }
    const holder = readHolder(path)
    if (holder === null) continue
    if (isAlive(holder)) return holder

    const guard = await takeLock(`${path}.${holder.nonce}`)
    if ('pid' in guard) {
      await sleep(5) // Another process is removing the same stale lock: a matter of microseconds.
      continue
    }
    if (readHolder(path)?.nonce === holder.nonce) rmSync(path, { force: true })
    guard.release()
  }
}

function linkOwn(path: string): LockHolder | null {
  const nonce = randomBytes(8).toString('hex')
  const mine = { pid: process.pid, incarnation: processFacts(process.pid)?.incarnation ?? '', nonce }
  const draft = `${path}.draft-${nonce}`
  writeFileSync(draft, `${JSON.stringify(mine)}\n`, { mode: 0o600, flag: 'wx' })
  try {
    linkSync(draft, path)
    return mine
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

function release(path: string, mine: LockHolder): void {
  if (readHolder(path)?.nonce === mine.nonce) rmSync(path, { force: true })
}

/** The holder written at `path`, null when there is no file. A file cut off by a power failure has a dead holder. */
function readHolder(path: string): LockHolder | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    const { pid, incarnation, nonce } = JSON.parse(text)
    if (Number.isSafeInteger(pid) && /^[0-9a-f]{16}$/.test(nonce))
      return { pid, incarnation: String(incarnation), nonce }
  } catch {
    // Falls through: what cannot be read was not written by a process that lives.
  }
  return { pid: 0, incarnation: '', nonce: 'unreadable' }
}

function isAlive(holder: LockHolder): boolean {
  const facts = processFacts(holder.pid)
  return facts !== null && !facts.is_zombie && facts.incarnation === holder.incarnation
}
