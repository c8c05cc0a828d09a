// With exactly the rights that docs/security.md lists everything works; without any one of them it ends, and says which.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { from, topology } from 'kafka-run-inference'
import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { topicNames } from '../../src/kafka/topics.ts'
import { createKafkaPort, type KafkaPortOptions } from '../../src/kafkajs/kafka-port.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import { startTopology } from '../../src/run.ts'
import { DEFAULT_RUN_SETTINGS, type RunSettings } from '../../src/run-settings.ts'
import { granted, type NeededAcl, neededAcls } from '../support/acl-table.ts'
import { classifier, strings } from '../support/digit-topology.ts'
import { eventually } from '../support/eventually.ts'
import type { Acl } from '../support/kafka-users.ts'
import { sealedBatch } from '../support/record-batches.ts'
import type { SecuredCluster } from '../support/secured-cluster.ts'

type Guarantee = RunSettings['processingGuarantee']

/** One application with a principal of its own, which lacks one right or none. */
interface Case {
  readonly id: string
  readonly guarantee: Guarantee
  readonly lacks: NeededAcl | undefined
  /** It may describe what it may not read or write: then it is refused later. */
  readonly mayDescribe: boolean
}

const needed = neededAcls()
const needsOf = (guarantee: Guarantee) =>
  needed.filter(({ command }) => command === 'run' || (command === 'run, exactly_once' && guarantee === 'exactly_once'))
const GUARANTEES = ['at_least_once', 'exactly_once'] as const

const cases: readonly Case[] = GUARANTEES.flatMap((guarantee, g) => {
  const lacking = needsOf(guarantee).flatMap(lacks => [
    { lacks, mayDescribe: false },
    ...(lacks.operation === 'DescribeConfigs' ? [] : [{ lacks, mayDescribe: true }]),
  ])
  const all = [{ lacks: undefined, mayDescribe: false }, ...lacking]
  return all.map((each, i) => ({ id: `app${g}x${i}`, guarantee, ...each }))
})

function grantsOf({ id, guarantee, lacks, mayDescribe }: Case): readonly Acl[] {
  const needs = needsOf(guarantee).flatMap((need): NeededAcl[] => {
    if (need !== lacks) return [need]
    return mayDescribe ? [{ ...need, operation: 'Describe' }] : []
  })
  return needs.map(need => granted(need, id, namesOf(id)))
}

/** They are users of the broker, each with its name as password. */
export const ACL_USERS = [...cases.map(({ id }) => id), 'produce', 'consume', 'nobody']

const namesOf = (id: string) => ({
  ...{ applicationId: id, topology: id, step: 'classify' },
  source: `${id}-in`,
  output: `${id}-out`,
})

function topologyOf(id: string) {
  const { source, output, step } = namesOf(id)
  return topology(id, [from(source, strings).runInference(step, classifier).to(output, strings)])
}

function loginOf({ id }: Pick<Case, 'id'>): Pick<KafkaPortOptions, 'sasl'> {
  return { sasl: { mechanism: 'plain', username: id, password: id } }
}

