import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Report } from '../../loadtest/report.ts'

const MAIN = fileURLToPath(new URL('../../loadtest/main.ts', import.meta.url))

/** Thresholds of time are for a machine of its own: here they are out of the way, and crossed on purpose. */
const WIDE = ['--reply-p99', '60000', '--loop-p99', '60000']

function loadtest(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env: process.env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

describe('npm run loadtest', function () {
  this.timeout(90_000)
  let dir: string
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'livedraw-loadtest-test-'))
  })
  after(() => rmSync(dir, { recursive: true, force: true }))

  it('K-06 ten players and five spectators lose nothing, exit 0 and leave a page that works offline', async () => {
    const out = join(dir, 'report.html')
    const tiny = ['--clients', '10', '--spectators', '5', '--duration', '2s', '--rate', '20']
    const { code, stdout, stderr } = await loadtest(...tiny, '--out', out, ...WIDE)
    assert.equal(code, 0, stdout + stderr)

    const report = JSON.parse(readFileSync(join(dir, 'report.json'), 'utf8')) as Report
    assert.equal(report.is_passed, true)
    assert.equal(report.figures['spins_replied'], 40)
    for (const { name, checked, violations } of report.correctness) {
      assert.equal(violations, 0, name)
      assert.ok(checked > 0, `${name} compared nothing`)
    }
    assert.ok(report.figures['pauses']! > 0, 'no client paused')
    assert.ok(report.thresholds.some(({ name, is_met }) => name.startsWith('audit violations') && is_met))

    const page = readFileSync(out, 'utf8')
    assert.match(page, /uPlot/)
    assert.doesNotMatch(
      page,
      /(src|href)="|https?:\/\/(?!127\.0\.0\.1|localhost)[a-z]+\.[a-z]+\/.*\.(js|css)/,
    )
    for (const { name } of report.thresholds) assert.ok(page.includes(name.replaceAll('>', '&gt;')), name)
  })

  it('S2-18 scenario wallet: thirty want one prize every second, lists are current, and the ledger balances', async () => {
    const out = join(dir, 'wallet.html')
    const tiny = ['--scenario', 'wallet', '--clients', '10', '--duration', '2s', '--rate', '50']
    const { code, stdout, stderr } = await loadtest(...tiny, '--out', out, ...WIDE)
    assert.equal(code, 0, stdout + stderr)
    const report = JSON.parse(readFileSync(join(dir, 'wallet.json'), 'utf8')) as Report
    assert.equal(report.figures['requests_replied'], 100 + 2 * 30)
    for (const { name, checked, violations } of report.correctness) {
      assert.equal(violations, 0, name)
      assert.ok(checked > 0, `${name} compared nothing`)
    }
    assert.ok(report.thresholds.some(({ name, is_met }) => name.startsWith('audit violations') && is_met))
  })

  const CLOSING = [...['--clients', '12', '--spectators', '20', '--duration', '4s', '--rate', '30'], ...WIDE]

  for (const { scenario, unit, says } of [
    {
      scenario: 'raffle',
      unit: 'purchases',
      says: 'it sells out, money is tickets, and all see the same winners',
    },
    {
      scenario: 'guess',
      unit: 'guesses',
      says: 'no guess is late, lost or on the wire, and winners are a recount',
    },
  ])
    it(`K-06 S0-18 scenario ${scenario}: ${says}`, async function () {
      this.timeout(240_000)
      const out = join(dir, `${scenario}.html`)
      const { code, stdout, stderr } = await loadtest(
        ...['--scenario', scenario, ...CLOSING, '--skew-p99', '60000', '--out', out],
      )
      assert.equal(code, 0, stdout + stderr)
      const report = JSON.parse(readFileSync(join(dir, `${scenario}.json`), 'utf8')) as Report
      assert.equal(report.figures[`${unit}_replied`], 120)
      assert.ok(report.figures['winners_compared']! >= 5)
      for (const { name, checked, violations } of report.correctness) {
        assert.equal(violations, 0, name)
        assert.ok(checked > 0, `${name} compared nothing`)
      }
      const late = scenario === 'raffle' ? 'raffle_not_open' : 'game_not_open'
      assert.ok(report.refusals[late]! > 0, 'nobody came too late')
      for (const name of ['audit violations', 'skew of reveals p99'])
        assert.ok(
          report.thresholds.some((each) => each.name.startsWith(name) && each.is_met),
          name,
        )
      assert.match(readFileSync(out, 'utf8'), new RegExp(`<td>${late}</td>`))
    })

  it('K-06 a threshold that is crossed makes the exit 1 and is marked in the report', async () => {
    const { code, stdout } = await loadtest(
      ...['--clients', '2', '--spectators', '1', '--duration', '1s', '--rate', '4'],
      ...['--reply-p99', '0.001', '--loop-p99', '60000'],
    )
    assert.equal(code, 1)
    assert.match(stdout, /✗\S* reply p99/)
    assert.match(stdout, /✓\S* errors +0/)
  })

  it('K-06 options that make no sense exit 2, each named, before any server is started', async () => {
    const { code, stderr } = await loadtest(
      '--clients',
      '0',
      '--duration',
      'soon',
      '--rate',
      '1000',
      '--scenario',
      'x',
    )
    assert.equal(code, 2)
    for (const option of ['--clients', '--duration', '--rate', '--scenario'])
      assert.ok(stderr.includes(option), option)
  })

  it('K-06 scenarios that are compared with rows refuse a server of somebody else', async () => {
    const { code, stderr } = await loadtest('--scenario', 'raffle', '--endpoint', 'http://127.0.0.1:1')
    assert.equal(code, 2)
    assert.match(stderr, /needs a server of its own/)
  })
})
