import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { ServiceSpec } from './service.ts'

/** The line of the log from which on every request is answered. */
export const BROKER_READY = 'Kafka Server started'

export interface KafkaInstallation {
  readonly folder: string
  /** Every jar, always in the same order: archives of classes depend on it. */
  readonly classPath: readonly string[]
  /** What `kafka-storage format` writes beside the ids: the same for every cluster of this version. */
  readonly bootstrapCheckpoint: string
}

/** One node that is broker and controller, with its two ports. */
export interface BrokerNode {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
}

export interface BrokerLayout {
  readonly nodes: readonly BrokerNode[]
  readonly clusterId: string
  readonly runFolder: string
  readonly logFolder: string
}

/** Given the settings of a node, those that it shall have. */
export type BrokerProperties = (properties: Properties) => Properties
type Properties = Readonly<Record<string, string | number>>

/** A cluster or directory id as Kafka writes them. */
export function kafkaUuid(): string {
  // A leading dash would be taken for an option by Kafka's own tools.
  return `k${randomBytes(16).toString('base64url').slice(1)}`
}

/** Writes settings and an empty, formatted data folder; returns what starts the node. */
export function prepareBroker(
  node: BrokerNode,
  layout: BrokerLayout,
  kafka: KafkaInstallation,
  change: BrokerProperties = properties => properties,
): BrokerFiles {
  const home = join(layout.runFolder, `broker-${node.id}`)
  const data = join(home, 'data')
  mkdirSync(data, { recursive: true })
  const meta = { version: 1, 'node.id': node.id, 'cluster.id': layout.clusterId, 'directory.id': kafkaUuid() }
  writeFileSync(join(data, 'meta.properties'), toProperties(meta))
  copyFileSync(kafka.bootstrapCheckpoint, join(data, 'bootstrap.checkpoint'))
  const properties = join(home, 'server.properties')
  writeFileSync(properties, toProperties(change(brokerProperties(node, layout, data))))
  return { home, properties, logFile: join(layout.logFolder, `broker-${node.id}.log`) }
}

export interface BrokerFiles {
  readonly home: string
  readonly properties: string
  readonly logFile: string
}

export function brokerService(
  node: BrokerNode,
  files: BrokerFiles,
  kafka: KafkaInstallation,
  java: string,
  jvmArgs: readonly string[],
): ServiceSpec {
  const args = [
    // Steady throughput matters (benchmarks run on it), so the compiler and the collector stay as they are.
    '-Xmx512m',
    '-Djava.awt.headless=true',
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
    ...jvmArgs,
    '-cp',
    kafka.classPath.join(delimiter),
    'kafka.Kafka',
    files.properties,
  ]
  return { name: `broker-${node.id}`, command: java, args, cwd: files.home, logFile: files.logFile }
}

function brokerProperties(node: BrokerNode, layout: BrokerLayout, data: string): Record<string, string | number> {
  return {
    'node.id': node.id,
    'controller.quorum.voters': layout.nodes.map(peer => `${peer.id}@127.0.0.1:${peer.controllerPort}`).join(','),
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${node.port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': data,
    ...clusterProperties(layout.nodes.length),
  }
}

/** What every broker of a local cluster of this size is told, wherever it runs. */
export function clusterProperties(replicas: number): Record<string, string | number> {
  const minIsr = replicas > 1 ? replicas - 1 : 1
  return {
    'process.roles': 'broker,controller',
    'controller.listener.names': 'CONTROLLER',
    // As in production: a misspelt topic is an error, and one replica may be away.
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': minIsr,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minIsr,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minIsr,
    // Small and quick: one machine, a few groups.
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.num.partitions': 4,
    'group.initial.rebalance.delay.ms': 0,
    'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
    // Nothing is compacted before somebody looks, with the 15 s of production.
    'log.cleaner.backoff.ms': 1_000,
    // Sooner than in production (9 s): a killed broker is replaced, and may come back, only after this time.
    'broker.session.timeout.ms': replicas > 1 ? 6_000 : 3_000,
    'broker.heartbeat.interval.ms': 500,
  }
}

/** For `kafka-storage format`, whose bootstrap file is then reused by every cluster. */
export function formattedStorage(folder: string): { properties: string; bootstrapCheckpoint: string } {
  const node = { id: 1, port: 9092, controllerPort: 9093 }
  const layout = { nodes: [node], clusterId: '', runFolder: folder, logFolder: folder }
  const properties = toProperties(brokerProperties(node, layout, folder))
  return { properties, bootstrapCheckpoint: join(folder, 'bootstrap.checkpoint') }
}

export function storageToolArgs(classPath: readonly string[], properties: string): readonly string[] {
  const tool = ['-XX:TieredStopAtLevel=1', '-cp', classPath.join(delimiter), 'kafka.tools.StorageTool']
  return [...tool, 'format', '--cluster-id', kafkaUuid(), '--config', properties]
}

function toProperties(values: Record<string, string | number>): string {
  // Backslashes (paths on Windows) are escapes in this format.
  const lines = Object.entries(values).map(([name, value]) => `${name}=${String(value).replaceAll('\\', '\\\\')}`)
  return `${lines.join('\n')}\n`
}
