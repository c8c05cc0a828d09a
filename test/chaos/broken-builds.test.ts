// The builds that are broken on purpose can be made of the sources as they are now.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { BROKEN_BUILDS, replaced } from '../../chaos/broken-builds.ts'

const root = new URL('../../', import.meta.url)

describe('builds that are broken on purpose', () => {
  for (const { name, edits } of BROKEN_BUILDS)
    it(`${name}: what is replaced stands in the sources, once`, () => {
      for (const { file, from, to } of edits) {
        const text = readFileSync(fileURLToPath(new URL(file, root)), 'utf8')
        assert.notEqual(replaced(text, from, to, file), text)
      }
    })

  it('refuse a text that is there twice, or not at all', () => {
    assert.throws(() => replaced('a b a', 'a', 'c', 'f.ts'), /f\.ts has this text 2 times/)
    assert.throws(() => replaced('a b a', 'd', 'c', 'f.ts'), /f\.ts has this text 0 times/)
  })
})
