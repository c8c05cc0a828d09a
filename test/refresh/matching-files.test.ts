import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { matchingFiles } from '../../src/refresh/matching-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-matching-'))
after(() => rmSync(folder, { recursive: true }))

describe('files that a pattern matches', () => {
  test('are files, also behind links and in folders below, with absolute paths; folders and broken links are left out', async () => {
    mkdirSync(join(folder, 'deep/folder.onnx'), { recursive: true })
    for (const name of ['a.onnx', 'b.txt', 'deep/c.onnx']) writeFileSync(join(folder, name), name)
    symlinkSync(join(folder, 'b.txt'), join(folder, 'link.onnx'))
    symlinkSync(join(folder, 'gone'), join(folder, 'broken.onnx'))
    const names = async (pattern: string) =>
      (await matchingFiles(join(folder, pattern))).map(({ path }) => path.slice(folder.length + 1))
    assert.deepEqual(await names('*.onnx'), ['a.onnx', 'link.onnx'])
    assert.deepEqual(await names('**/*.onnx'), ['a.onnx', 'deep/c.onnx', 'link.onnx'])
    assert.deepEqual(await names('nothing-*'), [])
    assert.deepEqual(await names('no-such-folder/*'), [])
  })

  test('bytes of the same length under the same time are another file', async () => {
    const path = join(folder, 'same.onnx')
    const look = async (text: string) => {
      writeFileSync(path, text)
      utimesSync(path, 1, 1)
      const [file] = await matchingFiles(path)
      return file!
    }
    const [first, second] = [await look('one'), await look('two')]
    assert.deepEqual([second.sizeBytes, second.modifiedMs], [first.sizeBytes, first.modifiedMs])
    assert.equal(first.modifiedMs, 1_000)
    assert.notEqual(second.mark, first.mark)
    assert.ok(Math.abs(second.arrivedMs - Date.now()) < 60_000)
  })
})
