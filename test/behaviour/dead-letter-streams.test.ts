import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type DeadLetter, from, type KV, kv, topology } from 'kafka-run-inference'
import { classifier, deadLetters, shown, strings } from '../support/digit-topology.ts'
import { feed, onDriver } from '../support/on-driver.ts'

const value = (key: string, text: string) => ({ key, value: text })
const source = from('in', strings)
const step = source.runInference('classify', classifier)
/** `key=stage index code` under the key of the record. */
const told = ({ element, stage, index, code }: DeadLetter) =>
  kv((element as KV<string, unknown>).key, `${stage} ${index} ${code}`)
const bad = [
  value('good', '5'),
  value('pre', 'pre'),
  value('short', 'short'),
  value('post', 'post'),
  value('wide', 'wide'),
]

describe('dead letters as streams', () => {
  it('of each stage, and of one function; the topics get theirs all the same', async () => {
    const { failed } = step
    const graph = topology('t', [
      step.to('out', strings),
      failed.preprocess().map(told).to('pre', strings),
      failed.preprocess(0).map(told).to('pre-0', strings),
      failed.preprocess(1).map(told).to('pre-1', strings),
      failed.inference.map(told).to('inference', strings),
      failed.postprocess().map(told).to('post', strings),
      failed.postprocess(0).map(told).to('post-0', strings),
      failed.postprocess(1).map(told).to('post-1', strings),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, bad)
      const read = async (topic: string) => shown(await driver.read(topic))
      assert.equal((await read('out')).length, 1)
      assert.deepEqual(await read('pre'), ['pre=preprocess 0 FUNCTION_THREW'])
      assert.deepEqual(await read('pre-0'), ['pre=preprocess 0 FUNCTION_THREW'])
      assert.deepEqual(await read('pre-1'), [])
      assert.deepEqual(await read('inference'), ['short=inference -1 SHAPE_MISMATCH'])
      assert.deepEqual(await read('post'), [
        'post=postprocess 0 POSTPROCESS_THREW',
        'wide=postprocess -1 ENCODE_SCHEMA',
      ])
      assert.deepEqual(await read('post-0'), ['post=postprocess 0 POSTPROCESS_THREW'])
      assert.deepEqual(await read('post-1'), [])
      const topics = await Promise.all(
        (['preprocess', 'inference', 'postprocess'] as const).map(s => deadLetters(driver, s)),
      )
      assert.deepEqual(
        topics.map(letters => letters.map(({ key }) => String(key))),
        [['pre'], ['short'], ['post', 'wide']],
      )
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [5])
    })
  })

  it('the dead letter says what failed and what it was given', async () => {
    const seen: DeadLetter[] = []
    const graph = topology('t', [
      step.to('out', strings),
      step.failed
        .postprocess(0)
        .map(letter => {
          seen.push(letter)
          return told(letter)
        })
        .to('post', strings),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, bad)
      const [letter, ...others] = seen
      assert.equal(others.length, 0)
      const { element, ...rest } = letter!
      assert.ok(((element as KV<string, object>).value as { inference?: unknown }).inference, 'the prediction')
      assert.deepEqual(rest, {
        step: 'classify',
        stage: 'postprocess',
        index: 0,
        code: 'POSTPROCESS_THREW',
        errorType: 'RangeError',
        message: '[POSTPROCESS_THREW] postprocess function 0: asked for by the record',
        modelId: 'models/digits-mlp-v1.onnx',
      })
    })
  })

  it('a function on such a stream that throws makes one more dead letter, and does not go round', async () => {
    let calls = 0
    const throwing = (): KV<string, string> => {
      calls++
      throw new RangeError('on the stream')
    }
    const { failed } = step
    const graph = topology('t', [
      step.to('out', strings),
      failed.preprocess().map(throwing).to('pre', strings),
      failed.postprocess().map(throwing).to('post', strings),
      // A second stream of the same dead letters does not hear of the failures of the first.
      failed.postprocess().map(told).to('post-too', strings),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, [value('pre', 'pre'), value('post', 'post')])
      assert.equal(calls, 2)
      assert.equal((await driver.read('post-too')).length, 1)
      const letters = await deadLetters(driver, 'postprocess')
      assert.deepEqual(
        letters.map(({ key, headers }) => `${key} ${headers['kri-node']}`),
        ['pre map#1', 'post step classify', 'post map#2'],
      )
      assert.equal((await deadLetters(driver, 'preprocess')).length, 1)
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [2])
    })
  })

  it('a further step on such a stream has streams of dead letters of its own', async () => {
    const second = step.failed
      .preprocess()
      .map(({ element }) => element as KV<string, string>)
      .runInference('fallback', classifier)
    const graph = topology('t', [
      step.to('out', strings),
      second.failed.preprocess().map(told).to('twice', strings),
      second.to('saved', strings),
    ])
    await onDriver(graph, async driver => {
      await feed(driver, [value('a', 'pre')])
      assert.deepEqual(shown(await driver.read('twice')), ['a=preprocess 0 FUNCTION_THREW'])
      assert.equal((await deadLetters(driver, 'preprocess', 't.fallback')).length, 1)
      assert.equal((await deadLetters(driver, 'preprocess')).length, 1)
    })
  })

  it('of children: one for each that failed, in their order, merged with what went well', async () => {
    const words = source.flatMap(({ key, value: text }) => text.split(' ').map(word => kv(key, word)), { maxFanOut: 9 })
    const labels = words.runInference('classify', classifier)
    const all = labels.merge(labels.failed.preprocess().map(told), labels.failed.postprocess().map(told))
    await onDriver(topology('t', [all.to('out', strings)]), async driver => {
      await feed(driver, [value('k', 'post 1 pre 2 pre'), value('l', '3')])
      assert.deepEqual(
        shown(await driver.read('out')).map(text => text.replace(/:\d/, '')),
        [
          'k=1',
          'k=2',
          'k=preprocess 0 FUNCTION_THREW',
          'k=preprocess 0 FUNCTION_THREW',
          'k=postprocess 0 POSTPROCESS_THREW',
          'l=3',
        ],
      )
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [2])
    })
  })
})
