// A handler's own model that is not on this machine: check fetches it as run does.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { float32, from, inference, modelHandler, onnx, topology } from 'kafka-run-inference'
import type { CheckReport } from '../../src/check/report.ts'
import { checkOffline } from '../support/check-offline.ts'
import { startKri } from '../support/kri-process.ts'
import { makeSource } from '../support/model-store.ts'
import { SHA256, twoModelStores } from '../support/two-model-stores.ts'

const { store, ok } = await twoModelStores()
const folder = mkdtempSync(join(tmpdir(), 'kri-check-remote-'))
after(() => rmSync(folder, { recursive: true }))

const rows = from('in', float32(64))
const digits = (model: string) => onnx({ model, input: float32(64), output: float32(10) })
const ofDigits = (model: string) => topology('t', [rows.runInference('s', digits(model)).to('out', inference())])

describe('kri check of a handler whose model is elsewhere', () => {
  test('fetches it, loads it, and names it by its address', async () => {
    ok('/models/a.onnx')
    const uri = `${store.origin}/models/a.onnx`
    using modelFiles = makeSource([`${store.origin}/models`])
    const { models, problems } = await checkOffline(ofDigits(uri), { modelFiles })
    assert.deepEqual(problems, [])
    assert.partialDeepStrictEqual(models, [{ uri, ok: true, sha256: SHA256 }])
  })

  test('says what is wrong where it is: not there, not allowed, nothing to fetch it with', async () => {
    using modelFiles = makeSource([`${store.origin}/models`])
    const missing = await checkOffline(ofDigits(`${store.origin}/models/gone.onnx`), { modelFiles })
    assert.partialDeepStrictEqual(missing.problems, [{ code: 'MODEL_UNUSABLE', where: 'model of step "s"' }])
    assert.match(missing.problems[0]!.what, /answers 404/)
    const outside = await checkOffline(ofDigits(`${store.origin}/other/a.onnx`), { modelFiles })
    assert.equal(outside.problems[0]!.code, 'MODEL_UNUSABLE')
    const without = await checkOffline(ofDigits(`${store.origin}/models/a.onnx`))
    assert.equal(without.problems[0]!.code, 'SETTINGS_INVALID')
  })

  test('asks nobody for the text that a handler of a user takes as it is', async () => {
    const handler = modelHandler<Float32Array, Float32Array, string>({
      ...{ name: 'n', modelId: `${store.origin}/models/text` },
      loadModel: id => id,
      runInference: batch => batch.map(row => row),
    })
    const of = topology('t', [rows.runInference('s', handler).to('out', float32(64))])
    const before = store.requests.length
    const { problems } = await checkOffline(of)
    // On the spot there is no module for a lane to import; that is all that is found.
    assert.deepEqual(
      problems.map(({ code }) => code).filter(code => code !== 'MODEL_UNUSABLE'),
      [],
    )
    assert.equal(store.requests.length, before)
  })

  test('on the command line, examples included', async () => {
    ok('/models/a.onnx')
    const example = join(folder, 'rows.ndjson')
    writeFileSync(example, `${JSON.stringify(new Array(64).fill(0))}\n`)
    const parameters = [`--param=model=${store.origin}/models/a.onnx`, '--param=width=64']
    const kri = startKri(
      ['check', 'topologies/raw-tensors.ts', ...parameters, '--offline', '--json', '--example', example],
      { env: { ...process.env, KRI_MODEL_CACHE_FOLDER: join(folder, 'cache') } },
    )
    assert.equal(await kri.ended, 0, kri.log() + kri.output())
    const { models, examples } = JSON.parse(kri.output()) as CheckReport
    assert.partialDeepStrictEqual([models, examples], [[{ ok: true, sha256: SHA256 }], [{ records: 1, failed: 0 }]])
  })
})
