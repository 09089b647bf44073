// The operator's desk in a real Chromium: signing in, five lists, filters, pages, files; by keyboard and on a phone.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { aScene } from './scene.ts'
import { aGuest, DESK, isFocused, PHONE, send, sidewaysPx, smallTargets, tabTo } from './server.ts'

const SECRET = 4_711
const tab = (page: Page, name: string) => page.getByRole('tab', { name, exact: true })
const panel = (page: Page) => page.getByRole('tabpanel')
/** Which rows are shown, as the page says it. */
const says = (page: Page, text: string) =>
  page.locator('.desk-tools > p').getByText(text, { exact: true }).waitFor()
const rows = (page: Page) => page.locator('.desk-table tbody tr')

describe("the operator's desk", function () {
  this.timeout(60_000)
  let open_id = ''
  let over_id = ''

  const scene = aScene(async ({ server }) => {
    const aGame = async (title: string, closes_in_ms: number, more: object = {}) => {
      const { id } = await server.operate<{ id: string }>('/games', {
        title,
        mode: 'guess',
        rule: 'nearest',
        guess_min: 1,
        guess_max: 9_999,
        reward_type: 'product',
        closes_at: new Date(Date.now() + closes_in_ms).toISOString(),
        ...more,
      })
      await server.operate(`/games/${id}/publish`)
      return id
    }
    const guess = async (id: string, value: number) => {
      const { token } = await aGuest(server)
      await send(server.url, token, `/games/${id}/guesses`, { request_id: `g-${value}`, value })
    }
    open_id = await aGame('Desk: still open', 3_600_000)
    await guess(open_id, SECRET)
    over_id = await aGame('=Desk: soon over', 4_000)
    await guess(over_id, 7)
    await guess(over_id, 8)
    for (let i = 0; i < 30; i++)
      await server.operate('/games', {
        title: `Desk: draft ${i}`,
        mode: 'draw',
        reward_type: 'product',
        closes_at: '2099-01-01T00:00:00Z',
      })
    for (const end = Date.now() + 30_000; ; ) {
      const answer = await fetch(`${server.url}/api/v1/games/${over_id}?tenant=demo`)
      const { status } = (await answer.json()) as { status: string }
      if (status === 'settled') break
      assert.ok(Date.now() < end, `the game is ${status}`)
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  })

  async function aDesk(options: Parameters<typeof scene.visitor>[0] = {}) {
    const made = await scene.visitor(options)
    await made.page.goto('/admin')
    await made.page
      .getByLabel('Token of an operator or auditor')
      .fill(await scene.on.server.token('browser-tests', 'operator', 'service'))
    await made.page.getByRole('button', { name: 'Sign in' }).click()
    await rows(made.page).first().waitFor()
    return made
  }
  const filter = async (page: Page, label: string, value: string) => {
    const field = page.getByLabel(label, { exact: true })
    if ((await field.evaluate((node) => node.tagName)) === 'SELECT') await field.selectOption(value)
    else await field.fill(value)
    await page.getByRole('button', { name: 'Show', exact: true }).click()
  }

  it('S0-27 a pasted token opens it, nonsense and the token of a player do not, and signing out closes it', async () => {
    const { page } = await scene.visitor()
    await page.goto('/admin')
    const field = page.getByLabel('Token of an operator or auditor')
    const enter = page.getByRole('button', { name: 'Sign in' })
    await field.fill('not a token')
    await enter.click()
    await page.getByRole('alert').getByText('This is no bearer token.').waitFor()
    await field.fill((await aGuest(scene.on.server)).token)
    await enter.click()
    await page.getByRole('alert').getByText('neither the role operator nor auditor').waitFor()
    await field.fill(await scene.on.server.token('browser-tests', 'operator', 'service'))
    await enter.click()
    await rows(page).first().waitFor()
    await page.reload()
    await rows(page).first().waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await field.waitFor()
    assert.equal(await page.evaluate("sessionStorage.getItem('livedraw.desk')"), null)
  })

  it('S0-27 I30 its five lists show what is over and say “sealed” where it is not', async () => {
    const { page, faults } = await aDesk()
    await filter(page, 'Title contains', 'still open')
    await says(page, 'Rows 1 to 1')
    await rows(page).getByRole('button', { name: 'Its guesses Desk: still open' }).click()
    assert.equal(await tab(page, 'Submissions').getAttribute('aria-selected'), 'true')
    await says(page, 'Rows 1 to 1')
    assert.equal(await page.getByLabel('Game id', { exact: true }).inputValue(), open_id)
    assert.equal(await rows(page).getByText('sealed', { exact: true }).count(), 1)
    const html = await page.content()
    assert.ok(!html.includes(String(SECRET)) && !html.includes('4,711'))

    await filter(page, 'Game id', over_id)
    await says(page, 'Rows 1 to 2')
    assert.equal(await rows(page).getByText('sealed', { exact: true }).count(), 0)
    for (const [name, count] of [
      ['Winning numbers', 1],
      ['Game history', 1],
      ['Winner history', 1],
    ] as const) {
      await tab(page, name).click()
      await filter(page, 'Game id', over_id)
      await says(page, `Rows 1 to ${count}`)
      assert.match(await rows(page).first().innerText(), /^=Desk: soon over/)
      await filter(page, 'Game id', open_id)
      await says(page, 'Nothing fits.')
    }
    assert.deepEqual(faults, { console: [], foreign: [] })
  })

  it('S0-27 filters, pages forth and back, and all again', async () => {
    const { page } = await aDesk()
    await filter(page, 'Title contains', 'Desk: draft')
    await says(page, 'Rows 1 to 25')
    const first = await rows(page).first().innerText()
    await page.getByRole('button', { name: 'Next', exact: true }).click()
    await says(page, 'Rows 26 to 30')
    assert.equal(await rows(page).count(), 5)
    assert.equal(
      await page.getByRole('button', { name: 'Next', exact: true }).getAttribute('aria-disabled'),
      'true',
    )
    await page.getByRole('button', { name: 'Back', exact: true }).click()
    await says(page, 'Rows 1 to 25')
    assert.equal(await rows(page).first().innerText(), first)
    await filter(page, 'Status', 'open')
    await says(page, 'Nothing fits.')
    await page.getByRole('button', { name: 'All', exact: true }).click()
    await says(page, 'Rows 1 to 25')
    await filter(page, 'Creator', 'nobody at all')
    await says(page, 'Nothing fits.')
  })

  it('S0-27 “Download CSV” saves what is filtered, with its names once and without a formula', async () => {
    const { page } = await aDesk()
    await filter(page, 'Title contains', '=Desk')
    await says(page, 'Rows 1 to 1')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download CSV' }).click(),
    ])
    assert.equal(download.suggestedFilename(), 'games.csv')
    const text = readFileSync(await download.path(), 'utf8')
    const lines = text.split('\r\n')
    assert.equal(lines.length, 3, 'names, one game, and the end of its line')
    assert.match(lines[0]!, /^id,title,mode,/)
    assert.match(lines[1]!, new RegExp(`^${over_id},'=Desk: soon over,guess,`))
    await page.getByRole('status').getByText('games.csv is saved.').waitFor({ state: 'attached' })
  })

  it('S0-27 by keyboard alone: sign in, choose a list, filter it', async () => {
    const { page } = await scene.visitor({ viewport: DESK })
    await page.goto('/admin')
    await tabTo(page, page.getByLabel('Token of an operator or auditor'))
    await page.keyboard.insertText(await scene.on.server.token('browser-tests', 'operator', 'service'))
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await rows(page).first().waitFor()
    await tabTo(page, tab(page, 'Games'))
    await page.keyboard.press('ArrowRight')
    assert.ok(await isFocused(tab(page, 'Submissions')))
    await tabTo(page, page.getByLabel('Game id', { exact: true }))
    await page.keyboard.insertText(over_id)
    await page.keyboard.press('Enter')
    await says(page, 'Rows 1 to 2')
    assert.equal(await panel(page).getByRole('table').count(), 1)
  })

  it('S0-27 fits a phone and a desk: nothing sideways but the table itself, targets large enough', async () => {
    for (const viewport of [PHONE, DESK]) {
      const { page } = await aDesk({ viewport })
      for (const name of ['Games', 'Submissions', 'Winning numbers', 'Game history', 'Winner history']) {
        await tab(page, name).click()
        await page
          .getByText(/^Rows 1 to|^Nothing fits/)
          .first()
          .waitFor()
        assert.equal(await sidewaysPx(page), 0, `${name} at ${viewport.width} px`)
        assert.deepEqual(await smallTargets(page), [], `${name} at ${viewport.width} px`)
      }
    }
  })
})
