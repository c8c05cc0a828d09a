// Who looks at dead letters, replays them, or has a console of the application, with exactly the rights that docs/security.md lists.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { from, topology } from 'kafka-run-inference'
import { applicationSource } from '../../src/console/application-source.ts'
import { openLetters } from '../../src/dead-letters/open-letters.ts'
import type { ReplayWish } from '../../src/dead-letters/replay-order.ts'
import { planReplay } from '../../src/dead-letters/replay-plan.ts'
import { startReplay } from '../../src/dead-letters/replay-start.ts'
import { RunInferenceError } from '../../src/errors.ts'
import type { KafkaPort } from '../../src/kafka/port.ts'
import { planTopics } from '../../src/kafka/topics.ts'
import { createKafkaPort, type KafkaPortOptions } from '../../src/kafkajs/kafka-port.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import { changeMetadata } from '../../src/refresh/metadata-writer.ts'
import { published } from '../../src/refresh/state-changes.ts'
import { startTopology } from '../../src/run.ts'
import { DEFAULT_RUN_SETTINGS } from '../../src/run-settings.ts'
import { driverModels } from '../../src/testing/driver-models.ts'
import { granted, type NeededAcl, neededAcls } from '../support/acl-table.ts'
import { classifier, strings } from '../support/digit-topology.ts'
import { eventually } from '../support/eventually.ts'
import { sealedBatch } from '../support/record-batches.ts'
import type { SecuredCluster } from '../support/secured-cluster.ts'

const NAMES = { applicationId: 'night', topology: 'night', step: 'classify', source: 'night-in', output: 'night-out' }
const LETTERS = 'night.classify.failed-preprocess'
const NIGHT = topology('night', [
  from('night-in', strings).runInference('classify', classifier, { modelMetadata: true }).to('night-out', strings),
])
const { signal } = new AbortController()
const needed = neededAcls()
const needsOf = (...commands: readonly string[]) => needed.filter(({ command }) => commands.includes(command))

interface Case {
  readonly user: string
  readonly needs: readonly NeededAcl[]
  readonly lacks?: NeededAcl
}
const casesOf = (user: string, needs: readonly NeededAcl[]): readonly Case[] => [
  { user, needs },
  ...needs.map((lacks, i) => ({ user: `${user}${i}`, needs, lacks })),
]
const openers = casesOf('night-open', needsOf('dlq', 'dlq, open'))
const replayers = casesOf('night-replay', needsOf('dlq replay'))
const consoles = casesOf('night-console', needsOf('console', 'console, models'))
const changer: Case = { user: 'night-change', needs: needsOf('console', 'console, models', 'dlq replay') }
const cases = [...openers, ...replayers, ...consoles, changer]

/** They are users of the broker, each with its name as password. */
export const DLQ_USERS = cases.map(({ user }) => user)

