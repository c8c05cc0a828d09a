import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ERROR_CODES } from '../../src/errors.ts'
import { root } from './source-files.ts'

test('docs/errors.md has every code with its stage, whether it is tried again, and its meaning, and no other', () => {
  const text = readFileSync(join(root, 'docs', 'errors.md'), 'utf8')
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (\w+) \| (yes|no) \| (.+?) \| .+ \|$/gm)]
  const documented = rows.map(([, code, stage, retried, meaning]) => [code, stage, retried, meaning])
  const actual = Object.entries(ERROR_CODES).map(([code, { stage, retriable, meaning }]) => [
    code,
    stage,
    retriable ? 'yes' : 'no',
    meaning,
  ])
  assert.deepEqual(documented, actual)
})
