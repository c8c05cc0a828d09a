import assert from 'node:assert/strict'
import { test } from 'node:test'
import { float32, from, inference, onnx, topology } from 'kafka-run-inference'
import type { Executor, Isolation } from '../../src/models/executor.ts'
import { createTopologyDriver } from '../../src/testing/index.ts'

const inProcess = onnx({
  ...{ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(10), isolation: 'process' },
})
const graph = topology('t', [from('in', float32(64)).runInference('infer', inProcess).to('out', inference())])

/** The same lanes, said to be of this kind. */
const saying = (isolation: Isolation) => (executor: Executor) => ({
  ...executor,
  lanes: executor.lanes.map(lane => Object.create(lane, { isolation: { value: isolation } })),
})

test('a model that fits no lane of the executor ends the start with its step, what it asks for, and what there is', async () => {
  await assert.rejects(
    createTopologyDriver(graph, { wrapExecutor: saying('thread') }),
    /TOPOLOGY_INVALID.*step infer: models\/digits-mlp-v1\.onnx asks for isolation 'process', .* has thread lanes/,
  )
})

test('lanes of its kind, and the test driver’s lanes of any kind, run it', async () => {
  for (const options of [{ wrapExecutor: saying('process') }, {}]) {
    const driver = await createTopologyDriver(graph, options)
    await driver.pipe('in', [{ value: Buffer.alloc(256) }])
    await driver.advance(1_000)
    assert.equal((await driver.read('out')).length, 1)
    await driver.stop()
  }
})
