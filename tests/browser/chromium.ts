// Finds a Chromium for browser tests, wherever this machine has one.
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const SYSTEM_CHROMIUM = '/usr/bin/chromium'

// A container's root user has no sandbox, and its /dev/shm is often too small for a renderer.
const BASE_ARGS = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu']

/**
 * Starts a headless Chromium: CHROMIUM_PATH, else /usr/bin/chromium, else the one of @sparticuz/chromium.
 * Answers the browser, or the reason why there is none, for a test to print when it skips. The caller closes it.
 */
export async function launch(): Promise<Browser | string> {
  const reasons: string[] = []
  for (const candidate of [fromEnvironment, fromSystem, fromPackage]) {
    try {
      const found = await candidate()
      if (typeof found === 'string') reasons.push(found)
      else return await chromium.launch({ headless: true, timeout: 30_000, ...found })
    } catch (error) {
      reasons.push(`${candidate.name}: ${error instanceof Error ? error.message.split('\n')[0] : 'failed'}`)
    }
  }
  return `no Chromium could be started (${reasons.join('; ')})`
}

type Start = { executablePath: string; args: string[] }

function fromEnvironment(): Start | string {
  const path = process.env['CHROMIUM_PATH']
  return path ? { executablePath: path, args: BASE_ARGS } : 'CHROMIUM_PATH is not set'
}

function fromSystem(): Start | string {
  if (!existsSync(SYSTEM_CHROMIUM)) return `${SYSTEM_CHROMIUM} is not there`
  return { executablePath: SYSTEM_CHROMIUM, args: BASE_ARGS }
}

async function fromPackage(): Promise<Start> {
  const { default: packaged } = await import('@sparticuz/chromium')
  // Its own arguments are left out: --single-process ends the browser with its first context, and
  // --disable-web-security would make every test of a page's policy worthless.
  return { executablePath: await packaged.executablePath(), args: BASE_ARGS }
}
