// A rolling deploy: members of this version and of one to come share a group on a real broker, and either leads it.
import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { isRetriable } from '../../src/errors.ts'
import { Cluster } from '../../src/kafkajs/cluster.ts'
import { GROUP_PROTOCOLS, type GroupProtocol } from '../../src/kafkajs/group-protocol.ts'
import { type Generation, GroupSession } from '../../src/kafkajs/group-session.ts'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { kafkajsLogger } from '../../src/kafkajs/log-bridge.ts'
import { Ownership } from '../../src/kafkajs/ownership.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { testCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { futureProtocols } from '../support/future-protocols.ts'

const { brokers, prefix, skip } = await testCluster()
const PARTITIONS = 6

describe('two versions of the assigner in one group', { skip }, () => {
  const topic = `${prefix}in`
  let cluster: Cluster
  let members = 0
  before(async () => {
    const port = createKafkaPort({
      ...{ brokers, clientId: 'versions', logger: silentLogger, clock: systemClock, random: Math.random },
    })
    await port.admin.createTopics([{ name: topic, partitions: PARTITIONS, replicationFactor: 1, configs: {} }])
    await port.close()
    cluster = new Cluster({
      brokers,
      connection: {
        ...{ clientId: 'versions', ssl: undefined, sasl: undefined, logger: kafkajsLogger(silentLogger) },
        ...{ connectionTimeoutMs: 5_000, requestTimeoutMs: 10_000 },
      },
      ...{ clock: systemClock, random: Math.random, metadataMaxAgeMs: 30_000 },
    })
    await cluster.refresh()
  })
  after(() => cluster.close())

  /** A member as far as its group knows: it joins again whenever it is asked to, and counts what it gets anew. */
  function start(t: TestContext, groupId: string, protocols: readonly GroupProtocol[]) {
    const ownership = new Ownership()
    const member = { partitions: [] as readonly number[], added: 0, generation: -1, leads: false, leave, failure }
    let rejoin = Promise.withResolvers<boolean>()
    let hasLeft = false
    const session = new GroupSession(
      { cluster, clock: systemClock, logger: silentLogger, purpose: `version-${++members}` },
      {
        ...{ groupId, topics: [topic], protocols },
        ...{ sessionTimeoutMs: 10_000, heartbeatIntervalMs: 100, rebalanceTimeoutMs: 10_000 },
      },
      { onRebalance: () => rejoin.resolve(true), onExpelled: () => rejoin.resolve(true), onHeartbeat: () => {} },
    )
    const running = run()
    running.catch(() => {})
    t.after(leave)
    return member

    async function run(): Promise<void> {
      for (let goesOn = true; goesOn; goesOn = await rejoin.promise) {
        rejoin = Promise.withResolvers()
        const generation = await joined()
        if (generation === undefined) return
        const { added } = ownership.enter(generation)
        ownership.take(added.map(partition => ({ ...partition, position: 0 })))
        member.added += added.length
        member.partitions = [...(generation.partitions.get(topic) ?? [])].sort()
        member.leads = generation.counted !== undefined
        member.generation = generation.number
      }
    }
    /** A broker that has never had a group may not be ready for one; undefined when this member has left. */
    async function joined(): Promise<Generation | undefined> {
      let generation: Generation | undefined
      await eventually('the group has a next generation', async () => {
        generation = await session.join(ownership.claim()).catch((error: unknown) => {
          if (!isRetriable(error)) throw error
          return undefined
        })
        return generation !== undefined || hasLeft
      })
      return generation
    }
    async function leave(): Promise<void> {
      hasLeft = true
      rejoin.resolve(false)
      await session.leave()
      await running.catch(() => {})
    }
    function failure(): Promise<unknown> {
      return running.then(
        () => undefined,
        (error: unknown) => error,
      )
    }
  }

  const divided = (...all: ReturnType<typeof start>[]) =>
    eventually(
      'all partitions are divided evenly, in one generation',
      () => {
        const owned = all.flatMap(({ partitions }) => partitions)
        const isEven = all.every(({ partitions }) => partitions.length === PARTITIONS / all.length)
        return (
          isEven && new Set(owned).size === PARTITIONS && new Set(all.map(({ generation }) => generation)).size === 1
        )
      },
      30_000,
    )

  it('V1 V2 the group works whoever leads, moves only what it must, and goes over when the last old member has gone', async t => {
    const { protocols, spoken } = futureProtocols()
    const group = `${prefix}group`
    const old = start(t, group, GROUP_PROTOCOLS)
    await divided(old)
    const fresh = start(t, group, protocols)
    await divided(old, fresh)
    assert.ok(old.leads)
    assert.deepEqual([old.added, fresh.added], [6, 3], 'the old leader moved what the new one was to get')
    assert.deepEqual(spoken, ['v1'])

    await old.leave()
    await divided(fresh)
    assert.ok(fresh.leads)
    assert.equal(fresh.added, 6)
    assert.deepEqual(spoken, ['v1', 'v2'])

    // Back to the old version, as when a deploy is undone.
    const back = start(t, group, GROUP_PROTOCOLS)
    await divided(back, fresh)
    assert.ok(fresh.leads)
    assert.deepEqual([back.added, fresh.added], [3, 6], 'the new leader read who owned what from the old claims')
    assert.deepEqual(spoken, ['v1', 'v2', 'v1'])
  })

  it('V3 one that has no assigner in common with the group is refused, says so, and disturbs nobody', async t => {
    const { protocols } = futureProtocols()
    const group = `${prefix}strangers`
    const old = start(t, group, GROUP_PROTOCOLS)
    await divided(old)
    const { generation } = old
    const stranger = start(t, group, protocols.slice(0, 1))
    assert.match(String(await stranger.failure()), /BROKER_REFUSED.*no assigner in common.*kri-sticky-v2/s)
    assert.deepEqual([old.generation, old.partitions.length], [generation, PARTITIONS])
  })
})
