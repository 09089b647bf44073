// What every browser test file sets up: the one server and browser of the run, and visitors who leave after each test.
import type { BrowserContextOptions } from 'playwright-core'
import { aPage, type Player, type ServerClock, START_MS_MAX, type Started, stage } from './server.ts'

/** Time to prepare what a file needs, beyond the start of the server. */
const PREPARE_MS_MAX = 60_000

export type Scene = {
  /** The running server and browser; there before the first test. */
  readonly on: Started
  /** A page in a browser profile of its own, closed after the test. */
  visitor(options?: BrowserContextOptions): ReturnType<typeof aPage>
  /** The same, as a guest that is there already: what the tab's session storage would hold. */
  visitorAs(player: Player, options?: BrowserContextOptions): ReturnType<typeof aPage>
  /** Something to end after the test. */
  afterwards(end: () => unknown): void
}

/**
 * Sets the scene inside a `describe`: starts what is not yet running, or skips all its tests and says why. `prepare`
 * runs once, before the first test. Files that move the clock share a server of their own.
 */
export function aScene(
  prepare: (on: Started) => Promise<unknown> = async () => {},
  clock: ServerClock = 'machine',
): Scene {
  let on: Started
  const ends: (() => unknown)[] = []

  before(async function () {
    this.timeout(START_MS_MAX + PREPARE_MS_MAX)
    const started = await stage(clock)
    if (typeof started === 'string') {
      console.log(`      skipped: ${started}`)
      return this.skip()
    }
    on = started
    await prepare(on)
  })
  afterEach(async () => {
    for (const end of ends.splice(0)) await end()
  })

  async function visitor(options: BrowserContextOptions = {}) {
    const made = await aPage(on, options)
    ends.push(made.close)
    return made
  }

  return {
    get on() {
      return on
    },
    visitor,
    async visitorAs(player, options) {
      const made = await visitor(options)
      await made.page.addInitScript(
        `sessionStorage.setItem('livedraw.guest', ${JSON.stringify(JSON.stringify(player))})`,
      )
      return made
    },
    afterwards: (end) => void ends.push(end),
  }
}
