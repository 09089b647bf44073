// The page of a guess game in a real Chromium: sealed guesses, winners in step, and what can be won.
import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { aCreator, aGame, enter, get, toTheEnd, travel } from './claims.ts'
import { aScene } from './scene.ts'
import { aGuest, DESK, isFocused, PHONE, send, sidewaysPx, smallTargets, tabTo } from './server.ts'

const NUMBERS = { mode: 'guess', rule: 'nearest', guess_min: 1, guess_max: 1000 }
const guessOf = (page: Page) => page.getByLabel(/^Your number, 1 to/)
const place = (page: Page, n: number) =>
  page
    .getByRole('list', { name: 'Winners' })
    .locator('li')
    .nth(n - 1)

/** As JSON has it, as the page, as a message (MessagePack), and as a patch of the room's state. */
const WAYS_TO_SAY_IT = [
  Buffer.from('737373'),
  Buffer.from('737,373'),
  Buffer.from([0xce, 0x00, 0x0b, 0x40, 0x5d]),
  Buffer.from([0xce, 0x5d, 0x40, 0x0b, 0x00]),
]

/** When each place was first on the screen, in milliseconds of this machine, kept by the page itself. */
const WATCH_PLACES = `(() => {
  const seen = (window.places_seen = {})
  const look = () => {
    for (const shown of document.querySelectorAll('.place.is-shown'))
      seen[shown.querySelector('.place-no').textContent] ??= Date.now()
    requestAnimationFrame(look)
  }
  look()
})()`
const placesSeen = (page: Page) => page.evaluate<Record<string, number>>('window.places_seen')

