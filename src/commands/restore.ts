/** `npm run restore`: a backup into an empty database, checked before it counts. */
import { readConfig } from '../config.ts'
import { restoreBackup } from '../db/backup.ts'
import { checkSeedKeysOn, KeyError, loadKeys } from '../keyfiles.ts'
import { makeFairKeys } from '../proofs/keys.ts'
import { readServerFile } from '../server-file.ts'
import { Failure, isMain, makeCommand, runCommand } from './command.ts'
import { findDatabase } from './database.ts'

const command = makeCommand('restore', 'Loads a backup into an empty database; refuses any other.').argument(
  '<file>',
)

if (isMain(import.meta)) {
  await runCommand(command, async () => {
    const config = readConfig(undefined, { needs: ['SEED_KEYS'] })
    const say = (message: string) => process.stderr.write(`${message}\n`)
    if (readServerFile(config.dataDir) !== null)
      throw new Failure('A server runs on this DATA_DIR: stop it first.')
    const loaded = loadKeys(config)
    // A key that was made just now, for want of one, opens nothing.
    const seedKeys = loaded.made.includes('SEED_KEYS') ? [] : loaded.seedKeys
    const found = await findDatabase(config, say)
    try {
      const { head, tables, rows } = await restoreBackup(found.url, command.args[0]!, {
        seed_kids: seedKeys.map(({ kid }) => kid),
        check: async (client) => {
          if (seedKeys.length > 0) await checkSeedKeysOn(client, makeFairKeys(seedKeys, loaded.fairnessKey))
        },
        say,
      })
      process.stdout.write(
        `✓ ${rows} rows of ${tables} tables as of ${head.created_at} (${found.says}); now run: npm run audit\n`,
      )
      return 0
    } catch (error) {
      if (error instanceof KeyError) throw new Failure(`${error.message} Nothing was restored.`)
      throw error
    } finally {
      await found.close()
    }
  })
}
