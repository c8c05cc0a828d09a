// The folder of fetched models: bounded, shared, and never short of what is in use.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { ModelCache } from '../../src/models/model-cache.ts'
import { createManualClock, type ManualClock } from '../../src/testing/manual-clock.ts'

const MINUTE_MS = 60_000
let folder: string
let clock: ManualClock
let cache: ModelCache
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kri-cache-'))
  clock = createManualClock()
  cache = new ModelCache(folder, 250, clock)
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A model of 100 bytes, last used so long ago. */
async function put(digit: string, ageMinutes: number): Promise<string> {
  const path = cache.pathOf(digit.repeat(64), `model ${digit}.onnx`)
  const partial = await cache.openPartial()
  await partial.file.writeFile(Buffer.alloc(100))
  await partial.file.close()
  await cache.keep(partial.path, path)
  const usedAt = (clock.wallTime() - ageMinutes * MINUTE_MS) / 1000
  utimesSync(path, usedAt, usedAt)
  return path
}

describe('the cache of models', () => {
  test('gives up the longest unused until it is small enough', async () => {
    const paths = [await put('a', 30), await put('b', 50), await put('c', 40), await put('d', 20)]
    await cache.evict()
    assert.deepEqual(paths.map(existsSync), [true, false, false, true])
  })

  test('keeps what is in use here, until it is released, and what others use', async () => {
    const [own, others, young] = [await put('a', 50), await put('b', 4), await put('c', 2)]
    const [release, again] = [cache.hold(own!), cache.hold(own!)]
    await cache.evict()
    release()
    release()
    await cache.evict()
    assert.deepEqual(
      [own, others, young].map(path => existsSync(path!)),
      [true, true, true],
    )
    again()
    await cache.evict()
    assert.deepEqual(
      [own, others, young].map(path => existsSync(path!)),
      [false, true, true],
    )
  })

  test('touches what is in use every minute, and has no timer when nothing is', async () => {
    const path = await put('a', 50)
    const release = cache.hold(path)
    await clock.advance(3 * MINUTE_MS)
    while (statSync(path).mtimeMs < clock.wallTime() - 1000) await new Promise(setImmediate)
    release()
    assert.equal(clock.nextTimerMs(), undefined)
  })

  test('sweeps what a killed process left, and leaves alone what is not its own', async () => {
    for (const name of ['partial-old', 'partial-new', 'source-old.json', 'notes.txt', 'f'.repeat(63)]) {
      writeFileSync(join(folder, name), 'x'.repeat(1000))
      const days = name === 'partial-new' ? 0 : 40
      const at = clock.wallTime() / 1000 - days * 86_400
      utimesSync(join(folder, name), at, at)
    }
    await cache.evict()
    assert.deepEqual(readdirSync(folder).sort(), ['f'.repeat(63), 'notes.txt', 'partial-new'])
  })

  test('takes a note that cannot be read for none', async () => {
    await cache.rememberSource('https://h/a', { etag: '"x"', sha256: 'a'.repeat(64) })
    assert.deepEqual(await cache.knownSource('https://h/a'), { etag: '"x"', sha256: 'a'.repeat(64) })
    assert.equal(await cache.knownSource('https://h/b'), undefined)
    const [name] = readdirSync(folder)
    for (const text of ['', '{', 'null', '{"etag":1}', '{"etag":"x","sha256":"../../x"}']) {
      writeFileSync(join(folder, name!), text)
      assert.equal(await cache.knownSource('https://h/a'), undefined)
    }
  })

  test('names files by their checksum, with a plain extension or none', () => {
    const name = (of: string) => cache.pathOf('0'.repeat(64), of).slice(folder.length + 65)
    assert.deepEqual(['a.onnx', 'a', 'a.tar.gz', 'a.b/c', 'a.../', 'a.$x'].map(name), ['.onnx', '', '.gz', '', '', ''])
  })
})
