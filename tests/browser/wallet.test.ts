// The wallet page in a real Chromium: what a player won, live on every device, opened and explained.
import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { aScene } from './scene.ts'
import {
  aGuest,
  aWheel,
  DESK,
  isFocused,
  PHONE,
  type Player,
  send,
  sidewaysPx,
  smallTargets,
  tabTo,
  win,
} from './server.ts'

const SECRET = {
  name: 'Velvet voucher',
  type: 'discount_fixed',
  value: '7.77',
  display_value: 'SEVEN77',
  expires_in_days: 1,
}
const STRICT = {
  name: 'A picky discount',
  description: 'Good for some orders.',
  type: 'discount_percentage',
  value: '10.00',
  display_value: '10% OFF',
  rarity: 'epic',
  min_order_amount: '50.00',
  valid_payment_methods: ['card'],
}

const cards = (page: Page) => page.locator('.ticket')
const tab = (page: Page, name: string) => page.getByRole('tab', { name, exact: true })

describe('the wallet page', function () {
  this.timeout(60_000)
  let secret_wheel = ''
  let strict_wheel = ''
  const scene = aScene(async ({ server }) => {
    secret_wheel = await aWheel(server, { always_wins: true, prizes: [SECRET] })
    strict_wheel = await aWheel(server, { always_wins: true, prizes: [STRICT] })
  })

  /** A guest with prizes, and the wallet that shows them. */
  async function aWallet(wheel: string, count: number, options: Parameters<typeof scene.visitorAs>[1] = {}) {
    const player = await aGuest(scene.on.server)
    const ids = count === 0 ? [] : await win(scene.on.server, player, wheel, count)
    const made = await scene.visitorAs(player, options)
    await made.page.goto('/wallet')
    await tab(made.page, `All ${count}`).waitFor()
    return { ...made, player, ids }
  }
  const unlock = ({ token }: Player, id: number) =>
    send(scene.on.server.url, token, `/gamification/unlock/${id}`)

  it('S2-46 without a player the wallet says how to get one, and makes nobody', async () => {
    const { page, faults } = await scene.visitor()
    await page.goto('/wallet')
    await page.getByText('No player here yet').waitFor()
    assert.equal(await page.evaluate("sessionStorage.getItem('livedraw.guest')"), null)
    await page.getByRole('link', { name: 'Pick a game' }).click()
    await page.getByRole('link', { name: 'Play Summer wheel' }).waitFor()
    assert.deepEqual(faults, { console: [], foreign: [] })
  })

  it('S2-46 every tab has its count and says so when it is empty', async () => {
    const { page } = await aWallet(secret_wheel, 0)
    for (const [name, says] of [
      ['All 0', 'Nothing won yet'],
      ['Locked 0', 'No locked prize is waiting'],
      ['Unlocked 0', 'No prize is ready'],
      ['Used 0', 'No prize was used'],
      ['Expired 0', 'No prize has expired'],
    ] as const) {
      await tab(page, name).click()
      await page.getByRole('tabpanel', { name, exact: true }).getByText(says).waitFor()
    }
  })

  it('S2-04 a locked card tells nothing, neither on the page nor in any answer; unlocking reveals it', async () => {
    const player = await aGuest(scene.on.server)
    await win(scene.on.server, player, secret_wheel)
    const { page } = await scene.visitorAs(player)
    const answers: Promise<string>[] = []
    page.on('response', (response) => {
      if (response.url().includes('/api/')) answers.push(response.text().catch(() => ''))
    })
    await page.goto('/wallet')
    const card = cards(page).filter({ hasText: 'A locked prize' })
    await card.waitFor()
    const told = [await page.content(), ...(await Promise.all(answers))].join('\n')
    for (const secret of ['Velvet', 'SEVEN77', '7.77', 'discount_fixed', 'PRIZE-'])
      assert.ok(!told.includes(secret), `it tells ${secret}`)

    await card.getByRole('button', { name: 'Unlock' }).click()
    const open = page.getByRole('article', { name: 'Velvet voucher' })
    await open.getByText('SEVEN77').waitFor()
    await open.getByText(/^PRIZE-[0-9A-Z]{8}$/).waitFor()
    await page
      .getByRole('status')
      .filter({ hasText: 'Unlocked: Velvet voucher.' })
      .waitFor({ state: 'attached' })
  })

  it('S2-60 an open card shows how rare its prize is, a locked one does not', async () => {
    const { page } = await aWallet(strict_wheel, 1)
    assert.equal(await page.getByText('epic', { exact: true }).count(), 0)
    await page.getByRole('button', { name: 'Unlock' }).click()
    const card = page.getByRole('article', { name: 'A picky discount' })
    await card.getByText('epic', { exact: true }).waitFor()
  })

  it('S2-02 a win on one device is in the wallet that is open on another within a second', async () => {
    const { page, player } = await aWallet(secret_wheel, 0)
    await page.locator('.pill-live').waitFor()
    const waits_ms: number[] = []
    for (let won = 1; won <= 5; won++) {
      await win(scene.on.server, player, secret_wheel)
      const won_at = performance.now()
      await tab(page, `Locked ${won}`).waitFor()
      await cards(page)
        .nth(won - 1)
        .waitFor()
      waits_ms.push(performance.now() - won_at)
    }
    // The machine of a test run has other things to do now and then; the promise is about the way, not about it.
    assert.ok(waits_ms.sort((a, b) => a - b)[2]! < 1_000, `waited ${waits_ms.map(Math.round)} ms`)
    assert.equal(await page.getByText('New in your wallet: 1.').count(), 1)
  })

  it('S2-02 two browsers of one player follow each other: spun here, unlocked there', async () => {
    const player = await aGuest(scene.on.server)
    const [phone, desk] = await Promise.all([
      scene.visitorAs(player),
      scene.visitorAs(player, { viewport: DESK }),
    ])
    await phone.page.goto('/wallet')
    await tab(phone.page, 'All 0').waitFor()
    await desk.page.goto(`/?wheel=${secret_wheel}`)
    await desk.page.getByRole('button', { name: 'Spin', exact: true }).click()
    await tab(phone.page, 'Locked 1').waitFor()
    await desk.page.getByRole('link', { name: 'Open it in the wallet' }).click()
    await desk.page.getByRole('button', { name: 'Unlock' }).click()
    await phone.page.getByRole('article', { name: 'Velvet voucher' }).waitFor()
    await tab(phone.page, 'Unlocked 1').waitFor()
    await tab(phone.page, 'Locked 0').waitFor()
  })

  it('S2-46 a tab beside the wheel is the same player, and is told of the next win', async () => {
    const { page } = await scene.visitor({ viewport: DESK })
    await page.goto(`/?wheel=${secret_wheel}`)
    await page.getByRole('button', { name: 'Spin', exact: true }).waitFor()
    await page.locator('.pill-live').waitFor()
    await page.getByRole('tab', { name: /My prizes/ }).click()
    await page.getByText('Nothing here yet').waitFor()
    const [wallet] = await Promise.all([
      page.waitForEvent('popup'),
      page.getByRole('button', { name: 'In a tab beside the wheel' }).click(),
    ])
    await tab(wallet, 'All 0').waitFor()
    await page.getByRole('button', { name: 'Spin', exact: true }).click()
    await tab(wallet, 'All 1').waitFor()
    await cards(wallet).filter({ hasText: 'A locked prize' }).waitFor()
  })

  it('S2-46 tabs by arrow keys, unlocking by Enter: the counts change without a reload and the focus stays', async () => {
    const { page } = await aWallet(strict_wheel, 2)
    await tabTo(page, tab(page, 'All 2'))
    assert.equal(await tab(page, 'Locked 2').getAttribute('tabindex'), '-1')
    await page.keyboard.press('ArrowRight')
    assert.ok(await isFocused(tab(page, 'Locked 2')))
    await cards(page).nth(1).waitFor()
    await page.keyboard.press('End')
    assert.equal(await tab(page, 'Expired 0').getAttribute('aria-selected'), 'true')
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowRight')

    await tabTo(page, page.getByRole('button', { name: 'Unlock' }).first())
    await page.keyboard.press('Enter')
    const title = page.getByRole('heading', { name: 'A picky discount' })
    await title.waitFor()
    assert.ok(await isFocused(title), 'the focus is on what was revealed')
    await tab(page, 'Locked 1').waitFor()
    await tab(page, 'Unlocked 1').waitFor()
    // It stays in sight until another tab is chosen.
    assert.equal(await cards(page).count(), 2)
    await tab(page, 'All 2').click()
    await tab(page, 'Locked 1').click()
    await page.getByRole('heading', { name: 'A locked prize' }).waitFor()
    assert.equal(await cards(page).count(), 1)
  })

  it('S2-05 with reduced motion nothing turns, and the prize is text at once', async () => {
    const { page } = await aWallet(secret_wheel, 1, { reducedMotion: 'reduce' })
    await page.getByRole('button', { name: 'Unlock' }).click()
    await page.getByRole('article', { name: 'Velvet voucher' }).waitFor()
    assert.equal(await page.evaluate<number>('document.getAnimations().length'), 0)
  })

  it('S2-05 without that wish the card turns over', async () => {
    const { page } = await aWallet(secret_wheel, 1)
    await page.getByRole('button', { name: 'Unlock' }).click()
    await page.locator('.ticket.is-fresh').waitFor()
    assert.equal(
      await page.evaluate<string>(
        "getComputedStyle(document.querySelector('.ticket.is-fresh')).animationName",
      ),
      'turn',
    )
  })

  it('S2-20 the card says what a prize demands, and why the cart of the tab does not do', async () => {
    const { page, player, ids } = await aWallet(strict_wheel, 1)
    await unlock(player, ids[0]!)
    const card = page.getByRole('article', { name: 'A picky discount' })
    await card.getByText('Conditions and why not').click()
    await card.getByText('Orders from €50.00').waitFor()
    await card.getByText('Paid with card').waitFor()
    await card.getByText('Put something into the cart.').waitFor()
    await card.getByText('Choose how you pay: card.').waitFor()
    assert.deepEqual(await card.locator('.history li span').allInnerTexts(), ['Won', 'Unlocked'])

    await page.goto('/shop')
    await page.getByRole('button', { name: 'One more Margherita' }).click()
    await page.getByText('cash', { exact: true }).click()
    await page.goto('/wallet')
    await card.getByText('Conditions and why not').click()
    await card.getByText('€38.50 more, the order has to reach €50.00.').waitFor()
    await card.getByText('Only when paid with card, not cash.').waitFor()
    await card.getByRole('link', { name: 'Was this fair?' }).waitFor()
  })

  it("S2-38 the ring goes by the server's clock, and the deadline by the tenant's", async () => {
    const player = await aGuest(scene.on.server)
    await win(scene.on.server, player, secret_wheel)
    const { page } = await scene.visitorAs(player, { timezoneId: 'America/New_York' })
    // This device is five hours ahead.
    await page.clock.install({ time: Date.now() + 5 * 3_600_000 })
    await page.goto('/wallet')
    await page.getByRole('img', { name: '23 hours left' }).waitFor()
    await page.getByText(/^Use it by .* UTC$/).waitFor()
  })

  it('S2-16 a long wallet comes page by page, and grows live without losing what is shown', async () => {
    const { page, player } = await aWallet(secret_wheel, 14)
    await cards(page).nth(11).waitFor()
    assert.equal(await cards(page).count(), 12)
    await page.getByRole('button', { name: 'Show more' }).click()
    await cards(page).nth(13).waitFor()
    assert.equal(await page.getByRole('button', { name: 'Show more' }).count(), 0)
    await win(scene.on.server, player, secret_wheel)
    await cards(page).nth(14).waitFor()
  })

  it('S2-46 a list that cannot be had says why and can be asked for again', async () => {
    const player = await aGuest(scene.on.server)
    await win(scene.on.server, player, secret_wheel)
    const { page } = await scene.visitorAs(player)
    await page.route(/my_prizes\?/, (route) => route.abort())
    await page.goto('/wallet')
    await page.getByRole('alert').filter({ hasText: 'could not be loaded' }).waitFor()
    // The inbox asks for the list once, when it has told the counts; before that the page could help itself.
    await tab(page, 'All 1').waitFor()
    await page.unroute(/my_prizes\?/)
    await page.getByRole('button', { name: 'Try again' }).click()
    await cards(page).first().waitFor()
  })

  for (const viewport of [{ ...PHONE, width: 390 }, PHONE, DESK]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      it(`K-10 locked and unlocked cards fit ${viewport.width} px (${colorScheme}), large enough for thumbs`, async () => {
        const { page, player, ids, faults } = await aWallet(strict_wheel, 2, { viewport, colorScheme })
        await unlock(player, ids[0]!)
        const card = page.getByRole('article', { name: 'A picky discount' })
        await card.getByText('Conditions and why not').click()
        await card.getByText('Put something into the cart.').waitFor()
        assert.equal(await sidewaysPx(page), 0)
        assert.deepEqual(await smallTargets(page), [])
        assert.deepEqual(faults, { console: [], foreign: [] })
      })
    }
  }
})
