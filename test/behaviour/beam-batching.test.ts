import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BatchOptions, KV } from 'kafka-run-inference'
import { countingMetrics } from '../support/counting-metrics.ts'
import { digitTopology } from '../support/digit-topology.ts'
import { onDriver } from '../support/on-driver.ts'

/** Sizes of the batches that one fetch of these values makes, until nothing waits any more. */
async function sizesOf(batch: BatchOptions<KV<string, string>>, values: readonly string[]): Promise<readonly number[]> {
  const metrics = countingMetrics()
  await onDriver(
    digitTopology({ step: { batch } as never }),
    async driver => {
      await driver.pipe(
        'in',
        values.map((value, i) => ({ key: `k${i}`, value })),
      )
      await driver.advance(60_000)
    },
    { metrics },
  )
  return metrics.batches.map(batch => Number(batch.split(' ')[1]))
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i))

// What Apache Beam 2.77 was seen to do with the same elements and options.
describe('batches as Beam was recorded', () => {
  it('of a fixed size, in one bundle: full ones, then what is left', async () => {
    const recorded: [number, number, number[]][] = [
      [10, 4, [4, 4, 2]],
      [8, 4, [4, 4]],
      [3, 4, [3]],
      [4, 4, [4]],
      [5, 1, [1, 1, 1, 1, 1]],
      [0, 4, []],
    ]
    for (const [count, maxSize, sizes] of recorded)
      assert.deepEqual(await sizesOf({ mode: 'bundle', maxSize }, numbers(count)), sizes)
  })

  it('with a time to wait: full ones, and the last when the time is up', async () => {
    const options = { minSize: 4, maxSize: 4, maxWaitMs: 60_000 }
    assert.deepEqual(await sizesOf(options, numbers(10)), [4, 4, 2])
  })

  it('by length, boundaries 3 and 6: one stream of batches for each bucket', async () => {
    const bucketBy = { lengthOf: ({ value }: KV<string, string>) => value.length, boundaries: [3, 6] }
    const values = ['1', '222', '333333', '44', '5555', '6666666', '777']
    assert.deepEqual(await sizesOf({ minSize: 2, maxSize: 2, maxWaitMs: 60_000, bucketBy }, values), [2, 2, 2, 1])
  })
})
