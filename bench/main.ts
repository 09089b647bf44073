/** `npm run bench`: every bench, or those that are named, one after the other. */
import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { isMain, makeCommand, runCommand, WrongUse } from '../src/commands/command.ts'

type Table = { name: string; rows: Record<string, string | number>[] }
type Bench = { run(options?: { quick?: boolean }): Promise<Table> }

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  outcome: () => import('./outcome.ts'),
  spins: () => import('./spins.ts'),
  rooms: () => import('./rooms.ts'),
  fanout: () => import('./fanout.ts'),
  joins: () => import('./joins.ts'),
  wallet: () => import('./wallet.ts'),
  plans: () => import('./plans.ts'),
  tickets: () => import('./tickets.ts'),
  draws: () => import('./draws.ts'),
  lists: () => import('./lists.ts'),
}

const command = makeCommand(
  'bench',
  'Measures beside baselines in interleaved runs. Nothing else should run meanwhile.',
)
  .argument('[names...]', `which: ${Object.keys(BENCHES).join(', ')}; all by default`)
  .option('--quick', 'one short round each: shows that it works, measures nothing')
  .option('--json <file>', 'writes the tables there too')

if (isMain(import.meta)) {
  await runCommand(command, async ({ quick = false, json }: { quick?: boolean; json?: string }) => {
    const names = command.args.length > 0 ? command.args : Object.keys(BENCHES)
    const unknown = names.filter((name) => !Object.hasOwn(BENCHES, name))
    if (unknown.length > 0)
      throw new WrongUse(
        `There is no bench ${unknown.join(', ')}; there is ${Object.keys(BENCHES).join(', ')}.`,
      )
    const tables: Table[] = []
    for (const name of names) {
      const table = await (await BENCHES[name]!()).run({ quick })
      console.log(`\n${table.name}`)
      console.table(table.rows)
      tables.push(table)
    }
    if (json !== undefined) {
      const machine = { node: process.version, cores: cpus().length, cpu: cpus()[0]?.model ?? '' }
      await writeFile(
        json,
        `${JSON.stringify({ at: new Date().toISOString(), quick, machine, tables }, null, 2)}\n`,
      )
    }
    return 0
  })
}
