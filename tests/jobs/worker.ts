/** A process that begins jobs of the kind `test.note` and never ends one: to be killed. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { makeApp } from '../../src/app.ts'
import { systemClock } from '../../src/clock.ts'
import { openPool } from '../../src/db/pool.ts'
import { jobKind, task } from '../../src/jobs/queue.ts'
import { makeJobs } from '../../src/jobs/runner.ts'
import { makeFairKeys } from '../../src/proofs/keys.ts'
import { makeDirectory } from '../../src/tenants/directory.ts'

const url = process.argv[2]!
const report = (where: string, error: unknown) => console.error(where, error)
const database = openPool(url, () => {})
const keys = makeFairKeys([{ kid: 'k1', key: randomBytes(32) }], generateKeyPairSync('ed25519').privateKey)
const app = makeApp({ database, clock: systemClock, keys, report })
const note = jobKind('test.note', z.strictObject({ text: z.string() }))
const begin = task(note, async (_actor, { text }) => {
  process.stdout.write(`began ${text}\n`)
  await new Promise(() => {})
})
setInterval(() => {}, 60_000)
await makeJobs({ url, app, directory: makeDirectory(database), tasks: [begin], report }).start()
