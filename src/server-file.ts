/**
 * DATA_DIR/server.json: what the running server says of itself to the commands beside it. Processes on one external
 * database may share a directory; the file is then of the one that started last.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type ServerFile = { pid: number; url: string; started_at: string }

const fileIn = (dataDir: string): string => join(dataDir, 'server.json')

export function writeServerFile(dataDir: string, file: ServerFile): void {
  mkdirSync(dataDir, { recursive: true })
  writeFileSync(fileIn(dataDir), `${JSON.stringify(file)}\n`)
}

/** Null when there is none, or no such process lives. */
export function readServerFile(dataDir: string): ServerFile | null {
  try {
    const { pid, url, started_at } = JSON.parse(readFileSync(fileIn(dataDir), 'utf8')) as ServerFile
    if (!Number.isSafeInteger(pid) || typeof url !== 'string' || !isAlive(pid)) return null
    return { pid, url, started_at }
  } catch {
    return null
  }
}

/** Removes the file of this process, and nobody else's. */
export function removeServerFile(dataDir: string): void {
  if (readServerFile(dataDir)?.pid === process.pid) rmSync(fileIn(dataDir), { force: true })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // A process of another user is alive all the same.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
