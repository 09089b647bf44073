/** Contracts between what is served, what is described, and what is documented. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { ERRORS } from '../../src/errors.ts'
import { expressPath } from '../../src/http/route.ts'
import { assertDescribed } from './described.ts'
import { type HttpHarness, startHttp } from './harness.ts'

const DOCUMENTED = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')

describe('http: the document', () => {
  let http: HttpHarness
  let document: any
  before(async () => {
    http = await startHttp({
      instantiators: { wheel: async () => ({ row_version: 1 }) },
      has_test_clock: true,
    })
    document = (await http.ask('GET', '/openapi.json')).body
  })
  after(() => http.close())

  it('P-53 every route is described, with parameters, codes and examples that fit their schemas', () => {
    assertDescribed(http.routes, document)
    assert.ok(http.routes.length >= 25)
  })

  it('P-53 nothing is described that is not served', () => {
    const served = new Set(http.routes.map((each) => `${each.method} ${each.path}`))
    for (const [path, item] of Object.entries<object>(document.paths)) {
      for (const method of Object.keys(item)) assert.ok(served.has(`${method} ${path}`), `${method} ${path}`)
    }
  })

  it('P-53 no two routes have one method and path, or one operation id', () => {
    const names = http.routes.map((each) => `${each.method} ${expressPath(each.path)}`)
    assert.equal(new Set(names).size, names.length)
    const ids = Object.values<any>(document.paths).flatMap((item) =>
      Object.values<any>(item).map((each) => each.operationId),
    )
    assert.equal(new Set(ids).size, ids.length)
  })

  it('P-53 references inside the document lead somewhere', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
      ([, path]) => path!,
    )
    assert.ok(references.length > 0)
    for (const path of references) {
      const found = path.split('/').reduce((at: any, part) => at?.[part], document)
      assert.ok(found, path)
    }
  })

  it('S2-56 every code is documented with its status and title, and no other code is', () => {
    const sections = [...DOCUMENTED.matchAll(/^### `(\w+)`\n\n\*\*(\d+)\*\* (.+)\n\n(.+)$/gm)]
    const documented = Object.fromEntries(
      sections.map(([, code, status, title]) => [code, { status: Number(status), title }]),
    )
    assert.deepEqual(documented, ERRORS)
    for (const [, code, , , advice] of sections) assert.ok(advice!.length > 15, code)
  })

  it('S2-56 the address that a problem names as its type is a page with that anchor', async () => {
    const problem = (await http.ask('GET', '/api/v1/nothing')).body
    assert.equal(problem.type, '/docs/errors#not_found')
    const page = await http.ask('GET', problem.type)
    assert.equal(page.status, 200)
    for (const code of Object.keys(ERRORS)) assert.match(page.text, new RegExp(`<h3 id="${code}">`))
  })

  it('P-38 what changes something names its roles, and only the listed routes are open to anyone', () => {
    const open = http.routes
      .filter((each) => each.roles === 'anyone' && each.method !== 'get')
      .map((each) => each.path)
    assert.deepEqual(open.sort(), ['/api/v1/guest', '/api/v1/test/clock'])
  })

  it('P-38 every route that is not open refuses no token with 401 and a foreign role with 403, before anything else', async () => {
    const spectator = await http.token('spectator')
    for (const each of http.routes.filter((one) => one.roles !== 'anyone')) {
      const path = each.path.replaceAll(/\{\w+\}/g, 'x')
      const method = each.method.toUpperCase()
      assert.equal((await http.ask(method, path)).status, 401, `${method} ${path}`)
      assert.equal((await http.ask(method, path, { token: spectator })).status, 403, `${method} ${path}`)
    }
  })
})
