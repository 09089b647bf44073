// The reel in a real Chromium: its game comes up by itself the moment the reel ends.
import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { CLIP_MS, reelAt } from '../../src/demo/reel-times.ts'
import { aCreator, aGame, enter, toTheEnd, travel } from './claims.ts'
import { aScene } from './scene.ts'
import { aGuest, DESK, isFocused, PHONE, sidewaysPx, smallTargets, tabTo } from './server.ts'

let reel_count = 0
const aReel = () => `browser-${process.pid}-${++reel_count}`

const popup = (page: Page, title = 'How heavy is it?') => page.getByRole('dialog', { name: title })

describe('the reel page', function () {
  this.timeout(60_000)
  const scene = aScene(undefined, 'moved')

  const NUMBERS = { title: 'How heavy is it?', mode: 'guess', rule: 'nearest', guess_min: 1, guess_max: 100 }
  const aReelGame = async (reel_id: string, wish: Record<string, unknown> = {}) =>
    aGame(scene.on.server, await aCreator(scene.on.server), { ...NUMBERS, reel_id, ...wish })
  const endReel = (reel_id: string) => scene.on.server.operate(`/reels/${reel_id}/ended`)

  /**
   * Moves the clock to where the clip begins: who comes after its end is shown the game at once, as somebody whose line
   * was down then.
   */
  async function toTheStart(): Promise<void> {
    const { elapsed_ms, next_in_ms } = reelAt((await travel(scene.on.server, 'PT0S')).getTime())
    if (elapsed_ms > CLIP_MS / 4) await travel(scene.on.server, `PT${Math.ceil(next_in_ms / 1000)}S`)
  }

  /** Opens the reel and waits until the room knows that it is watched. */
  async function watch(page: Page, reel_id: string): Promise<void> {
    const asked = new Promise<void>((resolve) =>
      page.on('websocket', (socket) =>
        socket.on('framesent', ({ payload }) => String(payload).includes(reel_id) && resolve()),
      ),
    )
    await page.goto(`/reel?reel=${reel_id}`)
    await page.locator('.pill-live').first().waitFor()
    await asked
  }

  it('S0-20 the game pops up in two browsers within a second of the end of the reel, without a reload', async () => {
    const reel_id = aReel()
    await aReelGame(reel_id)
    const [phone, desk] = await Promise.all([scene.visitor(), scene.visitor({ viewport: DESK })])
    await toTheStart()
    await Promise.all([watch(phone.page, reel_id), watch(desk.page, reel_id)])
    const pages = [phone.page, desk.page]
    await Promise.all(pages.map((page) => page.evaluate('window.is_still_here = true')))
    assert.equal(await popup(phone.page).count(), 0)

    const sent_ms = Date.now()
    await endReel(reel_id)
    const waits_ms = await Promise.all(
      pages.map(async (page) => {
        await popup(page).waitFor()
        return Date.now() - sent_ms
      }),
    )
    assert.ok(
      waits_ms.every((wait_ms) => wait_ms < 1_000),
      `S0-17 waited ${waits_ms} ms`,
    )
    for (const page of pages) {
      assert.equal(await page.evaluate('window.is_still_here'), true, 'the page was loaded again')
      await popup(page).getByLabel('Your number, 1 to 100').waitFor()
    }
    for (const { faults } of [phone, desk]) assert.deepEqual(faults, { console: [], foreign: [] })
  })

  it('S0-20 the reel of another game leaves this one alone', async () => {
    const [mine, other] = [aReel(), aReel()]
    await Promise.all([aReelGame(mine), aReelGame(other, { title: 'Not this one' })])
    const { page } = await scene.visitor()
    await watch(page, mine)
    await endReel(other)
    await endReel(mine)
    await popup(page).waitFor()
    assert.equal(await page.getByText('Not this one').count(), 0)
  })

  it('S0-20 by keyboard alone: the popup takes the focus, is announced, takes a guess, and closes', async () => {
    const reel_id = aReel()
    await aReelGame(reel_id)
    const { page } = await scene.visitor({ reducedMotion: 'reduce' })
    await watch(page, reel_id)
    await endReel(reel_id)
    await page
      .getByRole('status')
      .filter({ hasText: 'The reel has ended. Its game is open: How heavy is it?' })
      .waitFor({ state: 'attached' })
    assert.ok(await isFocused(page.getByRole('heading', { name: 'How heavy is it?' })))
    await tabTo(page, page.getByLabel('Your number, 1 to 100'))
    await page.keyboard.type('41')
    await page.keyboard.press('Enter')
    await popup(page).getByText('counts').waitFor()
    await popup(page)
      .getByRole('status')
      .filter({ hasText: 'Your guess 41 is in.' })
      .waitFor({ state: 'attached' })
    await page.keyboard.press('Escape')
    await popup(page).waitFor({ state: 'detached' })
    await tabTo(page, page.getByRole('button', { name: 'Open the game' }))
    await page.keyboard.press('Enter')
    await popup(page).getByText('counts').waitFor()
  })

  it('S0-18 winners appear in the popup too, with the proof', async () => {
    const { server } = scene.on
    const reel_id = aReel()
    const creator = await aCreator(server)
    const id = await aGame(server, creator, { ...NUMBERS, reel_id })
    const { page } = await scene.visitor()
    await watch(page, reel_id)
    await endReel(reel_id)
    await enter(server, await aGuest(server), id, 7)
    await popup(page).getByText('1 guess in').waitFor()
    await toTheEnd(server, creator, id)
    await popup(page).locator('.place.is-shown').waitFor()
    await popup(page).getByRole('link', { name: 'Was this fair?' }).waitFor()
  })

  for (const viewport of [{ ...PHONE, width: 390 }, PHONE, DESK]) {
    it(`K-10 reel and popup fit ${viewport.width} px, large enough for thumbs`, async () => {
      const reel_id = aReel()
      await aReelGame(reel_id)
      const { page, faults } = await scene.visitor({ viewport })
      await watch(page, reel_id)
      assert.equal(await sidewaysPx(page), 0)
      await endReel(reel_id)
      await popup(page).getByRole('button', { name: 'Guess', exact: true }).waitFor()
      assert.equal(await sidewaysPx(page), 0)
      assert.deepEqual(await smallTargets(page), [])
      const { width } = (await popup(page).boundingBox())!
      assert.ok(width <= viewport.width, `the popup is ${width} px wide`)
      assert.deepEqual(faults, { console: [], foreign: [] })
    })
  }
})
