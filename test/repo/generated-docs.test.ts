import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { generatedPages } from '../../scripts/docs-pages.ts'
import { root } from './source-files.ts'

for (const [file, content] of generatedPages()) {
  test(`${file} is what "npm run docs" writes`, () => {
    assert.equal(readFileSync(join(root, file), 'utf8'), content, 'run npm run docs')
  })
}
