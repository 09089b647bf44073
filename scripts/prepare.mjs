// After an install, and before a start that finds no pages (--if-missing): build them, where Vite is there.
// It is not with --omit=dev.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))
const vite = path('../node_modules/vite/bin/vite.js')

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

const is_built =
  existsSync(path('../dist-client/index.html')) && existsSync(path('../dist-client/verify-offline.html'))
if (existsSync(vite) && !(process.argv.includes('--if-missing') && is_built)) {
  run(vite, 'build', '--config', path('../client-demo/vite.config.ts'), '--logLevel', 'warn')
  run(path('./offline-verifier.ts'))
}
