// Every case of both vector files in a real browser, with and without crypto.subtle, beside the same run in Node.
import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { bundle } from '../../scripts/offline-verifier.ts'
import { launch } from '../browser/chromium.ts'
import { runVectors } from './vector-runner.ts'
import { fairVectors, publicVectors } from './vectors.ts'

// Cases in the two files as they were published; a run that skips some must not pass.
const CASE_COUNT = 265

describe('All vectors', () => {
  it('P-46 all cases of both files pass in Node', () => {
    assert.deepEqual(runVectors(fairVectors, publicVectors), { checked: CASE_COUNT, failures: [] })
  })

  it('P-46 a wrong vector is noticed by the runner', () => {
    const wrong = structuredClone(fairVectors)
    wrong.groups.wheel.cases[0].indices[3] = 0
    wrong.groups.unknown = { cases: [{}] }
    assert.equal(runVectors(wrong, publicVectors).failures.length, 3)
  })

  describe('in a browser', () => {
    let browser: Browser
    before(async function () {
      this.timeout(120_000)
      const started = await launch()
      if (typeof started === 'string') {
        console.log(`    skipped: ${started}`)
        this.skip()
      }
      browser = started
    })
    after(() => browser?.close())

    for (const subtle of [true, false]) {
      it(`P-46 all cases pass in Chromium ${subtle ? 'with' : 'without'} crypto.subtle`, async () => {
        const context = await browser.newContext({ offline: true })
        const page = await context.newPage()
        if (!subtle) await page.addInitScript("Object.defineProperty(crypto, 'subtle', { value: undefined })")
        // A secure origin, answered by the test itself: only such a page has crypto.subtle at all.
        await page.route('https://vectors.test/', (route) =>
          route.fulfill({ contentType: 'text/html', body: '<p>' }),
        )
        await page.goto('https://vectors.test/')
        assert.equal(await page.evaluate('typeof crypto.subtle'), subtle ? 'object' : 'undefined')
        await page.addScriptTag({
          content: await bundle(fileURLToPath(new URL('./vector-runner.ts', import.meta.url))),
        })
        const vectors = JSON.stringify([fairVectors, publicVectors])
        const found = await page.evaluate(`runVectors(...${vectors})`)
        assert.deepEqual(found, { checked: CASE_COUNT, failures: [] })
        await context.close()
      }).timeout(60_000)
    }
  })
})
