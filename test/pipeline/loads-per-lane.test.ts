/** What real lanes load, however many steps, partitions and keys there are. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32, from, int64, type KV, keyed, kv, onnx, type Topology, topology, utf8 } from 'kafka-run-inference'
import type { Executor } from '../../src/models/executor.ts'
import { createThreadExecutor } from '../../src/models/thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { type Logger, silentLogger } from '../../src/ops/logger.ts'
import { createTopologyDriver } from '../../src/testing/index.ts'
import { eventually } from '../support/eventually.ts'

const PARTITIONS = 4
const ROW = Buffer.alloc(256)

const digits = (version: 'v1' | 'v2', modelCopies?: number) =>
  onnx({
    model: `models/digits-mlp-${version}.onnx`,
    inputs: { x: float32(64) },
    outputs: { label: int64() },
    ...(modelCopies === undefined ? {} : { modelCopies }),
  })

const source = from('in', { key: utf8(), value: float32(64) })
type Handler = ReturnType<typeof digits>

function stepsOf(first: Handler, second: Handler): Topology {
  const records = source.map(({ value }) => ({ x: value }))
  const label = (name: string, handler: Handler) =>
    records
      .runInference(
        name,
        handler.withPostprocess(({ modelId }: { modelId: string }) => modelId),
      )
      .to(name, utf8())
  return topology('t', [label('first', first), label('second', second)])
}

/** Runs some records of each partition on two threads; `lane model` of each load, and what the outputs hold. */
async function loadsOf(graph: Topology, keys: readonly string[]): Promise<{ loads: string[]; outputs: string[][] }> {
  const loads: string[] = []
  const logger = {
    ...silentLogger,
    info: ({ lane, modelId }: Record<string, unknown>, text: string) => {
      if (text === 'model loaded' && lane !== undefined) loads.push(`${lane} ${modelId}`)
    },
  } as Logger
  let executor: Executor | undefined
  const wrapExecutor = () => {
    executor = createThreadExecutor({ lanes: 2, maxBatchRows: 256 }, { logger, clock: systemClock, random: () => 0.5 })
    return executor
  }
  const driver = await createTopologyDriver(graph, { partitions: PARTITIONS, wrapExecutor })
  const records = Array.from({ length: PARTITIONS * 8 }, (_, i) => {
    return { key: keys[i % keys.length], value: ROW, partition: i % PARTITIONS }
  })
  await driver.pipe('in', records)
  const read = () => Promise.all(graph.sinks.map(({ topic }) => driver.read(topic)))
  await eventually('all outputs are there', async () => {
    await driver.advance(50)
    return (await read()).every(({ length }) => length === records.length)
  })
  const outputs = (await read()).map(each => each.map(({ value }) => String(value)))
  await driver.stop()
  return { loads: loads.toSorted(), outputs }
}

describe('what lanes load', () => {
  it('steps with one model share one load in each lane, whatever the number of partitions', async () => {
    const { loads, outputs } = await loadsOf(stepsOf(digits('v1'), digits('v1')), ['k'])
    assert.deepEqual(loads, ['0 models/digits-mlp-v1.onnx', '1 models/digits-mlp-v1.onnx'])
    assert.deepEqual(new Set(outputs.flat()), new Set(['models/digits-mlp-v1.onnx']))
  })

  it('a model with fewer copies is loaded in as many lanes, each in those that have the fewest', async () => {
    const { loads, outputs } = await loadsOf(stepsOf(digits('v1', 1), digits('v2', 1)), ['k'])
    assert.deepEqual(loads, ['0 models/digits-mlp-v1.onnx', '1 models/digits-mlp-v2.onnx'])
    assert.deepEqual(
      outputs.map(each => [...new Set(each)]),
      [['models/digits-mlp-v1.onnx'], ['models/digits-mlp-v2.onnx']],
    )
  })

  it('models for keys: one load for each that occurs, and results say which model they are from (I3)', async () => {
    const mappings = [
      { keys: ['old'], handler: digits('v1') },
      { keys: ['new'], handler: digits('v2') },
      { keys: ['never'], handler: digits('v1') },
    ]
    const handler = keyed(mappings)
      .withPreprocess(({ key, value }: KV<string, Float32Array>) => kv(key, { x: value }))
      .withPostprocess(({ key, value: { modelId } }) => kv(key, `${key} ${modelId}`))
    const graph = topology('t', [source.runInference('ask', handler).to('out', { key: utf8(), value: utf8() })])
    const { loads, outputs } = await loadsOf(graph, ['old', 'new'])
    assert.deepEqual(
      new Set(loads.map(load => load.slice(2))),
      new Set(['models/digits-mlp-v1.onnx', 'models/digits-mlp-v2.onnx']),
    )
    assert.equal(new Set(loads).size, loads.length, 'none twice in a lane')
    assert.deepEqual(new Set(outputs[0]), new Set(['old models/digits-mlp-v1.onnx', 'new models/digits-mlp-v2.onnx']))
  })
})
