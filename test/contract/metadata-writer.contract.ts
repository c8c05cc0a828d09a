import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { modelMetadataTopic } from '../../src/kafka/topic-names.ts'
import { readMetadata } from '../../src/refresh/metadata-log.ts'
import { changeMetadata, type Decision, type MetadataWriterParts } from '../../src/refresh/metadata-writer.ts'
import { published } from '../../src/refresh/state-changes.ts'
import { parseStepModels } from '../../src/refresh/state-codec.ts'
import type { StepModels } from '../../src/refresh/step-models.ts'
import type { MetadataFeatures } from './metadata-log.contract.ts'
import { Harness, withCode } from './port-harness.ts'

const AT = '2026-01-02T03:04:05Z'

/** Publishes a model of this name. */
export const publish = (modelId: string) => (state: StepModels | undefined) =>
  published(state, { modelId, modelName: 'm' }, 'p', AT)

/** An application with an empty metadata topic, and what changes it. */
export async function opened(features: MetadataFeatures, h: Harness) {
  const applicationId = h.name('app')
  const topic = modelMetadataTopic(applicationId)
  const configs = { 'cleanup.policy': 'compact' }
  await h.port.admin.createTopics([{ name: topic, partitions: 1, replicationFactor: 1, configs }])
  const parts: MetadataWriterParts = { port: h.port, applicationId, clock: features.clock, random: Math.random }
  const change = (
    slot: string,
    decide: (state: StepModels | undefined) => Decision,
    more: Partial<MetadataWriterParts> = {},
  ) => changeMetadata({ ...parts, ...more }, slot, decide)
  /** The states that were ever published for a slot. */
  const states = async (slot: string) =>
    (await h.scan(topic, 0))
      .filter(({ key }) => String(key) === slot)
      .map(({ value, offset }) => (value === null ? undefined : parseStepModels(value, String(offset))))
  return { topic, change, states }
}

/** Waits for something while the time of the broker passes. */
export async function settled<T>(features: MetadataFeatures, result: Promise<T>): Promise<T> {
  let isDone = false
  const done = () => {
    isDone = true
  }
  result.then(done, done)
  await features.eventually('it is done', () => isDone, 60_000)
  return result
}

