import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { applyTopics } from '../support/apply-topics.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { kriOnCluster } from '../support/kri-on-cluster.ts'
import type { KriProcess } from '../support/kri-process.ts'
import { judgeRows, writeRows } from '../support/raw-rows.ts'
import { writeTransaction } from '../support/transactions.ts'

const { brokers, prefix, skip } = await testCluster()

describe('kri run', { skip }, () => {
  const cluster = kriOnCluster('run', brokers)
  const { kri } = cluster
  const ended = async (process: KriProcess, code: number): Promise<string> => {
    assert.equal(await process.ended, code, process.log())
    return process.output()
  }
  const rows = (name: string, application = name) => {
    const parameters = {
      in: `${prefix}${name}.in`,
      out: `${prefix}${name}.out`,
      applicationId: `${prefix}${application}`,
    }
    const all = Object.entries({ ...parameters, model: 'models/digits-mlp-v1.onnx', width: 64 })
    return ['topologies/raw-tensors.ts', ...all.map(([key, value]) => `--param=${key}=${value}`)]
  }
  const run = (...args: readonly string[]) => kri('run', ...args, '--http-port=0', '--session-timeout-ms=6000')
  const apply = (args: readonly string[], partitions: number) =>
    applyTopics(brokers, ...args, `--partitions=${partitions}`)

  it('--until-end ends behind transactions that were committed and aborted, and beside empty partitions', async () => {
    const topic = `${prefix}tail.in`
    await apply(rows('tail'), 3)
    await writeRows(cluster.port, topic, { partitions: 2, records: 1_000 })
    const values = Array.from({ length: 5 }, () => Buffer.alloc(256))
    await writeTransaction(brokers, topic, { values, end: 'commit' })
    await writeTransaction(brokers, topic, { values, end: 'abort' })
    const output = await ended(run(...rows('tail'), '--until-end', '--json'), 0)
    const { seconds, ...summary } = JSON.parse(output)
    assert.deepEqual(summary, {
      ...{ reachedEnd: true, records: 1_005, predictions: 1_005, dropped: 0 },
      deadLetters: { preprocess: 0, inference: 0, postprocess: 0 },
      // Behind the records stand two control records, and five that were aborted between them.
      committed: { [topic]: { 0: 500 + 5 + 1 + 5 + 1, 1: 500 } },
    })
    assert.ok(seconds > 0 && seconds < 60)
  })

  it('--until-end of empty topics ends at once', async () => {
    await apply(rows('empty'), 2)
    const output = await ended(run(...rows('empty'), '--until-end', '--json'), 0)
    assert.deepEqual([JSON.parse(output).reachedEnd, JSON.parse(output).records], [true, 0])
  })

  it('--start says where a group begins that has never committed, and nothing to one that has', async () => {
    await apply(rows('start'), 2)
    await writeRows(cluster.port, `${prefix}start.in`, { partitions: 2, records: 10 })
    const between = new Date(Date.now() + 1).toISOString()
    await eventually('it is later', () => Date.now() > Date.parse(between))
    await writeRows(cluster.port, `${prefix}start.in`, { partitions: 2, records: 4 })
    const count = async (application: string, ...flags: readonly string[]) => {
      const args = rows('start', application)
      await apply(args, 2)
      return JSON.parse(await ended(run(...args, '--until-end', '--json', ...flags), 0)).records
    }
    assert.equal(await count('start-latest', '--start=latest'), 0)
    assert.equal(await count('start-time', `--start=${between}`), 4)
    assert.equal(await count('start-earliest', '--start=earliest'), 14)
    assert.equal(await count('start-latest', '--start=earliest'), 0, 'it has committed')
    const none = rows('start', 'start-none')
    await apply(none, 2)
    const refused = run(...none, '--until-end', '--start=none')
    await ended(refused, 1)
    assert.match(refused.log(), /OFFSET_OUT_OF_RANGE.*has committed no offset.*start position is 'none'/)
  })

  it('--part runs one part; members of one group with different parts share nothing', async () => {
    const topology = ['test/support/two-part-topology.ts', `--param=prefix=${prefix}`]
    await apply(topology, 2)
    for (const part of ['a', 'b'])
      await writeRows(cluster.port, `${prefix}${part}.in`, { partitions: 2, records: 1_000 })
    const [a, b] = ['a', 'b'].map(part => run(...topology, '--part', `${prefix}${part}.in`)) as [KriProcess, KriProcess]
    await Promise.all([a.whenReady(), b.whenReady()])
    for (const part of ['a', 'b']) {
      await eventually(
        `part ${part} is committed`,
        async () =>
          (await cluster.port.admin.committed(`${prefix}two`, `${prefix}${part}.in`)).every(offset => offset === 500),
        30_000,
      )
    }
    a.child.kill('SIGTERM')
    await ended(a, 0)
    // Its partitions must not go to the other, which would not know what to do with them.
    await writeRows(cluster.port, `${prefix}a.in`, { partitions: 2, records: 2 })
    await writeRows(cluster.port, `${prefix}b.in`, { partitions: 2, records: 2 })
    await eventually(
      'part b goes on',
      async () => (await cluster.port.admin.committed(`${prefix}two`, `${prefix}b.in`)).every(offset => offset === 501),
      30_000,
    )
    assert.deepEqual(await cluster.port.admin.committed(`${prefix}two`, `${prefix}a.in`), [500, 500])
    b.child.kill('SIGTERM')
    await ended(b, 0)
    const { missing } = await judgeRows(cluster.port, { in: `${prefix}b.in`, out: `${prefix}b.out` })
    assert.equal(missing, 0)
    const unknown = run(...topology, '--part', 'c', '--json')
    assert.match(await ended(unknown, 1), /"code":"SETTINGS_INVALID".*expected one of the parts.*a\.in, .*b\.in/)
  })

  it('Ctrl-C drains, and is exit code 130', async () => {
    await apply(rows('interrupted'), 2)
    const process = run(...rows('interrupted'), '--json')
    await process.whenReady()
    process.child.kill('SIGINT')
    assert.equal(JSON.parse(await ended(process, 130)).reachedEnd, false)
    assert.match(process.log(), /ended in order/)
  })
})
