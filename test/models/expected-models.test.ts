import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { FLAWED_MODEL } from '../../demo/digit-models.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { type CreateExecutor, rejects } from '../support/executor-checks.ts'
import { checkModel, EXPECTED_MODELS, showDifferences } from '../support/expected-models.ts'
import { digitsSpec } from '../support/model-specs.ts'

const create: CreateExecutor = options => createInThreadExecutor(options, { logger: silentLogger, clock: systemClock })

describe('labels are equal and numbers within 1e-6 of the recorded ones, on cpu', () => {
  for (const model of EXPECTED_MODELS) {
    for (const batch of [1, 7, 64, 256]) {
      test(`${model.name} at batch ${batch}`, async t => {
        t.diagnostic(`${model.name} at batch ${batch}: ${showDifferences(await checkModel(create, model, batch))}`)
      })
    }
  }
})

/** Shipped files that are broken, or do not have the signature of the digits models, and what must be said of each. */
const UNUSABLE: Readonly<Record<string, readonly string[]>> = {
  'corrupt-empty.onnx': ['is empty (0 bytes)', 'Copy the model file again'],
  'corrupt-garbage.onnx': ['(1024 bytes)', 'protobuf'],
  'corrupt-truncated.onnx': ['(34705 bytes)', 'protobuf'],
  'digits-5class.onnx': ["output 'probabilities'", 'expected float32[10] a row', 'float32[batch,5]'],
  'digits-width32.onnx': ["input 'x'", 'expected float32[64] a row', 'float32[batch,32]'],
  'unsupported-op.onnx': ['NoSuchActivation'],
  'unsupported-opset.onnx': ['Opset 99'],
}

describe('every other shipped file is refused with its reason', () => {
  test('there are no others', () => {
    const usable = EXPECTED_MODELS.map(({ spec }) => spec.uri.replace('models/', ''))
    const files = readdirSync('models').filter(name => name.endsWith('.onnx'))
    assert.deepEqual(files.sort(), [...usable, FLAWED_MODEL.replace('models/', ''), ...Object.keys(UNUSABLE)].sort())
  })

  for (const [file, texts] of Object.entries(UNUSABLE)) {
    test(file, async () => {
      const executor = create({ lanes: 1, maxBatchRows: 1 })
      const uri = `models/${file}`
      await rejects(executor.lanes[0]!.load(digitsSpec(uri)), 'MODEL_UNUSABLE', uri, ...texts)
      await executor.close()
    })
  }
})
