import assert from 'node:assert/strict'
import { analyzeYoung, keepStatistics } from '../../src/db/statistics.ts'
import { grantChances } from '../../src/games/wheel/chances.ts'
import { eventually, type Stage, startStage } from '../games/kit.ts'

describe('statistics of young tables', () => {
  let stage: Stage
  beforeEach(async () => {
    stage = await startStage()
  })
  afterEach(() => stage.close())

  const grantToMany = () =>
    stage.inTenant(async (tx) => {
      for (let i = 0; i < 150; i++) await grantChances(tx, { user_id: `user-${i}`, count: 1, reason: 'test' })
    })
  const known = async () =>
    Number(
      (await stage.rows(`select reltuples from pg_class where oid = 'spin_chances'::regclass`))[0].reltuples,
    )

  it('S1-49 a table that has grown past its first page is looked at once, an empty one and an old one are left alone', async () => {
    await grantToMany()
    assert.equal(await known(), -1)
    const names = await analyzeYoung(stage.database)
    assert.ok(names.includes('public.spin_chances'), String(names))
    assert.ok(!names.includes('public.spin_sessions'), 'nobody has spun')
    assert.equal(await known(), 150)
    await grantToMany()
    assert.deepEqual(await analyzeYoung(stage.database), [])
  })

  it('S1-49 the server looks by itself, and a failure is reported and tried again', async () => {
    const reports: string[] = []
    let fails = true
    const kept = keepStatistics(
      {
        query: (text, values) => {
          if (fails) return Promise.reject(new Error('away'))
          return stage.database.query(text, values)
        },
      },
      (where) => void reports.push(where),
    )
    await grantToMany()
    await eventually('a report', async () => reports.length > 0)
    fails = false
    await eventually('statistics', async () => (await known()) === 150)
    await kept.stop()
    assert.deepEqual([...new Set(reports)], ['statistics'])
  })
})
