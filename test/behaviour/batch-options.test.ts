import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32, from, inference, type KV, onnx, type StepOptions, topology } from 'kafka-run-inference'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import type { PipelineMetrics } from '../../src/pipeline/pipeline-metrics.ts'
import type { DriverOptions } from '../../src/testing/index.ts'
import { countingMetrics } from '../support/counting-metrics.ts'
import { deadLetters, digitTopology } from '../support/digit-topology.ts'
import { onDriver, onFaultyDriver, secondInstance } from '../support/on-driver.ts'

type Batch = NonNullable<StepOptions<KV<string, string>>['batch']>
const topologyWith = (batch: Batch) => digitTopology({ step: { batch } as StepOptions })
const records = (values: readonly string[], partition = 0) =>
  values.map((value, i) => ({ key: `k${i}`, value, partition }))
const same = (count: number, value = '5') => Array<string>(count).fill(value)
/** Bytes of one row of the digits model. */
const ROW_BYTES = 256

/** `reason rows` of the batches that some records make. */
async function batchesOf(
  batch: Batch,
  values: readonly string[],
  options: DriverOptions = {},
): Promise<readonly string[]> {
  const metrics = countingMetrics()
  await onDriver(
    topologyWith(batch),
    async driver => {
      await driver.pipe('in', records(values))
      await driver.advance(1_000)
      assert.equal((await driver.read('out')).length, values.length)
    },
    { ...options, metrics },
  )
  return metrics.batches
}

describe('limits of a batch', () => {
  it('maxBytes: the batch closes before its input bytes exceed it, reason bytes; a larger row goes alone', async () => {
    assert.deepEqual(await batchesOf({ maxBytes: 3 * ROW_BYTES + 1 }, same(7)), ['bytes 3', 'bytes 3', 'idle 1'])
    assert.deepEqual(await batchesOf({ maxBytes: 10 }, same(3)), ['bytes 1', 'bytes 1', 'bytes 1'])
  })

  it('sizeOf and maxTotalSize: the sum of what the function gives, whatever its unit', async () => {
    const batch = { sizeOf: ({ value }: KV<string, string>) => Number(value), maxTotalSize: 10 }
    const batches = await batchesOf(batch, ['4', '6', '1', '20', '3', '3', '3'])
    assert.deepEqual(batches, ['bytes 2', 'bytes 1', 'bytes 1', 'idle 3'])
  })

  it('a throw of sizeOf or bucketBy is a failed-preprocess dead letter of that record alone', async () => {
    const thrown = ({ value }: KV<string, string>) => {
      if (value === '7') throw new RangeError('seven')
      return Number(value)
    }
    for (const batch of [
      { sizeOf: thrown, maxTotalSize: 100 },
      { bucketBy: thrown },
      { bucketBy: { lengthOf: thrown } },
    ]) {
      await onDriver(topologyWith(batch), async driver => {
        await driver.pipe('in', records(['1', '7', '2', '-3']))
        await driver.advance(100)
        const letters = await deadLetters(driver, 'preprocess')
        const problems = letters.map(({ headers }) => headers['kri-error-message']!)
        assert.match(problems[0]!, /batch\.(sizeOf|bucketBy|bucketBy\.lengthOf): seven/)
        const refusesNegative = !('bucketBy' in batch && typeof batch.bucketBy === 'function')
        assert.equal(problems.length, refusesNegative ? 2 : 1)
        if (refusesNegative) assert.match(problems[1]!, /expected a number from 0, got -3/)
        assert.equal((await driver.read('out')).length, 4 - problems.length)
      })
    }
  })
})

describe('buckets', () => {
  it('rows of one bucket share batches, whatever came between them; each partition keeps its order', async () => {
    const metrics = countingMetrics()
    const seen: string[] = []
    const note = ({ value }: KV<string, string>) => {
      seen.push(value)
      return value === '1' ? 'one' : 2
    }
    await onDriver(
      topologyWith({ bucketBy: note, maxSize: 3 }),
      async driver => {
        const values = ['1', '2', '1', '2', '1', '2', '1']
        await driver.pipe('in', records(values))
        await driver.advance(100)
        assert.deepEqual(metrics.batches, ['count 3', 'count 3', 'idle 1'])
        assert.deepEqual(seen, values, 'asked once a record')
        assert.deepEqual(
          (await driver.read('out')).map(({ key }) => key),
          values.map((_, i) => `k${i}`),
        )
      },
      { metrics },
    )
  })

  it('raw rows, which need no look at their values, are looked at when a bucket is asked for', async () => {
    const metrics = countingMetrics()
    const model = onnx({ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(10) })
    const bucketBy = (x: Float32Array) => x[0]!
    const graph = topology('t', [
      from('in', float32(64)).runInference('s', model, { batch: { bucketBy } }).to('out', inference()),
    ])
    await onDriver(
      graph,
      async driver => {
        const rows = [1, 2, 1, 2, 1].map(value => ({ value: Buffer.from(new Float32Array(64).fill(value).buffer) }))
        await driver.pipe('in', rows)
        await driver.advance(100)
        assert.deepEqual(metrics.batches, ['idle 3', 'idle 2'])
        assert.equal((await driver.read('out')).length, 5)
      },
      { metrics },
    )
  })

  it('by length: a bucket holds its lower boundary', async () => {
    const batch = { bucketBy: { lengthOf: ({ value }: KV<string, string>) => value.length, boundaries: [2, 4] } }
    const batches = await batchesOf(batch, ['1', '12', '123', '1234', '9', '12345'])
    assert.deepEqual(batches, ['idle 2', 'idle 2', 'idle 2'])
  })

  it('B7: a rare bucket leaves while a busy one keeps the lane full', async () => {
    const metrics = countingMetrics()
    const batch = { maxSize: 4, bucketBy: ({ value }: KV<string, string>) => value }
    await onFaultyDriver(
      topologyWith(batch),
      async (driver, executor) => {
        const release = executor.hang()
        await driver.pipe('in', records([...same(8, '1'), '2']))
        await driver.advance(10)
        await driver.pipe('in', records(same(40, '1')))
        await driver.advance(10)
        release()
        await driver.idle()
        assert.equal(metrics.batches.indexOf('idle 1'), 2, `${metrics.batches}`)
      },
      { metrics },
    )
  })
})

