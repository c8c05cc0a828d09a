// With exactly the rights that docs/security.md lists everything works; without any one of them it ends, and says which.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { from, topology } from 'kafka-run-inference'
import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { planTopics } from '../../src/kafka/topics.ts'
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
  /** It has a topic between its parts. */
  readonly hasParts: boolean
  readonly lacks: NeededAcl | undefined
  /** It may describe what it may not read or write: then it is refused later. */
  readonly mayDescribe: boolean
}

const needed = neededAcls()
const needsOf = ({ guarantee, hasParts }: Pick<Case, 'guarantee' | 'hasParts'>) =>
  needed.filter(
    ({ command }) =>
      command === 'run' ||
      (command === 'run, exactly_once' && guarantee === 'exactly_once') ||
      (command === 'run, through' && hasParts),
  )
const none = { lacks: undefined, mayDescribe: false }
const lacking = (some: readonly NeededAcl[]) =>
  some.flatMap(lacks => [
    { lacks, mayDescribe: false },
    ...(lacks.operation === 'DescribeConfigs' ? [] : [{ lacks, mayDescribe: true }]),
  ])

const kinds = (['at_least_once', 'exactly_once'] as const).flatMap((guarantee, g) => {
  const [whole, inParts] = [false, true].map(hasParts => ({ guarantee, hasParts }))
  // What the other parts need is the same in both.
  const ofParts = g === 0 ? needed.filter(({ command }) => command === 'run, through') : []
  return [
    ...[none, ...lacking(needsOf(whole!))].map(each => ({ ...whole!, ...each })),
    ...[none, ...lacking(ofParts)].map(each => ({ ...inParts!, ...each })),
  ]
})
const cases: readonly Case[] = kinds.map((each, i) => ({ id: `app${i}`, ...each }))

function grantsOf({ id, lacks, mayDescribe, ...kind }: Case): readonly Acl[] {
  const needs = needsOf(kind).flatMap((need): NeededAcl[] => {
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
  between: `${id}-between`,
  output: `${id}-out`,
})

function topologyOf({ id, hasParts }: Pick<Case, 'id' | 'hasParts'>) {
  const { source, between, output, step } = namesOf(id)
  const classified = from(source, strings).runInference(step, classifier)
  const last = hasParts ? classified.through(between, strings).map(each => each) : classified
  return topology(id, [last.to(output, strings)])
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
      const wanted = { partitions: 1, replicationFactor: 1, minIsr: 1, brokerCount: 1 }
      await admin.admin.createTopics(cases.flatMap(each => planTopics(topologyOf(each), [], wanted).create))
      const tools = needed.filter(({ command }) => command === 'produce' || command === 'consume')
      const grants = tools.map(need => granted(need, need.command, namesOf(cases[0]!.id)))
      await secured.users.allow([...grants, ...cases.flatMap(grantsOf)])
      const last = cases.at(-1)!
      const port = connect(secured.listeners.login, loginOf(last))
      await eventually(
        'the broker goes by the grants',
        async () => {
          const seen = await port.admin.describeTopics([namesOf(last.id).source]).catch(() => [])
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
    async function run({ id, guarantee, hasParts }: Case): Promise<void> {
      const port = connect(secured.listeners.login, loginOf({ id }))
      const executor = createInThreadExecutor(
        { lanes: 1, maxBatchRows: 8 },
        { logger: silentLogger, clock: systemClock },
      )
      const running = startTopology(topologyOf({ id, hasParts }), {
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
      const { lacks, mayDescribe, id } = each
      const kind = each.hasParts ? `${each.guarantee}, in parts` : each.guarantee
      if (lacks === undefined) {
        it(`${kind}: those of the page suffice`, async () => {
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
      it(`${kind}: without ${what} it ends, and says so`, async () => {
        const started = performance.now()
        await assert.rejects(run(each), (error: unknown) => {
          assert.ok(error instanceof RunInferenceError && error.code === 'AUTHORISATION', String(error))
          assert.match(error.message, new RegExp(`Grant this principal .*\\b${operation}\\b`))
          const words = { Topic: 'topic', Group: 'group', TransactionalId: 'transactional id', Cluster: 'cluster' }
          assert.ok(error.message.includes(`on ${words[lacks.resource]} '${name}`), error.message)
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
