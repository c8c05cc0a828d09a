import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { float32, from, json, onnx, topology } from 'kafka-run-inference'
import { driverModels } from '../../src/testing/driver-models.ts'
import { checkOffline } from '../support/check-offline.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-published-example-'))
after(() => rmSync(folder, { recursive: true }))
const exampleFile = join(folder, 'example.ndjson')
writeFileSync(exampleFile, JSON.stringify(Array(64).fill(1)))

function following(model?: string) {
  const handler = onnx({
    ...(model === undefined ? {} : { model }),
    inputs: { x: float32(64) },
    outputs: { probabilities: float32(10) },
  })
  const pixels = from('in', json<number[]>()).map(x => ({ x }))
  const labels = pixels.runInference('digits', handler, { modelMetadata: true })
  return topology('following', [labels.map(({ modelId }) => modelId).to('out', json<string>())])
}

describe('an example of a step whose models are published', () => {
  test('is run by the model that the handler names', async () => {
    const V2 = 'models/digits-mlp-v2.onnx'
    const { problems, examples } = await checkOffline(following(V2), { exampleFile, modelFiles: driverModels })
    assert.deepEqual(problems, [])
    assert.equal(examples[0]!.shown!.produced[0]!.value, V2)
  })

  test('is not run where the handler names none, which is a warning', async () => {
    const { findings, examples } = await checkOffline(following(), { exampleFile, modelFiles: driverModels })
    assert.deepEqual(findings.problems, [])
    assert.deepEqual(examples, [])
    assert.match(JSON.stringify(findings.warnings), /step \\"digits\\".*names no model.*--dry-run/)
  })
})
