/** Users and access control lists of a broker, for tests: what an operator does with kafka-configs and kafka-acls. */
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { Cluster } from '../../src/kafkajs/cluster.ts'
import type { Protocol } from '../../src/kafkajs/internals.ts'
import { kafkajsLogger } from '../../src/kafkajs/log-bridge.ts'
import { errorName } from '../../src/kafkajs/protocol-errors.ts'
import { WirePayload } from '../../src/kafkajs/wire-payload.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'

const RESOURCES = { Topic: 2, Group: 3, Cluster: 4, TransactionalId: 5 }
const PATTERNS = { literal: 3, prefixed: 4 }
const OPERATIONS = {
  ...{ Read: 3, Write: 4, Create: 5, Delete: 6, Alter: 7, Describe: 8 },
  ...{ DescribeConfigs: 10, AlterConfigs: 11, IdempotentWrite: 12 },
}
const ALLOW = 3

export interface Acl {
  readonly principal: string
  readonly operation: keyof typeof OPERATIONS
  readonly resource: keyof typeof RESOURCES
  readonly name: string
  readonly pattern: keyof typeof PATTERNS
}

export interface KafkaUsers {
  /** Adds a user, or changes the password of one. */
  setScramPassword(user: string, password: string): Promise<void>
  allow(acls: readonly Acl[]): Promise<void>
  close(): void
}

/** Works through a listener at which everybody is a super user. */
export function kafkaUsers(brokers: readonly string[]): KafkaUsers {
  const connection = { clientId: 'users', ssl: undefined, sasl: undefined, logger: kafkajsLogger(silentLogger) }
  const cluster = new Cluster({
    brokers,
    connection: { ...connection, connectionTimeoutMs: 5_000, requestTimeoutMs: 10_000 },
    clock: systemClock,
    random: Math.random,
    metadataMaxAgeMs: 30_000,
  })
  return {
    async setScramPassword(user, password) {
      const controller = await cluster.controller('users')
      // Kafka takes one change of a user in a request.
      for (const [digest, mechanism, bytes] of MECHANISMS) {
        const salt = randomBytes(16)
        const salted = pbkdf2Sync(password, salt, ITERATIONS, bytes, digest)
        const code = await controller.send(alterScram(scramUpsertion(user, mechanism, salt, salted)))
        if (code !== 0) throw new Error(`the password of ${user}: ${errorName(code)}`)
      }
    },
    async allow(acls) {
      const creations = acls.map(({ principal, operation, resource, name, pattern }) => ({
        resourceType: RESOURCES[resource],
        resourceName: name,
        resourcePatternType: PATTERNS[pattern],
        principal: `User:${principal}`,
        host: '*',
        operation: OPERATIONS[operation],
        permissionType: ALLOW,
      }))
      const answer = await cluster.anyBroker<{ creationResponses: { errorCode: number }[] }>('CreateAcls', {
        creations,
      })
      const failed = answer.creationResponses.filter(({ errorCode }) => errorCode !== 0)
      if (failed.length > 0)
        throw new Error(`${failed.length} of ${acls.length} ACLs: ${errorName(failed[0]!.errorCode)}`)
    },
    close: () => cluster.close(),
  }
}

const ITERATIONS = 4_096
const MECHANISMS = [
  ['sha256', 1, 32],
  ['sha512', 2, 64],
] as const
/** Behind every structure of a flexible version: no tagged fields. */
const NO_TAGS = Buffer.from([0])

function scramUpsertion(user: string, mechanism: number, salt: Buffer, salted: Buffer): Buffer {
  const numbers = Buffer.alloc(5)
  numbers.writeInt8(mechanism, 0)
  numbers.writeInt32BE(ITERATIONS, 1)
  return Buffer.concat([compact(Buffer.from(user)), numbers, compact(salt), compact(salted), NO_TAGS])
}

/** AlterUserScramCredentials v0, which kafkajs does not know; resolves with the error code. */
function alterScram(upsertion: Buffer): Protocol<number> {
  // The header of a flexible request ends with tags; then deletions (none), upsertions (one), tags.
  const body = [NO_TAGS, Buffer.from([1, 2]), upsertion, NO_TAGS]
  const request = {
    ...{ apiKey: 51, apiVersion: 0, apiName: 'AlterUserScramCredentials' },
    encode: async () => new WirePayload(body),
  }
  // Tags, throttle time, length of the results, then the name of the user behind its length.
  return { request, response: { decode: async answer => answer.readInt16BE(6 + answer[6]!) } }
}

/** Shorter than 127 bytes, so that its length plus one is one byte. */
function compact(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([bytes.length + 1]), bytes])
}
