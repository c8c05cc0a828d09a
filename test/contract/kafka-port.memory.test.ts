import { createManualClock } from '../../src/testing/manual-clock.ts'
import { createMemoryBroker } from '../../src/testing/memory-broker.ts'
import { kafkaPortContract } from './kafka-port.contract.ts'

const clock = createManualClock()
// Time goes on by itself while a test waits for anything: steps as small as a heartbeat, and no real waiting.
const STEP_MS = 50
const broker = createMemoryBroker({ clock })

kafkaPortContract({
  name: 'memory',
  prefix: 'contract',
  heartbeatIntervalMs: 100,
  connect: () => {
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
  },
  wallTime: () => clock.wallTime(),
  addPartitions: async (topic, count) => broker.addPartitions(topic, count),
  eventually: async (what, condition, deadlineMs = 10_000) => {
    const deadline = clock.now() + deadlineMs
    while (!(await condition())) {
      if (clock.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`)
      await clock.advance(STEP_MS)
    }
  },
})

/** Lets time pass until the promise is decided: a member that starts waits for the heartbeats of the others. */
async function whileTimePasses<T>(result: Promise<T>): Promise<T> {
  let decided = false
  const done = () => {
    decided = true
  }
  result.then(done, done)
  while (!decided) await clock.advance(STEP_MS)
  return result
}
