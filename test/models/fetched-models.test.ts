// What lanes do with a model that was fetched: its bytes from the local file, its name as it was published.
import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { type CustomModel, modelHandler } from '../../src/models/custom-handler.ts'
import type { ModelSpec } from '../../src/models/executor.ts'
import { isFileModel, withFetched } from '../../src/models/fetched-spec.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { readModelFile } from '../../src/models/model-file.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { digitsSpec } from '../support/model-specs.ts'
import { makeSource } from '../support/model-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-fetched-'))
after(() => rmSync(folder, { recursive: true }))
const V1 = 'models/digits-mlp-v1.onnx'
const PUBLISHED = 's3://models/digits/v1.onnx'
const { sha256, sizeBytes } = readModelFile(V1)
const file = join(folder, 'cached.onnx')
copyFileSync(V1, file)

const given: string[] = []
const lengths = modelHandler({
  name: 'lengths',
  modelId: V1,
  modelIsFile: true,
  loadModel(path: string) {
    given.push(path)
    return readFileSync(path).length
  },
  runInference: (batch: readonly string[], model: number) => batch.map(() => model),
})

async function load(spec: ModelSpec) {
  const { model } = lengths.definition.cohorts[0]
  const find = () => ({ handler: (model as CustomModel).handler, inferenceArgs: undefined })
  await using resources = new AsyncDisposableStack()
  const executor = createInThreadExecutor(
    { lanes: 1, maxBatchRows: 8 },
    { logger: silentLogger, clock: createManualClock(), find },
  )
  resources.defer(() => executor.close())
  return (await executor.lanes[0]!.load(spec)).loaded
}

function customSpec(): ModelSpec {
  const { model } = lengths.definition.cohorts[0]
  assert.ok(model.kind === 'custom' && isFileModel(model))
  return { ...model.spec, place: { module: undefined, digest: '', step: 's', cohort: 0 } }
}

describe('a fetched model', () => {
  test('is loaded from its file and labelled as it was published', async () => {
    const spec = withFetched(digitsSpec(PUBLISHED), { path: file, sha256, sizeBytes })
    const loaded = await load(spec)
    assert.deepEqual([loaded.modelId, loaded.sha256, loaded.sizeBytes], [PUBLISHED, sha256, sizeBytes])
  })

  test('with other bytes than were checked is not loaded', async () => {
    const changed = join(folder, 'changed.onnx')
    copyFileSync('models/digits-mlp-v2.onnx', changed)
    const spec = withFetched(digitsSpec(PUBLISHED), { path: changed, sha256, sizeBytes })
    const message = new RegExp(`MODEL_UNUSABLE.*${PUBLISHED} has other bytes.*expected sha256 ${sha256}, got .*changed`)
    await assert.rejects(load(spec), { message })
    await assert.rejects(load({ ...digitsSpec('models/digits-mlp-v2.onnx'), sha256 }), { message: /has other bytes/ })
  })

  test('whose file is gone says so by its published name, and where it was looked for', async () => {
    const spec = withFetched(digitsSpec(PUBLISHED), { path: join(folder, 'gone'), sha256, sizeBytes })
    await assert.rejects(load(spec), {
      message: new RegExp(`${PUBLISHED} cannot be read \\(looked for ${folder}/gone\\)`),
    })
  })

  test('has another identifier for other bytes at the same address', () => {
    const one = withFetched(digitsSpec(V1), { path: file, sha256, sizeBytes })
    const two = withFetched(digitsSpec(V1), { path: file, sha256: '0'.repeat(64), sizeBytes })
    assert.equal(new Set([digitsSpec(V1), one, two].map(({ identifier }) => identifier)).size, 3)
  })

  test('of a handler that a user wrote is given to it as a path, labelled, and measured', async () => {
    const fetched = { path: file, sha256, sizeBytes }
    const loaded = await load({ ...withFetched(customSpec(), fetched), uri: PUBLISHED })
    assert.deepEqual(given.splice(0), [file])
    assert.deepEqual([loaded.modelId, loaded.sha256, loaded.sizeBytes], [PUBLISHED, sha256, sizeBytes])
    writeFileSync(join(folder, 'other'), 'other bytes')
    const other = withFetched(customSpec(), { ...fetched, path: join(folder, 'other') })
    await assert.rejects(load(other), { message: /has other bytes/ })
    assert.deepEqual(given, [])
  })

  test('of a handler that takes any text is not fetched', () => {
    const { model } = modelHandler({ name: 'n', loadModel: () => 1, runInference: () => [] }).definition.cohorts[0]
    assert.equal(isFileModel(model), false)
  })

  test('comes from a source with what a lane checks', async () => {
    using source = makeSource(['models'])
    const loaded = await load(withFetched(digitsSpec(V1), await source.fetch({ modelId: V1 })))
    assert.deepEqual([loaded.modelId, loaded.sha256], [V1, sha256])
  })
})
