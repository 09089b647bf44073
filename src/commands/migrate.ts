/** `npm run migrate`: brings the database to the schema of this version. The server does the same at its start. */
import { readConfig } from '../config.ts'
import { migrate } from '../db/migrate.ts'
import { isMain, makeCommand, runCommand } from './command.ts'
import { findDatabase } from './database.ts'

const command = makeCommand(
  'migrate',
  'Brings the database to the schema of this version; does nothing when it is there.',
)

if (isMain(import.meta)) {
  await runCommand(command, async () => {
    const config = readConfig(undefined, { needs: [] })
    const say = (message: string) => process.stderr.write(`${message}\n`)
    const found = await findDatabase(config, say)
    try {
      await migrate(found.url, say)
    } finally {
      await found.close()
    }
    process.stdout.write(`✓ the schema is that of this version (${found.says})\n`)
    return 0
  })
}
