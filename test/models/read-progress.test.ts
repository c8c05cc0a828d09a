import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { rootsOf } from '../../src/models/model-roots.ts'
import { createModelSource } from '../../src/models/model-source.ts'
import { systemClock } from '../../src/ops/clock.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-progress-'))
after(() => rmSync(folder, { recursive: true }))

test('reading a large local model is told on the way, up to its end', async () => {
  const [path, bytes] = [join(folder, 'm.onnx'), 4_000_000]
  writeFileSync(path, Buffer.alloc(bytes))
  const told: [number, number][] = []
  const source = createModelSource({
    ...{ roots: rootsOf([folder]), maxBytes: bytes, timeoutMs: 60_000, maxCacheBytes: 0, access: {} },
    ...{ cacheFolder: join(folder, 'cache'), clock: systemClock },
    onRead: (done, total) => told.push([done, total]),
  })
  await source.fetch({ modelId: path })
  assert.ok(told.length > 5)
  assert.ok(told.every(([done, total], i) => total === bytes && (i === 0 || done > told[i - 1]![0])))
  assert.deepEqual(told.at(-1), [bytes, bytes])
})