export function aclSuite(secured: SecuredCluster): void {
  const connect = (address: string, options: Pick<KafkaPortOptions, 'sasl'> = {}): KafkaPort =>
    createKafkaPort({
      ...{ brokers: [address], clientId: 'acls', logger: silentLogger, clock: systemClock, random: Math.random },
      ...options,
    })

  describe('access control lists', { concurrency: 4 }, () => {
    before(async () => {
      const admin = connect(secured.listeners.plain)
      const topics = cases.flatMap(({ id }) => topicNames(topologyOf(id)))
      // Dead letters and replays would be refused with the time stamps of their sources.
      const configs = { 'message.timestamp.type': 'LogAppendTime', 'max.message.bytes': '1114124' }
      const own = (name: string) => (/(failed-\w+|replay)$/.test(name) ? configs : {})
      await admin.admin.createTopics(
        topics.map(name => ({ name, partitions: 1, replicationFactor: 1, configs: own(name) })),
      )
      const tools = needed.filter(({ command }) => command === 'produce' || command === 'consume')
      const grants = tools.map(need => granted(need, need.command, namesOf(cases[0]!.id)))
      await secured.users.allow([...grants, ...cases.flatMap(grantsOf)])
      const last = cases.at(-1)!
      const port = connect(secured.listeners.login, loginOf(last))
      await eventually(
        'the broker goes by the grants',
        async () => {
          const seen = await port.admin.describeTopics(topicNames(topologyOf(last.id))).catch(() => [])
          return seen.length > 0
        },
        30_000,
      )
      await port.close()
      const writer = admin.writer()
      const record = (key: string, value: string) => ({
        ...{ timestamp: Date.now(), key: Buffer.from(key), value: Buffer.from(value), headers: [] },
      })
      const records = ['5', 'pre', '7'].map((value, i) => record(`k${i}`, value))
      await writer.send(cases.map(({ id }) => sealedBatch(records, namesOf(id).source, 0)))
      await writer.close()
      await admin.close()
    })

    /** To the end of the input. */
    async function run({ id, guarantee }: Case): Promise<void> {
      const port = connect(secured.listeners.login, loginOf({ id }))
      const executor = createInThreadExecutor(
        { lanes: 1, maxBatchRows: 8 },
        { logger: silentLogger, clock: systemClock },
      )
      const running = startTopology(topologyOf(id), {
        ...{ port, executor, registry: undefined, readSchema: assert.fail, metrics: nullMetrics },
        settings: { ...DEFAULT_RUN_SETTINGS, processingGuarantee: guarantee },
        ...{ clock: systemClock, random: Math.random, logger: silentLogger },
      })
      try {
        await Promise.race([running.whenCaughtUp(), running.finished])
        await running.stop()
      } finally {
        await running.stop().catch(() => {}) // Told by the other await.
        await port.close()
      }
    }

    for (const each of cases) {
      const { guarantee, lacks, mayDescribe, id } = each
      if (lacks === undefined) {
        it(`${guarantee}: those of the page suffice`, async () => {
          await run(each)
          const port = connect(secured.listeners.plain)
          const written = async (topic: string) => (await port.admin.offsets(topic))[0]!
          assert.deepEqual(await port.admin.committed(id, `${id}-in`), [3])
          assert.ok((await written(`${id}-out`)).end >= 2)
          assert.ok((await written(`${id}.classify.failed-preprocess`)).end >= 1)
          await port.close()
        })
        continue
      }
      const { operation, name } = granted(lacks, id, namesOf(id))
      const what = `${operation} on ${lacks.resource} ${lacks.template}${mayDescribe ? ', but with Describe,' : ''}`
      it(`${guarantee}: without ${what} it ends, and says so`, async () => {
        const started = performance.now()
        await assert.rejects(run(each), (error: unknown) => {
          assert.ok(error instanceof RunInferenceError && error.code === 'AUTHORISATION', String(error))
          assert.match(error.message, new RegExp(`Grant this principal .*\\b${operation}\\b`))
          const kind = { Topic: 'topic', Group: 'group', TransactionalId: 'transactional id', Cluster: 'cluster' }
          assert.ok(error.message.includes(`on ${kind[lacks.resource]} '${name}`), error.message)
          return true
        })
        assert.ok(performance.now() - started < 20_000)
      })
    }

    const { source, output } = namesOf(cases[0]!.id)
    const as = (id: string) => connect(secured.listeners.login, loginOf({ id }))

    it('produce: those of the page suffice, and without them it is told what is missing', async () => {
      const write = async (id: string) => {
        const port = as(id)
        const writer = port.writer()
        const record = { timestamp: Date.now(), key: null, value: Buffer.from('5'), headers: [] }
        try {
          await writer.topic(source)
          return await writer.send([sealedBatch([record], source, 0)])
        } finally {
          await writer.close()
          await port.close()
        }
      }
      assert.equal((await write('produce'))[0]!.outcome, 'acknowledged')
      await assert.rejects(write('consume'), new RegExp(`AUTHORISATION.*on topic '${source}' .*Write`))
    })

    it('consume: those of the page suffice, and without them it is told what is missing', async () => {
      const read = async (id: string, topic: string) => {
        const port = as(id)
        try {
          const { end } = (await port.admin.offsets(topic))[0]!
          for await (const block of port.scan([{ topic, partition: 0, from: 'earliest', to: end }])) assert.ok(block)
        } finally {
          await port.close()
        }
      }
      for (const topic of [output, `${cases[0]!.id}.classify.failed-inference`]) await read('consume', topic)
      await assert.rejects(read('nobody', output), new RegExp(`AUTHORISATION.*on topic '${output}' .*Read`))
    })
  })
}
