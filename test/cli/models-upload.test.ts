import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { requireLocalFile, uploadedId, uploadModel } from '../../src/cli/models-upload.ts'
import { rootsOf } from '../../src/models/model-roots.ts'
import { systemClock } from '../../src/ops/clock.ts'

const folder = mkdtempSync(join(tmpdir(), 'kri-upload-'))
after(() => rmSync(folder, { recursive: true }))

const file = join(folder, 'my model.v2.onnx')
writeFileSync(file, 'model')
const SHA = createHash('sha256').update('model').digest('hex')
const SHORT = SHA.slice(0, 12)
const digest = { sizeBytes: 5, sha256: SHA }

const options = {
  ...{ access: {}, clock: systemClock, signal: new AbortController().signal },
  source: { fetch: () => assert.fail('no store is asked') },
}

describe('uploading a model', () => {
  test('its name has the checksum, so that another file never takes its place', () => {
    assert.equal(uploadedId('/models/', file, SHA), `/models/my model.v2-${SHORT}.onnx`)
    assert.equal(uploadedId('s3://b/p', file, SHA), `s3://b/p/my model.v2-${SHORT}.onnx`)
    assert.equal(uploadedId('https://h/p', file, SHA), `https://h/p/my%20model.v2-${SHORT}.onnx`)
  })

  test('copies it whole, once, and leaves nothing else behind', async () => {
    const root = join(folder, 'root', 'deep')
    const id = uploadedId(root, file, SHA)
    assert.equal(await uploadModel(id, file, digest, rootsOf([root]), options), 'uploaded')
    assert.equal(await uploadModel(id, file, digest, rootsOf([root]), options), 'there')
    assert.equal(readFileSync(id, 'utf8'), 'model')
    assert.equal(readdirSync(root).length, 1)
  })

  test('never over other bytes of the same name, be they as many or not', async () => {
    const root = join(folder, 'others')
    mkdirSync(root)
    const id = uploadedId(root, file, SHA)
    for (const other of ['other', 'something else']) {
      writeFileSync(id, other)
      await assert.rejects(
        uploadModel(id, file, digest, rootsOf([root]), options),
        /\[MODEL_UNUSABLE\] --upload: .* is there, with \d+ other bytes, expected 5 with sha256 9/,
      )
      assert.equal(readFileSync(id, 'utf8'), other)
    }
  })

  test('only to where instances look', async () => {
    const id = uploadedId(join(folder, 'elsewhere'), file, SHA)
    const roots = rootsOf([join(folder, 'root')])
    await assert.rejects(uploadModel(id, file, digest, roots, options), /\[MODEL_UNUSABLE\].*not in an allowed place/)
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
      uploadModel(id, file, digest, rootsOf([root]), options),
      /\[SETTINGS_INVALID\] --upload: .* cannot be written/,
    )
    const gone = join(folder, 'full')
    mkdirSync(gone)
    const missing = uploadModel(uploadedId(gone, file, SHA), join(folder, 'missing'), digest, rootsOf([gone]), options)
    await assert.rejects(missing, /cannot be written/)
    assert.deepEqual(readdirSync(gone), [])
  })
})
