/**
 * A member in a process of its own, to be stopped with SIGSTOP. Arguments: brokers, topic, group. It prints a line for
 * each event; a line on its standard input makes it commit offset 1 of all that it was ever assigned.
 */
import { createInterface } from 'node:readline'
import type { OwnedPartition } from '../../src/kafka/port.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'

const [brokers, topic, groupId] = process.argv.slice(2) as [string, string, string]
const say = (line: string) => process.stdout.write(`${line}\n`)
const port = createKafkaPort({
  brokers: brokers.split(','),
  clientId: 'stopped',
  logger: silentLogger,
  clock: systemClock,
  random: Math.random,
})
const first: OwnedPartition[] = []
const member = port.member(
  {
    groupId,
    sources: [{ topic, start: 'earliest' }],
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 100,
    rebalanceTimeoutMs: 6_000,
    drainBudgetMs: 500,
    maxBytesPerPartition: 1024,
    maxBytesPerFetch: 1024,
    maxFetchWaitMs: 100,
  },
  {
    onAssigned: partitions => {
      if (first.length === 0) first.push(...partitions)
      say(`assigned ${partitions.length}`)
    },
    onLost: partitions => say(`lost ${partitions.length}`),
    onBlock: () => {},
    onRebalance: async () => {},
    onState: () => {},
    onFatal: error => say(`fatal ${error.code}`),
  },
)
createInterface(process.stdin).on('line', async () => {
  say(`alive ${member.alive()}`)
  const committed = await member.commit(
    first.map(({ topic: name, partition, epoch }) => ({ topic: name, partition, epoch, offset: 1 })),
  )
  say(`committed ${committed.includes(true)}`)
})
await member.start()
say('started')
