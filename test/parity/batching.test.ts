// Beam's length-aware RunInference test and BatchElementsTest: each test has the name of Beam's.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type BatchOptions, modelHandler } from 'kafka-run-inference'
import { beamRun } from '../../parity/beam-run.ts'
import type { AnyHandler } from '../../parity/handler-text.ts'

/** Notes its batches; each result is the example and the length of the longest of its batch. */
function padding(batches: string[][]): AnyHandler {
  return modelHandler<string, string, null>({
    name: 'padding',
    loadModel: () => null,
    runInference(batch) {
      batches.push([...batch])
      const longest = Math.max(...batch.map(text => text.length))
      return batch.map(text => `${text}:${longest}`)
    },
  }) as AnyHandler
}

async function run(input: readonly string[], batch: BatchOptions<string>) {
  const batches: string[][] = []
  const { main, error } = await beamRun({
    input,
    handler: () => padding(batches),
    options: { batch: batch as never },
  })
  assert.equal(error, undefined)
  return { main, batches, sizes: batches.map(({ length }) => length) }
}

const texts = (count: number, text = 'x') => Array.from({ length: count }, () => text)

describe('batches, as Beam tests them', () => {
  it('test_run_inference_with_length_aware_batch_elements', async () => {
    const bucketBy = { lengthOf: (text: string) => text.length, boundaries: [5] }
    const { main } = await run(['a', 'cccccc', 'bb', 'ddddddd'], { maxSize: 2, bucketBy })
    assert.deepEqual([...main].sort(), ['a:2', 'bb:2', 'cccccc:7', 'ddddddd:7'])
  })

  it('test_length_bucket_assignment: a boundary belongs to the bucket above it', async () => {
    const bucketBy = { lengthOf: (text: string) => text.length, boundaries: [10, 50] }
    const input = [9, 10, 49, 50].map(length => 'x'.repeat(length))
    const { batches } = await run(input, { maxSize: 8, bucketBy })
    assert.deepEqual(
      batches.map(batch => batch.map(({ length }) => length)),
      [[9], [10, 49], [50]],
    )
  })

  it('test_constant_batch', async () => {
    assert.deepEqual((await run(texts(35), { mode: 'bundle', maxSize: 10 })).sizes, [10, 10, 10, 5])
  })

  it('test_sized_batches: sizes add up to no more than was allowed', async () => {
    const input = ['a'.repeat(5), 'b'.repeat(4), 'c'.repeat(3), 'd'.repeat(7), 'e']
    const { batches } = await run(input, { maxSize: 100, sizeOf: text => text.length, maxTotalSize: 10 })
    assert.deepEqual(
      batches.map(batch => batch.map(([letter]) => letter).join('')),
      ['ab', 'cd', 'e'],
    )
  })

  it('test_sized_batches, one larger than a batch: it goes alone, and no batch is empty (Q12)', async () => {
    const options = { maxSize: 100, sizeOf: (text: string) => text.length, maxTotalSize: 3 }
    const { batches } = await run(['aaaaa', 'bb', 'c', 'dddd'], options)
    assert.deepEqual(batches, [['aaaaa'], ['bb', 'c'], ['dddd']])
  })

  it('test_global_batching_dofn_single_bundle: no batch is made of two bundles', async () => {
    const { sizes } = await run(texts(7), { mode: 'bundle', maxSize: 4 })
    assert.deepEqual(sizes, [4, 3])
  })

  it('test_stateful_buffers_to_max_batch_duration: what waits leaves when its time is up', async () => {
    const { sizes } = await run(texts(3), { mode: 'stream', minSize: 50, maxSize: 50, maxWaitMs: 100 })
    assert.deepEqual(sizes, [3])
  })
})
