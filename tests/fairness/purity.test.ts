// What the pure module must never hold. One look at its own text keeps the rule where a review may forget it.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'

const FOLDER = new URL('../../src/fairness/', import.meta.url)
const sources = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .map((name) => ({ name, code: withoutComments(readFileSync(new URL(name, FOLDER), 'utf8')) }))

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')
}

describe('src/fairness', () => {
  it('P-47 imports nothing of Node and nothing outside itself but the noble libraries', () => {
    assert.ok(sources.length >= 10)
    for (const { name, code } of sources) {
      for (const [, from] of code.matchAll(/from '([^']+)'/g)) {
        assert.match(
          from!,
          /^(\.\/[a-z-]+\.ts|@noble\/(hashes|curves)\/[a-z0-9-]+\.js)$/,
          `${name} imports ${from}`,
        )
      }
      assert.doesNotMatch(code, /\b(require|import)\(/, name)
    }
  })

  it('P-46 holds no clock, no generator of the engine, no Math, no network, no crypto of the host', () => {
    const forbidden =
      /\bMath\.|Date\.now|new Date\(\)|performance\.|setTimeout|setInterval|globalThis|\bprocess\.|crypto\.|\bBuffer\b|console\./
    for (const { name, code } of sources) assert.doesNotMatch(code, forbidden, name)
  })

  it('P-46 holds no float in the code that decides: no decimal literal and no parseFloat', () => {
    for (const { name, code } of sources) {
      const bare = code.replace(/'[^']*'|`[^`]*`|\/[^/\n]+\/[a-z]*/g, '')
      assert.doesNotMatch(bare, /\b\d+\.\d|parseFloat|toFixed/, name)
    }
  })
})
