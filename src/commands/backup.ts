/** `npm run backup`: everything in the database, as of one instant, in one file that checks itself. */
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { systemClock } from '../clock.ts'
import { readConfig } from '../config.ts'
import { checkBackup, writeBackup } from '../db/backup.ts'
import { isMain, makeCommand, runCommand, WrongUse } from './command.ts'
import { findDatabase } from './database.ts'

const command = makeCommand(
  'backup',
  'Writes a backup of the database, of a running server too, and reads it back to check it.',
)
  .argument('[file]', 'default: livedraw-<time>.backup in the current directory')
  .option('--check', 'only check a backup that is there')

if (isMain(import.meta)) {
  await runCommand(command, async ({ check }: { check?: boolean }) => {
    const config = readConfig(undefined, { needs: [] })
    const say = (message: string) => process.stderr.write(`${message}\n`)
    const now = systemClock.now()
    const [named] = command.args
    if (check === true && named === undefined) throw new WrongUse('--check needs a file.')
    const file = resolve(named ?? `livedraw-${now.toISOString().replace(/[:.]/g, '-')}.backup`)
    if (check !== true) {
      if (existsSync(file)) throw new WrongUse(`${file} is there already; a backup is never written over.`)
      const found = await findDatabase(config, say)
      try {
        await writeBackup(found.url, file, now)
      } finally {
        await found.close()
      }
    }
    const { head, tables, rows, sha256 } = await checkBackup(file)
    process.stdout.write(
      `✓ ${file}: ${rows} rows of ${tables} tables as of ${head.created_at}, ${statSync(file).size} bytes, sha256 ${sha256}\n` +
        `  To open what it holds it needs the seed keys ${head.seed_kids.join(', ') || '(none)'}: keep them elsewhere.\n`,
    )
    return 0
  })
}
