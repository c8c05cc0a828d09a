import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { readSchemaFile } from '../../src/kafka/schema-files.ts'
import { registerSchemas, schemaNeeds } from '../../src/kafka/topic-schemas.ts'
import { createMemoryRegistry } from '../../src/testing/index.ts'
import { loadTopology } from '../../src/topology-module.ts'
import { checkOffline } from '../support/check-offline.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-bad-examples-'))
after(() => rmSync(folder, { recursive: true }))
const digits = await loadTopology('topologies/digits.ts')
const registry = createMemoryRegistry()
await registerSchemas(schemaNeeds(digits), registry, readSchemaFile)

describe('an example that', () => {
  for (const [what, text, says] of [
    ['is no JSON', '{"id": "a"', /line 1 of .*JSON/],
    ['does not fit the schema', '{"id": "a", "pixels": "dark"}', /field pixels: expected .* got "dark"/],
    ['has no key', '{"pixels": []}', /no field "id"/],
    ['is empty', '\n', /holds no line/],
    ['is not there', undefined, /--example: cannot read .*: ENOENT/],
  ] as const) {
    test(`${what} is a problem of the example, with what to do`, async () => {
      const exampleFile = join(folder, text === undefined ? 'none.ndjson' : 'example.ndjson')
      if (text !== undefined) writeFileSync(exampleFile, text)
      const { problems, models } = await checkOffline(digits, { registry, exampleFile, keyField: 'id' })
      assert.equal(problems.length, 1)
      assert.partialDeepStrictEqual(problems[0]!, {
        area: 'example',
        where: 'example of source "digits.images"',
        remedy: 'Correct the example, or leave --example out',
      })
      assert.match(problems[0]!.what, says)
      assert.ok(models[0]!.ok)
    })
  }
})
