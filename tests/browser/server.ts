// One real server and one browser for all browser tests of a run, and what they need to set a scene.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after } from 'mocha'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { readConfig } from '../../src/config.ts'
import type { Role } from '../../src/db/tx.ts'
import { makeTokens } from '../../src/http/tokens.ts'
import { loadTokenKey } from '../../src/keyfiles.ts'
import { launch } from './chromium.ts'

const ROOT = join(import.meta.dirname, '../..')
/** A first start makes a whole database cluster on a busy machine. */
export const START_MS_MAX = 90_000
const STOP_MS_MAX = 20_000
const TOKEN_TTL_S = 3_600

export const PHONE = { width: 360, height: 740 }
export const DESK = { width: 1280, height: 800 }

export type TestServer = {
  url: string
  /** Asks the HTTP API as an operator of the demo tenant. Throws what is not 2xx. */
  operate<T>(path: string, body?: unknown): Promise<T>
  /** A bearer token of the demo tenant, good for an hour. */
  token(sub: string, ...roles: Role[]): Promise<string>
}

type Running = { server: TestServer; stop(): Promise<void> }
type Started = { server: TestServer; browser: Browser }

/** Whose time a server has: that of the machine, or that of a clock which tests move. */
export type ServerClock = 'machine' | 'moved'

let browser: Promise<Browser | string> | undefined
const running = new Map<ServerClock, Promise<Running>>()

/** A server and the browser, each started once per run, or the reason why there are none. */
export async function stage(clock: ServerClock): Promise<Started | string> {
  browser ??= open()
  const opened = await browser
  if (typeof opened === 'string') return opened
  if (!running.has(clock)) running.set(clock, start(clock))
  return { server: (await running.get(clock)!).server, browser: opened }
}

after('the browser tests stop their servers', async function () {
  this.timeout(STOP_MS_MAX + 5_000)
  const opened = await browser
  if (typeof opened === 'object') await opened.close()
  for (const each of running.values()) await (await each).stop()
})

async function open(): Promise<Browser | string> {
  const launched = await launch()
  if (typeof launched !== 'string') buildPages()
  return launched
}

async function start(clock: ServerClock): Promise<Running> {
  const dir = mkdtempSync(join(tmpdir(), 'livedraw-browser-'))
  const env = {
    ...environment(),
    DATA_DIR: dir,
    DEMO: '1',
    HOST: '127.0.0.1',
    PORT: String(await freePort()),
    TEST_CLOCK: clock === 'moved' ? '1' : '0',
  }
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const url = await readyUrl(child)
  const sign = signer(env)
  const token = await sign('browser-tests', 'operator', 'service')
  return {
    server: {
      url,
      operate: (path, body) => operate(url, token, path, body),
      token: sign,
    },
    async stop() {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
      await exited
      clearTimeout(late)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** What this process was given, without anything that would lead the server to a database of somebody else. */
function environment(): NodeJS.ProcessEnv {
  const { DATABASE_URL: _d, REDIS_URL: _r, NODE_ENV: _n, ...rest } = process.env
  return rest
}

/** The pages under test are those of this working tree. */
function buildPages(): void {
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js')
  const args = [vite, 'build', '--config', 'client-demo/vite.config.ts', '--logLevel', 'warn']
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' })
  if (status !== 0) throw new Error(`the pages do not build: ${stderr}`)
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}

async function readyUrl(child: ChildProcess): Promise<string> {
  const said: string[] = []
  createInterface({ input: child.stderr! }).on('line', (line) => said.push(line))
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`the server did not start: ${said.join('\n')}`)),
      START_MS_MAX,
    )
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${said.join('\n')}`)))
    createInterface({ input: child.stdout! }).on('line', (line) => {
      said.push(line)
      const { event, url } = jsonOf(line)
      if (event !== 'ready') return
      clearTimeout(late)
      resolve(url!)
    })
  })
}

function jsonOf(line: string): { event?: string; url?: string } {
  try {
    return JSON.parse(line)
  } catch {
    return {}
  }
}

/** Signs tokens with the server's own key, as `npm run token` does. */
function signer(env: NodeJS.ProcessEnv): TestServer['token'] {
  const tokens = makeTokens(loadTokenKey(readConfig(env, { needs: ['TOKEN_KEY'] })))
  return async (sub, ...roles) =>
    (await tokens.sign({ sub, tenant: 'demo', roles, ttl_s: TOKEN_TTL_S })).token
}

async function operate<T>(url: string, token: string, path: string, body: unknown = {}): Promise<T> {
  const answer = await fetch(`${url}/api/v1${path}`, {
    method: 'POST',
    headers: {
      ...(token !== '' && { authorization: `Bearer ${token}` }),
      'content-type': 'application/json',
      'idempotency-key': crypto.randomUUID(),
    },
    body: JSON.stringify(body),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`)
  return JSON.parse(text) as T
}

