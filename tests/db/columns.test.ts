/** Rows as binary columns: what PostgreSQL receives is what was sent, whatever the values are. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { columnsOf } from '../../src/db/columns.ts'
import { type Database, openPool } from '../../src/db/pool.ts'
import { TEST_SEED } from '../fairness/seed.ts'
import { emptyDatabase, type TestDatabase } from './cluster.ts'

type Row = {
  id: string | null
  name: string | null
  at: Date | null
  big: number | null
  small: number | null
  doc: object | null
}

const COLUMNS = columnsOf<Row>({
  id: 'uuid',
  name: 'text',
  at: 'timestamptz',
  big: 'bigint',
  small: 'integer',
  doc: 'jsonb',
})

/** PostgreSQL keeps no zero character, and no half of a pair, in text. */
const text = fc.string({ unit: 'binary' }).map((value) => value.replaceAll('\0', '').toWellFormed())
/**
 * Without the names of one escaped letter: JSON.parse of V8 13.6 reads {"\"":"…"} as a backslash once it has seen such
 * objects, when the text has letters of two bytes. What PostgreSQL sends is right.
 */
const name = fc.string().filter((letters) => letters !== '"' && letters !== '\\')
const row: fc.Arbitrary<Row> = fc.record({
  id: fc.option(fc.uuid()),
  name: fc.option(text),
  at: fc.option(fc.date({ min: new Date('1900-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })),
  big: fc.option(fc.maxSafeInteger()),
  small: fc.option(fc.integer()),
  doc: fc.option(
    fc.dictionary(name, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)), {
      noNullPrototype: true,
    }),
  ),
})

describe('rows as binary columns', () => {
  let database: TestDatabase
  let pool: Database
  before(async () => {
    database = await emptyDatabase()
    pool = openPool(database.url, () => {})
  })
  after(async () => {
    await pool.end()
    await database.drop()
  })

  const roundTrip = (rows: readonly Row[]) =>
    pool.query<Row>(`select * from ${COLUMNS.from(1)}`, COLUMNS.values(rows))

  it('any rows come back as they were sent, in their order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 20 }), async (rows) => {
        const expected = rows.map((each) => ({
          ...each,
          doc: each.doc && JSON.parse(JSON.stringify(each.doc)),
        }))
        assert.deepEqual(await roundTrip(rows), expected)
      }),
      { seed: TEST_SEED, numRuns: 100 },
    )
  })

  it('a column larger than the buffer is whole, with the ones behind it', async () => {
    const rows = Array.from(
      { length: 300 },
      (_, i): Row => ({
        id: null,
        name: '\u{1F3A1}'.repeat(200 + i),
        at: new Date(i),
        big: i - 300,
        small: i,
        doc: { text: 'x'.repeat(3_000) },
      }),
    )
    assert.deepEqual(await roundTrip(rows), rows)
  })

  it('a value that does not fit its column is refused before it is sent', () => {
    const whole: Row = { id: null, name: null, at: null, big: null, small: null, doc: null }
    const wrong: Partial<Row>[] = [
      { id: 'no uuid' },
      { id: '0191e9a2-0000-7000-8000-00000000000' },
      { big: 2 ** 53 },
      { big: 1.5 },
      { small: 2 ** 31 },
      { at: new Date(Number.NaN) },
    ]
    for (const part of wrong)
      assert.throws(() => COLUMNS.values([{ ...whole, ...part }]), JSON.stringify(part))
  })
})
