import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { float32, from, onnx, topology } from '../../src/index.ts'
import { executorOf } from '../../src/models/lane-pool.ts'
import type { Machine } from '../../src/models/machine.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import { startTopology } from '../../src/run.ts'
import { DEFAULT_RUN_SETTINGS } from '../../src/run-settings.ts'
import { createMemoryBroker } from '../../src/testing/index.ts'
import { checkOffline } from '../support/check-offline.ts'

const MACHINE: Machine = { ramBytes: 16e9, nvidiaGpus: [], renderDevices: 0 }

const model = onnx({ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(10) }).withResourceHints({
  minRam: '20GB',
  accelerator: 'type:nvidia-tesla-t4;count:1;install-nvidia-driver',
})
const hungry = topology('hungry', [
  from('in', float32(64))
    .runInference('classify', model)
    .map(({ inference }) => inference)
    .to('out', float32(10)),
])

suite('a machine that lacks what a model asks for', () => {
  test('does not start the topology: nothing is loaded and no broker is asked', async () => {
    const running = startTopology(hungry, {
      port: createMemoryBroker({ clock: systemClock }).connect(),
      // Without lanes a model could not be loaded, and the topics do not exist.
      executor: executorOf([]),
      registry: undefined,
      readSchema: async () => '',
      settings: DEFAULT_RUN_SETTINGS,
      clock: systemClock,
      random: Math.random,
      logger: silentLogger,
      metrics: nullMetrics,
      machine: MACHINE,
    })
    const refused = {
      code: 'RESOURCES_MISSING',
      message: /minRam 20GB.*got 16\.0 GB.*\n.*1 of nvidia-tesla-t4, got no NVIDIA GPU/,
    }
    await assert.rejects(running.whenReady(), refused)
    await assert.rejects(running.finished, refused)
  })

  test('is a warning of check: another machine may be meant to run it', async () => {
    const { problems, findings } = await checkOffline(hungry, { machine: MACHINE })
    assert.deepEqual(problems, [])
    const told = findings.warnings.filter(({ what }) => what.startsWith('kri run does not start on this machine'))
    assert.deepEqual(
      told.map(({ got }) => got),
      ['16.0 GB', 'no NVIDIA GPU'],
    )
  })
})
