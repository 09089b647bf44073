// The claim of a winner and the desk of creators and staff in a real Chromium: two people, two browsers, one claim.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { BrowserContextOptions, Page } from 'playwright-core'
import sharp from 'sharp'
import { aClaim, aCreator, aGame, aWonClaim, enter, get, toTheEnd, travel, type WonClaim } from './claims.ts'
import { aScene } from './scene.ts'
import { aGuest, DESK, PHONE, send, sidewaysPx, smallTargets, tabTo } from './server.ts'

const step = (page: Page, name: string) => page.getByRole('region', { name, exact: true })
const said = (page: Page, text: string | RegExp) =>
  page.getByRole('status').filter({ hasText: text }).waitFor({ state: 'attached' })
/** Waits for the focus to be there: it moves once the new picture is drawn. */
const focused = (page: Page, tag: string, text: string) =>
  page.locator(`${tag}:focus`, { hasText: text }).waitFor()
const thread = (page: Page) => page.getByRole('region', { name: 'Messages' })
const tab = (page: Page, name: string) => page.getByRole('tab', { name, exact: true })

/** The text of the code that the winner's page shows. */
async function codeOf(page: Page): Promise<string> {
  const text = page.locator('.code-text code')
  if (!(await text.isVisible())) await page.getByText('The code as text').click()
  return text.innerText()
}

async function scan(page: Page, code: string): Promise<void> {
  await page.getByLabel('The text of the code').fill(code)
  await page.getByRole('button', { name: 'Hand it over' }).click()
}

const aPicture = (format: 'png' | 'jpeg' = 'png') =>
  sharp({ create: { width: 320, height: 240, channels: 3, background: '#c60' } })
    [format]()
    .toBuffer()

