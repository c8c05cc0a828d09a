// Handlers of one's own on real brokers: in threads, in child processes, one for each key, with functions in a worker.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as headers from '../../src/kafka/headers.ts'
import { applyTopics } from '../support/apply-topics.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'
import type { KriProcess } from '../support/kri-process.ts'
import type { Job } from '../support/own-handlers-topology.ts'
import { sealedBatch } from '../support/record-batches.ts'

const { brokers, prefix: own, skip } = await testCluster()

describe('handlers of one’s own', { skip, timeout: 120_000 }, () => {
  const cluster = kriOnCluster('own-handlers', brokers)
  const topologyOf = (prefix: string) => ['test/support/own-handlers-topology.ts', `--param=prefix=${prefix}`]
  const run = (prefix: string, ...args: readonly string[]) =>
    cluster.kri('run', ...topologyOf(prefix), '--http-port=0', '--lanes=1', '--json', ...args)
  const ended = async (process: KriProcess, code = 0): Promise<string> => {
    assert.equal(await process.ended, code, process.log())
    return process.output()
  }
  const apply = (prefix: string) => applyTopics(brokers, ...topologyOf(prefix), '--partitions=1')

  async function write(prefix: string, jobs: readonly (readonly [key: string, job: Job])[]): Promise<void> {
    const writer = cluster.port.writer()
    const records = jobs.map(([key, job]) => ({
      timestamp: Date.now(),
      key: Buffer.from(JSON.stringify(key)),
      value: Buffer.from(JSON.stringify(job)),
      headers: [],
    }))
    await writer.send([sealedBatch(records, `${prefix}jobs`, 0)])
    await writer.close()
  }

  /** What each record of a topic is shown as. */
  async function read(topic: string, show: (value: string, header: (name: string) => string) => string) {
    const found: string[] = []
    for await (const block of cluster.port.scan([{ topic, partition: 0, from: 'earliest', to: 'end' }])) {
      for (let i = 0; i < block.count; i++) {
        const carried = new Map(block.headers(i).map(([name, bytes]) => [name, String(bytes)]))
        found.push(show(String(block.value(i)), name => carried.get(name) ?? ''))
      }
    }
    return found
  }
  const results = (topic: string) =>
    read(topic, value => {
      const { example, inference, modelId } = JSON.parse(value)
      return `${modelId} ${example.n}: ${inference}`
    })
  const deadLetters = (topic: string) =>
    read(
      topic,
      (value, header) => `${JSON.parse(value).n} ${header(headers.KRI_CODE)} ${header(headers.KRI_ERROR_TYPE)}`,
    )

  it('run in every place, in order; what each of them does wrong is a dead letter of its record alone', async () => {
    const prefix = `${own}places.`
    await apply(prefix)
    const deeds = new Map([
      [7, 'threaded: throw'],
      [11, 'apart: exit'],
      [13, 'function: spin'],
      [20, 'of-b: exit'],
    ])
    const jobs = Array.from({ length: 40 }, (_, n) => {
      const key = n === 30 ? 'nobody' : n % 2 === 0 ? 'b' : 'a'
      const what = deeds.get(n)
      return [key, what === undefined ? { n } : { n, do: what }] as const
    })
    await write(prefix, jobs)
    const summary = JSON.parse(await ended(run(prefix, '--until-end')))
    assert.equal(summary.reachedEnd, true)
    assert.deepEqual(summary.deadLetters, { preprocess: 1, inference: 4, postprocess: 0 })
    const all = (of: (n: number) => string, ...without: readonly number[]) =>
      jobs.map((_, n) => n).flatMap(n => (without.includes(n) ? [] : [of(n)]))
    assert.deepEqual(
      await results(`${prefix}threaded`),
      all(n => `threaded ${n}: ${n * 2}`, 7, 13),
    )
    assert.deepEqual(
      await results(`${prefix}apart`),
      all(n => `apart ${n}: ${n * 3}`, 11),
    )
    const perKey = (n: number) => (n % 2 === 0 ? `of-b ${n}: ${n * 7}` : `of-a ${n}: ${n * 5}`)
    assert.deepEqual(await results(`${prefix}per-key`), all(perKey, 20, 30))
    const step = (name: string) => `${prefix}own.${name}.failed-inference`
    assert.deepEqual(await deadLetters(step('threaded')), ['7 INFERENCE_FAILED RangeError'])
    assert.deepEqual(await deadLetters(step('apart')), ['11 WORKER_LOST RunInferenceError'])
    assert.deepEqual(await deadLetters(step('per-key')), [
      '20 WORKER_LOST RunInferenceError',
      '30 KEY_UNKNOWN RunInferenceError',
    ])
    assert.deepEqual(await deadLetters(`${prefix}own.threaded.failed-preprocess`), [
      '13 FUNCTION_TIMEOUT RunInferenceError',
    ])
  })

  it('end with Ctrl-C in the midst of a call and of a function that do not return, and nothing of them is left', async () => {
    const prefix = `${own}ctrl-c.`
    await apply(prefix)
    const process = run(prefix, '--shutdown-budget-ms=500')
    await process.whenReady()
    await write(prefix, [
      ['a', { n: 1, do: 'apart: hang' }],
      ['a', { n: 2 }],
    ])
    const inferred = async (step: string, examples: number) =>
      new RegExp(`num_inferences\\{[^}]*step="${step}"[^}]*\\} ${examples}\n`).test(await process.text('/metrics'))
    await eventually('both went on elsewhere', () => inferred('threaded', 2), 30_000)
    await write(prefix, [['a', { n: 3, do: 'function: spin' }]])
    await eventually('it went on elsewhere', () => inferred('per-key', 3), 30_000)
    process.child.kill('SIGINT')
    assert.equal(JSON.parse(await ended(process, 130)).reachedEnd, false)
    const pids = Array.from(process.log().matchAll(/"pid":(\d+),"msg":"a child process/g), ([, pid]) => Number(pid))
    assert.equal(pids.length, 1, process.log())
    for (const pid of pids) assert.throws(() => globalThis.process.kill(pid, 0), { code: 'ESRCH' })
    assert.deepEqual(await cluster.port.admin.committed(`${prefix}own`, `${prefix}jobs`), [0])
  })
})
