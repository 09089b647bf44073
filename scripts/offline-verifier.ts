// Builds dist-client/verify-offline.html: one file with the verifier inside, which opens from disk without a network.
// Run it with: node scripts/offline-verifier.ts
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'vite'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** Where the page is written unless told otherwise; the server offers it as a download. */
export const OFFLINE_PAGE = here('../dist-client/verify-offline.html')

/** Bundles a script for the browser into one text without imports, so that it can stand inside a page. */
export async function bundle(entry: string): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    root: here('..'),
    publicDir: false,
    build: {
      write: false,
      target: 'es2023',
      modulePreload: false,
      rolldownOptions: { input: entry, output: { format: 'iife' } },
    },
  })
  const [result] = Array.isArray(built) ? built : [built]
  const chunks = 'output' in result! ? result.output : []
  if (chunks.length !== 1 || chunks[0]!.type !== 'chunk') throw new Error('the page must be one script')
  // A literal end tag inside the script would end it.
  return chunks[0]!.code.replaceAll('</script', '<\\/script')
}

const sourceHash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** Builds the page and returns its HTML: nothing outside the file is ever asked for, and the page's policy forbids it. */
export async function offlinePage(): Promise<string> {
  const [template, style, script] = await Promise.all([
    readFile(here('./offline-verifier.html'), 'utf8'),
    readFile(here('./offline-verifier.css'), 'utf8'),
    bundle(here('./offline-verifier.page.ts')),
  ])
  // The hashes let this script and this style run and nothing else; the widths of the bar are set through the DOM.
  const policy = `default-src 'none'; script-src ${sourceHash(script)}; style-src ${sourceHash(style)}; base-uri 'none'; form-action 'none'`
  // Functions, because a replacement text may hold dollar signs that replace() would expand.
  return template
    .replace('%CSP%', () => policy)
    .replace('%STYLE%', () => style)
    .replace('%SCRIPT%', () => script)
}

/** Builds the page into a file. */
export async function writeOfflinePage(path: string = OFFLINE_PAGE): Promise<void> {
  const html = await offlinePage()
  await mkdir(new URL('.', pathToFileURL(path)), { recursive: true })
  await writeFile(path, html)
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await writeOfflinePage()
  console.log(`wrote ${OFFLINE_PAGE}`)
}
