// The one-time link of a demo in a real Chromium.
import assert from 'node:assert/strict'
import { aScene } from './scene.ts'
import { PHONE, sidewaysPx } from './server.ts'

describe('the way in for the operator', function () {
  this.timeout(60_000)
  const scene = aScene()

  it('K-07 the code leaves the address before it is used, and the token waits where the desk looks for it', async () => {
    const { page } = await scene.visitor()
    const sent: unknown[] = []
    // Which code is right stands on the terminal alone.
    await page.route('**/api/v1/admin-link', async (route) => {
      sent.push(route.request().postDataJSON())
      await route.fulfill({
        status: 201,
        json: { token: 'a.b.c', user_id: 'x', expires_at: '2030-01-01T00:00:00Z' },
      })
    })
    await page.goto('/enter#SECRETCODE')
    await page.waitForURL('**/admin')
    assert.deepEqual(sent, [{ code: 'SECRETCODE' }])
    assert.equal(await page.evaluate(() => sessionStorage.getItem('livedraw.desk')), 'a.b.c')
    await page.goBack()
    assert.doesNotMatch(page.url(), /SECRETCODE/)
  })

  it('K-07 a link that was used says so in words, on a phone too, and nobody gets in', async () => {
    const { page } = await scene.visitor({ viewport: PHONE })
    await page.goto('/enter#WRONG')
    await page.getByText('This link was used already').waitFor()
    assert.ok(page.url().endsWith('/enter'))
    assert.equal(await sidewaysPx(page), 0)
    assert.equal(await page.evaluate(() => sessionStorage.getItem('livedraw.desk')), null)
  })
})
