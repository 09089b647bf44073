// The page of a raffle in a real Chromium, against the real server: two people, one wall of tickets, the same winners.
import assert from 'node:assert/strict'
import {
  aBuyer,
  apartMs,
  aRaffle,
  board,
  buy,
  buyButton,
  callOff,
  creditOf,
  number,
  open,
  poll,
  shownAt,
  TICKET_PRICE,
  untilStatus,
  watchPlaces,
  winnersOn,
} from './raffles.ts'
import { aScene } from './scene.ts'
import { aLine, DESK, isFocused, PHONE, sidewaysPx, smallTargets, tabTo } from './server.ts'

describe('the raffle page', function () {
  this.timeout(90_000)
  const scene = aScene()
  afterEach(() => callOff(scene.on.server))
  const said = '.buy-said'

  it('P-08 a number that is bought in one browser is taken at once in the other, which is told when it tries', async () => {
    const { slug } = await aRaffle(scene.on.server)
    const [ann, bob] = await Promise.all([scene.visitor(), scene.visitor({ viewport: DESK })])
    await Promise.all([open(ann.page, slug), open(bob.page, slug)])
    await number(bob.page, 7).click()
    await bob.page.locator('.chosen', { hasText: 'Number 7' }).waitFor()
    await number(ann.page, 7).click()
    await buyButton(ann.page).click()
    await ann.page.locator(said, { hasText: 'Number 7 is yours.' }).waitFor()
    const bought_ms = Date.now()

    await bob.page.getByRole('button', { name: 'Number 7, sold' }).waitFor()
    assert.ok(Date.now() - bought_ms < 1_000, 'the wall of the other browser is live')
    await bob.page.locator(said, { hasText: 'Somebody else just took number 7.' }).waitFor()
    await bob.page.getByText('1 of 100 tickets sold').waitFor()
    await number(bob.page, 7).click({ force: true })
    await bob.page.locator(said, { hasText: 'Number 7 is taken.' }).waitFor()
    assert.equal(await ann.page.locator('.numbers .number-mine').count(), 1)
    assert.equal(await bob.page.locator('.numbers .number-mine').count(), 0)
  })

  it('P-08 of two who want a number that the line has not told of, one gets it and the other hears why not', async () => {
    const { slug, id } = await aRaffle(scene.on.server)
    const line = await aLine(scene.on.server)
    scene.afterwards(line.close)
    const [bob, ann] = [await scene.visitor({ baseURL: line.url }), await aBuyer(scene.on.server)]
    await open(bob.page, slug)
    await number(bob.page, 7).click()
    line.mute()
    await buy(scene.on.server, ann, id, [7])
    // The browser still shows it as free, and asks for it.
    await buyButton(bob.page).click()
    await bob.page.getByRole('button', { name: 'One moment…' }).first().waitFor()
    line.cut(true)
    line.restore()
    await bob.page.locator(said, { hasText: 'Number 7 is taken. Pick another one.' }).waitFor()
    await bob.page.getByRole('button', { name: 'Number 7, sold' }).waitFor()
    assert.equal((await board(scene.on.server, id)).raffle.sold_tickets, 1)
  })

  it('P-30 a purchase whose answer is lost with the line is asked for again and paid once', async () => {
    const { slug, id } = await aRaffle(scene.on.server)
    const line = await aLine(scene.on.server)
    scene.afterwards(line.close)
    const player = await aBuyer(scene.on.server)
    const { page } = await scene.visitorAs(player, { baseURL: line.url })
    await open(page, slug)
    await number(page, 3).click()
    line.mute()
    await buyButton(page).click()
    await poll(async () => (await board(scene.on.server, id)).raffle.sold_tickets === 1)
    line.cut(true)
    line.restore()
    await page.getByRole('button', { name: 'Number 3, mine' }).waitFor()
    await page.locator('.pill-live').waitFor()
    assert.equal((await board(scene.on.server, id)).raffle.sold_tickets, 1)
    assert.equal(await creditOf(scene.on.server, player), 5_000 - TICKET_PRICE)
  })

  it('P-09 an unpaid reservation returns to the pool after its time, and others see both live', async () => {
    const { slug } = await aRaffle(scene.on.server, { config: { reservation_s: 10 } })
    const [ann, bob] = await Promise.all([scene.visitor(), scene.visitor()])
    await Promise.all([open(ann.page, slug), open(bob.page, slug)])
    await number(ann.page, 5).click()
    await ann.page.getByRole('button', { name: 'Reserve, pay later' }).click()
    await ann.page.getByText('Number 5 is held for you').waitFor()
    await ann.page.getByRole('img', { name: /seconds? left/ }).waitFor()
    await bob.page.getByRole('button', { name: 'Number 5, held' }).waitFor()
    await ann.page.reload()
    await ann.page.getByText('Number 5 is held for you').waitFor()

    await ann.page.locator(said, { hasText: 'The time is over.' }).waitFor({ timeout: 20_000 })
    await bob.page.getByRole('button', { name: 'Number 5, free' }).waitFor()
    await ann.page.getByRole('button', { name: 'Number 5, free' }).waitFor()
  })

  it('P-09 what is held can be given up, or paid and is then a ticket', async () => {
    const { slug } = await aRaffle(scene.on.server)
    const { page } = await scene.visitor()
    await open(page, slug)
    for (const n of [8, 9]) {
      await number(page, n).click()
      await page.getByRole('button', { name: 'Reserve, pay later' }).click()
      await page.getByText(`Number ${n} is held for you`).waitFor()
      if (n === 8) {
        await page.getByRole('button', { name: 'Give up' }).click()
        await page.locator(said, { hasText: 'Given up.' }).waitFor()
        await page.getByRole('button', { name: 'Number 8, free' }).waitFor()
      }
    }
    await page.getByText('€50.00').waitFor()
    await page.getByRole('button', { name: 'Pay €2.00' }).click()
    await page.locator(said, { hasText: 'Number 9 is yours.' }).waitFor()
    await page.getByText('€48.00').waitFor()
    await page.getByRole('button', { name: 'Number 9, mine' }).waitFor()
  })

  it('P-14 three for two costs two, says what is saved, and takes that from the credit', async () => {
    const { slug } = await aRaffle(scene.on.server, { config: { bundles: [{ tickets: 3, pay_for: 2 }] } })
    const { page } = await scene.visitor()
    await open(page, slug)
    await page.getByText('€50.00').waitFor()
    await page.getByRole('button', { name: '3 for 2' }).click()
    await page.getByText('You save €2.00.').waitFor()
    await page.getByRole('button', { name: 'Buy 3 tickets for €4.00' }).click()
    await page.locator(said, { hasText: 'Numbers 1, 2, and 3 are yours.' }).waitFor()
    await page.getByText('€46.00').waitFor()
  })

  it('limits, an empty purse and a raffle that is sold out are said in sentences', async () => {
    const { slug, id } = await aRaffle(scene.on.server, { total: 5, config: { per_user_max: 3 } })
    const { page } = await scene.visitor()
    await open(page, slug)
    await page.getByText('At most 3 for each person.').waitFor()
    const more = page.getByRole('button', { name: 'One ticket more' })
    for (let i = 0; i < 3; i++) await more.click()
    await buyButton(page).click()
    await page.locator(said, { hasText: 'One person gets at most 3 tickets, and you have 0.' }).waitFor()
    for (let i = 0; i < 2; i++) await more.click()
    await buyButton(page).click()
    await page.locator(said, { hasText: 'Only 5 tickets are left.' }).waitFor()
    const others = [await aBuyer(scene.on.server), await aBuyer(scene.on.server)]
    await buy(scene.on.server, others[0]!, id, [1, 2, 3])
    await buy(scene.on.server, others[1]!, id, [4, 5])
    await page.getByRole('button', { name: 'All tickets are gone.' }).waitFor()

    const dear = await aRaffle(scene.on.server)
    await open(page, dear.slug)
    for (let i = 0; i < 25; i++) await more.click()
    await page.getByRole('button', { name: 'Buy 26 tickets for €52.00' }).click()
    await page.locator(said, { hasText: 'Your credit does not cover this: €2.00 is missing.' }).waitFor()
  })

  it('K-10 a ticket is picked and bought by keyboard alone, and a screen reader is told', async () => {
    const { slug } = await aRaffle(scene.on.server)
    const { page } = await scene.visitor({ viewport: DESK })
    await open(page, slug)
    await page.getByRole('grid', { name: 'Pick your numbers' }).waitFor()
    await tabTo(page, number(page, 1))
    for (const key of ['ArrowRight', 'ArrowDown', 'ArrowDown', 'ArrowLeft', 'ArrowRight'])
      await page.keyboard.press(key)
    assert.ok(await isFocused(number(page, 22)), 'the arrows move by one, and by a row')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Number 22, picked', pressed: true }).waitFor()
    await tabTo(page, buyButton(page))
    await page.keyboard.press('Enter')
    await page
      .locator('[aria-live=polite]', { hasText: 'Number 22 is yours.' })
      .waitFor({ state: 'attached' })
    await page.getByRole('button', { name: 'Number 22, mine' }).waitFor()
    assert.ok(await isFocused(buyButton(page)), 'the focus has stayed on the button')
  })

  it('P-08 a wall of a million numbers is looked at a page at a time, and any of them can be picked', async () => {
    const { slug } = await aRaffle(scene.on.server, { total: 1_000_000 })
    const { page } = await scene.visitor({ viewport: PHONE })
    await open(page, slug)
    await page.getByLabel('Go to a number').fill('987654')
    await page.keyboard.press('Enter')
    await number(page, 987_654).click()
    assert.equal(await sidewaysPx(page), 0)
    await buyButton(page).click()
    await page.locator(said, { hasText: 'Number 987,654 is yours.' }).waitFor()
    await page.getByRole('button', { name: 'Lower numbers' }).click()
    await number(page, 987_501).waitFor()
    await number(page, 987_501).focus()
    await page.keyboard.press('ArrowLeft')
    await number(page, 987_500).waitFor()
    assert.ok(await isFocused(number(page, 987_500)), 'the arrows go on to the page before')
  })

  it('P-13 a number that wins at once is announced, and the fingerprint of their seed is there before', async () => {
    const prize = await scene.on.server.operate<{ id: number }>('/prizes', {
      name: 'Instant points',
      type: 'loyalty_points',
      value: '5',
      never_expires: true,
    })
    const { slug, id } = await aRaffle(scene.on.server, {
      total: 4,
      config: { instant_wins: [{ prize_id: prize.id, count: 4 }] },
    })
    const { page } = await scene.visitor()
    await open(page, slug)
    await page.getByRole('tab', { name: 'Instant wins' }).click()
    await page.getByText('4 numbers win at once.').waitFor()
    const hash = await page.locator('.fair-box code').innerText()
    assert.match(hash, /^[0-9a-f]{64}$/)
    await number(page, 2).click()
    await buyButton(page).click()
    await page.locator(said, { hasText: 'Number 2 wins at once!' }).waitFor()
    await page
      .getByRole('list', { name: 'Instant wins' })
      .getByRole('listitem')
      .filter({ hasText: '2' })
      .waitFor()
    const answer = await fetch(`${scene.on.server.url}/api/v1/raffles/${id}/instant-wins?tenant=demo`)
    assert.equal(((await answer.json()) as { seed_hash: string }).seed_hash, hash)
  })

  it('S1-29 a raffle that is called off says why, and gives back what was paid', async () => {
    const { slug, id } = await aRaffle(scene.on.server)
    const player = await aBuyer(scene.on.server)
    await buy(scene.on.server, player, id, [1, 2])
    const { page } = await scene.visitorAs(player)
    await open(page, slug)
    await page.getByText('€46.00').waitFor()
    await scene.on.server.operate(`/raffles/${id}/cancel`, { why: 'The prize fell into the sea.' })
    await page.getByText('This raffle was called off: The prize fell into the sea.').waitFor()
    await page.getByText('Every ticket was given back').waitFor()
    await page.getByRole('tab', { name: /My tickets/ }).click()
    await page.reload()
    await page.getByText('€50.00').waitFor()
    await page.getByRole('tab', { name: /My tickets/ }).click()
    await page.getByText('given back', { exact: true }).first().waitFor()
  })

  it('K-03 two players and the big screen see each winner at the same moment, and a screen reader hears it', async () => {
    const { slug, id, name } = await aRaffle(scene.on.server, {
      sale_s: 20,
      draws: [{}, { after_s: 6, winners: 1 }],
    })
    const players = [await aBuyer(scene.on.server), await aBuyer(scene.on.server)] as const
    await buy(scene.on.server, players[0], id, [1, 2, 3, 4])
    await buy(scene.on.server, players[1], id, [5, 6, 7, 8])
    const [ann, bob, screen] = await Promise.all([
      scene.visitorAs(players[0]),
      scene.visitorAs(players[1], { viewport: DESK, reducedMotion: 'reduce' }),
      scene.visitor({ viewport: DESK }),
    ])
    await Promise.all([
      open(ann.page, slug),
      open(bob.page, slug),
      screen.page.goto(`/watch-draw?raffle=${slug}`),
    ])
    await screen.page.getByRole('heading', { name }).waitFor()
    const pages = [ann.page, bob.page, screen.page]
    await Promise.all(pages.map(watchPlaces))

    for (const page of pages) await page.locator('.place.is-shown').nth(4).waitFor({ timeout: 60_000 })
    const moments = await Promise.all(pages.map(shownAt))
    const places = Object.keys(moments[0]!)
    assert.deepEqual(places.sort(), [
      'Winners of Draw 1 1',
      'Winners of Draw 1 2',
      'Winners of Draw 1 3',
      'Winners of Draw 2 1',
      'Winners of Draw 2 2',
    ])
    for (const place of places) {
      const shown = moments.map((each) => each[place]!)
      assert.ok(apartMs(shown) < 200, `${place} was shown at ${JSON.stringify(shown)}`)
    }
    const told = await winnersOn(ann.page)
    assert.deepEqual(await winnersOn(bob.page), told)
    const first = (await board(scene.on.server, id)).draws[1]!.winners.find(({ place }) => place === 1)!
    const sentence = new RegExp(`Draw 2, place 1.* ticket ${first.ticket_number}\\.`)
    for (const page of pages)
      await page.locator('[aria-live=polite]', { hasText: sentence }).waitFor({ state: 'attached' })
  })

  it('S1-33 the holder sees the numbers, what became of them, and the proof that they were on the list', async () => {
    const { slug, id, draw_ids } = await aRaffle(scene.on.server, {
      sale_s: 12,
      draws: [{ winners: 1, alternates: 0 }],
    })
    const { page } = await scene.visitor()
    await open(page, slug)
    for (const n of [11, 12]) await number(page, n).click()
    await buyButton(page).click()
    await page.locator(said, { hasText: 'Numbers 11 and 12 are yours.' }).waitFor()
    await page.getByRole('tab', { name: /My tickets/ }).click()
    const mine = page.getByRole('list', { name: 'My tickets' }).getByRole('listitem')
    await mine.filter({ hasText: '11' }).filter({ hasText: 'in the draw' }).waitFor()
    await page.getByText('No more tickets.').first().waitFor({ state: 'attached', timeout: 30_000 })

    await page.locator('.raffle-won').waitFor({ timeout: 30_000 })
    const winner = (await board(scene.on.server, id)).draws[0]!.winners[0]!
    await page.getByText(`Draw 1, place 1, with ticket ${winner.ticket_number}`).waitFor()
    await untilStatus(scene.on.server, id, 'settled')
    await mine.filter({ hasText: winner.ticket_number }).filter({ hasText: 'won' }).waitFor()
    await page.getByRole('button', { name: 'Claim it' }).click()
    await page.locator('.raffle-won').getByText('Claimed. It is yours.').waitFor()

    await page.getByRole('link', { name: 'Proof that ticket 11 is on the list' }).click()
    await page.getByText('Entry 0 is on the list').waitFor()
    await page.getByText('The pseudonym is yours: your salt opens it').waitFor()
    assert.ok(page.url().includes(draw_ids[0]!))
  })

  it('P-30 a line that is cut while the winners are shown comes back to the same winners', async () => {
    const { slug, id } = await aRaffle(scene.on.server, {
      sale_s: 12,
      draws: [{ winners: 3, alternates: 0 }],
    })
    await buy(scene.on.server, await aBuyer(scene.on.server), id, [1, 2, 3, 4, 5])
    const line = await aLine(scene.on.server)
    scene.afterwards(line.close)
    const [near, far] = [await scene.visitor(), await scene.visitor({ baseURL: line.url })]
    await Promise.all([open(near.page, slug), open(far.page, slug)])
    await far.page.locator('.place.is-shown').first().waitFor({ timeout: 40_000 })
    line.cut(false)
    await far.page.getByText(/Connection lost/).waitFor()
    await near.page.locator('.place.is-shown').nth(2).waitFor()
    line.restore()
    await far.page.locator('.pill-live').waitFor()
    await far.page.locator('.place.is-shown').nth(2).waitFor()
    assert.deepEqual(await winnersOn(far.page), await winnersOn(near.page))
  })

  it('S1-21 the lobby lists the raffle of the demo and leads to it, and the list of raffles does', async () => {
    const { page } = await scene.visitor()
    await page.goto('/')
    await page.getByRole('link', { name: /Play Summer raffle \d+/ }).click()
    await page.getByRole('heading', { name: /Summer raffle \d+/ }).waitFor()
    await page.goto('/raffle')
    await page.getByRole('link', { name: /Play Summer raffle \d+/ }).waitFor()
  })

  it('a raffle that is not there is refused in words, with a way back', async () => {
    const { page } = await scene.visitor()
    await page.goto('/raffle?game=no-such-raffle')
    await page.getByRole('alert').filter({ hasText: 'There is no such game' }).waitFor()
    await page.getByRole('link', { name: 'Pick a game' }).waitFor()
  })

  for (const viewport of [PHONE, DESK]) {
    it(`K-10 every part fits ${viewport.width} px, without errors or foreign requests`, async () => {
      const { slug } = await aRaffle(scene.on.server)
      const { page, faults } = await scene.visitor({ viewport })
      await open(page, slug)
      await number(page, 7).click()
      for (const name of ['Draws', 'My tickets', 'Fairness']) {
        await page.getByRole('tab', { name }).click()
        await page.getByRole('tabpanel', { name }).waitFor()
        assert.equal(await sidewaysPx(page), 0, `${name} is too wide`)
        assert.deepEqual(await smallTargets(page), [])
      }
      await page.getByRole('button', { name: 'Reserve, pay later' }).click()
      await page.getByText('Number 7 is held for you').waitFor()
      assert.equal(await sidewaysPx(page), 0)
      assert.deepEqual(await smallTargets(page), [])
      assert.deepEqual(faults, { console: [], foreign: [] })
    })
  }
})
