// The big screen in a real Chromium: no login, everything that happens on one wheel.
import assert from 'node:assert/strict'
import { aScene } from './scene.ts'
import { aWheel, DESK, PHONE, sidewaysPx, sliceUnderPointer } from './server.ts'

describe('the watch page', function () {
  this.timeout(60_000)
  const scene = aScene()

  it("K-03 a spectator without a token sees a player's spin turn, stop and enter the list", async () => {
    const slug = await aWheel(scene.on.server)
    const [screen, player] = await Promise.all([scene.visitor({ viewport: DESK }), scene.visitor()])
    const tokens: string[] = []
    screen.page.on('request', (request) => {
      const { authorization } = request.headers()
      if (authorization !== undefined) tokens.push(authorization)
    })
    await screen.page.goto(`/watch?tenant=demo&game=${slug}`)
    await screen.page.getByText('Waiting for the next spin').waitFor()
    await player.page.goto(`/?wheel=${slug}`)
    await player.page.getByRole('button', { name: 'Spin', exact: true }).click()
    await player.page.locator('.outcome').waitFor()
    const told = await player.page.locator('.outcome-text').innerText()

    await screen.page.locator('.watch-name', { hasText: told }).waitFor()
    assert.equal(await sliceUnderPointer(screen.page), told)
    await screen.page
      .getByRole('list', { name: 'Latest spins' })
      .getByRole('listitem')
      .filter({ hasText: told })
      .waitFor()
    await screen.page.getByText('1 players').waitFor()
    await screen.page.getByText('1 watching').waitFor()
    await screen.page.getByRole('status').filter({ hasText: told }).waitFor({ state: 'attached' })
    assert.deepEqual(tokens, [])
    assert.equal(await screen.page.getByRole('button', { name: 'Spin', exact: true }).count(), 0)
  })

  for (const viewport of [PHONE, DESK]) {
    it(`K-10 the screen fits ${viewport.width} px and picks a live wheel by itself, without errors`, async () => {
      const { page, faults } = await scene.visitor({ viewport })
      await page.goto('/watch')
      await page.getByRole('img', { name: /Prize wheel/ }).waitFor()
      await page.getByText('Committed in advance').waitFor()
      await page.locator('.pill-live').waitFor()
      assert.equal(await sidewaysPx(page), 0)
      assert.deepEqual(faults, { console: [], foreign: [] })
    })
  }
})
