// Builds the pages into dist-client, from where the server serves them.
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  root: here('.'),
  base: '/',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: here('../dist-client'),
    // dist-client also holds verify-offline.html, which another script writes; old assets are harmless because
    // their names carry a hash.
    emptyOutDir: false,
    // The server's content policy allows no inline scripts, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    rolldownOptions: {
      input: Object.fromEntries(
        [
          'index',
          'reel',
          'guess',
          'draw',
          'wallet',
          'shop',
          'watch',
          'watch-draw',
          'verify',
          'odds',
          'enter',
        ].map((page) => [page, here(`./${page}.html`)]),
      ),
    },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:2567', '/.well-known': 'http://127.0.0.1:2567' } },
})
