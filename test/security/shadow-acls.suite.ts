// Instances with a shadow beside their model, and whoever puts it there, with exactly the rights that docs/security.md lists for them.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { NewTopic } from '../../src/kafka/port.ts'
import { planTopics } from '../../src/kafka/topics.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { changeMetadata } from '../../src/refresh/metadata-writer.ts'
import { withCandidate } from '../../src/refresh/state-changes.ts'
import { aclInstances, namesOf } from '../support/acl-instances.ts'
import { granted, type NeededAcl, neededAcls } from '../support/acl-table.ts'
import { eventually } from '../support/eventually.ts'
import { writeRows } from '../support/raw-rows.ts'
import type { SecuredCluster } from '../support/secured-cluster.ts'

const MODULE = 'test/support/shadowed-topology.ts'
const [V1, V2] = ['models/digits-mlp-v1.onnx', 'models/digits-mlp-v2.onnx']
const SHADOW = [V2, '--shadow', '--no-check', '--wait', '20']
const TOPIC = 'shadowed.infer.shadow'
const RECORDS = 20
const needed = neededAcls()
const needsOf = (...commands: readonly string[]) => needed.filter(({ command }) => commands.includes(command))
const ofInstance = needsOf('run', 'run, models', 'run, shadows')
const ofPublisher = needsOf('models publish', 'models publish, shadows')

interface Case {
  readonly user: string
  readonly lacks: NeededAcl | undefined
}
/** Each with an application of its own. */
const instances: readonly Case[] = [
  { user: 'shadow', lacks: undefined },
  ...needsOf('run, shadows').map((lacks, i) => ({ user: `shadow${i}`, lacks })),
]
/** They publish for the instance with all rights. */
const publishers: readonly Case[] = [
  { user: 'shadow-publish', lacks: undefined },
  ...needsOf('models publish, shadows').map((lacks, i) => ({ user: `shadow-publish${i}`, lacks })),
]

/** They are users of the broker, each with its name as password. */
export const SHADOW_USERS = [...instances, ...publishers].map(({ user }) => user)

export function shadowAclSuite(secured: SecuredCluster): void {
  describe('rights about shadows', () => {
    const resources = new AsyncDisposableStack()
    after(() => resources.disposeAsync())
    const { admin: asAdmin, as, publish, start, topologyOf } = aclInstances(secured, MODULE, V1, resources)
    const admin = asAdmin()
    resources.defer(() => admin.close())
    const written = async (topic: string) => (await admin.admin.offsets(topic))[0]!.end

    before(async () => {
      const wanted = { partitions: 1, replicationFactor: 1, minIsr: 1, brokerCount: 1 }
      const topics = new Map<string, NewTopic>()
      for (const { user } of instances)
        for (const topic of planTopics(await topologyOf(user), [], wanted).create) topics.set(topic.name, topic)
      await admin.admin.createTopics([...topics.values()])
      // What is lacked leaves Describe, which the others bring; where it is that, nothing.
      const left = (need: NeededAcl) =>
        need.operation === 'Describe' ? [] : [{ ...need, operation: 'Describe' } as const]
      const grant = (needs: readonly NeededAcl[], { user, lacks }: Case, id: string) =>
        needs
          .flatMap(need => (need === lacks ? left(need) : [need]))
          .map(need => granted(need, user, namesOf('shadowed', id)))
      await secured.users.allow([
        ...instances.flatMap(each => grant(ofInstance, each, each.user)),
        ...publishers.flatMap(each => grant(ofPublisher, each, 'shadow')),
      ])
      const last = as(publishers[0]!.user)
      await eventually('the broker goes by the grants', async () => {
        return (await last.admin.describeTopics([TOPIC]).catch(() => [])).length > 0
      })
      await last.close()
    })

    it('those of the page suffice for an instance to write what it says, and for whoever publishes it', async () => {
      const running = await start('shadow')
      await running.whenReady()
      const { code, stdout, stderr } = await publish('shadow-publish', 'shadow', ...SHADOW)
      assert.equal(code, 0, stdout + stderr)
      await eventually('the shadow scores', async () => {
        await writeRows(admin, 'shadow-in', { partitions: 1, records: RECORDS })
        return (await written(TOPIC)) >= RECORDS
      })
      assert.deepEqual(running.health().problems, {})
      assert.equal(running.health().slots[0]!.candidate!.reason, undefined)
    })

    for (const { user, lacks } of publishers) {
      if (lacks === undefined) continue
      it(`models publish --shadow: without ${lacks.operation} on it it ends, and says so`, async () => {
        const { code, stdout, stderr } = await publish(user, 'shadow', ...SHADOW)
        assert.equal(code, 1, stdout + stderr)
        assert.match(stderr, /\[AUTHORISATION\]/)
        assert.ok(stderr.includes(`'${TOPIC}'`), stderr)
      })
    }

    for (const { user, lacks } of instances) {
      if (lacks === undefined) continue
      it(`run: without ${lacks.operation} on it an instance runs all the same, and says that the shadow scores nothing`, async () => {
        const running = await start(user)
        await running.whenReady()
        const writing = { port: admin, applicationId: user, clock: systemClock, random: Math.random }
        const model = { modelId: V2, modelName: 'v2' }
        const candidate = { model, mode: 'shadow', percent: 100, salt: 'salt' } as const
        const before = await written(TOPIC)
        await changeMetadata(writing, 'infer', state =>
          withCandidate(state, candidate, 'admin', '2026-01-01T00:00:00Z'),
        )
        const told = () => running.health().slots[0]!.candidate
        await eventually('the shadow is loaded', () => told()?.state === 'current')
        // Again and again: a shadow leaves rows out while there is no time for it.
        let rows = 0
        await eventually('it says why', async () => {
          await writeRows(admin, `${user}-in`, { partitions: 1, records: RECORDS })
          rows += RECORDS
          return told()?.reason !== undefined
        })
        await eventually('the outputs are there', async () => (await written(`${user}-out`)) === rows)
        assert.match(told()!.reason!, new RegExp(`Grant this principal .*\\b${lacks.operation}\\b`))
        assert.ok(told()!.reason!.includes(`'${TOPIC}'`), told()!.reason)
        assert.ok(running.health().ready)
        assert.match(running.health().problems[`topic ${TOPIC}`]!, /AUTHORISATION|Grant/)
        assert.equal(await written(TOPIC), before)
      })
    }
  })
}