export type WheelOptions = {
  visit_chances?: number
  duration_ms?: number
  round_join_s?: number
  /** Every spin wins the prize, whichever slice it stops on. */
  always_wins?: boolean
  /** Definitions of what is won, slice by slice in turn; ten per cent off when nothing is said. */
  prizes?: Record<string, unknown>[]
}

let wheel_count = 0

const COFFEE = {
  name: 'Cup of coffee',
  type: 'discount_percentage',
  value: '10.00',
  display_value: 'COFFEE',
}

/** A wheel of its own for one test: eight equal slices, published. Returns its slug. */
export async function aWheel({ operate }: TestServer, options: WheelOptions = {}): Promise<string> {
  const {
    visit_chances = 3,
    duration_ms = 1_500,
    round_join_s = 5,
    always_wins = false,
    prizes = [COFFEE],
  } = options
  const wheel_slug = `browser-${process.pid}-${++wheel_count}`
  const ids: number[] = []
  for (const prize of prizes) ids.push((await operate<{ id: number }>('/prizes', prize)).id)
  await operate('/wheels', {
    wheel_name: `Test wheel ${wheel_count}`,
    wheel_slug,
    spin_chance_for_page_visit: visit_chances,
    spin_config: { duration_ms, round_join_s },
    rewards: Array.from({ length: 8 }, (_, i) => ({
      reward_slug: `slice-${i}`,
      reward_label: `Slice ${i}`,
      probability: '0.125',
      ...((always_wins || i % 2 === 0) && { prize_id: ids[i % ids.length] }),
    })),
  })
  await operate(`/wheels/${wheel_slug}/publish`)
  return wheel_slug
}

/** A guest as the pages keep it, and what it asks of the API. */
export type Player = { token: string; user_id: string; expires_at: string; tenant: string }

/** A new guest of the demo tenant. */
export async function aGuest({ url }: TestServer): Promise<Player> {
  const guest = await send<Omit<Player, 'tenant'>>(url, '', '/guest', { tenant: 'demo' })
  return { ...guest, tenant: 'demo' }
}

/** Asks the API as a player. Throws what is not 2xx. */
export const send = operate

/** Spins a wheel of `always_wins` so often; the wins are locked. Answers their play ids, oldest first. */
export async function win(server: TestServer, { token, user_id }: Player, slug: string, count = 1) {
  await server.operate('/spin-chances', { user_id, count, reason: 'browser test' })
  const ids: number[] = []
  for (let i = 0; i < count; i++) {
    const request_id = crypto.randomUUID()
    const spun = await send<{ play_id: number }>(server.url, token, `/wheels/${slug}/spins`, { request_id })
    ids.push(spun.play_id)
  }
  return ids
}

/** What went wrong on a page that the eye would not see. */
export type Faults = { console: string[]; foreign: string[] }

/** A page in a browser profile of its own, so that it is a player of its own. */
export async function aPage(
  { browser, server }: Started,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; faults: Faults; close: () => Promise<void> }> {
  const context = await browser.newContext({ viewport: PHONE, baseURL: server.url, ...options })
  const page = await context.newPage()
  const faults: Faults = { console: [], foreign: [] }
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.console.push(message.text())
  })
  page.on('pageerror', (error) => faults.console.push(error.message))
  const host = new URL(options.baseURL ?? server.url).host
  const check = (address: string) => {
    const url = new URL(address)
    if (/^(https?|wss?):$/.test(url.protocol) && url.host !== host) faults.foreign.push(address)
  }
  page.on('request', (request) => check(request.url()))
  page.on('websocket', (socket) => check(socket.url()))
  return { page, faults, close: () => context.close() }
}

