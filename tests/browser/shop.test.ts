// The demo shop in a real Chromium: the whole way of a prize, from the spin to an order and its cancellation.
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

const TEN_OFF = {
  name: 'Ten per cent',
  type: 'discount_percentage',
  value: '10.00',
  display_value: '10% OFF',
  min_order_amount: '50.00',
  min_cart_items: 2,
  valid_payment_methods: ['card'],
  max_delivery_distance_km: 5,
}

const more = (page: Page, item: string) => page.getByRole('button', { name: `One more ${item}` })
const toCheckout = (page: Page) => page.getByRole('button', { name: 'To the checkout' })
const total = (page: Page, text: string) => page.locator('dd.is-total', { hasText: text })
const reasons = (page: Page) => page.getByRole('list', { name: 'Why the prize does not fit' })

/** Moves a slider to an end of it, as a finger does. */
async function slide(page: Page, end: 'Home' | 'End') {
  const slider = page.getByRole('slider', { name: /Distance/ })
  await slider.focus()
  await page.keyboard.press(end)
}

describe('the shop page', function () {
  this.timeout(60_000)
  let wheel = ''
  const scene = aScene(async ({ server }) => {
    wheel = await aWheel(server, { always_wins: true, prizes: [TEN_OFF] })
  })

  /** A guest with unlocked prizes, and what the API says of them. */
  async function aWinner(count = 1) {
    const { server } = scene.on
    const player = await aGuest(server)
    const ids = await win(server, player, wheel, count)
    for (const id of ids) await send(server.url, player.token, `/gamification/unlock/${id}`)
    return { player, ids }
  }
  async function prizesOf({ token }: Player): Promise<any[]> {
    const headers = { authorization: `Bearer ${token}` }
    const answer = await fetch(`${scene.on.server.url}/api/v1/gamification/my_prizes`, { headers })
    return ((await answer.json()) as { data: any[] }).data
  }
  async function ordersOf({ token }: Player): Promise<any[]> {
    const headers = { authorization: `Bearer ${token}` }
    const answer = await fetch(`${scene.on.server.url}/api/v1/demo/shop/orders`, { headers })
    return ((await answer.json()) as { data: any[] }).data
  }

  it('S2-46 from a spin to an order and its cancellation, with the wallet open on another device', async () => {
    const player = await aGuest(scene.on.server)
    const [{ page, faults }, watcher] = await Promise.all([
      scene.visitorAs(player, { viewport: DESK }),
      scene.visitorAs(player),
    ])
    await watcher.page.goto('/wallet')
    const watched = (name: string) => watcher.page.getByRole('tab', { name, exact: true })
    await watched('All 0').waitFor()

    await page.goto(`/?wheel=${wheel}`)
    await page.getByRole('button', { name: 'Spin', exact: true }).click()
    await page.getByRole('link', { name: 'Open it in the wallet' }).click()
    await page.getByRole('button', { name: 'Unlock' }).click()
    await watched('Unlocked 1').waitFor()
    await page
      .getByRole('article', { name: 'Ten per cent' })
      .getByRole('link', { name: 'Use it in the shop' })
      .click()

    await more(page, 'Pasta for four').click()
    await more(page, 'Pasta for four').click()
    await page.getByText('It can be used now and takes €7.80 off.').waitFor()
    await total(page, '€72.70').waitFor()
    await toCheckout(page).click()
    await page.getByText(/Your prize is held for this order for\s*1[45]:\d\d/).waitFor()
    await total(page, '€72.70').waitFor()
    await page.getByRole('button', { name: 'Place the order' }).click()

    const receipt = page.getByRole('region', { name: 'Thank you for your order' })
    await receipt.waitFor()
    for (const says of [
      'The order comes to €78.00.',
      '10.00 % of €78.00, rounded half up: €7.80.',
      'Taken off the order: €7.80.',
      '€7.80 off leaves €70.20, before delivery.',
    ])
      await receipt.getByText(says).waitFor()
    await total(page, '€72.70').waitFor()
    await watched('Used 1').waitFor()
    await watched('Unlocked 0').waitFor()

    await page.reload()
    await page.getByRole('button', { name: 'Show', exact: true }).click()
    await page.getByRole('button', { name: 'Cancel this order' }).click()
    await page.getByRole('region', { name: 'This order was cancelled' }).waitFor()
    await page.getByText('Your prize is back in the wallet').waitFor()
    await watched('Used 0').waitFor()
    await watched('Unlocked 1').waitFor()
    await watcher.page.getByRole('article', { name: 'Ten per cent' }).waitFor()
    assert.deepEqual(faults, { console: [], foreign: [] })
  })

  it('S2-46 the same way by keyboard alone, with reduced motion', async () => {
    const player = await aGuest(scene.on.server)
    await win(scene.on.server, player, wheel)
    const { page } = await scene.visitorAs(player, { reducedMotion: 'reduce' })
    const press = async (target: Parameters<typeof tabTo>[1], key = 'Enter') => {
      await tabTo(page, target)
      await page.keyboard.press(key)
    }
    await page.goto('/wallet')
    await press(page.getByRole('button', { name: 'Unlock' }))
    await press(page.getByRole('link', { name: 'Use it in the shop' }))
    await press(more(page, 'Pasta for four'))
    await page.keyboard.press('Space')
    assert.ok(await isFocused(more(page, 'Pasta for four')), 'the button keeps the focus')
    await page.getByText('It can be used now and takes €7.80 off.').waitFor()
    await press(page.getByRole('radio', { name: 'card' }), 'ArrowRight')
    await reasons(page).getByText('Only when paid with card, not PayPal.').waitFor()
    await page.keyboard.press('ArrowLeft')
    await page.getByText('It can be used now and takes €7.80 off.').waitFor()
    await press(toCheckout(page))
    await page
      .getByRole('status')
      .filter({ hasText: 'Nothing is ordered yet' })
      .waitFor({ state: 'attached' })
    assert.ok(await isFocused(page.getByRole('heading', { name: 'Check your order' })))
    await press(page.getByRole('button', { name: 'Place the order' }))
    await page.getByRole('heading', { name: 'Thank you for your order' }).waitFor()
    assert.ok(await isFocused(page.getByRole('heading', { name: 'Thank you for your order' })))
    await press(page.getByRole('button', { name: 'Cancel this order' }))
    await page
      .getByRole('status')
      .filter({ hasText: 'Your order was cancelled' })
      .waitFor({ state: 'attached' })
    assert.deepEqual(
      (await prizesOf(player)).map(({ prize_status }) => prize_status),
      ['unlocked'],
    )
  })

  it('S2-20 every reason is shown at once and goes when the cart fits; until then there is no checkout', async () => {
    const { player, ids } = await aWinner()
    const { page } = await scene.visitorAs(player)
    await page.goto(`/shop?prize=${ids[0]}`)
    await more(page, 'Margherita').click()
    await page.getByText('cash', { exact: true }).click()
    await slide(page, 'End')
    for (const says of [
      '€38.50 more, the order has to reach €50.00.',
      '1 more in the cart, which needs at least 2 items.',
      'Only when paid with card, not cash.',
      /^20(\.0+)? km too far; at most 5(\.0+)? km\.$/,
    ])
      await reasons(page).getByText(says).waitFor()
    assert.equal(await toCheckout(page).getAttribute('aria-disabled'), 'true')
    await toCheckout(page).click({ force: true })
    assert.deepEqual(await ordersOf(player), [])

    await slide(page, 'Home')
    await page.getByText('card', { exact: true }).click()
    await more(page, 'Pasta for four').click()
    await page.getByText('It can be used now and takes €5.05 off.').waitFor()
    assert.equal(await reasons(page).count(), 0)
    await page.locator('.cart-go:not([aria-disabled=true])').waitFor()
  })

  it('S2-08 a code is taken as people type it; an unknown one is refused in words', async () => {
    const { player } = await aWinner()
    const [{ prize_code }] = await prizesOf(player)
    const { page } = await scene.visitorAs(player)
    await page.goto('/shop')
    await more(page, 'Pasta for four').click()
    await page.getByLabel('Or type its code').fill('zzzz zzzz')
    await page.getByRole('button', { name: 'Use', exact: true }).click()
    await page.getByText('You have no prize with this code.').first().waitFor()
    const typed = prize_code
      .replace('PRIZE-', '')
      .toLowerCase()
      .replace(/(....)/, '$1 ')
    await page.getByLabel('Or type its code').fill(typed)
    await page.keyboard.press('Enter')
    await page
      .getByRole('status')
      .filter({ hasText: 'Ten per cent is chosen.' })
      .waitFor({ state: 'attached' })
    await reasons(page).getByText('€11.00 more, the order has to reach €50.00.').waitFor()
  })

  it('P-27 leaving the page frees the prize, and the cart is still there afterwards', async () => {
    const { player, ids } = await aWinner()
    const { page } = await scene.visitorAs(player)
    await page.goto(`/shop?prize=${ids[0]}`)
    await more(page, 'Pasta for four').click()
    await more(page, 'Pasta for four').click()
    await page.locator('.cart-go:not([aria-disabled=true])').waitFor()
    await toCheckout(page).click()
    await page.getByText(/Your prize is held/).waitFor()
    assert.deepEqual(
      (await prizesOf(player))[0].why_not.map(({ code }: any) => code),
      ['prize_held'],
    )
    await page.goto('/wallet')
    await page.getByRole('link', { name: 'Use it in the shop' }).waitFor()
    assert.deepEqual(
      (await ordersOf(player)).map(({ status }) => status),
      ['abandoned'],
    )
    await page.getByRole('link', { name: 'Use it in the shop' }).click()
    await total(page, '€72.70').waitFor()
    await toCheckout(page).click()
    await page.getByRole('button', { name: 'Back to the menu' }).click()
    await toCheckout(page).waitFor()
    await total(page, '€72.70').waitFor()
    assert.deepEqual((await prizesOf(player))[0].why_not, [])
  })

  it('S2-18 an order whose answer is lost is placed once', async () => {
    const { player, ids } = await aWinner()
    const { page } = await scene.visitorAs(player)
    await page.goto(`/shop?prize=${ids[0]}`)
    await more(page, 'Pasta for four').click()
    await more(page, 'Pasta for four').click()
    await page.locator('.cart-go:not([aria-disabled=true])').waitFor()
    // The server hears it, the page does not hear the server.
    const lose = async (path: RegExp) =>
      page.route(
        path,
        async (route) => {
          await route.fetch()
          await route.abort()
        },
        { times: 1 },
      )
    await lose(/\/shop\/orders$/)
    await toCheckout(page).click()
    await page.getByRole('alert').filter({ hasText: 'did not answer' }).waitFor()
    await page.locator('.cart-go:not([aria-disabled=true])').waitFor()
    await toCheckout(page).click()
    const place = page.getByRole('button', { name: 'Place the order' })
    await place.waitFor()
    await lose(/\/place$/)
    await place.click()
    await page.getByRole('alert').filter({ hasText: 'did not answer' }).waitFor()
    await place.click()
    await page.getByText('Thank you for your order').first().waitFor()
    assert.deepEqual(
      (await ordersOf(player)).map(({ status, total_minor }) => [status, total_minor]),
      [['placed', 7270]],
    )
  })

  it('S2-46 a shop that cannot be had says so and can be asked again', async () => {
    const { page } = await scene.visitor()
    await page.route(/\/shop\/menu/, (route) => route.abort())
    await page.goto('/shop')
    await page.getByRole('alert').filter({ hasText: 'did not answer' }).waitFor()
    await page.unroute(/\/shop\/menu/)
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('Your cart is empty').waitFor()
  })

  for (const viewport of [{ ...PHONE, width: 390 }, PHONE, DESK]) {
    it(`K-10 menu, checkout and receipt fit ${viewport.width} px, large enough for thumbs`, async () => {
      const { player, ids } = await aWinner()
      const { page, faults } = await scene.visitorAs(player, { viewport })
      const fits = async (where: string) => {
        assert.equal(await sidewaysPx(page), 0, `${where} is too wide`)
        assert.deepEqual(await smallTargets(page), [], where)
      }
      await page.goto(`/shop?prize=${ids[0]}`)
      await more(page, 'Margherita').click()
      await reasons(page).first().waitFor()
      await fits('the menu')
      await more(page, 'Pasta for four').click()
      await page.locator('.cart-go:not([aria-disabled=true])').waitFor()
      await toCheckout(page).click()
      await page.getByText(/Your prize is held/).waitFor()
      await fits('the checkout')
      await page.getByRole('button', { name: 'Place the order' }).click()
      await page.getByText('Thank you for your order').first().waitFor()
      await fits('the receipt')
      await page.getByRole('button', { name: 'New order' }).click()
      await page.getByRole('heading', { name: 'My orders' }).waitFor()
      await fits('the orders')
      assert.deepEqual(faults, { console: [], foreign: [] })
    })
  }
})
