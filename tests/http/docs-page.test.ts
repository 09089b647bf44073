/** The API documentation in a real browser: under the policy of the server, with nothing from elsewhere. */
import assert from 'node:assert/strict'
import { launch } from '../browser/chromium.ts'
import { type HttpHarness, startHttp } from './harness.ts'

describe('http: the documentation page', () => {
  let http: HttpHarness
  before(async () => {
    http = await startHttp()
  })
  after(() => http.close())

  it('P-53 shows every route, breaks no rule of the policy, and asks nobody else', async function () {
    this.timeout(60_000)
    const browser = await launch()
    if (typeof browser === 'string') {
      console.log(`      skipped: ${browser}`)
      return this.skip()
    }
    try {
      const page = await browser.newPage()
      const complaints: string[] = []
      const foreign: string[] = []
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
      page.on('pageerror', (error) => complaints.push(String(error)))
      page.on(
        'request',
        (request) =>
          !/^(data|blob):/.test(request.url()) &&
          !request.url().startsWith(http.url) &&
          foreign.push(request.url()),
      )
      await page.goto(`${http.url}/docs`)
      await page.locator('.opblock').first().waitFor({ timeout: 30_000 })
      assert.equal(await page.locator('.opblock').count(), http.routes.length)
      assert.deepEqual(complaints, [])
      assert.deepEqual(foreign, [])
    } finally {
      await browser.close()
    }
  })
})
