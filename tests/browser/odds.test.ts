// What a wheel rolled beside what it promises, for anybody, in a real Chromium.
import assert from 'node:assert/strict'
import { aScene } from './scene.ts'
import { aWheel, DESK, PHONE, sidewaysPx } from './server.ts'

describe('the odds page', function () {
  this.timeout(60_000)
  const scene = aScene()

  it('P-48 a stranger sees observed beside expected, and a spin that is made is counted', async () => {
    const slug = await aWheel(scene.on.server)
    const player = await scene.visitor()
    await player.page.goto(`/?wheel=${slug}`)
    await player.page.getByRole('button', { name: 'Spin', exact: true }).click()
    await player.page.locator('.outcome').waitFor()

    const { page, faults } = await scene.visitor()
    const tokens: string[] = []
    page.on('request', (request) => {
      const { authorization } = request.headers()
      if (authorization !== undefined) tokens.push(authorization)
    })
    await page.goto(`/odds?tenant=demo&wheel=${slug}`)
    await page.getByText('1 spin.').waitFor()
    await page.getByText('Too few to compare yet.').waitFor()
    const odds: any = await (
      await fetch(`${scene.on.server.url}/api/v1/wheels/${slug}/odds?tenant=demo`)
    ).json()
    const cells = await page
      .locator('.odds tbody tr')
      .evaluateAll((rows) =>
        rows.map((row) => [...row.querySelectorAll('th, td')].map((cell) => cell.textContent?.trim())),
      )
    assert.deepEqual(
      cells.map(([label, share]) => [label, share]),
      odds.segments.map((segment: any) => [segment.label, segment.share]),
    )
    assert.equal(
      cells.reduce((sum, [, , , rolled]) => sum + Number(rolled), 0),
      1,
    )
    assert.ok((await page.locator('.monitor code').innerText()).includes(odds.config_hash.slice(0, 8)))
    assert.deepEqual(tokens, [])
    assert.deepEqual(faults, { console: [], foreign: [] })
  })

  it('P-48 counts that chance does not explain are called so, in words', async () => {
    const slug = await aWheel(scene.on.server)
    const { page } = await scene.visitor()
    await page.route('**/api/v1/fairness/monitor?*', async (route) => {
      const answer = await (await route.fetch()).json()
      await route.fulfill({ json: { ...answer, spins: 1000, p_value: '1.000e-7' } })
    })
    await page.goto(`/odds?wheel=${slug}`)
    await page.getByText('further off than chance explains').waitFor()
    await page.getByText('one in 10,000,000').waitFor()
  })

  for (const viewport of [PHONE, DESK]) {
    it(`K-10 it fits ${viewport.width} px and picks a wheel by itself, without errors`, async () => {
      const { page, faults } = await scene.visitor({ viewport })
      await page.goto('/odds')
      await page.getByRole('columnheader', { name: 'Rolled' }).waitFor()
      assert.equal(await sidewaysPx(page), 0)
      assert.deepEqual(faults, { console: [], foreign: [] })
    })
  }
})
