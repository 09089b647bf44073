/** The contract between a table of routes and its document, for any table. */
import assert from 'node:assert/strict'
import type { z } from 'zod'
import { ERRORS } from '../../src/errors.ts'
import { codesOf } from '../../src/http/openapi.ts'
import { type Route, statusOf } from '../../src/http/route.ts'

/** Every route is in the document with its parameters, its codes and examples that fit their schemas. */
export function assertDescribed(routes: readonly Route[], document: any): void {
  for (const each of routes) {
    const name = `${each.method} ${each.path}`
    const operation = document.paths[each.path]?.[each.method]
    assert.ok(operation, `${name} is not in the document`)
    assert.ok(operation.summary.length > 3 && operation.tags.length > 0, name)
    assertExample(name, 'body', each.body)
    assertExample(name, 'answer', each.answer)
    const success = operation.responses[String(statusOf(each))]
    assert.ok(success, `${name}: no ${statusOf(each)}`)
    if (each.answer)
      assert.ok(Object.values<any>(success.content)[0].example !== undefined, `${name}: no example shown`)
    if (each.body) assert.ok(operation.requestBody.content['application/json'].example !== undefined, name)
    for (const code of codesOf(each)) {
      assert.ok(code in ERRORS, `${name}: ${code}`)
      assert.ok(
        operation.responses[String(ERRORS[code].status)].content['application/problem+json'].examples[code],
        name,
      )
    }
    const braces = [...each.path.matchAll(/\{(\w+)\}/g)].map(([, param]) => param)
    assert.deepEqual(Object.keys(each.params?.shape ?? {}).sort(), braces.sort(), `${name}: parameters`)
  }
}

function assertExample(name: string, part: string, schema: z.ZodType | undefined): void {
  if (schema === undefined) return
  const example = schema.meta()?.['example']
  assert.notEqual(example, undefined, `${name}: its ${part} has no example`)
  const result = schema.safeParse(example)
  assert.ok(result.success, `${name}: the example of its ${part} does not fit: ${result.error}`)
}
