/** The webgpu provider in child processes, on a Vulkan driver in software where there is no GPU. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Executor, OnnxSpec, Provider } from '../../src/models/executor.ts'
import { createProcessExecutor } from '../../src/models/process-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { rejects } from '../support/executor-checks.ts'
import { checkModel, EXPECTED_MODELS, showDifferences } from '../support/expected-models.ts'
import { digitsSpec, fill, modelSpec, tensor, writeOpenModel } from '../support/model-specs.ts'
import { withoutVulkan, withVulkan } from '../support/vulkan.ts'
import { writeWideModel } from '../support/written-models.ts'

const skip = withVulkan()
const FEW_CALLS = 24

const createExecutor = (): Executor =>
  createProcessExecutor(
    { lanes: 1, maxBatchRows: 256 },
    { logger: silentLogger, clock: systemClock, random: Math.random, stuckMs: 60_000 },
  )

function on(providers: readonly Provider[], change: Partial<OnnxSpec> = {}): Partial<OnnxSpec> {
  return { providers, isolation: 'process', ...change }
}

const mlp = (providers: readonly Provider[], change?: Partial<OnnxSpec>) =>
  digitsSpec('models/digits-mlp-v1.onnx', on(providers, change))

describe('webgpu', { skip }, () => {
  let executor: Executor
  before(() => {
    executor = createExecutor()
  })
  after(() => executor.close())
  /** The process lives on from model to model. */
  const create = () => ({ ...executor, close: async () => {} })

  for (const model of EXPECTED_MODELS) {
    const isHalf = Object.values(model.spec.inputs).some(({ dtype }) => dtype === 'float16')
    for (const batch of [1, 7, 64, 256]) {
      test(`${model.name} at batch ${batch}: labels equal, numbers within 1e-5`, async t => {
        // A call of few rows takes as long as one of many, in which all rows come.
        const most = model.spec.uri.includes('-b1.')
          ? FEW_CALLS
          : batch < 64
            ? FEW_CALLS * batch
            : Number.POSITIVE_INFINITY
        const check = checkModel(create, model, batch, {
          change: on(['webgpu']),
          staysLoaded: true,
          within: Math.max(1e-5, isHalf ? model.tolerance : 0),
          most,
        })
        // Not every device computes with half precision; one that does not says so when the model is loaded.
        if (
          isHalf &&
          !(await check.then(
            () => true,
            () => false,
          ))
        )
          return rejects(check as Promise<unknown>, 'MODEL_UNUSABLE', 'webgpu: ', 'requires f16')
        t.diagnostic(showDifferences(await check))
      })
    }
  }

  test('ten times loaded, run and unloaded, the device with it: the same results, in the same process', async () => {
    const alone = createExecutor()
    const folder = mkdtempSync(join(tmpdir(), 'webgpu-'))
    try {
      const uri = writeOpenModel(folder)
      const tensors = [{ x: tensor('float32', 2) }, { y: tensor('float32', 2) }] as const
      const [lane] = alone.lanes
      for (let cycle = 0; cycle < 10; cycle++) {
        const model = await lane!.load(modelSpec(uri, ...tensors, on(['webgpu'])))
        assert.equal(model.loaded.provider, 'webgpu')
        const slot = model.acquire()!
        fill(slot, [
          [1, 2],
          [cycle, -3],
        ])
        const { outputs } = await slot.run(0, 2)
        assert.deepEqual([...(outputs[0]!.data as Float32Array)], [2, 4, 2 * cycle, -6])
        slot.release()
        await model.unload()
      }
      assert.deepEqual(lane!.restarts, { crash: 0, timeout: 0 })
    } finally {
      await alone.close()
      rmSync(folder, { recursive: true })
    }
  })

  test('a batch that does not fit is DEVICE_MEMORY, and smaller ones go on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'webgpu-'))
    try {
      const uri = writeWideModel(folder)
      const tensors = [{ x: tensor('float32', 1) }, { y: tensor('float32', 1) }] as const
      const model = await executor.lanes[0]!.load(modelSpec(uri, ...tensors, on(['webgpu'])))
      const slot = model.acquire()!
      // 8 GiB: more than any device takes in one buffer.
      const [x] = slot.prepare(8_192, [[1]])
      ;(x as Float32Array).forEach((_, row, all) => {
        all[row] = row
      })
      await rejects(slot.run(0, 8_192), 'DEVICE_MEMORY', '8192 rows do not fit')
      const { outputs } = await slot.run(2, 3)
      assert.deepEqual([...(outputs[0]!.data as Float32Array)], [3, 4, 5])
      slot.release()
      await model.runControl()
      await model.unload()
      assert.deepEqual(executor.lanes[0]!.restarts, { crash: 0, timeout: 0 })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('says when cpu has to help out, and is refused where that is forbidden', async () => {
    const [lane] = executor.lanes
    const named = (name: string) => EXPECTED_MODELS.find(model => model.name === name)!.spec
    const config = { 'session.disable_cpu_ep_fallback': '1' }
    for (const [name, partlyOnCpu] of [
      ['digits-mlp-v2', false],
      ['breast-cancer-gb', true],
    ] as const) {
      const { loaded, unload } = await lane!.load({ ...named(name), ...on(['webgpu']) })
      assert.deepEqual([loaded.provider, loaded.partlyOnCpu], ['webgpu', partlyOnCpu], name)
      await unload()
    }
    const strict = on(['webgpu', 'cpu'], { sessionOptions: { config } })
    const { loaded, unload } = await lane!.load({ ...named('breast-cancer-gb'), ...strict })
    assert.deepEqual([loaded.provider, loaded.partlyOnCpu], ['cpu', false])
    assert.match(loaded.refusedProviders[0]!.reason, /assigned to the default CPU EP/)
    await unload()
  })

  test('is found behind a provider that is not there', async () => {
    const { loaded, unload } = await executor.lanes[0]!.load(mlp(['cuda', 'webgpu', 'cpu']))
    assert.equal(loaded.provider, 'webgpu')
    assert.deepEqual(
      loaded.refusedProviders.map(({ provider }) => provider),
      ['cuda'],
    )
    await unload()
  })
})

describe('webgpu where there is no GPU', () => {
  let executor: Executor
  before(() => {
    withoutVulkan()
    executor = createExecutor()
  })
  after(() => executor.close())

  test('leaves the model to the next provider, and says why', async () => {
    const { loaded } = await executor.lanes[0]!.load(mlp(['cuda', 'webgpu', 'cpu']))
    assert.equal(loaded.provider, 'cpu')
    const [cuda, webgpu] = loaded.refusedProviders
    assert.deepEqual([cuda!.provider, webgpu!.provider], ['cuda', 'webgpu'])
    assert.match(webgpu!.reason, /Vulkan/)
  })

  test('is an error where it is required, or alone', async () => {
    const [lane] = executor.lanes
    const required = mlp(['webgpu', 'cpu'], { providerPolicy: 'required' })
    await rejects(lane!.load(required), 'MODEL_UNUSABLE', 'webgpu is required', 'Vulkan')
    await rejects(lane!.load(mlp(['webgpu'])), 'MODEL_UNUSABLE', 'webgpu: ', 'Vulkan')
  })
})
