// The offline page in a real browser, opened from disk with the network off.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { offlinePage, writeOfflinePage } from '../../scripts/offline-verifier.ts'
import { jcs } from '../../src/fairness/canonical.ts'
import { launch } from '../browser/chromium.ts'
import { everyKind, makeReveal, makeTranscript, SIGNING_KEY, VERIFIER } from './make.ts'
import { cases } from './vectors.ts'

const documents = everyKind()
const SPIN_COUNT = 10_000

describe('Offline page', () => {
  let browser: Browser
  let page: Page
  let folder: string
  const requests: string[] = []
  const errors: string[] = []

  before(async function () {
    this.timeout(120_000)
    const started = await launch()
    if (typeof started === 'string') {
      console.log(`    skipped: ${started}`)
      this.skip()
    }
    browser = started
    folder = await mkdtemp(join(tmpdir(), 'livedraw-offline-'))
    await writeOfflinePage(join(folder, 'verify-offline.html'))
    const phone = { width: 390, height: 844 }
    const context = await browser.newContext({ offline: true, reducedMotion: 'reduce', viewport: phone })
    page = await context.newPage()
    page.on('request', (request) => requests.push(request.url()))
    page.on('pageerror', (error) => errors.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text())
    })
    await page.goto(pathToFileURL(join(folder, 'verify-offline.html')).href)
  })
  after(async () => {
    await browser?.close()
    if (folder) await rm(folder, { recursive: true })
  })

  const settled = () => page.waitForSelector('#result:not([data-state=idle]):not([data-state=busy])')
  const statusOf = (id: string) => page.locator(`#steps li[data-step=${id}]`).getAttribute('data-status')
  // Scripts for the page are texts here: this project compiles without the types of the DOM.
  const forget = () => page.evaluate("document.getElementById('result').setAttribute('data-state', 'idle')")
  const resultText = () => page.locator('#result .word').innerText()
  async function paste(text: string, keys = '', logs = '') {
    await page.evaluate("document.querySelector('details').setAttribute('open', '')")
    await page.fill('#keys', keys)
    await page.fill('#logs', logs)
    await page.fill('#text', text)
    await forget()
    await page.click('#check')
    await settled()
  }

  it('P-47 with the network off the saved page passes a good transcript step by step', async () => {
    const keys = `${SIGNING_KEY.kid}=${VERIFIER.keys[SIGNING_KEY.kid]}`
    await paste(jcs(documents['wheel']), keys, VERIFIER.logs[0])
    assert.equal(await resultText(), 'VERIFIED')
    for (const step of ['commit', 'signature', 'config', 'seed', 'outcome', 'log']) {
      assert.equal(await statusOf(step), 'ok', step)
    }
    assert.match(await page.locator('#result').innerText(), /Fixed before play by the operator/)
    assert.match(
      await page.locator('#chain').innerText(),
      new RegExp(`“${documents['wheel']!.outcome['id']}”`),
    )
    assert.equal(await page.locator('#result').getAttribute('aria-live'), 'polite')
  })

  it('P-47 it fails a tampered transcript, at the step and with the code, and marks no later step', async () => {
    const wheel = documents['wheel']!
    await paste(jcs({ ...wheel, outcome: { ...wheel.outcome, index: 0 } }))
    assert.equal(await resultText(), 'MISMATCH OUTCOME_MISMATCH')
    assert.equal(await statusOf('outcome'), 'failed')
    assert.equal(await page.locator('#steps li[data-step=trust]').count(), 0)
    assert.equal(await page.locator('#story').isHidden(), true)
  })

  it('S0-32c it answers every kind as Node does, without crypto.subtle and with BLS', async () => {
    await page.evaluate(
      "Object.defineProperty(crypto, 'subtle', { get() { throw new Error('used crypto.subtle') } })",
    )
    for (const [name, document] of Object.entries(documents)) {
      await paste(jcs(document))
      assert.equal(await resultText(), 'VERIFIED', name)
    }
    for (const c of cases('transcript')) {
      await paste(jcs(c['transcript']))
      assert.equal(await resultText(), 'VERIFIED', c['about'])
    }
  }).timeout(120_000)

  it('P-47 a transcript before the reveal is PENDING; text that is no document is FORMAT_INVALID', async () => {
    const { serverSeed: _seed, ...waiting } = documents['raffle, commit']!
    await paste(jcs(waiting))
    assert.equal(await resultText(), 'PENDING')
    await paste('<img src=x onerror=alert(1)>')
    assert.equal(await resultText(), 'MISMATCH FORMAT_INVALID')
  })

  it('P-47 names of a hostile document are shown as text and never run', async () => {
    const id = '<img src=x onerror="window.ran=1">'
    const hostile = makeTranscript({
      kind: 'wheel',
      mode: 'pair',
      config: { kind: 'wheel', segments: [{ id, weight: 3 }] },
      members: { client: documents['wheel']!.client! },
    })
    await paste(jcs(hostile))
    assert.equal(await resultText(), 'VERIFIED')
    assert.ok((await page.locator('#chain').innerText()).includes(id))
    assert.equal(await page.evaluate('window.ran'), undefined)
  })

  it('P-41 it re-derives 10,000 spins of a revealed pair from a chosen file', async () => {
    const path = join(folder, 'reveal.json')
    await writeFile(path, jcs(makeReveal(SPIN_COUNT)))
    await forget()
    await page.setInputFiles('#file', path)
    await settled()
    assert.equal(await resultText(), 'VERIFIED')
    const took_ms = Number(await page.locator('#result').getAttribute('data-took-ms'))
    console.log(`    ${SPIN_COUNT} spins re-derived in the browser in ${took_ms.toFixed(0)} ms`)
    assert.match(await page.locator('#result').innerText(), /10000 spins/)
  }).timeout(60_000)

  it('P-47 it works with the keyboard alone and fits a phone without scrolling sideways', async () => {
    await page.fill('#text', jcs(documents['tie']))
    await page.focus('#check')
    await forget()
    await page.keyboard.press('Enter')
    await settled()
    assert.equal(await resultText(), 'VERIFIED')
    const sideways = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')
    assert.ok(Number(sideways) <= 0, `scrolls sideways by ${sideways} px`)
    if (process.env['SCREENSHOT_DIR']) {
      await paste(jcs(documents['wheel']))
      await page.evaluate("document.querySelector('details').removeAttribute('open')")
      await page.screenshot({ path: join(process.env['SCREENSHOT_DIR'], 'offline-page.png'), fullPage: true })
    }
  })

  it('P-47 the page asked for nothing but itself, raised no error, and its policy forbids all else', async () => {
    assert.deepEqual(
      requests.filter((url) => !url.endsWith('/verify-offline.html')),
      [],
    )
    assert.deepEqual(errors, [])
    const html = await offlinePage()
    assert.match(html, /content="default-src 'none'; script-src 'sha256-[A-Za-z0-9+/=]+'; style-src 'sha256-/)
    assert.equal(/<(script|link|img|iframe)[^>]+(src|href)=/.test(html), false)
    assert.equal(html.includes('crypto.subtle'), false)
  })
})