export function dlqAclSuite(secured: SecuredCluster): void {
  describe('rights about dead letters, replays and the console', () => {
    const resources = new AsyncDisposableStack()
    after(() => resources.disposeAsync())
    const connect = (address: string, options: Pick<KafkaPortOptions, 'sasl'> = {}): KafkaPort => {
      const port = createKafkaPort({
        ...{ brokers: [address], clientId: 'night', logger: silentLogger, clock: systemClock, random: Math.random },
        ...options,
      })
      resources.defer(() => port.close())
      return port
    }
    const as = ({ user }: Pick<Case, 'user'>) =>
      connect(secured.listeners.login, { sasl: { mechanism: 'plain', username: user, password: user } })
    const admin = connect(secured.listeners.plain)
    const write = async (topic: string, values: readonly string[]) => {
      const writer = admin.writer()
      const records = values.map((value, i) => ({
        ...{ timestamp: Date.now(), key: Buffer.from(`k${i}`), value: Buffer.from(value), headers: [] },
      }))
      await writer.send([sealedBatch(records, topic, 0)])
      await writer.close()
    }
    const partsOf = (port: KafkaPort) => ({
      ...{ port, topology: NIGHT, clock: systemClock, random: Math.random, signal, by: 'anna', allowedTopics: [] },
      guarantee: 'exactly_once' as const,
    })
    const replay = (each: Case, wish: Omit<ReplayWish, 'name'> = {}) =>
      startReplay(partsOf(as(each)), { name: each.user, ...wish })
    let stop: () => Promise<void>
    /** A run that goes on until it is ended here; nothing else may run beside it. */
    const endless = new AbortController()
    let slow: Promise<unknown> | undefined
    const endEndless = async () => {
      endless.abort()
      await slow
    }

    before(async () => {
      const wanted = { partitions: 1, replicationFactor: 1, minIsr: 1, brokerCount: 1 }
      await admin.admin.createTopics(planTopics(NIGHT, [], wanted).create)
      await secured.users.allow(
        cases.flatMap(({ user, needs, lacks }) =>
          needs
            .flatMap((need): NeededAcl[] => {
              if (need !== lacks) return [need]
              // Of what brings Describe that is left.
              return need.operation === 'Read' || need.operation === 'Write' ? [{ ...need, operation: 'Describe' }] : []
            })
            .map(need => granted(need, user, NAMES)),
        ),
      )
      const executor = createInThreadExecutor(
        { lanes: 1, maxBatchRows: 8 },
        { logger: silentLogger, clock: systemClock },
      )
      const running = startTopology(NIGHT, {
        ...{ port: admin, executor, registry: undefined, readSchema: assert.fail, metrics: nullMetrics },
        ...{ settings: DEFAULT_RUN_SETTINGS, clock: systemClock, random: Math.random, logger: silentLogger },
        modelFiles: driverModels,
      })
      stop = () => running.stop()
      resources.defer(stop)
      await write('night-in', ['5', 'pre', 'pre', '7'])
      await running.whenCaughtUp()
      const last = as(cases.at(-1)!)
      await eventually('the broker goes by the grants', async () => {
        return (await last.admin.describeTopics(['night.parked']).catch(() => [])).length > 0
      })
    })

    const assertSays = (said: string, { user, lacks }: Case) => {
      const { operation, resource, name } = granted(lacks!, user, NAMES)
      assert.match(said, /AUTHORISATION/)
      assert.match(said, new RegExp(`Grant this principal .*\\b${operation}\\b`))
      const words = { Topic: 'topic', Group: 'group', TransactionalId: 'transactional id', Cluster: 'cluster' }
      assert.ok(said.includes(`on ${words[resource]} '${name}`), said)
    }
    const assertTold = (work: Promise<unknown>, each: Case) =>
      assert.rejects(work, (error: unknown) => {
        assert.ok(error instanceof RunInferenceError && error.code === 'AUTHORISATION', String(error))
        assertSays(error.message, each)
        return true
      })
    const what = ({ lacks }: Case) => `${lacks!.operation} on ${lacks!.resource} ${lacks!.template}`

    for (const each of replayers.filter(({ lacks }) => lacks !== undefined))
      it(`dlq replay: without ${what(each)} it ends, and says so`, async () => {
        const isParked = each.lacks!.template.endsWith('.parked')
        await assertTold(replay(each, isParked ? { target: { kind: 'parked' } } : {}), each)
      })

    it('dlq replay: those of the page suffice for a plan, a run in both guarantees, --open, and dlq park', async () => {
      const [each] = replayers
      const parts = partsOf(as(each!))
      const plan = await planReplay(parts, { name: 'plan', onlyOpen: true })
      assert.deepEqual([plan.selected > 0, plan.refusal], [true, undefined])
      for (const guarantee of ['at_least_once', 'exactly_once'] as const) {
        const { end, counts } = await startReplay(parts, { name: guarantee, guarantee })
        assert.ok(end === 'finished' && counts.replayed > 0, JSON.stringify(counts))
      }
      assert.equal((await startReplay(parts, { name: 'open', onlyOpen: true })).end, 'finished')
      const parked = await startReplay(parts, { name: 'park', target: { kind: 'parked' } })
      assert.ok(parked.end === 'finished' && parked.counts.parked > 0, JSON.stringify(parked.counts))
      // For those who ask how far a run is that has not ended.
      assert.equal((await startReplay(parts, { name: 'unfinished' }, { limit: 1 })).end, 'stopped')
    })

    /** As `kri dlq ls --open`. */
    async function lookForOpen(each: Case): Promise<void> {
      const port = as(each)
      const bad = (error: unknown) => assert.fail(String(error))
      await openLetters({ port, applicationId: 'night', topics: [LETTERS], signal, onBad: bad })
      const { end } = (await port.admin.offsets(LETTERS))[0]!
      for await (const block of port.scan([{ topic: LETTERS, partition: 0, from: 'earliest', to: end }]))
        assert.ok(block)
    }
    it('dlq --open: those of the page suffice, also while a run is under way', async () => {
      const begun = Promise.withResolvers<void>()
      slow = startReplay(
        { ...partsOf(admin), signal: endless.signal },
        { name: 'endless' },
        {
          ...{ rate: 0.001, onStarted: () => begun.resolve() },
        },
      )
      slow.catch(begun.reject)
      resources.defer(endEndless)
      await begun.promise
      await lookForOpen(openers[0]!)
    })
    for (const each of openers.filter(({ lacks }) => lacks !== undefined))
      it(`dlq --open: without ${what(each)} it ends, and says so`, () => assertTold(lookForOpen(each), each))

    const consoleOf = (each: Case) => {
      const refusing = () => assert.fail('nobody publishes here')
      const models = { publish: refusing, change: refusing }
      return applicationSource({
        ...partsOf(as(each)),
        ...{ registry: undefined, readSchema: assert.fail, logger: silentLogger, version: '1.2.3', models },
      })
    }
    const look = async (each: Case) => {
      const source = consoleOf(each)
      try {
        return [await source.snapshots.take(signal), await source.letters.groups({}, signal)] as const
      } finally {
        await source.close()
      }
    }

    it('console: those of the page suffice to look, and with those of dlq replay to replay', async () => {
      await endEndless()
      const source = consoleOf(changer)
      const begun = await source.replays.start({ selection: {}, name: 'by-console', yes: true })
      assert.equal(begun.name, 'by-console')
      await eventually('it is over', async () => {
        const { replays } = await source.snapshots.take(signal)
        return replays.find(({ name }) => name === 'by-console')?.state === 'finished'
      })
      await source.close()
      // Something waits from here on, so that it is asked how old it is.
      await stop()
      for (const topic of ['night-in', 'night.night-in.replay']) await write(topic, ['5'])
      // Of a topic without records nobody reads any.
      const writing = { port: admin, applicationId: 'night', clock: systemClock, random: Math.random }
      const model = { modelId: 'v2.onnx', modelName: 'v2' }
      await changeMetadata(writing, 'classify', () => published(undefined, model, 'admin', '2026-01-01T00:00:00Z'))
      const [snapshot, groups] = await look(consoles[0]!)
      assert.deepEqual([snapshot.lag.records, snapshot.problems['group night'] !== undefined], [2, true])
      assert.ok(groups.letters > 0 && snapshot.replays.some(({ state }) => state === 'stopped'))
    })

    for (const each of consoles.filter(({ lacks }) => lacks !== undefined))
      it(`console: without ${what(each)} it does not know, and says so`, async () => {
        // What a snapshot can do without stands among its problems.
        const said = await look(each).then(
          ([{ problems }]) => Object.values(problems).join('\n'),
          (error: Error) => error.message,
        )
        assertSays(said, each)
      })
  })
}