export function metadataWriterContract(features: MetadataFeatures): void {
  suite(`writing the metadata topic: ${features.name}`, () => {
    test('a state is published where there was none, and changed from what it was, each slot by itself', async t => {
      const h = await Harness.open(features, t)
      const { topic, change } = await opened(features, h)
      const first = await settled(features, change('infer', publish('v1')))
      assert.deepEqual([first!.offset, first!.state!.revision], [0, 1])
      await settled(features, change('infer/"de"', publish('w1')))
      const second = await settled(features, change('infer', publish('v2')))
      assert.deepEqual(
        [second!.state!.revision, second!.state!.previous.map(({ modelId }) => modelId)],
        [2, ['v1', '']],
      )
      const { slots } = await readMetadata(h.port, topic)
      assert.deepEqual(slots.get('infer'), { slot: { step: 'infer' }, offset: second!.offset, state: second!.state })
      assert.equal(slots.get('infer/"de"')!.state.stable.modelId, 'w1')
    })

    test('nothing is written where nothing is to be changed; a tombstone is where that is decided', async t => {
      const h = await Harness.open(features, t)
      const { topic, change, states } = await opened(features, h)
      assert.equal(
        await settled(
          features,
          change('infer', () => undefined),
        ),
        undefined,
      )
      assert.deepEqual(await h.scan(topic, 0), [])
      await settled(features, change('infer', publish('v1')))
      const gone = await settled(
        features,
        change('infer', () => 'tombstone'),
      )
      assert.deepEqual(gone, { offset: 2, state: undefined })
      assert.equal((await readMetadata(h.port, topic)).slots.size, 0)
      await settled(features, change('infer', publish('v2')))
      assert.deepEqual(
        (await states('infer')).map(state => state?.revision),
        [1, undefined, 1],
      )
    })

    test('what decides may refuse: its error is thrown, and nothing is written', async t => {
      const h = await Harness.open(features, t)
      const { topic, change } = await opened(features, h)
      const refuse = () => {
        throw new RunInferenceError('METADATA_INVALID', 'not so')
      }
      await assert.rejects(settled(features, change('infer', refuse)), withCode('METADATA_INVALID'))
      await assert.rejects(settled(features, change('infer/de', publish('v1'))), withCode('METADATA_INVALID'))
      await assert.rejects(
        settled(
          features,
          change('infer', () => ({ ...publish('v1')(undefined), revision: 7 })),
        ),
        withCode('BUG'),
      )
      const wrong = () => published(undefined, { modelId: 'v1', modelName: 'm', sha256: 'x' }, 'p', AT)
      await assert.rejects(settled(features, change('infer', wrong)), withCode('METADATA_INVALID'))
      assert.deepEqual(await h.scan(topic, 0), [])
      const ended = AbortSignal.abort()
      const parts = { port: h.port, applicationId: h.name('app'), clock: features.clock, random: Math.random }
      await assert.rejects(settled(features, changeMetadata(parts, 'infer', publish('v1'), ended)), withCode('CLOSED'))
    })

    test('a topic that is not there is TOPIC_MISSING', async t => {
      const h = await Harness.open(features, t)
      const parts = { port: h.port, applicationId: h.name('app'), clock: features.clock, random: Math.random }
      await assert.rejects(settled(features, changeMetadata(parts, 'infer', publish('v1'))), withCode('TOPIC_MISSING'))
    })

    test('what another one publishes behind our reading is not written over', async t => {
      const h = await Harness.open(features, t)
      const { change, states } = await opened(features, h)
      let others = 0
      const port: MetadataWriterParts['port'] = {
        transactionalWriter: options => h.port.transactionalWriter(options),
        async *scan(ranges, options) {
          yield* h.port.scan(ranges, options)
          if (others++ === 0) await change('infer', publish('other'))
        },
      }
      const written = await settled(features, change('infer', publish('ours'), { port }))
      assert.equal(written!.state!.revision, 2)
      assert.deepEqual(
        (await states('infer')).map(state => [state!.revision, state!.stable.modelId]),
        [
          [1, 'other'],
          [2, 'ours'],
        ],
      )
    })

    test('a commit of which nothing is known is not done twice, also when others have published since', async t => {
      const h = await Harness.open(features, t)
      const { change, states } = await opened(features, h)
      let commits = 0
      const port: MetadataWriterParts['port'] = {
        scan: (ranges, options) => h.port.scan(ranges, options),
        transactionalWriter(options) {
          const writer = h.port.transactionalWriter(options)
          const commit = async () => {
            await writer.commit()
            commits++
            await change('infer', publish('other'))
            throw new RunInferenceError('TRANSACTION_LOST', 'the answer to the commit is lost')
          }
          return {
            fence: () => writer.fence(),
            send: batches => writer.send(batches),
            sendOffsets: (groupId, offsets) => writer.sendOffsets(groupId, offsets),
            commit,
            abort: () => writer.abort(),
            close: () => writer.close(),
          }
        },
      }
      const written = await settled(features, change('infer', publish('ours'), { port }))
      assert.deepEqual([written!.offset, written!.state!.revision, commits], [0, 1, 1])
      assert.deepEqual(
        (await states('infer')).map(state => state!.stable.modelId),
        ['ours', 'other'],
      )
    })

    test('writers that race lose no update, and leave revisions without gaps or repeats', async t => {
      const h = await Harness.open(features, t)
      const { change, states } = await opened(features, h)
      const models = (writer: string) => Array.from({ length: 5 }, (_, i) => `${writer}${i}`)
      const run = async (writer: string) => {
        for (const model of models(writer)) {
          const slot = writer === 'c' ? 'other' : 'infer'
          const written = await change(slot, publish(model), { patienceMs: 60_000 })
          assert.equal(written!.state!.stable.modelId, model)
        }
      }
      await settled(features, Promise.all(['a', 'b', 'c'].map(run)))
      const all = (await states('infer')).map(state => state!)
      assert.deepEqual(
        all.map(({ revision }) => revision),
        Array.from({ length: 10 }, (_, i) => i + 1),
      )
      const stables = all.map(({ stable }) => stable.modelId)
      // Each writer's own, in the order in which it wrote them.
      for (const writer of ['a', 'b'])
        assert.deepEqual(
          stables.filter(id => id.startsWith(writer)),
          models(writer),
        )
      for (const [i, { previous }] of all.entries()) {
        const before = [...stables.slice(0, i).toReversed(), ''].slice(0, 5)
        assert.deepEqual(
          previous.map(({ modelId }) => modelId),
          before,
        )
      }
      assert.deepEqual(
        (await states('other')).map(state => state!.stable.modelId),
        models('c'),
      )
    })
  })
}
