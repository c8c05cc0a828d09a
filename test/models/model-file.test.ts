import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import { externalTensors } from '../../src/models/external-tensors.ts'
import { readModelFile } from '../../src/models/model-file.ts'
import { WEIGHTS, writeExternalModel, writeWeights } from '../support/written-models.ts'

const folder = mkdtempSync(join(tmpdir(), 'model-file-'))
after(() => rmSync(folder, { recursive: true }))

const unusable = (...texts: string[]) => {
  return (error: unknown) => {
    assert.ok(error instanceof RunInferenceError && error.code === 'MODEL_UNUSABLE', String(error))
    for (const text of texts) assert.ok(error.message.includes(text), `'${text}' in '${error.message}'`)
    return true
  }
}

describe('a model file', () => {
  test('without weights elsewhere is its bytes and their checksum', () => {
    const { bytes, external, sizeBytes, sha256 } = readModelFile('models/digits-mlp-v1.onnx')
    assert.deepEqual([external, sizeBytes, bytes.byteLength], [[], 2866, 2866])
    assert.equal(sha256, '118f4339ebb801549d889df14fcdac8add8afe79c1f4ea31e9300bded6a17b6e')
  })

  test('with weights elsewhere names each file once, and its checksum is that of all files in a row', () => {
    const uri = writeExternalModel(folder, 'all.bin')
    const weights = readFileSync(writeWeights(folder, 'all.bin'))
    const file = readModelFile(uri)
    assert.deepEqual(
      file.external.map(({ path, data }) => [path, Buffer.from(data)]),
      [['all.bin', weights]],
    )
    assert.deepEqual(externalTensors(file.bytes), [
      { name: 'w', location: 'all.bin', offset: 16, length: WEIGHTS.byteLength },
    ])
    const hash = createHash('sha256').update(readFileSync(uri)).update(weights).digest('hex')
    assert.deepEqual([file.sizeBytes, file.sha256], [file.bytes.length + weights.length, hash])
  })

  test('must not name files outside its own folder', () => {
    for (const location of ['../all.bin', '/etc/hostname', 'deep/../../all.bin', '', '..']) {
      const uri = writeExternalModel(join(folder, 'inner'), location)
      assert.throws(() => readModelFile(uri), unusable(uri, `'${location}'`, "inside the model's own folder"))
    }
  })

  test('whose weights end too early says which tensor needs how much', () => {
    for (const bytes of [0, 15, 16, 47]) {
      const uri = writeExternalModel(folder, 'short.bin')
      writeWeights(folder, 'short.bin', bytes)
      assert.throws(() => readModelFile(uri), unusable(uri, "'short.bin'", "tensor 'w'", `got ${bytes} bytes`))
    }
  })

  test('that is no protobuf, or half of one, has no weights elsewhere: reading it ends', () => {
    const model = readFileSync(writeExternalModel(folder, 'any.bin'))
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(model.length).map(length => model.subarray(0, length)),
      fc.tuple(fc.nat(model.length - 1), fc.nat(255)).map(([at, byte]) => {
        const changed = Uint8Array.from(model)
        changed[at] = byte
        return changed
      }),
    )
    fc.assert(
      fc.property(bytes, each => externalTensors(each).length <= 1),
      { numRuns: 2000 },
    )
    assert.deepEqual(externalTensors(Buffer.alloc(5_000, 0x80)), [])
  })
})
