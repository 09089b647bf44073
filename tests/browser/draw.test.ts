// The public page of a draw in a real Chromium: its certificate, its list, one's own entry on it, and the film of it.
import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { aBuyer, aRaffle, type Bought, buy, callOff, open, type TestRaffle, untilStatus } from './raffles.ts'
import { aScene } from './scene.ts'
import { DESK, PHONE, type Player, sidewaysPx, smallTargets, tabTo } from './server.ts'

type Replay = { duration_ms: number; frames: { after_ms: number; type: string; data: Record<string, any> }[] }

describe('the page of a draw', function () {
  this.timeout(90_000)
  let raffle: TestRaffle
  let ann: Player
  let bought: Bought
  const scene = aScene(async ({ server }) => {
    const bob = await aBuyer(server)
    ann = await aBuyer(server)
    raffle = await aRaffle(server, { sale_s: 12, draws: [{ winners: 2, alternates: 1 }] })
    await buy(server, bob, raffle.id, [1, 2, 3])
    bought = await buy(server, ann, raffle.id, [21, 22, 23])
    await buy(
      server,
      bob,
      raffle.id,
      Array.from({ length: 20 }, (_, i) => 31 + i),
    )
    await untilStatus(server, raffle.id, 'settled')
  })
  afterEach(() => callOff(scene.on.server))
  const address = () => `/draw?id=${raffle.draw_ids[0]}`
  const receipt = () => bought.tickets[1]!.receipt
  const region = (page: Page, name: string) => page.getByRole('region', { name })

  it('P-44 somebody without a session verifies the own ticket in the browser, from the receipt alone', async () => {
    const { page, faults } = await scene.visitor()
    const asked: string[] = []
    page.on('request', (request) => {
      if (request.url().includes('/api/')) asked.push(new URL(request.url()).pathname)
      assert.equal(request.headers()['authorization'], undefined)
    })
    await page.goto(address())
    await page.getByLabel('Receipt, or number of the entry').fill(receipt())
    asked.length = 0
    await page.getByRole('button', { name: 'Check', exact: true }).click()
    await page.getByText(`Entry ${bought.tickets[1]!.entry_index} is on the list`).waitFor()
    for (const check of [
      'The receipt is signed by the server',
      'The receipt names this draw',
      'The receipt holds the same fingerprint and place',
      'The path from the entry leads to the root',
    ])
      await region(page, 'Find my entry').locator('li.good', { hasText: check }).waitFor()
    await region(page, 'Find my entry').getByText('"t":22').waitFor()
    assert.ok(!asked.some((path) => path.endsWith('/entries')), 'no other entry is read for it')
    assert.deepEqual(faults, { console: [], foreign: [] })
  })

  it('P-44 a receipt that was changed, and one of another draw, are found out', async () => {
    const { page } = await scene.visitor()
    await page.goto(address())
    const [head, , signature] = receipt().split('.') as [string, string, string]
    const document = JSON.parse(Buffer.from(receipt().split('.')[1]!, 'base64url').toString()) as object
    const forged = Buffer.from(JSON.stringify({ ...document, i: 0 })).toString('base64url')
    const field = page.getByLabel('Receipt, or number of the entry')
    await field.fill(`${head}.${forged}.${signature}`)
    await page.getByRole('button', { name: 'Check', exact: true }).click()
    await page.getByText('Entry 0 does not fit the list').waitFor()
    await page.locator('li.bad', { hasText: 'The receipt is signed by the server' }).waitFor()
    await page.locator('li.bad', { hasText: 'The receipt holds the same fingerprint and place' }).waitFor()
    const other = Buffer.from(JSON.stringify({ ...document, commitHash: 'f'.repeat(64) })).toString(
      'base64url',
    )
    await field.fill(`${head}.${other}.${signature}`)
    await page.getByRole('button', { name: 'Check', exact: true }).click()
    await page.getByText('This receipt belongs to another draw.').waitFor()
  })

  it('S1-33 the holder has a button for each ticket, and the salt opens the pseudonym', async () => {
    const { page } = await scene.visitorAs(ann)
    await page.goto(address())
    await page.getByRole('button', { name: 'My ticket 23' }).click()
    await page.getByText(`Entry ${bought.tickets[2]!.entry_index} is on the list`).waitFor()
    await page.locator('li.good', { hasText: 'The pseudonym is yours: your salt opens it' }).waitFor()
  })

  it('S1-32 certificate and list agree with the API, and the draw verifies in the browser', async () => {
    const { page } = await scene.visitor({ viewport: DESK })
    await page.goto(address())
    const answer = await fetch(`${scene.on.server.url}/api/v1/draws/${raffle.draw_ids[0]}`)
    const draw = (await answer.json()) as {
      commit_hash: string
      entries_root: string
      winners: { place: number; ticket_number: string; player: string; entry_index: number }[]
    }
    const certificate = region(page, 'How it was decided')
    for (const hash of [draw.commit_hash, draw.entries_root]) await certificate.getByTitle(hash).waitFor()
    const rows = await certificate.locator('.winners tbody tr').all()
    const told = await Promise.all(rows.map((row) => row.locator('th, td').allInnerTexts()))
    assert.deepEqual(
      told.map(([place, player, ...rest]) => [place, player!.split(/\s/)[0], ...rest]),
      draw.winners.map((each) => [
        String(each.place),
        each.player,
        each.ticket_number,
        String(each.entry_index),
      ]),
    )
    const list = region(page, 'The sealed list')
    await list.getByText('1 to 25 of 26').waitFor()
    await list.getByText('ticket 21', { exact: true }).waitFor()
    await list.getByRole('button', { name: 'Next' }).click()
    await list.getByText('26 to 26 of 26').waitFor()
    await list.getByText('ticket 50', { exact: true }).waitFor()
    await certificate.getByRole('link', { name: 'Check it yourself' }).click()
    await page.getByText('VERIFIED', { exact: true }).waitFor()
  })

  for (const speed of [1, 8]) {
    it(`a past draw plays as a film at ${speed}×, and ends with the winners that were drawn`, async () => {
      const { page } = await scene.visitor({ viewport: DESK })
      await page.goto(address())
      const answer = await fetch(`${scene.on.server.url}/api/v1/draws/${raffle.draw_ids[0]}/replay`)
      const { duration_ms, frames } = (await answer.json()) as Replay
      const film = region(page, 'See it again')
      const shown = film.getByRole('listitem')
      if (speed > 1) await film.getByText(`${speed}×`, { exact: true }).click()
      await film.getByRole('button', { name: 'Play', exact: true }).click()
      const started_ms = Date.now()
      await film.getByText(/The list with 26 entries is sealed/).waitFor()
      assert.ok((await shown.count()) < frames.length, 'it does not begin with its end')
      await film.getByText('Everything is shown, and the secret is open.').waitFor({ timeout: 60_000 })
      const took_ms = Date.now() - started_ms
      assert.ok(took_ms > (duration_ms / speed) * 0.9, `${took_ms} ms is too fast for ${duration_ms} ms`)
      assert.ok(took_ms < duration_ms / speed + 2_000, `${took_ms} ms is too slow for ${duration_ms} ms`)
      const told = await shown.allTextContents()
      assert.equal(told.length, frames.length)
      for (const { data } of frames.filter(({ type }) => type === 'draw.revealed')) {
        const place = told.find((text) =>
          text.includes(`${data['is_alternate'] ? 'Alternate' : 'Place'} ${data['place']}:`),
        )
        assert.ok(place?.includes(String(data['player'])), `${place} is not ${data['player']}`)
      }
    })
  }

  it('K-10 the film is started, sped up and moved by keyboard alone', async () => {
    const { page } = await scene.visitor({ viewport: DESK })
    await page.goto(address())
    const film = region(page, 'See it again')
    await tabTo(page, film.getByRole('button', { name: 'Play', exact: true }))
    await page.keyboard.press('Tab')
    for (const _ of [2, 4, 8]) await page.keyboard.press('ArrowRight')
    assert.ok(await film.getByRole('radio', { name: '8×' }).isChecked())
    await page.keyboard.press('Tab')
    await page.keyboard.press('End')
    await film.getByText('Everything is shown, and the secret is open.').waitFor()
  })

  it('leads to its raffle and to its big screen, and back', async () => {
    const { page } = await scene.visitor({ viewport: DESK })
    await page.goto(address())
    await page.getByRole('link', { name: 'To the raffle' }).click()
    await page.getByRole('heading', { name: raffle.name }).waitFor()
    await page.getByRole('link', { name: 'The whole draw' }).click()
    await page.getByRole('link', { name: 'Big screen' }).click()
    await page.getByRole('heading', { name: raffle.name }).waitFor()
    await page.getByText('It is over. Everybody can check it.').waitFor()
  })

  it('a draw whose list is still open shows what was promised, and no list', async () => {
    const { draw_ids, slug } = await aRaffle(scene.on.server)
    const { page } = await scene.visitor()
    await open(page, slug)
    await page.goto(`/draw?id=${draw_ids[0]}`)
    await region(page, 'How it was decided').getByText('Nothing is drawn yet.').waitFor()
    await region(page, 'Find my entry').getByText('The list is still open.').waitFor()
    await region(page, 'The sealed list').getByText('Until then it is sealed.').waitFor()
    assert.equal(await region(page, 'See it again').count(), 0)
  })

  it('a draw that is not there is refused in words', async () => {
    const { page } = await scene.visitor()
    await page.goto('/draw?id=00000000-0000-7000-8000-000000000000')
    await page.getByRole('alert').filter({ hasText: 'There is no such thing here.' }).waitFor()
  })

  for (const viewport of [PHONE, DESK]) {
    it(`K-10 every part fits ${viewport.width} px, without errors or foreign requests`, async () => {
      const { page, faults } = await scene.visitor({ viewport })
      await page.goto(`${address()}&entry=3`)
      await page.getByText('Entry 3 is on the list').waitFor()
      await region(page, 'The sealed list').getByText('1 to 25 of 26').waitFor()
      assert.equal(await sidewaysPx(page), 0)
      assert.deepEqual(await smallTargets(page), [])
      assert.deepEqual(faults, { console: [], foreign: [] })
    })
  }
})
