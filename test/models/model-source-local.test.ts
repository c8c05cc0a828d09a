// Models of this machine: checked where they are, and nothing outside the roots, however it is written or linked.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import { WeightsMark } from '../../src/models/model-digest.ts'
import { readModelFile } from '../../src/models/model-file.ts'
import type { WantedModel } from '../../src/models/model-source.ts'
import { makeSource } from '../support/model-store.ts'
import { writeExternalModel, writeWeights } from '../support/written-models.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'kri-model-source-')))
after(() => rmSync(folder, { recursive: true }))
const root = join(folder, 'root')
const outside = join(folder, 'outside')
mkdirSync(join(root, 'deep'), { recursive: true })
mkdirSync(outside)
for (const path of [join(root, 'a.onnx'), join(root, 'deep', 'b.onnx'), join(outside, 'a.onnx')])
  copyFileSync('models/digits-mlp-v1.onnx', path)
symlinkSync(join(outside, 'a.onnx'), join(root, 'link.onnx'))
symlinkSync(outside, join(root, 'out'))
symlinkSync(join(root, 'deep'), join(root, 'in'))
symlinkSync(root, join(outside, 'back'))

const source = makeSource([root])
after(() => source[Symbol.dispose]())
const SHA256 = createHash('sha256').update(readFileSync('models/digits-mlp-v1.onnx')).digest('hex')

