// The commands that look at topics and make them, with exactly the rights that docs/security.md names, and without one of them.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { createKafkaPort } from '../../src/kafkajs/kafka-port.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import type { Acl } from '../support/kafka-users.ts'
import { startKri } from '../support/kri-process.ts'
import { sealedBatch } from '../support/record-batches.ts'
import type { SecuredCluster } from '../support/secured-cluster.ts'

type Operation = Acl['operation']
interface Tool {
  readonly user: string
  readonly args: readonly string[]
  /** Of all topics of the topology. */
  readonly all: readonly Operation[]
  /** Of its sources, and of the topics between its parts. */
  readonly read?: readonly Operation[]
  /** What it may not do, and what it is about to do when it finds out. */
  readonly refused?: { readonly operation: Operation; readonly topic: RegExp }
}

/** Has a topic between its parts. */
const TOPOLOGY = 'test/support/once-topology.ts'
/** Whose topics are there, and whose are not; of one topic of those that differ a setting is another. */
const [THERE, MISSING] = ['there.', 'missing.'] as const
const DIFFER = ['differ.', 'differ-too.'] as const
const DESCRIBE = ['Describe', 'DescribeConfigs'] as const
const plan = (prefix: string) => ['topics', 'plan', prefix]
const apply = (prefix: string) => ['topics', 'apply', prefix]
const check = (prefix: string) => ['check', prefix]

const suffices: readonly Tool[] = [
  { user: 'plan1', args: plan(THERE), all: DESCRIBE },
  { user: 'plan2', args: plan('unknown.'), all: DESCRIBE },
  { user: 'apply1', args: apply(MISSING), all: [...DESCRIBE, 'Create'] },
  { user: 'apply2', args: apply(DIFFER[0]), all: [...DESCRIBE, 'AlterConfigs'] },
  { user: 'check1', args: check(THERE), all: DESCRIBE, read: ['Read'] },
]
const lacks: readonly Tool[] = [
  { user: 'plan3', args: plan(THERE), all: ['DescribeConfigs'], refused: { operation: 'Describe', topic: /there\./ } },
  { user: 'plan4', args: plan(THERE), all: ['Describe'], refused: { operation: 'DescribeConfigs', topic: /there\./ } },
  { user: 'apply3', args: apply('never.'), all: DESCRIBE, refused: { operation: 'Create', topic: /never\./ } },
  {
    user: 'apply4',
    args: apply(DIFFER[1]),
    all: DESCRIBE,
    refused: { operation: 'AlterConfigs', topic: /differ-too\.app\./ },
  },
  { user: 'check2', args: check(THERE), all: DESCRIBE, refused: { operation: 'Read', topic: /there\.(in|between)/ } },
]
/** They are users of the broker, each with its name as password. */
export const TOOL_USERS = [...suffices, ...lacks].map(({ user }) => user)

export function toolAclSuite(secured: SecuredCluster): void {
  const kri = (env: Readonly<Record<string, string>>, [name, ...rest]: readonly string[]) => {
    const prefix = rest.pop()!
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([each]) => !each.startsWith('KRI_')))
    const words = [name!, ...rest, TOPOLOGY, `--param=prefix=${prefix}`]
    return startKri(words, { env: { ...inherited, ...env } })
  }
  const asAdmin = () => ({ KRI_BROKERS: secured.listeners.plain })
  const as = (user: string) => ({
    KRI_BROKERS: secured.listeners.login,
    KRI_SASL_MECHANISM: 'plain',
    KRI_SASL_USERNAME: user,
    KRI_SASL_PASSWORD: user,
  })

  describe('rights of kri topics and kri check', { concurrency: 2 }, () => {
    before(async () => {
      for (const prefix of [THERE, ...DIFFER]) {
        const applied = kri(asAdmin(), apply(prefix))
        assert.equal(await applied.ended, 0, applied.log())
      }
      const options = {
        brokers: [secured.listeners.plain],
        clientId: 'tools',
        logger: silentLogger,
        clock: systemClock,
      }
      const port = createKafkaPort({ ...options, random: Math.random })
      for (const prefix of DIFFER)
        await port.admin.setTopicConfigs(`${prefix}app.classify.failed-inference`, {
          'message.timestamp.type': 'CreateTime',
        })
      const writer = port.writer()
      const record = { timestamp: Date.now(), key: Buffer.from('k'), value: Buffer.from('5'), headers: [] }
      await writer.send([sealedBatch([record], `${THERE}in`, 0), sealedBatch([record], `${THERE}between`, 0)])
      await writer.close()
      await port.close()
      await secured.users.allow(
        [...suffices, ...lacks].flatMap(({ user, args, all, read = [] }): Acl[] => {
          const prefix = args.at(-1)!
          const topic = { principal: user, resource: 'Topic' } as const
          return [
            ...all.map(operation => ({ ...topic, operation, name: prefix, pattern: 'prefixed' as const })),
            ...read.flatMap(operation =>
              ['in', 'between'].map(name => ({
                ...topic,
                operation,
                name: prefix + name,
                pattern: 'literal' as const,
              })),
            ),
          ]
        }),
      )
    })

    for (const { user, args, all, read = [] } of suffices) {
      it(`${args.join(' ')}*: ${[...all, ...read].join(', ')} suffice`, async () => {
        const command = kri(as(user), args)
        assert.equal(await command.ended, 0, command.log() + command.output())
      })
    }

    for (const { user, args, refused } of lacks) {
      it(`${args.join(' ')}*: without ${refused!.operation} it ends, and says so`, async () => {
        const command = kri(as(user), args)
        assert.equal(await command.ended, 1, command.log() + command.output())
        const said = command.log() + command.output()
        assert.match(said, /AUTHORISATION|TOPIC_AUTHORIZATION_FAILED/)
        assert.match(said, new RegExp(`\\b${refused!.operation}\\b`))
        assert.match(said, refused!.topic)
      })
    }
  })
}
