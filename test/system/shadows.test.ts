// A shadow on a real broker, from `kri models publish --shadow` to `promote`: instances are processes.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readDigits } from '../../bench/train-digits.ts'
import { emptyRecord, RecordBatchBuilder } from '../../src/kafka/record-batch-builder.ts'
import { compareInferences } from '../../src/refresh/shadow-comparison.ts'
import { parseShadowRecord } from '../../src/refresh/shadow-record.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { followedApp } from '../support/followed-app.ts'
import { kriInProcess } from '../support/kri-in-process.ts'
import { readNdjson } from '../support/model-specs.ts'

const [V1, V2] = ['models/digits-mlp-v1.onnx', 'models/digits-mlp-v2.onnx']
const PARTITIONS = 2
const PATIENCE_MS = 60_000
const TOPIC = 'shadowed.infer.shadow'
const cluster = await testCluster()

interface Recorded {
  readonly probabilities: readonly number[]
}
const recorded: Readonly<Record<string, readonly Recorded[]>> = {
  [V1]: readNdjson<Recorded>('data/digits-mlp-v1.expected.ndjson'),
  [V2]: readNdjson<Recorded>('data/digits-mlp-v2.expected.ndjson'),
}

describe('a shadow on a cluster', { skip: cluster.skip, timeout: 240_000 }, () => {
  const { input, module, flags, processes, models, json, refusal } = followedApp(
    cluster,
    V1,
    PARTITIONS,
    'test/support/shadowed-topology.ts',
  )
  const digits = readDigits()

  /** Digit i goes to partition i modulo 2, under the key `digit i`. */
  async function produce() {
    const builders = Array.from({ length: PARTITIONS }, (_, i) => new RecordBatchBuilder(input, i, 1_000_000))
    for (const [i, { pixels }] of digits.entries()) {
      const [key, value] = [Buffer.from(`digit ${i}`), Buffer.from(Float32Array.from(pixels).buffer)]
      const record = { ...emptyRecord(), timestamp: Date.now(), key, keyEnd: key.length, value, valueEnd: value.length }
      assert.ok(builders[i % PARTITIONS]!.append(record))
    }
    await processes.port.writer().send(builders.map(builder => builder.seal()))
  }

  async function written(topic: string) {
    const ends = await processes.port.admin.offsets(topic)
    return ends.reduce((sum, { end }) => sum + end, 0)
  }

  async function* shadows() {
    const ranges = Array.from({ length: PARTITIONS }, (_, partition) => {
      return { topic: TOPIC, partition, from: 'earliest', to: 'end' } as const
    })
    for await (const block of processes.port.scan(ranges))
      for (let i = 0; i < block.count; i++)
        yield { key: String(block.key(i)), ...parseShadowRecord(block.value(i)!, 'a record') }
  }

  it('scores every record, says truthfully where the two differ, and leaves outputs alone', async () => {
    const { admin } = processes.port
    await admin.deleteTopics([TOPIC])
    const instance = processes.kri('run', module, ...flags, '--http-port', '0')
    await instance.whenReady(PATIENCE_MS)
    assert.match(
      await refusal('publish', V2, '--shadow'),
      /\[TOPIC_MISSING\] shadowed\.infer\.shadow does not exist.*kri topics apply test\/support\/shadowed-topology\.ts/,
    )
    const connection = ['--brokers', cluster.brokers.join(), '--partitions', String(PARTITIONS)]
    const apply = await kriInProcess(['topics', 'apply', module, ...flags, ...connection])
    assert.equal(apply.code, 0, apply.stdout + apply.stderr)
    const published = await models('publish', V2, '--shadow', '--wait', '60')
    assert.equal(published.code, 0, published.stdout + published.stderr)

    // The topic is found in its time; what came before is dropped.
    await eventually(
      'the first records of the shadow',
      async () => {
        await produce()
        return (await written(TOPIC)) > 0
      },
      PATIENCE_MS,
    )
    const before = await written(TOPIC)
    await produce()
    const all = await written(input)
    await eventually('all outputs', async () => (await written(input.replace('.in', '.out'))) === all, PATIENCE_MS)
    await eventually(
      'all of what was produced last',
      async () => (await written(TOPIC)) >= before + digits.length,
      20_000,
    )
    let differing = 0
    let count = 0
    for await (const { key, source, stable, candidate, differs, maxDifference } of shadows()) {
      assert.equal(source.topic, input)
      assert.deepEqual([stable.modelId, candidate.modelId], [V1, V2])
      const digit = Number(key.replace('digit ', ''))
      assert.equal(digit % PARTITIONS, source.partition)
      for (const { modelId, inference } of [stable, candidate])
        for (const [at, number] of recorded[modelId]![digit]!.probabilities.entries())
          assert.ok(Math.abs((inference as number[])[at]! - number) < 1e-6, `${key} by ${modelId}`)
      const [one, other] = [stable, candidate].map(({ inference }) => Float32Array.from(inference as number[]))
      assert.deepEqual({ differs, maxDifference }, compareInferences(one, other))
      differing += differs ? 1 : 0
      count++
    }
    assert.ok(differing > count / 2, `${differing} of ${count} differ`)

    const promoted = await models('promote', '--wait', '60')
    assert.equal(promoted.code, 0, promoted.stdout + promoted.stderr)
    assert.equal((await json('status')).slots[0].instances[0].status.modelId, V2)
    const end = await written(TOPIC)
    await produce()
    await eventually(
      'all outputs',
      async () => (await written(input.replace('.in', '.out'))) === all + digits.length,
      20_000,
    )
    assert.equal(await written(TOPIC), end, 'nobody scores beside it any more')
    instance.child.kill('SIGTERM')
    assert.equal(await instance.ended, 0, instance.log())
  })
})
