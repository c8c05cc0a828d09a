// A model in a child process, on a real broker: children that are killed under load, and rows that kill theirs.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { applyTopics } from '../support/apply-topics.ts'
import { testCluster } from '../support/cluster.ts'
import { DEADLY } from '../support/deadly-sessions.ts'
import { eventually } from '../support/eventually.ts'
import { type KriProcess, startKri } from '../support/kri-process.ts'
import { judgeRows, writeRows } from '../support/raw-rows.ts'

const PARTITIONS = 2
const NOTHING_WRONG = { missing: 0, duplicates: 0, restarts: 0 }

const cluster = await testCluster()

describe('a model in a process of its own', { skip: cluster.skip }, () => {
  let port: KafkaPort
  const started: KriProcess[] = []
  before(() => {
    port = createKafkaPort({
      ...{ brokers: cluster.brokers, clientId: 'isolation', logger: silentLogger, clock: systemClock },
      random: Math.random,
    })
  })
  after(async () => {
    for (const { child } of started) child.kill('SIGKILL')
    await port?.close()
  })

  const topicsOf = (name: string) => ({
    in: `${name}.in`,
    out: `${name}.out`,
    failed: `${name}.infer.failed-inference`,
  })
  const start = async (name: string, ...more: string[]): Promise<KriProcess> => {
    const module = ['test/support/isolated-topology.ts', '--param', `name=${name}`]
    await applyTopics(cluster.brokers, ...module, ...more, '--partitions', String(PARTITIONS))
    const deadly = new URL('../support/deadly-sessions.ts', import.meta.url).href
    const env = { ...process.env, NODE_OPTIONS: `--import=${deadly}` }
    const flags = ['--brokers', cluster.brokers.join(), '--http-port', '0', '--max-in-flight-rows', '2048']
    const running = startKri(['run', ...module, ...more, ...flags], { env })
    started.push(running)
    await running.whenReady()
    return running
  }
  const written = async (topic: string) =>
    (await port.admin.offsets(topic)).reduce((sum, { start: first, end }) => sum + end - first, 0)
  const allDone = (name: string) =>
    eventually(
      'all is committed',
      async () => {
        const ends = await port.admin.offsets(`${name}.in`)
        const committed = await port.admin.committed(name, `${name}.in`)
        return ends.every(({ end }, partition) => committed[partition] === end)
      },
      120_000,
    )

  it('is killed under load, again and again: the application lives, nothing is lost, twice, or a dead letter', async () => {
    const name = `${cluster.prefix}killed`
    const running = await start(name)
    const children = () =>
      [...running.log().matchAll(/"pid":(\d+),"msg":"a child process/g)].map(([, pid]) => Number(pid))
    await writeRows(port, `${name}.in`, { partitions: PARTITIONS, records: 40_000 })
    for (let kill = 1; kill <= 3; kill++) {
      const before = await written(`${name}.out`)
      await eventually('it works', async () => (await written(`${name}.out`)) > before + 1_000, 60_000)
      await eventually('a child runs', () => children().length >= kill)
      process.kill(children().at(-1)!, 'SIGKILL')
      assert.equal(await running.status('/livez'), 200)
    }
    await allDone(name)
    assert.deepEqual(await judgeRows(port, topicsOf(name)), { ...NOTHING_WRONG, failed: 0 })
    assert.equal(await running.status('/livez'), 200)
    assert.equal(children().length, 4, running.log())
    running.child.kill('SIGTERM')
    assert.equal(await running.ended, 0, running.log())
    for (const pid of children()) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  })

  it('rows that crash it or never return end as one dead letter each, and all others arrive', async () => {
    const name = `${cluster.prefix}poison`
    const running = await start(name, '--param', 'timeoutMs=1000')
    const deadly = new Map([
      ['0/137', DEADLY.kill],
      ['1/301', DEADLY.hang],
    ])
    const fill = (row: Float32Array, partition: number, i: number) => {
      row[0] = deadly.get(`${partition}/${i}`) ?? 1
    }
    await writeRows(port, `${name}.in`, { partitions: PARTITIONS, records: 800, fill })
    await allDone(name)
    const { missing, ...rest } = await judgeRows(port, topicsOf(name))
    assert.deepEqual([missing, rest], [2, { duplicates: 0, restarts: 0, failed: 2 }])
    const letters: Record<string, string>[] = []
    const failed = `${name}.infer.failed-inference`
    const range = (partition: number) => ({ topic: failed, partition, from: 'earliest', to: 'end' }) as const
    for await (const block of port.scan([0, 1].map(range))) {
      for (let i = 0; i < block.count; i++)
        letters.push(Object.fromEntries(block.headers(i).map(([header, text]) => [header, String(text)])))
    }
    letters.sort((a, b) => a['kri-code']!.localeCompare(b['kri-code']!))
    assert.deepEqual(
      letters.map(letter => [letter['kri-code'], letter['kri-original-partition'], letter['kri-original-offset']]),
      [
        ['TIMEOUT', '1', '301'],
        ['WORKER_LOST', '0', '137'],
      ],
    )
    assert.match(letters[0]!['kri-error-message']!, /1 row took longer than timeoutMs \(1000 ms\)/)
    assert.match(letters[1]!['kri-error-message']!, /SIGKILL; it last printed: .*about to fall over/s)
    assert.equal(await running.status('/livez'), 200)
    running.child.kill('SIGTERM')
    assert.equal(await running.ended, 0, running.log())
  })
})
