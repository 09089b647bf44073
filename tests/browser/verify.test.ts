// The verify page in a real Chromium: what the server says about its results is computed again there.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { aScene, type Scene } from './scene.ts'
import { aWheel, DESK, PHONE, sidewaysPx, type TestServer } from './server.ts'

const answer = (page: Page) => page.locator('.answer-title')

describe('the verify page', function () {
  this.timeout(60_000)
  /** A transcript of a spin whose seed is revealed. */
  let event_id = ''
  let transcript = ''
  const scene = aScene(async ({ server }) => {
    event_id = await aRevealedSpin(server)
    transcript = await (await fetch(`${server.url}/api/v1/verify/${event_id}`)).text()
  })
  const visitor: Scene['visitor'] = (options) => scene.visitor({ reducedMotion: 'reduce', ...options })

  it('P-41 a spin is pending until its player rotates to an own seed, then every step turns green', async () => {
    const slug = await aWheel(scene.on.server)
    const { page, faults } = await visitor({ reducedMotion: 'no-preference' })
    await page.goto(`/?wheel=${slug}`)
    await page.getByRole('button', { name: 'Spin', exact: true }).click()
    await page.locator('.outcome').waitFor()
    const told = await page.locator('.outcome-text').innerText()
    await page.getByRole('link', { name: 'Was this fair?' }).click()
    await answer(page).filter({ hasText: 'PENDING' }).waitFor()

    await page.goBack()
    await page.getByRole('tab', { name: 'Fairness' }).click()
    const current = page.getByRole('region', { name: 'Current seed pair' })
    const next_hash = await page.getByRole('region', { name: 'Next commitment' }).locator('code').innerText()
    await page.getByLabel('Your new seed').fill('my-own-lucky-seed')
    await page.getByRole('button', { name: 'Rotate' }).click()
    await page.getByRole('region', { name: 'Revealed server seed' }).getByText('Checked here').waitFor()
    await current.getByText('my-own-lucky-seed').waitFor()
    assert.equal(await current.locator('code').first().innerText(), next_hash)

    await page.getByRole('link', { name: /Check spin 0/ }).click()
    await answer(page).filter({ hasText: 'VERIFIED' }).waitFor()
    const statuses = await page
      .locator('.step')
      .evaluateAll((steps) => steps.map((step) => step.getAttribute('data-status')))
    assert.deepEqual([...new Set(statuses)].sort(), ['ok', 'skipped'])
    for (const id of ['commit', 'signature', 'config', 'seed', 'outcome', 'log']) {
      assert.equal(await page.locator(`[data-step=${id}]`).getAttribute('data-status'), 'ok', id)
    }
    assert.ok(
      (await page.getByRole('region', { name: 'From bytes to the segment' }).innerText()).includes(told),
    )
    assert.deepEqual(faults, { console: [], foreign: [] })
  })

  it('S0-32 a stranger pastes an id or a link, without a token', async () => {
    const { page } = await visitor()
    for (const pasted of [
      event_id,
      `${scene.on.server.url}/verify?event=${event_id}`,
      `${scene.on.server.url}/api/v1/verify/${event_id}`,
    ]) {
      await page.goto('/verify')
      await page.getByLabel('Link, id or transcript').fill(pasted)
      await page.getByRole('button', { name: 'Check', exact: true }).click()
      await answer(page).filter({ hasText: 'VERIFIED' }).waitFor()
    }
    await page.getByText('Fixed before play by the operator').waitFor()
    assert.equal(await page.evaluate("sessionStorage.getItem('livedraw.guest')"), null)
  })

  const tampers: [name: string, code: string, tamper: (text: string) => string][] = [
    [
      'another seed',
      'SEED_MISMATCH',
      (text) =>
        text.replace(/("serverSeed":")(.)/, (_, name, digit) => `${name}${digit === '0' ? '1' : '0'}`),
    ],
    ['another weight', 'CONFIG_MISMATCH', (text) => text.replace('"weight":125', '"weight":126')],
    ['another commitment', 'COMMIT_MISMATCH', (text) => text.replace('"seq":2', '"seq":3')],
    [
      'another outcome',
      'OUTCOME_MISMATCH',
      (text) =>
        text.replace(
          /"outcome":\{"id":"slice-(\d)","index":\d\}/,
          (_, i) => `"outcome":{"id":"slice-${(+i + 1) % 8}","index":${(+i + 1) % 8}}`,
        ),
    ],
    ['a blank', 'FORMAT_INVALID', (text) => text.replace('{', '{ ')],
  ]
  for (const [name, code, tamper] of tampers) {
    it(`S0-32 a transcript with ${name} fails with ${code}`, async () => {
      const forged = tamper(transcript)
      assert.notEqual(forged, transcript)
      const { page } = await visitor()
      await page.goto('/verify')
      await page.getByLabel('Link, id or transcript').fill(forged)
      await page.getByRole('button', { name: 'Check', exact: true }).click()
      await answer(page)
        .filter({ hasText: `MISMATCH ${code}` })
        .waitFor()
      await page.locator(`.step[data-status=failed]`).waitFor()
    })
  }

  it('S0-32 the page itself offers to forge a digit, and catches it', async () => {
    const { page } = await visitor()
    await page.goto(`/verify?event=${event_id}`)
    await page.getByRole('button', { name: 'Change one digit and check again' }).click()
    await answer(page).filter({ hasText: 'MISMATCH SEED_MISMATCH' }).waitFor()
  })

  it('P-47 the downloaded transcript is the very bytes that were checked, and verifies again as a file', async () => {
    const { page } = await visitor()
    await page.goto(`/verify?event=${event_id}`)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download the transcript' }).click(),
    ])
    const path = await download.path()
    const hash = createHash('sha256').update(readFileSync(path)).digest('hex')
    await page.getByText(hash).waitFor()
    await page.goto('/verify')
    await page.getByLabel('Choose a file').setInputFiles(path)
    await answer(page).filter({ hasText: 'VERIFIED' }).waitFor()
  })

  it('S0-32 what is no transcript is refused in words', async () => {
    const { page } = await visitor()
    await page.goto('/verify')
    for (const [pasted, says] of [
      ['what is this?', /neither a link, nor an id, nor a transcript/],
      ['00000000-0000-4000-8000-000000000000', /could not be fetched: There is no such thing here/],
    ] as const) {
      await page.getByLabel('Link, id or transcript').fill(pasted)
      await page.getByRole('button', { name: 'Check', exact: true }).click()
      await page.getByRole('alert').filter({ hasText: says }).waitFor()
    }
  })

  for (const viewport of [PHONE, DESK]) {
    it(`K-10 a checked result fits ${viewport.width} px and is announced`, async () => {
      const { page } = await visitor({ viewport })
      await page.goto(`/verify?event=${event_id}`)
      await page.getByRole('status').filter({ hasText: 'VERIFIED' }).waitFor({ state: 'attached' })
      assert.equal(await sidewaysPx(page), 0)
    })
  }
})

/** A spin of a new guest on a new wheel, whose seed is revealed. Returns its id. */
async function aRevealedSpin(server: TestServer): Promise<string> {
  const slug = await aWheel(server)
  const send = async (token: string, path: string, body: unknown): Promise<any> => {
    const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }
    const answer = await fetch(`${server.url}/api/v1${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    })
    assert.ok(answer.ok, `${path}: ${answer.status}`)
    return answer.json()
  }
  const { token } = await send('', '/guest', { tenant: 'demo' })
  await send(token, `/wheels/${slug}/visits`, {})
  await send(token, '/fairness/seed-pair/rotate', { wheel: slug, client_seed: 'made-after-it' })
  const { spin_id } = await send(token, `/wheels/${slug}/spins`, {
    request_id: 'r-1',
    client_entropy: 'c0ffee00c0ffee00',
  })
  await send(token, '/fairness/seed-pair/rotate', { wheel: slug, client_seed: 'another-one' })
  return spin_id
}