async function refused(modelId: string, text: RegExp, wanted: Partial<WantedModel> = {}, from = source): Promise<void> {
  const error = await from.fetch({ modelId, ...wanted }).then(
    () => assert.fail('it was taken'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof RunInferenceError && error.code === 'MODEL_UNUSABLE', String(error))
  assert.match(error.message, text)
}

describe('a model of this machine', () => {
  test('is hashed where it is, as a lane hashes it', async () => {
    for (const modelId of [join(root, 'a.onnx'), `file://${root}/a.onnx`, relative('.', join(root, 'a.onnx'))]) {
      const { path, sha256, sizeBytes, release } = await source.fetch({ modelId, sha256: SHA256, sizeBytes: 2866 })
      assert.deepEqual({ path, sha256, sizeBytes }, { path: join(root, 'a.onnx'), sha256: SHA256, sizeBytes: 2866 })
      release()
      assert.equal(readModelFile(path).sha256, sha256)
    }
  })

  test('keeps its files of weights beside it: size and checksum are those of all', async () => {
    const modelId = writeExternalModel(join(root, 'deep'), 'all.bin')
    writeWeights(join(root, 'deep'), 'all.bin')
    const { sha256, sizeBytes } = readModelFile(modelId)
    const got = await source.fetch({ modelId, sha256, sizeBytes })
    assert.deepEqual([got.sha256, got.sizeBytes, got.path], [sha256, sizeBytes, modelId])
    using small = makeSource([root], { maxBytes: sizeBytes - 1 })
    await refused(modelId, /expected at most/, {}, small)
  })

  test('whose files of weights are links out of the roots is refused', async () => {
    const modelId = writeExternalModel(join(root, 'linked'), 'all.bin')
    symlinkSync(writeWeights(outside, 'all.bin'), join(root, 'linked', 'all.bin'))
    await refused(modelId, /all\.bin is a link that leads out/)
  })

  test('may be a link, as long as it stays inside, and a root may be one', async () => {
    assert.equal((await source.fetch({ modelId: join(root, 'in', 'b.onnx') })).sha256, SHA256)
    using linked = makeSource([join(outside, 'back')])
    assert.equal((await linked.fetch({ modelId: join(outside, 'back', 'a.onnx') })).sha256, SHA256)
  })

  test('that is not what was published is refused, saying which', async () => {
    await refused(join(root, 'a.onnx'), /expected sha256 0{64}, got 118f/, { sha256: '0'.repeat(64) })
    await refused(join(root, 'a.onnx'), /expected 5 bytes, got 2866/, { sizeBytes: 5 })
    await refused(join(root, 'a.onnx'), /sha256 is none/, { sha256: '../../../../etc/passwd' })
    await refused(join(root, 'a.onnx'), /expected at most 1048576 bytes \(maxModelBytes\), got 1e\+21/, {
      sizeBytes: 1e21,
    })
  })

  test('that is missing, empty, a folder, a pipe or too large is refused', async () => {
    await refused(join(root, 'none.onnx'), /cannot be read .*ENOENT/)
    writeFileSync(join(root, 'empty.onnx'), '')
    await refused(join(root, 'empty.onnx'), /is empty \(0 bytes\)/)
    await refused(join(root, 'deep'), /deep is no file/)
    await refused(`${root}/a.onnx/b`, /ENOTDIR/)
    execFileSync('mkfifo', [join(root, 'pipe.onnx')])
    await refused(join(root, 'pipe.onnx'), /is no file/)
    using small = makeSource([root], { maxBytes: 2865 })
    await refused(join(root, 'a.onnx'), /expected at most 2865 bytes \(maxModelBytes\), got 2866/, {}, small)
  })

  test('is left when the signal says so', async () => {
    const never = AbortSignal.abort(new Error('never mind'))
    await assert.rejects(source.fetch({ modelId: join(root, 'a.onnx') }, never), /never mind/)
  })
})

describe('what is outside the roots', () => {
  test('is refused, and not told to exist or not', async () => {
    for (const path of [
      outside,
      '/etc/passwd',
      '/none',
      `${root}/../outside/a.onnx`,
      `${root}2/a`,
      '..',
      '/',
      'models/x',
    ])
      await refused(path, /not in an allowed place/)
  })

  test('is refused behind a link', async () => {
    for (const path of ['link.onnx', 'out/a.onnx', 'out/back/link.onnx'])
      await refused(join(root, path), /is a link that leads out of modelRoots/)
    assert.equal((await source.fetch({ modelId: join(root, 'out', 'back', 'a.onnx') })).sha256, SHA256)
  })

  test('is never reached, whatever the path', async () => {
    const part = fc.constantFrom(
      ...['..', '.', '', 'deep', 'in', 'out', 'back', 'link.onnx', 'a.onnx', 'b.onnx', 'root', 'outside'],
      ...['%2e%2e', '..%2f', '..\\', 'C:', '~', '\0', ' ', '..;', 'file:', '//'],
    )
    const head = fc.constantFrom('', root, `file://${root}`, `file:${root}`, outside, folder, relative('.', root))
    const id = fc
      .tuple(head, fc.array(part, { minLength: 1, maxLength: 6 }))
      .map(([first, rest]) => [first, ...rest].join('/'))
    let taken = 0
    await fc.assert(
      fc.asyncProperty(id, async modelId => {
        try {
          const { path } = await source.fetch({ modelId })
          taken++
          assert.ok(realpathSync(path).startsWith(`${root}/`), `${modelId} is ${realpathSync(path)}`)
        } catch (error) {
          assert.ok(error instanceof RunInferenceError && error.code === 'MODEL_UNUSABLE', String(error))
        }
      }),
      { numRuns: 3_000, seed: 7, examples: [[`${root}/deep/../a.onnx`], [`${root}/out/back/deep/b.onnx`]] },
    )
    assert.ok(taken >= 2, `${taken} were taken`)
  })
})

test('the mark of weights is found wherever pieces are cut', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.boolean(),
      fc.array(fc.nat(60), { maxLength: 8 }),
      (noise, has, cuts) => {
        const bytes = Buffer.concat([noise, Buffer.from(has ? 'location' : 'locatiom'), noise])
        const mark = new WeightsMark()
        const ends = [...cuts, bytes.length].sort((a, b) => a - b)
        for (const [i, end] of ends.entries()) mark.look(bytes.subarray(ends[i - 1] ?? 0, end))
        assert.equal(mark.found, has)
      },
    ),
  )
})
