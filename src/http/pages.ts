/** Pages for people: the built web client, the documentation of the API, the list of error codes. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import express, { type Response, Router } from 'express'

/** Addresses of the web client. Each has a page of its own name, or is drawn by the first page. */
const PAGES = [
  '/',
  '/reel',
  '/guess',
  '/draw',
  '/claim',
  '/desk',
  '/raffle',
  '/wallet',
  '/shop',
  '/watch',
  '/watch-draw',
  '/verify',
  '/odds',
  '/admin',
  '/enter',
]
const OFFLINE_VERIFIER = 'verify-offline.html'
const ERRORS_FILE = fileURLToPath(new URL('../../docs/errors.md', import.meta.url))
const SWAGGER_DIR = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
const SWAGGER_FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png']

/** Routes of the pages in `pagesDir` (what Vite built). Without them the addresses say how to build them. */
export function pageRoutes(pagesDir: string): Router {
  const router = Router({ strict: true })
  for (const path of PAGES) {
    router.get(path, (_request, response) => sendPage(response, pagesDir, path))
    // The pages name their files relative to themselves, so an address with a slash at its end would look elsewhere.
    if (path !== '/') router.get(`${path}/`, (_request, response) => response.redirect(308, path))
  }
  router.get('/api/v1/verify/offline.html', (_request, response) => sendOfflineVerifier(response, pagesDir))
  return router
}

/** Files beside the pages. After every route: each request that comes here costs a look at the disk. */
export function pageFiles(pagesDir: string): Router {
  const router = Router()
  const quiet = { index: false, redirect: false } as const
  // Vite names these by a hash of their content.
  router.use(
    '/assets',
    express.static(join(pagesDir, 'assets'), { ...quiet, immutable: true, maxAge: '365d' }),
  )
  router.use(express.static(pagesDir, { ...quiet, maxAge: '1h' }))
  return router
}

function sendPage(response: Response, pagesDir: string, path: string): void {
  const own = join(pagesDir, `${path.slice(1)}.html`)
  const file = path !== '/' && existsSync(own) ? own : join(pagesDir, 'index.html')
  if (!existsSync(file)) {
    notBuilt(response)
    return
  }
  // The page is small and names its files by hash: asked for each time, it is never older than the server.
  response.sendFile(file, { cacheControl: false, headers: { 'Cache-Control': 'no-cache' } })
}

function notBuilt(response: Response): void {
  response.status(503).type('text/plain').send('The pages are not built yet. Run: npm run build\n')
}

/** One file that works with the network off. Its scripts are inside it, so the policy names them by their hashes. */
function sendOfflineVerifier(response: Response, pagesDir: string): void {
  const file = join(pagesDir, OFFLINE_VERIFIER)
  if (!existsSync(file)) {
    notBuilt(response)
    return
  }
  const html = readFileSync(file, 'utf8')
  response.setHeader('Content-Security-Policy', offlinePolicy(html))
  response.setHeader('Cache-Control', 'no-cache')
  response.type('html').send(html)
}

/** A policy under which only the scripts that stand in `html` run, and nothing is loaded or sent. */
export function offlinePolicy(html: string): string {
  const scripts = [...html.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/gi)].map(([, text]) => text!)
  const hashes = scripts.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`)
  return [
    "default-src 'none'",
    `script-src ${hashes.join(' ') || "'none'"}`,
    "style-src 'unsafe-inline'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

/** `/docs` and `/docs/errors`; works without a network and without inline scripts. */
export function docsRoutes(): Router {
  const router = Router({ strict: true })
  router.get('/docs', (_request, response) => response.type('html').send(DOCS_PAGE))
  router.get('/docs/', (_request, response) => response.redirect(308, '/docs'))
  router.get('/docs/start.js', (_request, response) => response.type('text/javascript').send(DOCS_SCRIPT))
  for (const file of SWAGGER_FILES) {
    router.get(`/docs/${file}`, (_request, response) =>
      response.sendFile(join(SWAGGER_DIR, file), { maxAge: '1h' }),
    )
  }
  const errors = errorsPage(readFileSync(ERRORS_FILE, 'utf8'))
  router.get('/docs/errors', (_request, response) => response.type('html').send(errors))
  return router
}

const DOCS_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Livedraw API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript. The document itself is <a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`

const DOCS_SCRIPT = `window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
  validatorUrl: null,
})
`

/** The list of codes as a page whose anchors are the codes: what `type` of every problem points at. */
export function errorsPage(markdown: string): string {
  const lines = markdown.split('\n').map(htmlLine)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Livedraw errors</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}h3{margin:1.5rem 0 0}h3:target{background:#fff3b0}</style>
</head>
<body>
${lines.join('\n')}
</body>
</html>
`
}

function htmlLine(line: string): string {
  const [, marks = '', text = ''] = /^(#{0,3}) *(.*)$/.exec(line)!
  if (text === '') return ''
  const content = escaped(text)
    .replaceAll(/`([^`]+)`/g, '<code>$1</code>')
    .replaceAll(/\*\*([^*]+)\*\*/g, '<b>$1</b>')
  if (marks === '') return `<p>${content}</p>`
  const code = /^`(\w+)`$/.exec(text)?.[1]
  return `<h${marks.length}${code ? ` id="${code}"` : ''}>${content}</h${marks.length}>`
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
