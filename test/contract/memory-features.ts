import type { KafkaPort } from '../../src/kafka/port.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { createMemoryBroker } from '../../src/testing/memory-broker.ts'
import type { MetadataFeatures } from './metadata-log.contract.ts'

/** Smaller than the interval of heartbeats. */
const STEP_MS = 50

/** A broker in memory whose time goes on while a test waits for anything. */
export function memoryFeatures(prefix: string) {
  const clock = createManualClock()
  const broker = createMemoryBroker({ clock })
  const connect = (): KafkaPort => {
    const port = broker.connect()
    return {
      ...port,
      transactionalWriter: options => {
        const writer = port.transactionalWriter(options)
        return {
          fence: () => whileTimePasses(writer.fence()),
          send: batches => whileTimePasses(writer.send(batches)),
          sendOffsets: (groupId, offsets) => whileTimePasses(writer.sendOffsets(groupId, offsets)),
          commit: () => whileTimePasses(writer.commit()),
          abort: () => whileTimePasses(writer.abort()),
          close: () => writer.close(),
        }
      },
      member: (options, events) => {
        const member = port.member(options, events)
        const start = member.start.bind(member)
        return Object.assign(member, { start: () => whileTimePasses(start()) })
      },
    }
  }
  const features: MetadataFeatures = {
    name: 'memory',
    prefix,
    clock,
    heartbeatIntervalMs: 100,
    connect,
    wallTime: () => clock.wallTime(),
    addPartitions: async (topic, count) => broker.addPartitions(topic, count),
    eventually: async (what, condition, deadlineMs = 10_000) => {
      const deadline = clock.now() + deadlineMs
      while (!(await condition())) {
        if (clock.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`)
        await clock.advance(STEP_MS)
      }
    },
  }
  return { broker, clock, features }

  /** A member that starts waits for the heartbeats of the others, a writer for its broker. */
  async function whileTimePasses<T>(result: Promise<T>): Promise<T> {
    let decided = false
    const done = () => {
      decided = true
    }
    result.then(done, done)
    while (!decided) await clock.advance(STEP_MS)
    return result
  }
}
