import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { Harness } from '../contract/port-harness.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'

const { brokers, prefix, skip } = await testCluster()

describe('a member whose process was stopped for longer than its session', { skip }, () => {
  const features = {
    name: 'real brokers',
    prefix,
    heartbeatIntervalMs: 100,
    connect: () =>
      createKafkaPort({ brokers, clientId: 'zombie', logger: silentLogger, clock: systemClock, random: Math.random }),
    wallTime: () => systemClock.wallTime(),
    eventually,
  }

  it('G3 K1 knows that everything is lost before it does anything else, and commits nothing', async t => {
    const h = await Harness.open(features, t)
    const topic = await h.topic('zombie', 2)
    const group = h.name('group')
    for (const partition of [0, 1]) await h.writeNumbered(topic, partition, 0, 10)
    const script = fileURLToPath(new URL('../support/stopped-member.ts', import.meta.url))
    const child = spawn(process.execPath, ['--conditions=kri-source', script, brokers.join(), topic, group], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.after(async () => {
      if (child.exitCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    })
    const lines: string[] = []
    createInterface(child.stdout).on('line', line => lines.push(line))
    await eventually('the child has joined', () => lines.includes('started'))
    assert.deepEqual(lines, ['assigned 2', 'started'])

    child.kill('SIGSTOP')
    const heir = h.member(group, [{ topic, start: 'earliest' }], { sessionTimeoutMs: 6_000, rebalanceTimeoutMs: 6_000 })
    heir.drain = async () => void (await heir.commitAll())
    await heir.member.start()
    await eventually('the heir has read and committed all', async () => {
      if (heir.records.length < 20) return false
      await heir.commitAll()
      return true
    })
    assert.deepEqual(await h.port.admin.committed(group, topic), [10, 10])

    // The order to commit is there before the child goes on: it is among the first things that it sees.
    child.stdin.write('commit\n')
    child.kill('SIGCONT')
    await eventually('the child has tried to commit', () => lines.some(line => line.startsWith('committed')))
    const events = lines.slice(2)
    assert.ok(events.includes('alive false'), 'it would not have sent anything')
    assert.ok(events.includes('committed false'), events.join())
    assert.ok(events.indexOf('lost 2') >= 0 && events.indexOf('lost 2') < events.indexOf('committed false'))
    await eventually('they share', () => heir.owned.size === 1)
    assert.deepEqual(await h.port.admin.committed(group, topic), [10, 10])
  })
})
