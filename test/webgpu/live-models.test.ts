/**
 * Models that are published for a step on webgpu, in a whole run on real brokers: each comes in a child process of its own. Twenty
 * of them are `npm run bench -- --only refresh-webgpu`.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setInterval } from 'node:timers/promises'
import { infer } from '../../bench/raw-session.ts'
import { readDigits, writeTrainedDigits } from '../../bench/train-digits.ts'
import { compareInferences } from '../../src/refresh/shadow-comparison.ts'
import { parseShadowRecord } from '../../src/refresh/shadow-record.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { followedApp } from '../support/followed-app.ts'
import { judgeLabelled, type Recompute } from '../support/labelled-outputs.ts'
import { writeRows } from '../support/raw-rows.ts'
import { withVulkan } from '../support/vulkan.ts'

const [V1, V2] = ['models/digits-mlp-v1.onnx', 'models/digits-mlp-v2.onnx']
const SHADOW_TOPIC = 'gpu-followed.infer.shadow'
const CLASSES = 10
/** As far as a GPU may be from the cpu. */
const TOLERANCE = 1e-5
const PATIENCE_MS = 60_000
const SHADOWED = 100
const cluster = await testCluster()
const skip = cluster.skip || withVulkan()

describe('models that are published for a step on webgpu', { skip, timeout: 240_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-webgpu-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const app = followedApp(cluster, V1, 1, 'test/support/gpu-followed-topology.ts')
  const { id, input, module, flags, json } = app
  const digits = Float32Array.from(readDigits().flatMap(({ pixels }) => pixels))
  const digitOf = (offset: number) => offset % (digits.length / 64)
  const expected = new Map<string, Float32Array>()
  const recompute: Recompute = (modelId, _, offset) =>
    expected.get(modelId)?.subarray(CLASSES * digitOf(offset), CLASSES * (digitOf(offset) + 1))

  let written = 0
  /** The next digits. */
  async function write(records: number): Promise<void> {
    const fill = (row: Float32Array, _: number, i: number) => {
      const at = 64 * digitOf(written + i)
      row.set(digits.subarray(at, at + 64))
    }
    await writeRows(app.processes.port, input, { partitions: 1, records, fill })
    written += records
  }

  /** How many outputs there are by each model, when there is one for each record. */
  async function judged(): Promise<Map<string, number>> {
    const { port } = app.processes
    const isCommitted = async () => (await port.admin.committed(id, input))[0] === written
    await eventually('all is committed', isCommitted, PATIENCE_MS)
    return new Map(await judgeLabelled(port, { source: input, output: `${id}.out` }, recompute, TOLERANCE))
  }

  test('serve in turn, score beside one another, and are promoted: nothing is lost, mislabelled, or crashes', async () => {
    const trained = join(folder, 'trained.onnx')
    writeTrainedDigits(trained)
    for (const model of [V1, V2, trained]) expected.set(model, await infer(model, digits, 64))
    const { port } = app.processes
    const roots = ['--model-roots', `models,${folder}`]
    const publish = async (...words: readonly string[]) => {
      const { waited } = await json('publish', ...words, '--no-check', '--wait', '60', ...roots)
      assert.equal(waited.outcome, 'current')
    }
    const instance = app.processes.kri('run', module, ...flags, '--http-port=0', '--lanes=1', ...roots)
    await instance.whenReady(PATIENCE_MS)

    const over = new AbortController()
    const load = (async () => {
      for await (const _ of setInterval(50)) {
        if (over.signal.aborted) break
        await write(2)
      }
    })()
    for (const model of [V2, trained]) await publish(model)
    over.abort()
    await load

    await publish(V1, '--shadow')
    const shadowed = async () => (await port.admin.offsets(SHADOW_TOPIC)).reduce((sum, { end }) => sum + end, 0)
    await eventually(
      'the shadow scores',
      async () => {
        await write(SHADOWED)
        return (await shadowed()) >= SHADOWED
      },
      PATIENCE_MS,
    )
    let differing = 0
    let count = 0
    for await (const block of port.scan([{ topic: SHADOW_TOPIC, partition: 0, from: 'earliest', to: 'end' }])) {
      for (let i = 0; i < block.count; i++) {
        const { source, stable, candidate, ...comparison } = parseShadowRecord(block.value(i)!, 'a record')
        assert.deepEqual([source.topic, stable.modelId, candidate.modelId], [input, trained, V1])
        const [one, other] = [stable, candidate].map(({ modelId, inference }) => {
          const numbers = Float32Array.from(inference as number[])
          const wanted = recompute(modelId, 0, source.offset)!
          assert.ok(numbers.every((number, at) => Math.abs(number - wanted[at]!) <= TOLERANCE))
          return numbers
        })
        assert.deepEqual(comparison, compareInferences(one, other))
        differing += comparison.differs ? 1 : 0
        count++
      }
    }
    assert.ok(differing > count / 2, `${differing} of ${count} differ`)

    const before = await judged()
    assert.deepEqual([...before.keys()].toSorted(), [trained, V1, V2].toSorted())
    await json('promote', '--wait', '60')
    await write(SHADOWED)
    assert.deepEqual(await judged(), before.set(V1, before.get(V1)! + SHADOWED))

    const processes = instance.log().match(/a child process runs the models/g)!
    assert.equal(processes.length, 4, 'the first one, one for each swap, and one for the shadow')
    assert.doesNotMatch(await instance.text('/metrics'), /^kri_lane_restarts_total\{.*\} [1-9]/m)
    instance.child.kill('SIGTERM')
    assert.equal(await instance.ended, 0, instance.log())
  })
})
