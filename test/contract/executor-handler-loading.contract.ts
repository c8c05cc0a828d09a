/** What every executor must keep while it finds, loads and lets go of handlers that users wrote. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import type { CustomSpec, Executor, ExecutorOptions, LaneModel } from '../../src/models/executor.ts'
import { type Logger, silentLogger } from '../../src/ops/logger.ts'
import type { Topology } from '../../src/topology.ts'
import { topologyDigest } from '../../src/topology.ts'
import { loadTopology } from '../../src/topology-module.ts'
import { rejects } from '../support/executor-checks.ts'
import { put, specOf } from '../support/handler-specs.ts'
import { HANDLERS_FILE } from '../support/handlers-topology.ts'
import type { Held } from '../support/obedient-handler.ts'

type Create = (options: ExecutorOptions, logger: Logger) => Executor

export function executorHandlerLoadingContract(name: string, create: Create): void {
  let topology: Topology
  let executor: Executor
  let loaded: LaneModel[] = []
  const warnings: string[] = []
  const logger = { ...silentLogger, warn: (_facts: object, text: string) => void warnings.push(text) }

  async function load(step: string, lane = 0, from = topology): Promise<LaneModel> {
    const model = await executor.lanes[lane]!.load(specOf(from, step))
    loaded.push(model)
    return model
  }
  async function run(model: LaneModel, examples: readonly unknown[]): Promise<readonly unknown[]> {
    const slot = model.acquire()!
    put(slot, examples)
    const { outputs } = await slot.run(0, examples.length)
    slot.release()
    return outputs[0]!.data as readonly unknown[]
  }
  const heldBy = async (model: LaneModel) => ((await run(model, [{ id: 0 }]))[0] as { model: Held }).model

  describe(`${name} executor: loading handlers that users write`, () => {
    before(async () => {
      topology = await loadTopology(HANDLERS_FILE)
      executor = create({ lanes: 2, maxBatchRows: 4 }, logger)
    })
    afterEach(async () => {
      for (const model of loaded) await model.unload()
      loaded = []
      warnings.length = 0
    })
    after(() => executor.close())

    test('two lanes import the module at the same time', async () => {
      const models = await Promise.all([0, 1].map(lane => load('third-party', lane)))
      assert.deepEqual(await Promise.all(models.map(model => run(model, [1, 2]))), [
        [2, 3],
        [2, 3],
      ])
    })

    test('loadModel gets the model id, and is called once for a step in a lane, however often it is loaded', async () => {
      const [first, second] = [await load('obedient'), await load('obedient')]
      const before = await heldBy(first)
      const after = await heldBy(second)
      assert.deepEqual([before.modelId, after.loads - before.loads, after.calls - before.calls], ['obedient/1', 0, 1])
      assert.equal(first.loaded.modelId, 'obedient/1')
    })

    test('steps have models of their own', async () => {
      for (const step of ['counts-alone-1', 'counts-alone-2'])
        assert.deepEqual(await run(await load(step), [0, 0, 0]), [1, 2, 3])
    })

    test('steps that give the same modelIdentifier share one', async () => {
      const one = await load('counts-together-1')
      const other = await load('counts-together-2')
      assert.deepEqual(await run(one, [0, 0, 0]), [1, 2, 3])
      assert.deepEqual(await run(other, [0, 0, 0]), [4, 5, 6])
      await one.unload()
      assert.deepEqual(await run(other, [0]), [7])
      await other.unload()
      assert.deepEqual(await run(await load('counts-together-1'), [0]), [1])
    })

    test('runInference gets the arguments of its step', async () => {
      const [result] = await run(await load('with-arguments'), [{ id: 0 }])
      assert.deepEqual((result as { inferenceArgs: unknown }).inferenceArgs, { scale: 2, of: [1, Number.NaN] })
    })

    test('a model that is let go is unloaded, once, and loaded anew for the next', async () => {
      const first = await load('obedient')
      const before = await heldBy(first)
      await first.unload()
      await first.unload()
      const after = await heldBy(await load('obedient'))
      assert.deepEqual([after.loads - before.loads, after.unloads - before.unloads], [1, 1])
    })

    test('the control batch runs at load and when it is asked for', async () => {
      const model = await load('obedient')
      const before = await heldBy(model)
      await model.runControl()
      assert.equal((await heldBy(model)).calls - before.calls, 2)
    })

    for (const [step, ...texts] of [
      ['refuses-arguments', 'validateInferenceArgs refuses what the step gives: expected scale'],
      ['does-not-load', 'loadModel("does-not-load") failed: no weights'],
      ['fails-its-control-batch', 'the control batch failed', '0 results for 1 example'],
    ] as const) {
      test(`a handler that ${step} is MODEL_UNUSABLE, and the lane goes on`, async () => {
        await rejects(load(step), 'MODEL_UNUSABLE', step, ...texts)
        assert.deepEqual(await run(await load('third-party'), [1]), [2])
      })
    }

    test('what goes wrong beside the results is a warning: bytes once, unloading each time', async () => {
      const model = await load('clumsy')
      await heldBy(model)
      await heldBy(model)
      await model.unload()
      assert.deepEqual(warnings, [
        '[INFERENCE_FAILED] clumsy: getNumBytes failed: it cannot count',
        '[INFERENCE_FAILED] clumsy: unloadModel failed: it does not let go',
      ])
    })

    test('bytes that are no finite number are a warning', async () => {
      await heldBy(await load('counts-without-end'))
      const text = 'getNumBytes failed: expected a number of bytes, got number Infinity'
      assert.deepEqual(warnings, [`[INFERENCE_FAILED] counts-without-end: ${text}`])
    })

    test('another graph than that of the application is MODEL_UNUSABLE and says what a module must be', async () => {
      const spec = specOf(topology, 'obedient') as CustomSpec
      for (const change of [{ digest: 'another' }, { step: 'no-such-step' }, { cohort: 7 }]) {
        const other = { ...spec, place: { ...spec.place!, ...change } }
        await rejects(
          executor.lanes[0]!.load(other),
          'MODEL_UNUSABLE',
          HANDLERS_FILE,
          'must depend on nothing but its parameters',
        )
      }
      assert.equal(spec.place!.digest, topologyDigest(topology))
    })

    test('a topology that was not loaded from a module is MODEL_UNUSABLE and says how to load it', async () => {
      const { module: _, ...unplaced } = topology
      await rejects(
        executor.lanes[0]!.load(specOf(unplaced, 'obedient')),
        'MODEL_UNUSABLE',
        'step "obedient"',
        'loadTopology',
      )
    })

    test('a module that is gone is said to be', async () => {
      const spec = specOf({ ...topology, module: { file: '/nowhere/topology.ts', parameters: {} } }, 'obedient')
      await rejects(executor.lanes[0]!.load(spec), 'TOPOLOGY_INVALID', '/nowhere/topology.ts')
    })
  })
}
