import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { testCluster } from '../support/cluster.ts'
import { followedApp } from '../support/followed-app.ts'
import { startModelStore } from '../support/model-store.ts'
import { storedPlace } from '../support/stored-place.ts'

const V1 = 'models/digits-mlp-v1.onnx'
const BYTES = readFileSync('models/digits-mlp-v2.onnx')
const SHA256 = createHash('sha256').update(BYTES).digest('hex')
const cluster = await testCluster()

describe('kri models publish --upload to a store', { skip: cluster.skip, timeout: 120_000 }, async () => {
  const { processes, module, flags, json, refusal } = followedApp(cluster, V1)
  const store = await startModelStore()
  const folder = mkdtempSync(join(tmpdir(), 'kri-upload-to-'))
  after(() => store.close())
  after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'v2.onnx')
  copyFileSync('models/digits-mlp-v2.onnx', file)
  const root = `${store.origin}/models`
  const name = `v2-${SHA256.slice(0, 12)}.onnx`
  const place = storedPlace(store, `/models/${name}`)
  const settings = ['--model-roots', `models,${root}`, '--model-cache-folder', join(folder, 'cache')]
  const puts = () => store.requests.filter(({ method }) => method === 'PUT').length

  it('puts it there once, publishes its address, and an instance runs it from there', async () => {
    const first = await json('publish', file, '--upload', root, ...settings)
    assert.deepEqual(place.bytes, BYTES)
    const { modelId, modelName, sha256 } = first.state.stable
    assert.deepEqual([modelId, modelName, sha256, first.checked], [`${root}/${name}`, 'v2', SHA256, true])
    const own = ['--http-port', '0', '--model-roots', `models,${root}`, '--model-cache-folder', join(folder, 'other')]
    const instance = processes.kri('run', module, ...flags, ...own)
    await instance.whenReady(60_000)
    const { slots } = await json('status')
    assert.equal(slots[0].instances[0].status.modelId, modelId)
    instance.child.kill('SIGTERM')
    assert.equal(await instance.ended, 0, instance.log())
    await json('rollback')
    assert.equal((await json('publish', file, '--upload', root, ...settings)).state.stable.modelId, modelId)
    assert.equal(puts(), 1)
  })

  it('publishes nothing where the store refuses it, or has something else of that name', async () => {
    const before = (await json('ls')).slots[0].history.length
    place.bytes = Buffer.from('something else')
    const args = [file, '--no-check', '--upload', root]
    const other = ['--model-roots', `models,${root}`, '--model-cache-folder', join(folder, 'third')]
    assert.match(await refusal('publish', ...args, ...other), /\[MODEL_UNUSABLE\] --upload: what is there now is not/)
    store.routes.clear()
    assert.match(await refusal('publish', ...args, ...other), /answers 404 to PUT/)
    assert.match(await refusal('publish', ...args), /not in an allowed place/)
    assert.equal((await json('ls')).slots[0].history.length, before)
  })
})
