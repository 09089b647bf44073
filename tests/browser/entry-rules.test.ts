// What the page of a guess game says before somebody enters: who may, and that it is paused. In a real Chromium.
import assert from 'node:assert/strict'
import { aScene } from './scene.ts'
import { sidewaysPx } from './server.ts'

const HOUR_MS = 3_600_000

describe('a guess game with rules and pauses', function () {
  this.timeout(60_000)
  const scene = aScene()

  async function aGame(more: object): Promise<string> {
    const { operate } = scene.on.server
    const { id } = await operate<{ id: string }>('/games', {
      title: 'Guess the weight',
      mode: 'guess',
      rule: 'nearest',
      guess_min: 1,
      guess_max: 1_000,
      reward_type: 'product',
      closes_at: new Date(Date.now() + HOUR_MS).toISOString(),
      ...more,
    })
    await operate(`/games/${id}/publish`)
    return id
  }

  it('P-06 who may not enter reads why before trying, rule by rule, and cannot send', async () => {
    const id = await aGame({ entry_rules: { eligibility: { no_makers: true, min_orders: 2 } } })
    const { page, faults } = await scene.visitor()
    await page.goto(`/guess?game=${id}`)
    const rules = page.getByRole('region', { name: 'You may not enter this game' })
    await rules.getByText('At least 2 completed orders. (not met)').waitFor()
    await rules.getByText('neither its creator nor a member of its company. (met)').waitFor()
    const send = page.getByRole('button', { name: 'Guess', exact: true })
    assert.equal(await send.getAttribute('aria-disabled'), 'true')
    await page.getByText('A rule of this game does not let you in.').waitFor()
    assert.equal(await sidewaysPx(page), 0)
    assert.deepEqual(faults, { console: [], foreign: [] })
  })

  it('P-06 who may enter sees the rules as met, and a bonus as more guesses or entries', async () => {
    const id = await aGame({
      mode: 'draw',
      rule: null,
      guess_min: null,
      guess_max: null,
      entry_rules: {
        eligibility: { no_makers: true },
        bonus: { mode: 'best', entries: [{ label: 'vip', segment: 'vip', entries: 2 }] },
      },
    })
    const { page } = await scene.visitor()
    await page.goto(`/guess?game=${id}`)
    const rules = page.getByRole('region', { name: 'Who may enter' })
    await rules.getByText('2 more entries for the group vip. (not met)').waitFor()
    const guest = JSON.parse(await page.evaluate<string>("sessionStorage.getItem('livedraw.guest')"))
    // The shop tells that the guest is one of its best customers.
    const told = await fetch(`${scene.on.server.url}/api/v1/customers/${guest.user_id}/facts`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${await scene.on.server.token('browser-tests', 'operator', 'service')}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ order_count: 0, source_version: 1, segments: ['vip'] }),
    })
    assert.equal(told.status, 200)
    await page.getByRole('button', { name: 'Take part' }).click()
    await page.getByText('bonus “vip”').first().waitFor()
    assert.equal(await page.locator('.my-guesses li').count(), 3)
  })

  it('P-07 a pause reaches the open page: the form goes, what is left stands still, and it comes back', async () => {
    const id = await aGame({})
    const { operate } = scene.on.server
    const { page, faults } = await scene.visitor()
    await page.goto(`/guess?game=${id}`)
    const send = page.getByRole('button', { name: 'Guess', exact: true })
    await send.waitFor()
    await operate(`/games/${id}/pause`, { minutes: 30, reason: 'The stream broke.' })
    await page.locator('.guess-phase').getByText('Paused. It goes on in').waitFor()
    await send.waitFor({ state: 'detached' })
    const left = page.getByText(/^After that \d+:\d\d is left to guess\.$/)
    const before = await left.innerText()
    await page.waitForTimeout(1_500)
    assert.equal(await left.innerText(), before, 'the timer stands')
    assert.equal(await page.locator('.guess-result').count(), 0, 'nothing is over')
    await operate(`/games/${id}/resume`)
    await page.locator('.guess-phase').getByText('Closes in').waitFor()
    await send.waitFor()
    await page.goto(`/guess?game=${id}`)
    await page.getByRole('tab', { name: 'Fairness' }).click()
    await page.getByRole('link', { name: 'The whole draw' }).first().click()
    await page.getByRole('heading', { name: 'Close put off' }).waitFor()
    await page.getByText(/entry \d+ of the public log/).waitFor()
    assert.deepEqual(faults, { console: [], foreign: [] })
  })
})
