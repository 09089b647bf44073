// The play page in a real Chromium, against the real server.
import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { aScene } from './scene.ts'
import {
  aLine,
  aWheel,
  DESK,
  isFocused,
  PHONE,
  sidewaysPx,
  sliceUnderPointer,
  smallTargets,
  tabTo,
  whenWheelStops,
} from './server.ts'

const spinButton = (page: Page) => page.getByRole('button', { name: 'Spin', exact: true })
const outcome = (page: Page) => page.locator('.outcome-text')

async function open(page: Page, slug: string): Promise<void> {
  await page.goto(`/?wheel=${slug}`)
  await spinButton(page).waitFor()
  await page.getByText(/\d+ spins? left/).waitFor()
}

describe('the play page', function () {
  this.timeout(60_000)
  const scene = aScene()

  it('P-04 a shared spin stops on the same slice at the same moment for two players and the big screen', async () => {
    const slug = await aWheel(scene.on.server, { duration_ms: 4_000, round_join_s: 3 })
    const [ann, bob, screen] = await Promise.all([
      scene.visitor(),
      scene.visitor({ viewport: DESK }),
      scene.visitor({ viewport: DESK }),
    ])
    await Promise.all([
      open(ann.page, slug),
      open(bob.page, slug),
      screen.page.goto(`/watch?tenant=demo&game=${slug}`),
    ])
    await screen.page.getByRole('img', { name: /Prize wheel/ }).waitFor()

    await scene.on.server.operate(`/wheels/${slug}/rounds`)
    await ann.page.getByRole('button', { name: 'Add my luck' }).click()
    await ann.page.getByText('Your luck is in: entry 1.').first().waitFor()
    await bob.page.getByText('1 player added luck').waitFor()

    const pages = [ann.page, bob.page, screen.page]
    const stops_ms = await Promise.all(pages.map(whenWheelStops))
    assert.ok(Math.max(...stops_ms) - Math.min(...stops_ms) < 100, `stops differ: ${stops_ms}`)

    await Promise.all([outcome(ann.page).waitFor(), outcome(bob.page).waitFor()])
    const told = await outcome(ann.page).innerText()
    assert.equal(await outcome(bob.page).innerText(), told)
    await screen.page.locator('.watch-name', { hasText: told }).waitFor()
    assert.deepEqual(await Promise.all(pages.map(sliceUnderPointer)), [told, told, told])
  })

  it('P-04 the wheel stops on the slice that the server has answered', async () => {
    const slug = await aWheel(scene.on.server)
    const { page } = await scene.visitor()
    await open(page, slug)
    await spinButton(page).click()
    await outcome(page).waitFor()
    assert.equal(await sliceUnderPointer(page), await outcome(page).innerText())
  })

  it('K-10 a spin by keyboard alone is announced, and takes one chance', async () => {
    const slug = await aWheel(scene.on.server)
    const { page } = await scene.visitor()
    await open(page, slug)
    await page.getByText('3 spins left').waitFor()
    await tabTo(page, spinButton(page))
    await page.keyboard.press('Enter')
    await outcome(page).waitFor()
    const told = await outcome(page).innerText()
    await page.getByRole('status').filter({ hasText: told }).waitFor({ state: 'attached' })
    await page.locator('.chances', { hasText: '2 spins left' }).waitFor()
    assert.ok(await isFocused(spinButton(page)), 'the focus has stayed on the button')
  })

  it('P-04 with reduced motion nothing turns and the result is text at once', async () => {
    const slug = await aWheel(scene.on.server, { duration_ms: 30_000 })
    const { page } = await scene.visitor({ reducedMotion: 'reduce' })
    await open(page, slug)
    await spinButton(page).click()
    // The spin lasts 30 s for everybody else; the text is here long before.
    await outcome(page).waitFor({ timeout: 10_000 })
    assert.equal(
      await page.evaluate<number>("document.querySelector('.wheel-disc').getAnimations().length"),
      0,
    )
    assert.equal(await sliceUnderPointer(page), await outcome(page).innerText())
  })

  it('S1-09 a visit gives its chances once, and a won prize is in the list after a reload', async () => {
    const slug = await aWheel(scene.on.server, { always_wins: true })
    const { page } = await scene.visitor()
    await open(page, slug)
    await page.getByText('You got 3 spins').waitFor()
    await spinButton(page).click()
    await outcome(page).waitFor()
    const told = await outcome(page).innerText()

    await page.reload()
    await page.locator('.chances', { hasText: '2 spins left' }).waitFor()
    await page.getByRole('tab', { name: /My prizes/ }).click()
    const prizes = page.getByRole('list', { name: 'My prizes' }).getByRole('listitem')
    await prizes.filter({ hasText: told }).filter({ hasText: 'locked' }).waitFor()
    assert.equal(await prizes.count(), 1)
  })

  it('S1-15 without chances the button says why and sends nothing', async () => {
    const slug = await aWheel(scene.on.server, { visit_chances: 1 })
    const { page } = await scene.visitor({ reducedMotion: 'reduce' })
    await open(page, slug)
    await spinButton(page).click()
    await outcome(page).waitFor()
    await page.getByText(/No spins left/).waitFor()
    assert.equal(await spinButton(page).getAttribute('aria-disabled'), 'true')
    await page.getByRole('tab', { name: 'Fairness' }).click()
    const mine = page.getByRole('region', { name: 'My spins' }).getByRole('listitem')
    await mine.first().waitFor()
    await spinButton(page).click({ force: true })
    assert.equal(await mine.count(), 1)
  })

  it('P-30 a spin whose answer is lost with the line is asked for again and counted once', async () => {
    const slug = await aWheel(scene.on.server)
    const line = await aLine(scene.on.server)
    scene.afterwards(line.close)
    const { page } = await scene.visitor({ reducedMotion: 'reduce', baseURL: line.url })
    const rotated = page.waitForResponse(/seed-pair\/rotate/)
    await open(page, slug)
    await rotated
    const { token } = JSON.parse(await page.evaluate<string>("sessionStorage.getItem('livedraw.guest')"))
    line.mute()
    await spinButton(page).click()
    // Committed by now, and the page does not know it.
    await poll(async () => (await spinCount(scene.on.server.url, slug, token)) === 1)
    await page.getByRole('button', { name: 'Spinning…' }).waitFor()
    line.cut(true)
    line.restore()

    await outcome(page).waitFor()
    await page.locator('.chances', { hasText: '2 spins left' }).waitFor()
    await page.locator('.pill-live').waitFor()
    assert.equal(await spinCount(scene.on.server.url, slug, token), 1)
  })

  it('P-30 a lost line shows a countdown, and comes back by itself', async () => {
    const slug = await aWheel(scene.on.server)
    const line = await aLine(scene.on.server)
    scene.afterwards(line.close)
    const { page } = await scene.visitor({ baseURL: line.url })
    await open(page, slug)
    line.cut(false)
    await page.getByText(/Connection lost. Trying again in \d+ s/).waitFor()
    assert.equal(await spinButton(page).getAttribute('aria-disabled'), 'true')
    line.restore()
    await page.locator('.pill-live').waitFor()
    await page.locator('.spin-button:not([aria-disabled=true])').waitFor()
  })

  it('S1-21 the lobby lists the live wheels and leads to one', async () => {
    const { page } = await scene.visitor()
    await page.goto('/')
    await page.getByRole('link', { name: 'Play Summer wheel' }).click()
    await spinButton(page).waitFor()
    assert.match(page.url(), /wheel=summer-wheel/)
  })

  it('S1-53 a wheel that is not there is refused in words, with a way back', async () => {
    const { page } = await scene.visitor()
    await page.goto('/?wheel=no-such-wheel')
    await page.getByRole('alert').filter({ hasText: 'There is no such game' }).waitFor()
    await page.getByRole('link', { name: 'Pick a game' }).waitFor()
  })

  for (const viewport of [PHONE, DESK]) {
    it(`K-10 every part is named and fits ${viewport.width} px, without errors or foreign requests`, async () => {
      const slug = await aWheel(scene.on.server)
      const { page, faults } = await scene.visitor({ viewport })
      await open(page, slug)
      await page.getByRole('img', { name: 'Prize wheel with 8 segments' }).waitFor()
      await spinButton(page).click()
      await outcome(page).waitFor()
      for (const name of [/Live/, /My prizes/, /Odds/, /Fairness/]) {
        await page.getByRole('tab', { name }).click()
        await page.getByRole('tabpanel', { name }).waitFor()
        assert.equal(await sidewaysPx(page), 0, `${name} is too wide`)
        assert.deepEqual(await smallTargets(page), [])
      }
      await page.getByRole('region', { name: 'Next commitment' }).getByText('Checked here').waitFor()
      assert.deepEqual(faults, { console: [], foreign: [] })
    })
  }

  it('K-10 the arrow keys move between the tabs', async () => {
    const { page } = await scene.visitor()
    await open(page, await aWheel(scene.on.server))
    await page.getByRole('tab', { name: 'Live' }).focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    assert.equal(await page.getByRole('tab', { name: 'Odds' }).getAttribute('aria-selected'), 'true')
    await page
      .getByRole('row', { name: /Slice 0/ })
      .getByText('12.5%')
      .waitFor()
  })
})

/** How many spins of a wheel the server has committed for the player of a token. */
async function spinCount(url: string, slug: string, token: string): Promise<number> {
  const answer = await fetch(`${url}/api/v1/wheels/${slug}/spins?mine=1`, {
    headers: { authorization: `Bearer ${token}` },
  })
  return ((await answer.json()) as { data: unknown[] }).data.length
}

async function poll(holds: () => Promise<boolean>): Promise<void> {
  const end_ms = Date.now() + 10_000
  while (!(await holds())) {
    assert.ok(Date.now() < end_ms, 'it never came true')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