describe('the guess page', function () {
  this.timeout(60_000)
  const scene = aScene(undefined, 'moved')
  const open = async (page: Page, game_id: string) => {
    await page.goto(`/guess?game=${game_id}`)
    await page.locator('.pill-live').first().waitFor()
  }

  it('S0-07 a guess is on the own screen, and neither on another one nor on its line before it is drawn', async () => {
    const { server } = scene.on
    const creator = await aCreator(server)
    const id = await aGame(server, creator, { ...NUMBERS, guess_max: 1_000_000, title: 'Sealed' })
    const [ann, bob] = await Promise.all([scene.visitor(), scene.visitor()])
    const told: Buffer[] = []
    bob.page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => told.push(Buffer.from(payload))),
    )
    bob.page.on('response', (response) => {
      if (response.url().includes('/api/'))
        void response.body().then(
          (body) => told.push(body),
          () => {},
        )
    })
    const isTold = () => told.some((bytes) => WAYS_TO_SAY_IT.some((way) => bytes.includes(way)))
    await Promise.all([open(ann.page, id), open(bob.page, id)])
    await guessOf(ann.page).fill('737373')
    await ann.page.getByRole('button', { name: 'Guess', exact: true }).click()
    const mine = ann.page.getByRole('region', { name: 'My guesses' })
    await mine.getByText('737,373').waitFor()
    await ann.page
      .getByRole('status')
      .filter({ hasText: 'Your guess 737,373 is in.' })
      .waitFor({ state: 'attached' })

    await bob.page.getByText('1 guess in').waitFor()
    await bob.page.reload()
    await bob.page.getByText('1 guess in').waitFor()
    told.push(Buffer.from(await bob.page.content()))
    assert.equal(await bob.page.getByRole('region', { name: 'My guesses' }).count(), 0)
    assert.equal(isTold(), false)
    // The same look finds it once its winner is shown.
    await toTheEnd(server, creator, id)
    await bob.page.locator('.place.is-shown .place-guess', { hasText: '737,373' }).waitFor()
    assert.equal(isTold(), true)
  })

  it('S0-18 two players and the big screen show every winner at the same moment, and lead to the proof', async () => {
    const { server } = scene.on
    const creator = await aCreator(server)
    const id = await aGame(server, creator, { ...NUMBERS, title: 'In step', number_of_winners: 3 })
    const [ann, bob, screen] = await Promise.all([
      scene.visitor(),
      scene.visitor({ viewport: DESK }),
      scene.visitor({ viewport: DESK }),
    ])
    await Promise.all([
      open(ann.page, id),
      open(bob.page, id),
      screen.page.goto(`/watch-draw?tenant=demo&game=${id}`),
    ])
    await screen.page.locator('.pill-live').first().waitFor()
    for (const [page, value] of [
      [ann.page, '100'],
      [bob.page, '900'],
    ] as const) {
      await guessOf(page).fill(value)
      await page.getByRole('button', { name: 'Guess', exact: true }).click()
      await page.getByText('counts').waitFor()
    }
    await enter(server, await aGuest(server), id, 500)
    const pages = [ann.page, bob.page, screen.page]
    await Promise.all(pages.map((page) => page.evaluate(WATCH_PLACES)))

    await travel(server, 'PT60S')
    await Promise.all(
      pages.map((page) => page.locator('.place.is-shown').nth(2).waitFor({ timeout: 30_000 })),
    )
    const seen = await Promise.all(pages.map(placesSeen))
    for (const n of ['3', '2', '1']) {
      const moments = seen.map((each) => each[n]!)
      const apart_ms = Math.max(...moments) - Math.min(...moments)
      assert.ok(apart_ms < 400, `place ${n} appeared ${apart_ms} ms apart: ${moments}`)
    }
    // The last place first: the best one ends the show.
    assert.ok(seen[0]!['3']! < seen[0]!['2']! && seen[0]!['2']! < seen[0]!['1']!)
    const told = await Promise.all(pages.map((page) => page.locator('.place-who').allInnerTexts()))
    assert.deepEqual(told[1], told[0])
    assert.deepEqual(told[2], told[0])
    await ann.page
      .getByRole('status')
      .filter({ hasText: /^Place 1: player-\w+ with \d+\.$/ })
      .waitFor({ state: 'attached' })

    await ann.page.getByRole('link', { name: 'Was this fair?' }).click()
    await ann.page.getByText('VERIFIED', { exact: true }).waitFor({ timeout: 20_000 })
  })

  it('S0-03 three places and two entrants: two winners, and the third place is shown as not awarded', async () => {
    const { server } = scene.on
    const creator = await aCreator(server)
    const id = await aGame(server, creator, { title: 'Too few', number_of_winners: 3 })
    for (let n = 0; n < 2; n++) await enter(server, await aGuest(server), id)
    const { page } = await scene.visitor()
    await open(page, id)
    await toTheEnd(server, creator, id)
    await place(page, 3).getByText('not awarded: fewer entered').waitFor()
    assert.equal(await page.locator('.place.is-shown').count(), 2)
  })

  it('S0-21 picture, words and link of a reward are shown; each may be missing or broken', async () => {
    const { server } = scene.on
    const creator = await aCreator(server)
    const [whole, bare, broken] = await Promise.all([
      aGame(server, creator, {
        image_url: 'https://prizes.example/pumpkin.png',
        link_url: 'https://prizes.example/about',
        reward_text: 'A pumpkin of 40 kg',
      }),
      aGame(server, creator, { reward_text: null }),
      aGame(server, creator, { image_url: 'https://prizes.example/gone.png', reward_text: 'Whatever it is' }),
    ])
    const { page } = await scene.visitor()
    await page.route('https://prizes.example/pumpkin.png', (route) =>
      route.fulfill({
        contentType: 'image/svg+xml',
        body: '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><rect width="20" height="20"/></svg>',
      }),
    )
    await page.route('https://prizes.example/gone.png', (route) => route.abort())
    const reward = page.getByRole('region', { name: 'What can be won' })

    await open(page, whole)
    const picture = reward.getByRole('img', { name: 'A pumpkin of 40 kg' })
    await picture.waitFor()
    assert.equal(
      await picture.evaluate((img) => (img as unknown as { naturalWidth: number }).naturalWidth),
      20,
    )
    const link = reward.getByRole('link', { name: 'More at prizes.example' })
    assert.equal(await link.getAttribute('href'), 'https://prizes.example/about')
    assert.match((await link.getAttribute('rel'))!, /noopener/)

    await open(page, bare)
    await reward.getByText('A thing to take home').waitFor()
    assert.deepEqual([await reward.getByRole('img').count(), await reward.getByRole('link').count()], [0, 0])
    await reward.locator('svg.gift').waitFor()

    await open(page, broken)
    await reward.getByText('Whatever it is').waitFor()
    await reward.locator('svg.gift').waitFor()
    assert.equal(await reward.locator('img').count(), 0)
    assert.equal(await sidewaysPx(page), 0)
  })

  it('S0-22 the winner has the doors to claim and message; who did not win has none, and the API says 403', async () => {
    const { server } = scene.on
    const creator = await aCreator(server)
    const id = await aGame(server, creator, { title: 'One wins' })
    const players = await Promise.all([aGuest(server), aGuest(server)])
    for (const player of players) await enter(server, player, id)
    const visits = await Promise.all(players.map((player) => scene.visitorAs(player)))
    await Promise.all(visits.map(({ page }) => open(page, id)))
    await toTheEnd(server, creator, id)

    const claims = await Promise.all(
      players.map(({ token }) =>
        get<{ data: { claim_id: string }[] }>(server, token, `/claims?game_id=${id}`).then(
          ({ data }) => data,
        ),
      ),
    )
    const won = claims.findIndex((data) => data.length === 1)
    const lost = 1 - won
    assert.deepEqual(claims[lost], [])
    const message = ({ page }: (typeof visits)[number]) =>
      page.getByRole('link', { name: 'Message the creator' })
    await message(visits[won]!).waitFor()
    await visits[lost]!.page.getByText('Not this time.').waitFor()
    assert.equal(await message(visits[lost]!).count(), 0)
    assert.equal(await visits[lost]!.page.getByRole('link', { name: 'Claim the reward' }).count(), 0)

    const { claim_id } = claims[won]![0]!
    await assert.rejects(
      send(server.url, players[lost]!.token, `/claims/${claim_id}/messages`, { message: 'Give it to me.' }),
      /403 .*not_claim_party/,
    )
    await message(visits[won]!).click()
    await visits[won]!.page.getByRole('heading', { name: 'Messages' }).waitFor()
    assert.match(visits[won]!.page.url(), new RegExp(`/claim\\?id=${claim_id}#messages$`))
  })

  it('K-10 a guess by keyboard alone, with what is wrong said beside it', async () => {
    const { server } = scene.on
    const id = await aGame(server, await aCreator(server), {
      ...NUMBERS,
      guess_policy: 'replace_until_close',
    })
    const { page } = await scene.visitor({ reducedMotion: 'reduce' })
    await open(page, id)
    await tabTo(page, guessOf(page))
    await page.keyboard.type('1001')
    await page.keyboard.press('Enter')
    await page.getByRole('status').filter({ hasText: 'A whole number from 1 to 1,000, please.' }).waitFor()
    await page.keyboard.press('ControlOrMeta+a')
    await page.keyboard.type('12')
    await page.keyboard.press('Enter')
    await page.locator('.is-in-force', { hasText: '12' }).waitFor()
    assert.ok(await isFocused(guessOf(page)))
    await page.keyboard.type('13')
    await tabTo(page, page.getByRole('button', { name: 'Change my guess' }))
    await page.keyboard.press('Enter')
    await page.getByText('replaced').waitFor()
    assert.equal(await page.locator('.is-in-force .my-guess-value').innerText(), '13')
  })

  for (const viewport of [{ ...PHONE, width: 390 }, PHONE, DESK]) {
    it(`K-10 a game before and after its end fits ${viewport.width} px, large enough for thumbs`, async () => {
      const { server } = scene.on
      const creator = await aCreator(server)
      const id = await aGame(server, creator, {
        ...NUMBERS,
        title: 'What does the heaviest pumpkin of the whole valley weigh this year, in kilograms?',
        number_of_winners: 3,
      })
      const player = await aGuest(server)
      const { page, faults } = await scene.visitorAs(player, { viewport })
      const fits = async (when: string) => {
        assert.equal(await sidewaysPx(page), 0, when)
        assert.deepEqual(await smallTargets(page), [], when)
      }
      await open(page, id)
      await page.getByRole('button', { name: 'Guess', exact: true }).waitFor()
      await fits('open')
      await enter(server, player, id, 500)
      await toTheEnd(server, creator, id)
      await page.getByRole('link', { name: 'Claim the reward' }).waitFor()
      await fits('over')
      assert.deepEqual(faults, { console: [], foreign: [] })
    })
  }
})
