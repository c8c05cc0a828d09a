/**
 * Copies numbered records of partition 0 of a topic to both partitions of another, a few in each transaction, until it has
 * all. Arguments: brokers, source, target, group, transactional id, and how far to go: `end`, or the step before which it
 * waits for ever in its second transaction (`sendOffsets`, `commit`), or `ending`: it has begun to commit, and does not
 * wait for the answer. Prints a line for each step.
 */
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { copyRecords } from './copy-records.ts'

const [brokers, source, target, group, transactionalId, stopAt] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string,
]
const port = createKafkaPort({
  brokers: brokers.split(','),
  clientId: 'copying',
  logger: silentLogger,
  clock: systemClock,
  random: Math.random,
})
setInterval(() => {}, 1_000)
await copyRecords(port, { source, target, group, transactionalId }, async (step, transaction) => {
  process.stdout.write(`${step} ${transaction}\n`)
  if (step === stopAt && transaction === 2) await new Promise(() => {})
})
process.stdout.write('end\n')