/** How far a page can be scrolled sideways; 0 on a page that fits. */
export const sidewaysPx = (page: Page): Promise<number> =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')

/** Looks below the tip of the pointer and above the hub; what is found was drawn there. */
const SLICE_UNDER_POINTER = `(() => {
  const wheel = document.querySelector('.wheel svg').getBoundingClientRect()
  const hits = document.elementsFromPoint(wheel.left + wheel.width / 2, wheel.top + wheel.height * 0.26)
  return hits.map((hit) => hit.closest('.slice')?.querySelector('text')?.textContent).find(Boolean) ?? ''
})()`

/** The label of the slice under the pointer, read from the drawing itself. */
export async function sliceUnderPointer(page: Page): Promise<string> {
  await page.evaluate("document.querySelector('.wheel').scrollIntoView({ block: 'start' })")
  return page.evaluate<string>(SLICE_UNDER_POINTER)
}

/** What can be pressed and is smaller than a thumb, whatever an animation makes of it just now. The skip link is for keyboards, hidden inputs have their label. */
const SMALL_TARGETS = `[...document.querySelectorAll('a:not(.skip), button, summary, select, input:not(.sr-only), textarea')]
  .filter((it) => it.getClientRects().length > 0 && it.offsetHeight < 44)
  .map((it) => it.textContent || it.id)`

/** The names of targets that are lower than 44 px. */
export const smallTargets = (page: Page): Promise<string[]> => page.evaluate<string[]>(SMALL_TARGETS)

export const isFocused = (target: Locator): Promise<boolean> =>
  target.evaluate((element) => element.matches(':focus'))

/** More stops than any page has. */
const TABS_MAX = 60

/** Presses Tab until the focus is there, as a person without a mouse does. */
export async function tabTo(page: Page, target: Locator): Promise<void> {
  await target.waitFor()
  for (let i = 0; i < TABS_MAX; i++) {
    if (await isFocused(target)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab does not lead to ${target}`)
}

const STOPS_AT = `(() => {
  const turning = document.querySelector('.wheel-disc')?.getAnimations()[0]
  if (turning?.playState !== 'running' || !(turning.currentTime > 0)) return null
  return Date.now() + turning.effect.getComputedTiming().endTime - turning.currentTime
})()`

/** Waits until the wheel turns. Answers the moment at which it will have stopped, epoch ms of this machine. */
export async function whenWheelStops(page: Page): Promise<number> {
  // Not waitForFunction: it evaluates text inside the page, which the page's policy forbids.
  for (const end_ms = Date.now() + 20_000; Date.now() < end_ms; ) {
    const stops_at_ms = await page.evaluate<number | null>(STOPS_AT)
    if (stops_at_ms !== null) return stops_at_ms
  }
  throw new Error('the wheel does not turn')
}

export type Line = {
  url: string
  /** Nothing comes from the server any more; what is sent to it still arrives. */
  mute(): void
  /** Breaks all connections; `up` says whether new ones are taken. */
  cut(up: boolean): void
  /** Takes connections again, and lets the server be heard. */
  restore(): void
  close(): void
}

/** A line to the server that can be broken: a TCP proxy on a port of its own. */
export async function aLine({ url }: TestServer): Promise<Line> {
  const { hostname, port } = new URL(url)
  const ends = new Set<Socket>()
  let is_up = true
  let is_mute = false
  const proxy = createServer((near) => {
    const far = connect(Number(port), hostname)
    for (const end of [near, far]) {
      ends.add(end)
      end.on('error', () => end.destroy())
      end.on('close', () => {
        ends.delete(end)
        near.destroy()
        far.destroy()
      })
    }
    if (!is_up) near.destroy()
    near.on('data', (bytes) => far.write(bytes))
    far.on('data', (bytes) => {
      if (!is_mute) near.write(bytes)
    })
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const cut = (up: boolean) => {
    is_up = up
    for (const end of ends) end.destroy()
  }
  return {
    url: `http://127.0.0.1:${(proxy.address() as { port: number }).port}`,
    mute() {
      is_mute = true
    },
    cut,
    restore() {
      is_up = true
      is_mute = false
    },
    close() {
      cut(false)
      proxy.close()
    },
  }
}

export type { Started }
