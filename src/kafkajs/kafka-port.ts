/**
 * The Kafka port on real brokers. Everything that knows kafkajs is in this folder; nothing else imports it.
 *
 * channel → cluster → { group-session, reader, commits, takeover → member }, { produce-loop → writer },
 * { transaction-coordinator, transaction-produce → transactional-writer }, scan, admin → this file.
 */
import type { ConnectionOptions } from 'node:tls'
import { RunInferenceError } from '../errors.ts'
import type { KafkaPort } from '../kafka/port.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import { Admin } from './admin.ts'
import { parseAddress } from './channel.ts'
import { Cluster } from './cluster.ts'
import { CoordinatorWatch } from './coordinator-watch.ts'
import { kafkajsLogger } from './log-bridge.ts'
import { Member } from './member.ts'
import { type SaslOptions, saslSettings } from './sasl.ts'
import { scan } from './scan.ts'
import { TopicSightings } from './topic-sightings.ts'
import { TransactionLanes } from './transaction-lanes.ts'
import { TransactionWriter } from './transactional-writer.ts'
import { Troubles } from './troubles.ts'
import { Writer } from './writer.ts'

export type { SaslOptions } from './sasl.ts'

export interface KafkaPortOptions {
  /** `host:port` of at least one broker. */
  readonly brokers: readonly string[]
  /** What the broker's logs and quotas call this client. */
  readonly clientId: string
  readonly logger: Logger
  readonly clock: Clock
  /** Numbers in [0, 1), for jitter. */
  readonly random: () => number
  /** TLS: options of node:tls (`ca`, `cert`, `key`, …); without it the connection is not encrypted. */
  readonly ssl?: ConnectionOptions
  readonly sasl?: SaslOptions
  /** How long opening a connection may take; default 5,000 ms. */
  readonly connectionTimeoutMs?: number
  /** How long an answer may take before the connection is given up; default 10,000 ms. */
  readonly requestTimeoutMs?: number
  /** How long a call of `admin` goes on trying through an outage; default 30,000 ms. */
  readonly adminPatienceMs?: number
  /** How often leaders and partition counts are asked for anew; default 30,000 ms. */
  readonly metadataMaxAgeMs?: number
}

/** Connects to nothing yet. Throws SETTINGS_INVALID for brokers that are no `host:port`. */
export function createKafkaPort(options: KafkaPortOptions): KafkaPort {
  assertAddresses(options.brokers)
  const { clock, random } = options
  const logger = options.logger.child({ component: 'kafka' })
  const cluster = new Cluster({
    brokers: options.brokers,
    connection: {
      clientId: options.clientId,
      ssl: options.ssl,
      sasl: options.sasl && saslSettings(options.sasl),
      connectionTimeoutMs: options.connectionTimeoutMs ?? 5_000,
      requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
      logger: kafkajsLogger(logger),
    },
    clock,
    random,
    metadataMaxAgeMs: options.metadataMaxAgeMs ?? 30_000,
  })
  let lastUser = 0
  const context = (kind: string) => {
    lastUser++
    return { cluster, clock, random, logger, purpose: `${kind}-${lastUser}` }
  }
  const lanes = new TransactionLanes('transactions', purpose => cluster.closePurposes(purpose))
  const ofTransactions = {
    ...{ cluster, clock, random },
    watch: new CoordinatorWatch(clock, logger),
    sightings: new TopicSightings(),
    troubles: new Troubles(logger, () => {}),
  }
  return {
    admin: new Admin({ ...context('admin'), patienceMs: options.adminPatienceMs ?? 30_000 }),
    member: (memberOptions, events) =>
      new Member(
        { ...context('member'), logger: logger.child({ group: memberOptions.groupId }) },
        memberOptions,
        events,
      ),
    writer: () => new Writer(context('writer')),
    transactionalWriter: writerOptions => {
      const { purpose, leave } = lanes.enter()
      return new TransactionWriter({ ...ofTransactions, purpose, leave }, writerOptions)
    },
    scan: (ranges, { signal } = {}) => scan(context('scan'), ranges, signal),
    close: async () => cluster.close(),
  }
}

function assertAddresses(brokers: readonly string[]): void {
  const wrong = brokers.filter(address => {
    const { host, port } = parseAddress(address)
    return host === '' || !Number.isInteger(port) || port < 1 || port > 65_535
  })
  if (brokers.length > 0 && wrong.length === 0) return
  const got = brokers.length === 0 ? 'none' : wrong.map(address => `'${address}'`).join(', ')
  throw new RunInferenceError('SETTINGS_INVALID', `Broker addresses: expected host:port, got ${got}.`)
}
