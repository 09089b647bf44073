/** What every command-line tool shares: its exit codes (0 done, 1 failed, 2 wrong use) and how it says why. */
import { Command, CommanderError } from 'commander'
import { ConfigError } from '../config.ts'
import { RestoreError } from '../db/backup.ts'
import { EmbeddedStartError } from '../db/embedded.ts'
import { SchemaAheadError } from '../db/migrate.ts'
import { KeyError } from '../keyfiles.ts'

/** The person asked for something that this tool cannot take; ends with 2. */
export class WrongUse extends Error {
  override name = 'WrongUse'
}

/** The sentence is for a person and needs no stack; ends with 1. */
export class Failure extends Error {
  override name = 'Failure'
}

/** A commander program whose mistakes end with 2 instead of commander's own 1. */
export function makeCommand(name: string, description: string): Command {
  return new Command(name).description(description).showHelpAfterError().exitOverride()
}

/** Runs a command to its end and sets the exit code. `act` answers the code of a run without errors. */
export async function runCommand(
  command: Command,
  act: (options: any) => Promise<number>,
  argv = process.argv,
): Promise<void> {
  try {
    command.parse(argv)
    process.exitCode = await act(command.opts())
  } catch (error) {
    process.exitCode = codeOf(error)
  }
}

function codeOf(error: unknown): number {
  // Commander has said what was wrong already; asking for help is no mistake.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof ConfigError || error instanceof WrongUse) {
    process.stderr.write(`${error.message}\n`)
    return 2
  }
  const is_for_people =
    error instanceof Failure ||
    error instanceof RestoreError ||
    error instanceof KeyError ||
    error instanceof EmbeddedStartError ||
    error instanceof SchemaAheadError
  process.stderr.write(`${is_for_people ? error.message : ((error as Error)?.stack ?? String(error))}\n`)
  return 1
}

/** True when this module is the program and not imported by another. */
export function isMain(meta: ImportMeta): boolean {
  return meta.main === true
}
