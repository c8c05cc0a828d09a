// Instances that follow what is published, and whoever publishes, with exactly the rights that docs/security.md lists for them.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { NewTopic } from '../../src/kafka/port.ts'
import { planTopics, topicNames } from '../../src/kafka/topics.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { changeMetadata } from '../../src/refresh/metadata-writer.ts'
import { published } from '../../src/refresh/state-changes.ts'
import { aclInstances, namesOf } from '../support/acl-instances.ts'
import { granted, type NeededAcl, neededAcls } from '../support/acl-table.ts'
import { eventually } from '../support/eventually.ts'
import type { SecuredCluster } from '../support/secured-cluster.ts'

const MODULE = 'test/support/followed-topology.ts'
const [V1, V2] = ['models/digits-mlp-v1.onnx', 'models/digits-mlp-v2.onnx']
const V2_NOW = [V2, '--no-check', '--wait', '20']
const needed = neededAcls()
const ofInstance = needed.filter(({ command }) => command === 'run' || command === 'run, models')
const ofPublisher = needed.filter(({ command }) => command === 'models publish')
/** Without it an instance runs all the same. */
const isStatus = ({ template, operation }: NeededAcl) => template.endsWith('.model-status') && operation === 'Write'

interface Case {
  readonly user: string
  readonly lacks: NeededAcl | undefined
}
const instances: readonly Case[] = [
  { user: 'live', lacks: undefined },
  ...ofInstance.filter(({ command }) => command === 'run, models').map((lacks, i) => ({ user: `live${i}`, lacks })),
]
/** They publish for the instance with all rights. */
const publishers: readonly Case[] = [
  { user: 'publish', lacks: undefined },
  ...ofPublisher.map((lacks, i) => ({ user: `publish${i}`, lacks })),
]

/** They are users of the broker, each with its name as password. */
export const MODEL_USERS = [...instances, ...publishers].map(({ user }) => user)

export function modelAclSuite(secured: SecuredCluster): void {
  describe('rights about models that are published', () => {
    const resources = new AsyncDisposableStack()
    after(() => resources.disposeAsync())

    const { admin: asAdmin, as, publish, start, topologyOf } = aclInstances(secured, MODULE, V1, resources)

    before(async () => {
      const admin = asAdmin()
      const wanted = { partitions: 1, replicationFactor: 1, minIsr: 1, brokerCount: 1 }
      const topics = new Map<string, NewTopic>()
      for (const { user } of instances)
        for (const topic of planTopics(await topologyOf(user), [], wanted).create) topics.set(topic.name, topic)
      await admin.admin.createTopics([...topics.values()])
      // Of a topic without records nobody reads any.
      for (const { user, lacks } of instances) {
        if (lacks === undefined) continue
        const writing = { port: admin, applicationId: user, clock: systemClock, random: Math.random }
        await changeMetadata(writing, 'infer', () =>
          published(undefined, { modelId: V1, modelName: 'v1' }, 'admin', '2026-01-01T00:00:00Z'),
        )
      }
      await admin.close()
      const grant = ({ user, lacks }: Case, needs: readonly NeededAcl[], id: string) =>
        needs.map(need =>
          granted(need === lacks ? { ...need, operation: 'Describe' } : need, user, namesOf('followed', id)),
        )
      await secured.users.allow([
        ...instances.flatMap(each => grant(each, ofInstance, each.user)),
        // A transactional id, and what else has no smaller right, is not granted at all.
        ...publishers.flatMap(each =>
          grant(
            each,
            each.lacks?.resource === 'Topic' ? ofPublisher : ofPublisher.filter(need => need !== each.lacks),
            'live',
          ),
        ),
      ])
      const last = as(publishers.at(-1)!.user)
      const names = topicNames(await topologyOf('live')).filter(name => name.endsWith('.model-metadata'))
      await eventually('the broker goes by the grants', async () => {
        return (await last.admin.describeTopics(names).catch(() => [])).length > 0
      })
      await last.close()
    })

    it('those of the page suffice for an instance, and for whoever publishes and waits for it', async () => {
      const running = await start('live')
      await running.whenReady()
      const { code, stdout, stderr } = await publish('publish', 'live', ...V2_NOW)
      assert.equal(code, 0, stdout + stderr)
      assert.match(stdout, /live runs it\n.*all 1 instance run it/s)
      assert.equal(running.health().slots[0]!.modelId, V2)
    })

    for (const { user, lacks } of publishers) {
      if (lacks === undefined) continue
      const { name } = granted(lacks, user, namesOf('followed', 'live'))
      it(`models publish: without ${lacks.operation} on ${lacks.resource} ${lacks.template} it ends, and says so`, async () => {
        const { code, stdout, stderr } = await publish(user, 'live', ...V2_NOW)
        assert.equal(code, 1, stdout + stderr)
        assert.match(stderr, /\[AUTHORISATION\]/)
        assert.match(stderr, new RegExp(`Grant this principal .*\\b${lacks.operation}\\b`))
        assert.ok(stderr.includes(`'${name}'`), stderr)
      })
    }

    for (const { user, lacks } of instances) {
      if (lacks === undefined) continue
      const { name } = granted(lacks, user, namesOf('followed', user))
      if (isStatus(lacks)) {
        it('run: without Write on its status topic it runs, and says that nobody sees it', async () => {
          const warnings: string[] = []
          const warn = (facts: object, text: string) => void warnings.push(`${text} ${JSON.stringify(facts)}`)
          const running = await start(user, { ...silentLogger, warn })
          await running.whenReady()
          await eventually('it says so', () => warnings.some(text => /kri models status does not see/.test(text)))
          assert.ok(
            warnings.some(text => /AUTHORISATION.*Write/.test(text) && text.includes(name)),
            warnings.join('\n'),
          )
        })
        continue
      }
      it(`run: without ${lacks.operation} on ${lacks.resource} ${lacks.template} it does not start, and says so`, async () => {
        const running = await start(user)
        await assert.rejects(running.whenReady(), (error: unknown) => {
          assert.ok(error instanceof RunInferenceError && error.code === 'AUTHORISATION', String(error))
          assert.match(error.message, new RegExp(`Grant this principal .*\\b${lacks.operation}\\b`))
          assert.ok(error.message.includes(`'${name}'`), error.message)
          return true
        })
      })
    }
  })
}
