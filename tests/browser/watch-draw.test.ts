// The big screen of a draw in a real Chromium: no login, its clock, its tickets, its winners.
import assert from 'node:assert/strict'
import { aBuyer, aRaffle, board, buy, callOff, winnersOn } from './raffles.ts'
import { aScene } from './scene.ts'
import { aLine, DESK, PHONE, sidewaysPx } from './server.ts'

describe('the big screen of a draw', function () {
  this.timeout(90_000)
  const scene = aScene()
  afterEach(() => callOff(scene.on.server))

  it('K-03 a spectator without a token sees tickets go, the list close and the winners appear, and cannot act', async () => {
    const { slug, id, name } = await aRaffle(scene.on.server, {
      sale_s: 12,
      draws: [{ winners: 2, alternates: 0 }],
    })
    const { page } = await scene.visitor({ viewport: DESK })
    const tokens: string[] = []
    page.on('request', (request) => {
      const { authorization } = request.headers()
      if (authorization !== undefined) tokens.push(authorization)
    })
    await page.goto(`/watch-draw?raffle=${slug}`)
    await page.getByRole('heading', { name }).waitFor()
    await page.getByText('Winners appear here').waitFor()
    await page.getByRole('timer').first().waitFor()
    await buy(scene.on.server, await aBuyer(scene.on.server), id, [4, 5, 6, 7])
    await page.locator('.watch-counts', { hasText: /4\s+of 100 tickets sold/ }).waitFor()

    await page.getByRole('list', { name: 'Winners of Draw 1' }).waitFor({ timeout: 40_000 })
    await page.locator('.place.is-shown').nth(1).waitFor({ timeout: 30_000 })
    await page.getByText('It is over. Everybody can check it.').waitFor({ timeout: 30_000 })
    const { winners } = (await board(scene.on.server, id)).draws[0]!
    const told = await winnersOn(page)
    for (const { place, ticket_number } of winners) assert.ok(told[place - 1]!.includes(ticket_number))
    const [first] = winners.filter(({ place }) => place === 1)
    await page.locator('.big-number strong', { hasText: new RegExp(`^${first!.ticket_number}$`) }).waitFor()
    await page
      .locator('[aria-live=polite]', { hasText: new RegExp(`place 1: .* ticket ${first!.ticket_number}\\.`) })
      .waitFor({ state: 'attached' })
    assert.deepEqual(tokens, [])
    assert.equal(await page.locator('main button:not(.hash-copy)').count(), 0)
  })

  it('P-30 a screen that lost its line shows the winners that it has missed', async () => {
    const { slug, id } = await aRaffle(scene.on.server, {
      sale_s: 10,
      draws: [{ winners: 3, alternates: 0 }],
    })
    await buy(scene.on.server, await aBuyer(scene.on.server), id, [1, 2, 3, 4])
    const line = await aLine(scene.on.server)
    scene.afterwards(line.close)
    const [near, far] = [
      await scene.visitor({ viewport: DESK }),
      await scene.visitor({ viewport: DESK, baseURL: line.url }),
    ]
    for (const { page } of [near, far]) {
      await page.goto(`/watch-draw?raffle=${slug}`)
      await page.locator('.pill-live').waitFor()
    }
    line.cut(false)
    await far.page.getByText(/Connection lost/).waitFor()
    await near.page.locator('.place.is-shown').nth(2).waitFor({ timeout: 40_000 })
    line.restore()
    await far.page.locator('.place.is-shown').nth(2).waitFor({ timeout: 30_000 })
    assert.deepEqual(await winnersOn(far.page), await winnersOn(near.page))
  })

  it('a raffle that was called off says so', async () => {
    const { slug, id } = await aRaffle(scene.on.server)
    const { page } = await scene.visitor({ viewport: DESK })
    await page.goto(`/watch-draw?raffle=${slug}`)
    await page.getByText('Winners appear here').waitFor()
    await scene.on.server.operate(`/raffles/${id}/cancel`, { why: 'Rain.' })
    await page.getByText('This raffle was called off.').waitFor()
  })

  for (const viewport of [PHONE, DESK]) {
    it(`K-10 the screen fits ${viewport.width} px and picks what closes first by itself, without errors`, async () => {
      const { page, faults } = await scene.visitor({ viewport })
      await page.goto('/watch-draw')
      await page.locator('.stage-draw h1').waitFor()
      await page.getByText('Promised in advance').first().waitFor()
      await page.locator('.pill-live').waitFor()
      assert.equal(await sidewaysPx(page), 0)
      assert.deepEqual(faults, { console: [], foreign: [] })
    })
  }
})
