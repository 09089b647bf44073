/** The process around the server: signals drain it, a deadline ends it, a mistake of the environment is a sentence. */
import { StartError, start, unwind } from './composition.ts'
import { ConfigError, readConfig } from './config.ts'
import { EmbeddedStartError } from './db/embedded.ts'
import { SchemaAheadError } from './db/migrate.ts'
import { KeyError } from './keyfiles.ts'
import { makeLog } from './log.ts'

/** An uncaught exception drains it too, and says so. */
async function run(): Promise<void> {
  const config = readConfig()
  const log = makeLog({ level: config.logLevel })
  let running: Awaited<ReturnType<typeof start>> | undefined
  let isStopping = false
  const stop = async (reason: string, exit_code: number) => {
    if (isStopping) return
    isStopping = true
    log.info({ reason }, 'stopping')
    const ends_at = performance.now() + config.shutdown_deadline_ms
    setTimeout(() => {
      log.error('the deadline for stopping has passed')
      process.exit(1)
    }, config.shutdown_deadline_ms).unref()
    if (running) {
      running.state.draining = true
      await unwind(running.steps, config.shutdown_deadline_ms, log)
    }
    // A step that gave up at the deadline must not look like one that was done.
    process.exit(performance.now() < ends_at ? exit_code : 1)
  }
  process.on('SIGTERM', () => void stop('SIGTERM', 0))
  process.on('SIGINT', () => void stop('SIGINT', 0))
  process.on('uncaughtException', (err) => {
    log.fatal({ err }, 'uncaught exception')
    void stop('uncaught exception', 1)
  })
  process.on('unhandledRejection', (err) => log.error({ err }, 'unhandled rejection'))
  running = await start(config, log)
}

/** Runs the server until it is told to end, and ends the process: 2 for a wrong environment, 1 for any other failure. */
export async function serve(): Promise<void> {
  try {
    await run()
  } catch (error) {
    const known = [ConfigError, EmbeddedStartError, SchemaAheadError, KeyError, StartError].some(
      (kind) => error instanceof kind,
    )
    process.stderr.write(`${known ? (error as Error).message : ((error as Error)?.stack ?? String(error))}\n`)
    process.exit(error instanceof ConfigError ? 2 : 1)
  }
}
