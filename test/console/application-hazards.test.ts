// What kri console shows of an application where something cannot be asked, or is very large.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { applicationSource } from '../../src/console/application-source.ts'
import type { PartitionView } from '../../src/console/console-api.ts'
import { shownPartitions } from '../../src/console/shown-partitions.ts'
import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { AUDIT, numbered, replayWorld } from '../support/replay-world.ts'

const { signal } = new AbortController()
const refusing = () => assert.fail('nobody publishes here')

async function onApplication(broken: (port: KafkaPort) => KafkaPort) {
  const world = await replayWorld(numbered(6))
  await world.instance()
  const source = applicationSource({
    ...{ ...world.parts({ port: broken(world.port) }), logger: silentLogger, registry: undefined, version: '0' },
    ...{ readSchema: async () => '', models: { publish: refusing, change: refusing } },
  })
  return { look: () => world.over(source.snapshots.take(signal)) }
}

const withAdmin = (port: KafkaPort, admin: Partial<KafkaPort['admin']>): KafkaPort => ({
  ...port,
  admin: { ...port.admin, ...admin },
})

describe('an application that cannot be asked all', () => {
  it('is not said to wait for everything because its commits could not be read', async () => {
    let isDown = true
    const { look } = await onApplication(port =>
      withAdmin(port, {
        committed: async (group, topic) => {
          if (isDown) throw new RunInferenceError('BROKER_UNAVAILABLE', 'no coordinator answers')
          return port.admin.committed(group, topic)
        },
      }),
    )
    await assert.rejects(look(), { code: 'BROKER_UNAVAILABLE' })
    isDown = false
    assert.equal((await look()).lag.records, 0)
  })

  it('shows all else where a right is wanting, and says what it cannot see', async () => {
    const { look } = await onApplication(port =>
      withAdmin(port, {
        describeTopics: async topics => {
          if (topics.includes(AUDIT))
            throw new RunInferenceError('AUTHORISATION', `Describe on ${AUDIT} is not allowed`)
          return port.admin.describeTopics(topics)
        },
      }),
    )
    const { problems, deadLetters, replays, ready } = await look()
    assert.match(problems.replays!, /Describe on shop.audit is not allowed/)
    assert.deepEqual([deadLetters.reduce((sum, { records }) => sum + records, 0), replays, ready], [6, [], true])
  })
})

it('of ten thousand partitions those are sent that are behind most, and how many more there are', () => {
  const all = Array.from(
    { length: 10_000 },
    (_, partition): PartitionView => ({
      topic: 't',
      partition,
      committed: 0,
      end: partition % 100,
      lag: partition % 100,
    }),
  )
  const { partitions, partitionsLeftOut } = shownPartitions(all)
  assert.deepEqual([partitions.length, partitionsLeftOut], [500, 9_500])
  assert.ok(partitions.every(({ lag }) => lag >= 95))
  assert.deepEqual(
    partitions,
    partitions.toSorted((a, b) => a.partition - b.partition),
  )
  const few = all.slice(0, 500)
  assert.deepEqual(shownPartitions(few), { partitions: few })
})
