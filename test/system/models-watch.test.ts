import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { StepModels } from '../../src/refresh/step-models.ts'
import { root } from '../repo/source-files.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { followedApp } from '../support/followed-app.ts'
import type { KriProcess } from '../support/kri-process.ts'

const V1 = 'models/digits-mlp-v1.onnx'
const V2 = 'models/digits-mlp-v2.onnx'
const cluster = await testCluster()

describe('kri models watch on a cluster', { skip: cluster.skip, timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-models-'))
  after(() => rmSync(folder, { recursive: true }))
  // What serves while nothing is published says where models may come from.
  const own = join(folder, 'own.onnx')
  const { module, flags, processes, models, json } = followedApp(cluster, own)

  it('watches a folder: what is there, what comes, what is overwritten, and nothing twice', async () => {
    const inbox = join(folder, 'in')
    mkdirSync(inbox)
    copyFileSync(join(root, V1), own)
    const given = ['--upload', join(folder, 'store'), '--every', '0.2', '--json']
    const eventsOf = (process: KriProcess): WatchLine[] =>
      process
        .output()
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line))
    const names = (process: KriProcess) => eventsOf(process).map(({ event }) => event)
    const watching = processes.kri('models', 'watch', module, join(inbox, '*.onnx'), ...flags, ...given)
    await eventually('it says that nothing matches', async () => names(watching).includes('nothing'), 40_000)
    const put = async (model: string, name: string, published: number) => {
      copyFileSync(join(root, model), join(inbox, name))
      const isThere = async () => names(watching).filter(event => event === 'published').length === published
      await eventually(`${model} is published`, isThere, 40_000)
    }
    await put(V2, 'a.onnx', 1)
    await put(V1, 'a.onnx', 2)
    watching.child.kill('SIGINT')
    assert.equal(await watching.ended, 130, watching.log())
    const wanted = ['nothing', 'waiting', 'published', 'waiting', 'published']
    assert.deepEqual(names(watching), wanted)
    const [first, second] = eventsOf(watching)
      .filter(({ event }) => event === 'published')
      .map(({ state }) => state!.stable)
    assert.match(first!.modelId, /\/store\/a-[0-9a-f]{12}\.onnx$/)
    assert.deepEqual(readFileSync(first!.modelId), readFileSync(join(root, V2)))
    assert.deepEqual([second!.modelName, readFileSync(second!.modelId)], ['a', readFileSync(join(root, V1))])

    const once = async (wanted: number): Promise<WatchLine> => {
      const { code, stdout, stderr } = await models('watch', join(inbox, '*.onnx'), ...given, '--once')
      assert.equal(code, wanted, stderr)
      return JSON.parse(stdout.trimEnd().split('\n').at(-1)!)
    }
    const { offset } = (await json('ls')).slots[0]
    assert.equal((await once(0)).event, 'current')
    assert.equal((await json('ls')).slots[0].offset, offset)
    await json('rollback')
    assert.partialDeepStrictEqual(await once(0), { event: 'decided', file: join(inbox, 'a.onnx') })
    copyFileSync(join(root, 'models/corrupt-garbage.onnx'), join(inbox, 'b.onnx'))
    const refused = await once(1)
    assert.equal(refused.event, 'refused')
    assert.match(refused.reason!, /\[MODEL_UNUSABLE\]/)
    assert.equal((await json('ls')).slots[0].state.stable.modelId, first!.modelId)
  })
})

interface WatchLine {
  readonly event: string
  readonly file?: string
  readonly reason?: string
  readonly state?: StepModels
}
