/**
 * Starts the server. What Node compiles it keeps beside the packages, so that the next start reads it: half a second less.
 * Nothing else is loaded before that, and where the directory cannot be written all is as without it.
 */
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/livedraw', import.meta.url)))
const { serve } = await import('./serve.ts')
await serve()