describe('the claim page and the desk', function () {
  this.timeout(90_000)
  const scene = aScene(undefined, 'moved')

  async function atClaim({ winner, claim_id }: WonClaim, options: BrowserContextOptions = {}) {
    const made = await scene.visitorAs(winner, options)
    await made.page.goto(`/claim?id=${claim_id}`)
    await made.page.locator('.pill-live').waitFor()
    await made.page.locator('.claim-step').waitFor()
    return made
  }
  /** A browser at the desk, as if the token had been pasted there. */
  async function atDesk(token: string, options: BrowserContextOptions = { viewport: DESK }) {
    const made = await scene.visitor(options)
    await made.page.addInitScript(`sessionStorage.setItem('livedraw.desk', ${JSON.stringify(token)})`)
    await made.page.goto('/desk')
    await made.page.locator('.pill-live').waitFor()
    return made
  }
  const open = (page: Page) => page.getByRole('button', { name: /^Open: / }).click()

  it('S0-14 the winner claims with a word for the creator, whose desk shows it at once', async () => {
    const won = await aWonClaim(scene.on.server)
    const [{ page }, desk] = await Promise.all([atClaim(won), atDesk(won.creator)])
    await desk.page.locator('.claim-row', { hasText: 'to be claimed' }).waitFor()
    await step(page, 'You won. Claim it')
      .getByText(/Claim it before .+ \(in 2 days\)/)
      .waitFor()
    assert.equal(await page.locator('img.code-picture').count(), 0)

    await page
      .getByLabel('For the creator: where it goes, or who comes for it')
      .fill('Send it to Anna, please.')
    await page.getByRole('button', { name: 'Claim the reward' }).click()
    await step(page, 'Show this to the creator').waitFor()
    await said(page, 'Claimed. Show the code to the creator.')
    await focused(page, 'h2', 'Show this to the creator')

    await desk.page.locator('.claim-row', { hasText: 'claimed' }).filter({ hasNotText: 'to be' }).waitFor()
    await open(desk.page)
    await desk.page.getByText('Send it to Anna, please.').waitFor()
    assert.match(
      await desk.page.locator('.claim-head .lead').innerText(),
      /^Place 1: player-\w+ · A pumpkin$/,
    )
  })

  it('S0-08 the winner shows the code, the creator scans it once; both see it at once, and a second scan says used', async () => {
    const claimed = await aClaim(scene.on.server)
    const { page } = await atClaim(claimed)
    const picture = page.getByRole('img', { name: 'The code as a picture. Its text stands below.' })
    await picture.waitFor()
    assert.ok(await picture.evaluate((img) => (img as unknown as { naturalWidth: number }).naturalWidth > 0))
    const first = await codeOf(page)
    await page.getByRole('button', { name: 'New code' }).click()
    await page.locator('.code-text code', { hasNotText: first }).waitFor()
    const second = await codeOf(page)

    const desk = await scene.visitor({ viewport: DESK })
    await desk.page.goto('/desk')
    await desk.page.getByLabel('Your bearer token').fill(claimed.creator)
    await desk.page.getByRole('button', { name: 'Sign in' }).click()
    await tab(desk.page, 'Scan').click()
    await desk.page.getByText('This browser cannot read codes from a camera or photo.').waitFor()
    await scan(desk.page, `${second.slice(0, -4)}AAAA`)
    await desk.page.getByRole('alert').filter({ hasText: 'This is no code of a reward.' }).waitFor()
    await step(page, 'Show this to the creator').waitFor()

    await scan(desk.page, second)
    await desk.page.getByRole('region', { name: 'Handed over' }).getByText('Guess the weight').waitFor()
    await said(desk.page, /^Handed over: Guess the weight, to player-\w+\.$/)
    await step(page, 'Handed over').waitFor()
    await said(page, 'The claim is now: handed over.')
    assert.equal(await picture.count(), 0)

    // Neither the same code nor the other one works again.
    for (const code of [second, first]) {
      await scan(desk.page, code)
      await desk.page.getByRole('alert').filter({ hasText: 'This code was used already' }).waitFor()
      assert.equal(await desk.page.getByRole('region', { name: 'Handed over' }).count(), 0)
    }
    await tab(desk.page, 'Rewards').click()
    await desk.page.locator('.claim-row', { hasText: 'handed over' }).waitFor()
    await open(desk.page)
    await desk.page.getByText('Handed over: the code was scanned').waitFor()
  })

  it('S0-08 a code of another creator is refused, and stays good', async () => {
    const claimed = await aClaim(scene.on.server)
    const { page } = await atClaim(claimed)
    const code = await codeOf(page)
    const stranger = await atDesk(await aCreator(scene.on.server))
    await tab(stranger.page, 'Scan').click()
    await scan(stranger.page, code)
    await stranger.page.getByRole('alert').filter({ hasText: 'Only the winner and the creator' }).waitFor()
    await step(page, 'Show this to the creator').waitFor()
  })

  it('S0-08 the picture that the winner saved is read from its file', async () => {
    const claimed = await aClaim(scene.on.server)
    const { page } = await atClaim(claimed)
    const saving = page.waitForEvent('download')
    await page.getByRole('link', { name: 'Save the picture' }).click()
    const file = await (await saving).path()
    const desk = await atDesk(claimed.creator)
    await tab(desk.page, 'Scan').click()
    const choose = desk.page.getByLabel('Choose a picture of the code')
    await choose.setInputFiles({ name: 'photo.png', mimeType: 'image/png', buffer: await aPicture() })
    await desk.page.getByRole('alert').filter({ hasText: 'Paste the text of the code' }).waitFor()
    const svg = readFileSync(file)
    await choose.setInputFiles({ name: 'reward-code.svg', mimeType: 'image/svg+xml', buffer: svg })
    await desk.page.getByRole('region', { name: 'Handed over' }).waitFor()
    await step(page, 'Handed over').waitFor()
  })

  it('S0-08 with a camera and a browser that reads codes, what it sees is handed over and the camera is let go', async () => {
    const claimed = await aClaim(scene.on.server)
    const { page } = await atClaim(claimed)
    const code = await codeOf(page)
    const desk = await scene.visitor({ viewport: DESK })
    // This Chromium has neither a camera nor the detector: a canvas stands in for one, and a detector that sees the code
    // in its second picture for the other.
    await desk.page.addInitScript(`(() => {
      const canvas = document.createElement('canvas')
      const pen = canvas.getContext('2d')
      setInterval(() => pen.fillRect(0, 0, 300, 150), 50)
      window.tracks = []
      navigator.mediaDevices.getUserMedia = async () => {
        const stream = canvas.captureStream(5)
        window.tracks.push(...stream.getTracks())
        return stream
      }
      let looks = 0
      window.BarcodeDetector = class {
        async detect() { return ++looks < 2 ? [] : [{ rawValue: ${JSON.stringify(code)} }] }
      }
      sessionStorage.setItem('livedraw.desk', ${JSON.stringify(claimed.creator)})
    })()`)
    await desk.page.goto('/desk')
    await tab(desk.page, 'Scan').click()
    await desk.page.getByRole('button', { name: 'Scan with the camera' }).click()
    await desk.page.getByRole('region', { name: 'Handed over' }).waitFor()
    await step(page, 'Handed over').waitFor()
    assert.deepEqual(await desk.page.evaluate('window.tracks.map((track) => track.readyState)'), ['ended'])
  })

  it('S0-15 messages appear in the other browser at once, are announced, and are still there afterwards', async () => {
    const claimed = await aClaim(scene.on.server)
    const [{ page }, desk] = await Promise.all([atClaim(claimed), atDesk(claimed.creator)])
    await open(desk.page)
    await thread(desk.page).getByText('No message yet.').waitFor()

    await page.getByRole('button', { name: 'Send' }).click()
    await thread(page).getByRole('alert').filter({ hasText: 'Write something first.' }).waitFor()
    await page.getByLabel('Message to the creator').fill('When can I come?\n<b>Soon</b>')
    await page.getByRole('button', { name: 'Send' }).click()
    await said(page, 'Your message was sent.')
    await thread(desk.page).getByText('<b>Soon</b>').waitFor()
    await said(desk.page, 'Winner writes: When can I come?')
    assert.equal(await page.getByLabel('Message to the creator').inputValue(), '')

    await desk.page.getByLabel('Message to the winner').fill('On Saturday.')
    await desk.page.getByRole('button', { name: 'Send' }).click()
    await thread(page).getByText('On Saturday.').waitFor()
    await said(page, 'Creator writes: On Saturday.')

    await page.reload()
    await thread(page).getByText('On Saturday.').waitFor()
    assert.equal(await thread(page).getByRole('listitem').count(), 2)
  })

  it('S0-15 a message whose answer is lost is written once', async () => {
    const claimed = await aClaim(scene.on.server)
    const { page } = await atClaim(claimed)
    await page.route(
      /\/messages$/,
      async (route) => {
        await route.fetch()
        await route.abort()
      },
      { times: 1 },
    )
    await page.getByLabel('Message to the creator').fill('Only once')
    await page.getByRole('button', { name: 'Send' }).click()
    await thread(page).getByRole('alert').filter({ hasText: 'did not answer' }).waitFor()
    assert.equal(await page.getByLabel('Message to the creator').inputValue(), 'Only once')
    await page.getByRole('button', { name: 'Send' }).click()
    await said(page, 'Your message was sent.')
    const { data } = await get<{ data: { message: string }[] }>(
      scene.on.server,
      claimed.creator,
      `/claims/${claimed.claim_id}/messages`,
    )
    assert.deepEqual(
      data.map(({ message }) => message),
      ['Only once'],
    )
  })

  it('S0-37 a picture of one side is in the other browser at once; what is none is refused in words', async () => {
    const claimed = await aClaim(scene.on.server)
    const [{ page }, desk] = await Promise.all([atClaim(claimed), atDesk(claimed.creator)])
    await open(desk.page)
    const add = (on: Page) => on.getByLabel('Add a picture')
    await add(desk.page).setInputFiles({
      name: 'parcel.jpg',
      mimeType: 'image/jpeg',
      buffer: await aPicture('jpeg'),
    })
    for (const each of [desk.page, page]) {
      const picture = each.getByRole('img', { name: /^Creator’s picture, / })
      await picture.waitFor()
      assert.equal(
        await picture.evaluate((img) => (img as unknown as { naturalWidth: number }).naturalWidth),
        320,
      )
    }
    await said(page, 'There is a new picture.')

    await add(page).setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: Buffer.from('<svg/>') })
    await page.getByRole('alert').filter({ hasText: 'This is no picture that can be kept.' }).waitFor()
    const large = Buffer.alloc(5 * 1024 * 1024 + 1)
    await add(page).setInputFiles({ name: 'b.png', mimeType: 'image/png', buffer: large })
    await page.getByRole('alert').filter({ hasText: 'larger than 5 MB' }).waitFor()
    assert.equal(await page.getByRole('img', { name: /’s picture, / }).count(), 1)

    await page.getByRole('button', { name: 'The reward came' }).click()
    await page.getByRole('button', { name: 'Yes, it came' }).click()
    await step(page, 'Handed over').waitFor()
    assert.equal(await add(page).count(), 0)
    await desk.page.getByText('The winner said that it came').waitFor()
    assert.equal(await add(desk.page).count(), 0)
    assert.equal(await desk.page.getByLabel('Message to the winner').count(), 0)
  })

  it('S0-37 a picture on its way shows how far it is', async () => {
    const claimed = await aClaim(scene.on.server)
    const { page } = await atClaim(claimed)
    let arrive = () => {}
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve
    })
    await page.route(/\/proof$/, async (route) => {
      await arrived
      await route.continue()
    })
    await page
      .getByLabel('Add a picture')
      .setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: await aPicture() })
    await page.getByRole('progressbar', { name: 'The picture is on its way' }).waitFor()
    arrive()
    await page.getByRole('img', { name: /^Winner’s picture, / }).waitFor()
    await page.getByRole('progressbar').waitFor({ state: 'detached' })
    await said(page, 'The picture is there.')
  })

  it('S0-14 who gives a place up is asked once more; the next in line is offered it at once', async () => {
    const { server } = scene.on
    const creator = await aCreator(server)
    const players = await Promise.all([aGuest(server), aGuest(server)])
    const game_id = await aGame(server, creator, { number_of_alternates: 1 })
    for (const player of players) await enter(server, player, game_id)
    await toTheEnd(server, creator, game_id)
    const offers = await Promise.all(
      players.map(({ token }) => get<{ data: { claim_id: string }[] }>(server, token, '/claims')),
    )
    const won = offers.findIndex(({ data }) => data.length === 1)
    const next = await scene.visitorAs(players[1 - won]!)
    await next.page.goto('/claim')
    await next.page.locator('.pill-live').waitFor()
    await next.page.getByText('Nothing to claim yet.').waitFor()

    const { page } = await atClaim({
      creator,
      game_id,
      winner: players[won]!,
      claim_id: offers[won]!.data[0]!.claim_id,
    })
    await page.getByRole('button', { name: 'Give the place up' }).click()
    await page.getByRole('button', { name: 'No, go back' }).click()
    await step(page, 'You won. Claim it').waitFor()
    await page.getByRole('button', { name: 'Give the place up' }).click()
    await page.getByRole('button', { name: 'Yes, give it up' }).click()
    await step(page, 'This place is gone').waitFor()
    await next.page.locator('.claim-row', { hasText: 'to be claimed' }).waitFor()
    await next.page.getByRole('link', { name: /^Open: A pumpkin/ }).click()
    await step(next.page, 'You won. Claim it').waitFor()
  })

  it('S0-23 the complaint is closed and says until when; it opens by itself when the claim window is over', async () => {
    const { server } = scene.on
    const claimed = await aClaim(server, { claim_window_hours: 1 })
    const { page } = await atClaim(claimed)
    const complaint = page.getByRole('region', { name: 'Complaint' })
    const text = complaint.getByLabel('What is wrong?')
    const button = complaint.getByRole('button', { name: 'Complain' })
    await complaint.getByText(/You can complain from .+ \(in (59|60) minutes|\(in 1 hour\)/).waitFor()
    assert.deepEqual([await text.isDisabled(), await button.isDisabled()], [true, true])
    await assert.rejects(
      send(server.url, claimed.winner.token, `/claims/${claimed.claim_id}/complaints`, {
        message: 'Too early',
      }),
      /409 .*claim_window_open/,
    )

    await travel(server, 'PT61M')
    await complaint.getByText('The creator is asked first; then staff decides.').waitFor()
    await text.fill('Nothing came, and nobody answers.')
    await button.click()
    await complaint.getByText('waits for staff').waitFor()
    await said(page, 'Your complaint is with staff.')
    await complaint.getByText('Nothing came, and nobody answers.').waitFor()
    await complaint.getByText(/^[\w-]+\.[\w-]+\.[\w-]+$/).waitFor()
    await step(page, 'Staff looks at it').waitFor()
    assert.equal(await text.count(), 0)
  })

  it('S0-38 the queue has the complaint with its age; both sides see answer, look and decision at once', async () => {
    const { server } = scene.on
    const claimed = await aClaim(server, { claim_window_hours: 1 })
    await travel(server, 'PT61M')
    const [{ page }, desk, staff] = await Promise.all([
      atClaim(claimed),
      atDesk(claimed.creator),
      atDesk(await server.token(`otto-${process.pid}`, 'operator')),
    ])
    await open(desk.page)
    await page.getByLabel('What is wrong?').fill('Nothing came to me.')
    await page.getByRole('button', { name: 'Complain' }).click()
    await desk.page.getByText('Nothing came to me.').waitFor()
    await desk.page.getByLabel('Your answer').fill('It was sent on Monday.')
    await desk.page.getByRole('button', { name: 'Answer' }).click()
    await page.getByText('It was sent on Monday.').waitFor()
    await said(page, 'The creator has answered the complaint.')
    await desk.page.getByLabel('Your answer').waitFor({ state: 'detached' })

    await travel(server, 'PT2H')
    await tab(staff.page, 'Complaints').click()
    const row = staff.page.locator('.claim-row', { hasText: (await playerOf(claimed)).winner })
    await row.getByText('2 hours old').waitFor()
    await row.getByText('The creator has answered.').waitFor()
    await row.getByText(/^Nothing of player-\w+ has ended yet\.$/).waitFor()
    await row.getByRole('button', { name: /^Open/ }).click()
    await staff.page.getByText('It was sent on Monday.').waitFor()
    assert.equal(await staff.page.getByRole('button', { name: 'Send' }).count(), 0)

    await staff.page.getByRole('button', { name: 'I am looking at it' }).click()
    for (const each of [page, desk.page]) await each.getByText('staff is looking at it').first().waitFor()
    await staff.page.getByRole('button', { name: 'Decide' }).click()
    await staff.page.getByRole('alert').filter({ hasText: 'Choose a decision first.' }).waitFor()
    await staff.page.getByText('Dismiss', { exact: true }).click()
    await staff.page.getByLabel('A note that both sides read').fill('The parcel is at the post office.')
    await staff.page.getByRole('button', { name: 'Decide' }).click()
    await staff.page
      .getByText(/now has 0 on record as not handed over\. New games are still possible\./)
      .waitFor()
    for (const each of [page, desk.page]) {
      await each.getByText('The complaint does not hold; the claim goes on.').waitFor()
      await each.getByText('The parcel is at the post office.').waitFor()
    }
    await step(page, 'Show this to the creator').waitFor()
    await staff.page.getByRole('button', { name: 'Back to the list' }).click()
    await staff.page.getByLabel('Show').waitFor()
    await staff.page.locator('.tab-panel .skeleton').waitFor({ state: 'detached' })
    assert.equal(await row.count(), 0)
    await staff.page.getByLabel('Show').selectOption('decided')
    await row.getByText('decided', { exact: true }).waitFor()
  })

  it('S0-19 a decision against the creator stops new games until a date; an appeal that staff lifts ends that', async () => {
    const { server } = scene.on
    const claimed = await aClaim(server, { claim_window_hours: 1 })
    const { winner, claim_id, creator } = claimed
    const operator = await server.token(`olga-${process.pid}`, 'operator')
    const restore = await oneFailureIsTooMuch(operator)
    scene.afterwards(restore)
    await travel(server, 'PT61M')
    await send(server.url, winner.token, `/claims/${claim_id}/complaints`, { message: 'Nothing came.' })
    const [winning, desk, staff] = await Promise.all([atClaim(claimed), atDesk(creator), atDesk(operator)])
    const { winner: name } = await playerOf(claimed)
    await tab(desk.page, 'My record').click()
    await desk.page.locator('.record dd').first().getByText('–').waitFor()

    await tab(staff.page, 'Complaints').click()
    await staff.page.locator('.claim-row', { hasText: name }).getByRole('button').click()
    await staff.page.getByRole('button', { name: 'I am looking at it' }).click()
    await staff.page.getByText('Not handed over', { exact: true }).click()
    await staff.page.getByRole('button', { name: 'Decide' }).click()
    await staff.page
      .getByText(/now has 1 on record as not handed over\. No new games before .+ \(in \d+ days\)/)
      .waitFor()

    await step(winning.page, 'Staff decided for you').waitFor()
    await winning.page.getByText('The reward was not handed over; it counts against the creator.').waitFor()
    await staff.page.locator('.tag', { hasText: 'decided' }).waitFor()
    await said(staff.page, 'The complaint: decided.')
    await desk.page.getByText(/1 failure: no new games before .+ \(in \d+ days\)/).waitFor()
    await desk.page.locator('.record dd').first().getByText('0%').waitFor()
    await assert.rejects(aGame(server, creator), /403 .*creator_blocked/)
    await desk.page.getByLabel('Why it should not hold').fill('The post lost it; here is the slip.')
    await desk.page.getByRole('button', { name: 'Appeal' }).click()
    await said(desk.page, 'Your appeal is with staff.')
    await desk.page.getByText('Nobody has decided yet.').waitFor()

    await tab(staff.page, 'Blocks').click()
    const block = staff.page.locator('.record', { hasText: 'The post lost it; here is the slip.' })
    await block.getByLabel('A note that both sides read').fill('The slip is real.')
    await block.getByRole('button', { name: 'Lift the block' }).click()
    await block.getByText('The slip is real.').waitFor()
    await block.getByText('over', { exact: true }).waitFor()
    await desk.page.locator('.blocked').waitFor({ state: 'detached' })
    // Whoever thinks of playing knows.
    const next = await scene.visitor()
    await next.page.goto(`/guess?game=${await aGame(server, creator)}`)
    await next.page.getByText(/^Handed over by player-\w+, who kept 0 of 1 such promises \(0%\)\.$/).waitFor()
  })

  it('S0-19 an auditor sees queue and blocks, and can decide nothing', async () => {
    const { server } = scene.on
    const claimed = await aClaim(server, { claim_window_hours: 1 })
    await travel(server, 'PT61M')
    await send(server.url, claimed.winner.token, `/claims/${claimed.claim_id}/complaints`, {
      message: 'Nothing.',
    })
    const { page } = await atDesk(await server.token(`alma-${process.pid}`, 'auditor'))
    assert.deepEqual(await page.getByRole('tab').allInnerTexts(), ['Complaints', 'Blocks'])
    await page
      .locator('.claim-row', { hasText: (await playerOf(claimed)).winner })
      .getByRole('button')
      .click()
    await page.getByText('The winner complained').first().waitFor()
    assert.equal(await page.getByRole('button', { name: 'I am looking at it' }).count(), 0)
  })

  it('S0-38 what somebody else decided meanwhile is shown, and not decided again', async () => {
    const { server } = scene.on
    const claimed = await aClaim(server, { claim_window_hours: 1 })
    await travel(server, 'PT61M')
    await send(server.url, claimed.winner.token, `/claims/${claimed.claim_id}/complaints`, {
      message: 'Nothing.',
    })
    const [one, other] = await Promise.all(
      ['uma', 'udo'].map(async (name) => atDesk(await server.token(`${name}-${process.pid}`, 'operator'))),
    )
    const { winner } = await playerOf(claimed)
    for (const { page } of [one!, other!]) {
      await tab(page, 'Complaints').click()
      await page.locator('.claim-row', { hasText: winner }).getByRole('button').click()
      await page.getByRole('button', { name: 'I am looking at it' }).waitFor()
    }
    await one!.page.getByRole('button', { name: 'I am looking at it' }).click()
    await one!.page.getByRole('button', { name: 'Decide' }).waitFor()
    await other!.page.getByRole('button', { name: 'I am looking at it' }).click()
    await other!.page.getByRole('alert').filter({ hasText: 'Somebody was faster.' }).waitFor()
    await other!.page.getByRole('button', { name: 'Decide' }).waitFor()
  })

  it('S0-08 the desk takes only a token that works there, keeps it in the tab, and forgets it when asked', async () => {
    const { server } = scene.on
    const { page } = await scene.visitor()
    await page.goto('/desk')
    const trying = async (token: string, says: string) => {
      await page.getByLabel('Your bearer token').fill(token)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('alert').filter({ hasText: says }).waitFor()
    }
    const creator = await aCreator(server)
    await trying('hello', 'This is no bearer token.')
    await trying((await aGuest(server)).token, 'of no creator, operator or auditor')
    await trying(`${creator.slice(0, -6)}AAAAAA`, 'The server does not take this token.')
    await page.getByLabel('Your bearer token').fill(creator)
    await page.keyboard.press('Enter')
    await page.getByText('Nobody has won anything of yours yet.').waitFor()
    await page.reload()
    await page.getByText('Nobody has won anything of yours yet.').waitFor()
    assert.equal(await page.evaluate('localStorage.length && JSON.stringify(localStorage).includes("ey")'), 0)
    await page.getByRole('button', { name: 'Leave the desk' }).click()
    await page.getByLabel('Your bearer token').waitFor()
    assert.equal(await page.evaluate("sessionStorage.getItem('livedraw.desk')"), null)
  })

  it('S0-08 the desk closes when its token is over, and says so', async () => {
    const { page } = await scene.visitor()
    await page.clock.install()
    const token = await aCreator(scene.on.server)
    await page.goto('/desk')
    await page.getByLabel('Your bearer token').fill(token)
    await page.keyboard.press('Enter')
    await page.getByText('Nobody has won anything of yours yet.').waitFor()
    await page.clock.fastForward('58:00')
    assert.equal(await page.evaluate("sessionStorage.getItem('livedraw.desk')"), token)
    await page.clock.fastForward('02:01')
    await page.getByRole('alert').filter({ hasText: 'Your token is over.' }).waitFor()
    await page.getByLabel('Your bearer token').waitFor()
    assert.equal(await page.evaluate("sessionStorage.getItem('livedraw.desk')"), null)
  })

  it('S0-08 the desk pages through its rewards and filters them by state', async () => {
    const { server } = scene.on
    const creator = await aCreator(server)
    const players = await Promise.all(Array.from({ length: 21 }, () => aGuest(server)))
    const game_id = await aGame(server, creator, { number_of_winners: 21 })
    for (const player of players) await enter(server, player, game_id)
    await toTheEnd(server, creator, game_id)
    await send(server.url, players[0]!.token, '/claims', { game_id })
    const { page } = await atDesk(creator)
    const rows = page.locator('.claim-row')
    await rows.nth(19).waitFor()
    assert.equal(await rows.count(), 20)
    await page.getByRole('button', { name: 'Show more' }).click()
    await rows.nth(20).waitFor()
    assert.equal(await page.getByRole('button', { name: 'Show more' }).count(), 0)
    await page.getByLabel('Show').selectOption('claimed')
    await rows.nth(1).waitFor({ state: 'detached' })
    assert.equal(await rows.count(), 1)
    await page.getByLabel('Show').selectOption('disputed')
    await page.getByText('None of yours is in this state.').waitFor()
  })

  it('K-10 the whole way by keyboard alone: claim, write, say that it came', async () => {
    const won = await aWonClaim(scene.on.server)
    const { page } = await atClaim(won, { reducedMotion: 'reduce' })
    await tabTo(page, page.getByLabel('For the creator: where it goes, or who comes for it'))
    await page.keyboard.type('By post')
    await tabTo(page, page.getByRole('button', { name: 'Claim the reward' }))
    await page.keyboard.press('Enter')
    await step(page, 'Show this to the creator').waitFor()
    await tabTo(page, page.getByText('The code as text'))
    await page.keyboard.press('Enter')
    await page.locator('.code-text code').waitFor()
    await tabTo(page, page.getByLabel('Message to the creator'))
    await page.keyboard.type('It is here. Thank you!')
    await tabTo(page, page.getByRole('button', { name: 'Send' }))
    await page.keyboard.press('Enter')
    await said(page, 'Your message was sent.')
    await focused(page, 'button', 'Send')
    await tabTo(page, page.getByRole('button', { name: 'The reward came' }))
    await page.keyboard.press('Enter')
    await focused(page, 'button', 'No, go back')
    await page.keyboard.press('Enter')
    await focused(page, 'button', 'The reward came')
    await page.keyboard.press('Enter')
    await tabTo(page, page.getByRole('button', { name: 'Yes, it came' }))
    await page.keyboard.press('Enter')
    await step(page, 'Handed over').waitFor()
    await said(page, 'Thank you. The claim is complete.')
    await focused(page, 'h2', 'Handed over')
  })

  it('S0-22 a claim of somebody else, and no player at all, are said in words', async () => {
    const claimed = await aClaim(scene.on.server)
    const { page } = await scene.visitorAs(await aGuest(scene.on.server))
    await page.goto(`/claim?id=${claimed.claim_id}`)
    await page.getByRole('alert').filter({ hasText: 'There is no such thing here.' }).waitFor()
    assert.equal(await page.getByRole('heading', { name: 'Messages' }).count(), 0)
    const nobody = await scene.visitor()
    await nobody.page.goto('/claim')
    await nobody.page.getByText('No player here yet').waitFor()
    assert.equal(await nobody.page.evaluate("sessionStorage.getItem('livedraw.guest')"), null)
  })

  for (const viewport of [{ ...PHONE, width: 390 }, PHONE, DESK]) {
    it(`K-10 claim and desk fit ${viewport.width} px, large enough for thumbs`, async () => {
      const { server } = scene.on
      const claimed = await aClaim(server, { claim_window_hours: 1, info: `By post to ${'Anna'.repeat(40)}` })
      const { page, faults } = await atClaim(claimed, { viewport })
      const fits = async (on: Page, where: string) => {
        assert.equal(await sidewaysPx(on), 0, `${where} is too wide`)
        assert.deepEqual(await smallTargets(on), [], where)
      }
      await page.locator('img.code-picture').waitFor()
      await codeOf(page)
      await fits(page, 'the claim')
      await travel(server, 'PT61M')
      await page.getByLabel('What is wrong?').fill('Nothing came.')
      await page.getByRole('button', { name: 'Complain' }).click()
      await page.getByText('waits for staff').waitFor()
      await fits(page, 'the disputed claim')
      await page.goto('/claim')
      await page.locator('.claim-row').waitFor()
      await fits(page, 'the list')
      await page.goto('/desk')
      await page.getByLabel('Your bearer token').waitFor()
      await fits(page, 'the door of the desk')

      const both = await server.token(`both-${process.pid}`, 'creator', 'operator')
      const desk = await atDesk(both, { viewport })
      for (const name of ['Rewards', 'Scan', 'My record', 'Blocks', 'Complaints']) {
        await tab(desk.page, name).click()
        await desk.page.getByRole('tabpanel', { name }).locator('.skeleton').waitFor({ state: 'detached' })
        await fits(desk.page, name)
      }
      await desk.page
        .locator('.claim-row', { hasText: (await playerOf(claimed)).winner })
        .getByRole('button')
        .click()
      await desk.page.getByRole('button', { name: 'I am looking at it' }).click()
      await desk.page.getByText('What is your decision?').waitFor()
      await fits(desk.page, 'the decision')
      for (const each of [faults, desk.faults]) assert.deepEqual(each, { console: [], foreign: [] })
    })
  }

  /** Who is who, by the names that both see. */
  const playerOf = ({ claim_id, winner }: WonClaim) =>
    get<{ winner: string; creator: string }>(scene.on.server, winner.token, `/claims/${claim_id}`)

  /** One failure blocks, until the returned function is called. */
  async function oneFailureIsTooMuch(operator: string): Promise<() => Promise<void>> {
    const { url } = scene.on.server
    const put = async (failures_max: number) => {
      const answer = await fetch(`${url}/api/v1/claim-settings`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${operator}`, 'content-type': 'application/json', 'if-match': '*' },
        body: JSON.stringify({ answer_hours: 72, failures_max, failure_days: 30, block_days: 30 }),
      })
      assert.equal(answer.status, 200, await answer.text())
    }
    await put(1)
    return () => put(3)
  }
})