describe('adaptive batches', () => {
  it('grow to where the fixed cost of a call is a twentieth, and never above maxSize', async () => {
    const sizes: number[] = []
    const metrics: PipelineMetrics = { ...nullMetrics, batchAdaptive: (_, rows) => void sizes.push(rows) }
    const adaptive = { variance: 0 }
    const options = { metrics, durationOf: ({ rows }: { rows: number }) => 5 + rows }
    await batchesOf({ adaptive, maxSize: 4_096 }, same(1_500), options).catch(() => {})
    await onDriver(
      topologyWith({ adaptive, maxSize: 4_096 }),
      async driver => {
        await driver.pipe('in', records(same(1_500)))
        await driver.idle()
      },
      options,
    )
    assert.ok(Math.abs(sizes.at(-1)! - 95) <= 1, `${sizes}`)
    const bounded = await batchesOf({ adaptive, maxSize: 20 }, same(300), { durationOf: options.durationOf })
    assert.ok(
      bounded.every(batch => Number(batch.split(' ')[1]) <= 20),
      `${bounded}`,
    )
    assert.equal(bounded[0], 'count 1', 'they begin small, as Beam does')
  })

  it('single rows of a quiet topic teach nothing', async () => {
    const sizes: number[] = []
    const metrics: PipelineMetrics = { ...nullMetrics, batchAdaptive: (_, rows) => void sizes.push(rows) }
    await onDriver(
      topologyWith({ adaptive: { variance: 0 }, maxSize: 256 }),
      async driver => {
        await driver.pipe('in', records(same(400)))
        await driver.idle()
        const learnt = sizes.at(-1)!
        assert.ok(learnt > 10)
        for (let i = 0; i < 150; i++) {
          await driver.pipe('in', records(same(1)))
          await driver.idle()
        }
        assert.equal(sizes.at(-1), learnt)
      },
      { metrics, durationOf: ({ rows }) => 5 + rows },
    )
  })

  it('steps that run one model with one setting learn together, and one seed gives one trace', async () => {
    const trace = () => batchesOf({ adaptive: true, maxSize: 64 }, same(600))
    assert.deepEqual(await trace(), await trace())
  })
})

describe('why a batch closed', () => {
  const held = { maxSize: 100, maxWaitMs: 3_600_000 }

  it('shutdown: what is held leaves when the application stops', async () => {
    const metrics = countingMetrics()
    await onDriver(
      topologyWith(held),
      async driver => {
        await driver.pipe('in', records(same(6)))
        await driver.advance(1_000)
        assert.deepEqual(metrics.batches, [])
        await driver.stop()
        assert.deepEqual(metrics.batches, ['shutdown 6'])
        assert.equal((await driver.read('out')).length, 6)
      },
      { metrics },
    )
  })

  it('revoke: what is held leaves when another member joins', async () => {
    const metrics = countingMetrics()
    await onDriver(
      topologyWith(held),
      async driver => {
        await driver.pipe('in', records(same(6)))
        await driver.advance(1_000)
        const second = await secondInstance(driver, topologyWith(held))
        assert.deepEqual(metrics.batches, ['revoke 6'])
        const stopped = second.stop()
        await driver.advance(5_000)
        await stopped
      },
      { metrics, partitions: 2 },
    )
  })

  it('pressure: buckets that are all below minSize leave when no partition may read on', async () => {
    const metrics = countingMetrics()
    const bucketBy = ({ value }: KV<string, string>) => value
    await onDriver(
      topologyWith({ ...held, bucketBy }),
      async driver => {
        await driver.pipe('in', records(same(5, '1'), 1))
        await driver.pipe('in', records([...same(20, '1'), ...same(20, '2')]))
        await driver.advance(1_000)
        assert.deepEqual(metrics.batches, [], 'one partition is paused, the other may still fill the batches')
        await driver.pipe('in', records(same(15, '2'), 1))
        await driver.advance(1_000)
        assert.deepEqual(metrics.batches, ['pressure 25', 'pressure 35'])
        assert.equal((await driver.read('out')).length, 60)
      },
      { metrics, partitions: 2, settings: { maxInFlightRows: 50 } },
    )
  })
})

describe('how long rows waited', () => {
  it('is told of the first row of a batch and of all of them', async () => {
    const waits: { firstMs: number; allMs: number }[] = []
    const metrics: PipelineMetrics = {
      ...nullMetrics,
      batchDispatched: (_step, _reason, _rows, waited) => void waits.push(waited),
    }
    await onDriver(
      topologyWith({ maxSize: 100, maxWaitMs: 500 }),
      async driver => {
        await driver.pipe('in', records(same(3)))
        await driver.advance(200)
        await driver.pipe('in', records(same(10)))
        await driver.advance(300)
        assert.deepEqual(waits, [{ firstMs: 500, allMs: 3 * 500 + 10 * 300 }])
      },
      { metrics },
    )
  })
})
