import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32, from, inference, onnx, topology } from 'kafka-run-inference'
import type { LoadedModel } from '../../src/models/executor.ts'
import { createLane } from '../../src/models/lane-handle.ts'
import type { OpenLink } from '../../src/models/lane-link.ts'
import { servedModels } from '../../src/models/served-models.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { eventually } from '../support/eventually.ts'
import { digitsSpec } from '../support/model-specs.ts'
import { onDriver } from '../support/on-driver.ts'

const loadedOn = (provider: LoadedModel['provider'], ...refused: string[]): LoadedModel => ({
  modelId: 'm.onnx',
  inputs: [],
  outputs: [],
  provider,
  partlyOnCpu: false,
  fixedRows: undefined,
  refusedProviders: refused.map(each => ({ provider: each, reason: 'no GPU' })),
  loadMs: 1,
  sizeBytes: 1,
  sha256: '',
})

/** Workers that load at once, each on the next provider of the list; `lose` ends the present one. */
function scriptedWorkers(loads: readonly LoadedModel[]) {
  const remaining = [...loads]
  let lose = () => {}
  const openLink: OpenLink = events => {
    lose = () => events.ended('the test ended it')
    return {
      post(message) {
        const { call } = message
        if (message.type === 'load')
          queueMicrotask(() => events.reply({ type: 'loaded', call, loaded: remaining.shift()! }))
        else queueMicrotask(() => events.reply({ type: 'done', call }))
        if (message.type === 'close') queueMicrotask(() => events.ended('closed'))
      },
    }
  }
  return { openLink, lose: () => lose() }
}

describe('what runs where', () => {
  it('has an entry for each step and provider, with the number of lanes', () => {
    const models = [loadedOn('webgpu'), loadedOn('cpu', 'webgpu'), loadedOn('cpu', 'webgpu')].map(loaded => ({
      loaded,
    }))
    assert.deepEqual(
      servedModels([
        ['a', models],
        ['b', models.slice(0, 1)],
      ]),
      [
        { step: 'a', modelId: 'm.onnx', provider: 'webgpu', partlyOnCpu: false, lanes: 1, refusedProviders: [] },
        {
          step: 'a',
          modelId: 'm.onnx',
          provider: 'cpu',
          partlyOnCpu: false,
          lanes: 2,
          refusedProviders: [{ provider: 'webgpu', reason: 'no GPU' }],
        },
        { step: 'b', modelId: 'm.onnx', provider: 'webgpu', partlyOnCpu: false, lanes: 1, refusedProviders: [] },
      ],
    )
  })

  it('is true again after a worker was replaced that found another provider', async () => {
    const clock = createManualClock()
    const workers = scriptedWorkers([loadedOn('webgpu'), loadedOn('cpu', 'webgpu')])
    const lane = createLane({
      id: 0,
      seat: 0,
      isolation: 'process',
      options: { lanes: 1, maxBatchRows: 1 },
      logger: silentLogger,
      clock,
      random: () => 0.5,
      stuckMs: 1_000,
      stamp: () => 0,
      openLink: workers.openLink,
    })
    const model = await lane.load(digitsSpec())
    assert.equal(model.loaded.provider, 'webgpu')
    workers.lose()
    await clock.advance(60_000)
    await eventually('the model is loaded again', () => model.loaded.provider === 'cpu')
    assert.deepEqual(model.loaded.refusedProviders, [{ provider: 'webgpu', reason: 'no GPU' }])
    await lane.close()
  })

  it('stands in the health of a topology, with its model, provider and what refused it', async () => {
    const mlp = onnx({
      model: 'models/digits-mlp-v1.onnx',
      input: float32(64),
      output: float32(10),
      providers: ['cuda', 'cpu'],
    })
    const rows = from('in', float32(64)).runInference('classify', mlp)
    await onDriver(topology('t', [rows.to('out', inference())]), async driver => {
      const [served, ...others] = driver.running.health().models
      assert.deepEqual(others, [])
      assert.deepEqual(
        [served!.step, served!.modelId, served!.provider, served!.lanes],
        ['classify', 'models/digits-mlp-v1.onnx', 'cpu', 1],
      )
      assert.match(served!.refusedProviders.map(({ provider, reason }) => `${provider}: ${reason}`).join(), /^cuda: \S/)
    })
  })
})
