import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { requireLocalFile, uploadedId, uploadModel } from '../../src/cli/models-upload.ts'
import { rootsOf } from '../../src/models/model-roots.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-upload-'))
after(() => rmSync(folder, { recursive: true }))

const SHA = 'ab'.repeat(32)
const file = join(folder, 'my model.v2.onnx')
writeFileSync(file, 'model')
const digest = { sizeBytes: 5, sha256: SHA }

describe('uploading a model', () => {
  test('its name has the checksum, so that another file never takes its place', () => {
    assert.equal(uploadedId('/models/', file, SHA), '/models/my model.v2-abababababab.onnx')
    assert.equal(uploadedId('s3://b/p', file, SHA), 's3://b/p/my model.v2-abababababab.onnx')
    assert.equal(uploadedId('https://h/p', file, SHA), 'https://h/p/my%20model.v2-abababababab.onnx')
  })

  test('copies it whole, once, and leaves nothing else behind', async () => {
    const root = join(folder, 'root', 'deep')
    const id = uploadedId(root, file, SHA)
    assert.equal(await uploadModel(id, file, digest, rootsOf([root])), 'copied')
    assert.equal(await uploadModel(id, file, digest, rootsOf([root])), 'there')
    assert.equal(readFileSync(id, 'utf8'), 'model')
    assert.equal(readdirSync(root).length, 1)
  })

  test('only to where instances look', async () => {
    const id = uploadedId(join(folder, 'elsewhere'), file, SHA)
    const roots = rootsOf([join(folder, 'root')])
    await assert.rejects(uploadModel(id, file, digest, roots), /\[MODEL_UNUSABLE\].*not in an allowed place/)
    assert.throws(
      () => requireLocalFile('https://h/m.onnx'),
      /--upload: expected a file of this machine, got https:\/\/h\/m\.onnx/,
    )
  })

  test('what cannot be written says so, and leaves nothing half', async () => {
    const root = join(folder, 'taken')
    writeFileSync(root, '')
    const id = uploadedId(root, file, SHA)
    await assert.rejects(
      uploadModel(id, file, digest, rootsOf([root])),
      /\[SETTINGS_INVALID\] --upload: .* cannot be written/,
    )
    const gone = join(folder, 'full')
    mkdirSync(gone)
    const missing = uploadModel(uploadedId(gone, file, SHA), join(folder, 'missing'), digest, rootsOf([gone]))
    await assert.rejects(missing, /cannot be written/)
    assert.deepEqual(readdirSync(gone), [])
  })
})
