// After an install: build the pages, where Vite is there (it is not with --omit=dev).
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const vite = new URL('../node_modules/vite/bin/vite.js', import.meta.url)
const config = new URL('../client-demo/vite.config.ts', import.meta.url)
if (existsSync(vite) && existsSync(config)) {
  const { status } = spawnSync(
    process.execPath,
    [vite.pathname, 'build', '--config', config.pathname, '--logLevel', 'warn'],
    {
      stdio: 'inherit',
    },
  )
  process.exitCode = status ?? 1
}
