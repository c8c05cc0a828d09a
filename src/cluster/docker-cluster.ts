import { join } from 'node:path'
import { BROKER_READY, clusterProperties, kafkaUuid } from './broker.ts'
import { type ContainerSpec, openContainerGroup } from './containers.ts'
import { brokerName, type ClusterParts, type PartsNeeded } from './parts.ts'
import { freePorts } from './ports.ts'

// Kafka 4.3, as on the JVM.
export const CONFLUENT_VERSION = '8.3.1'

const CLIENT_PORT = 9092
const INTERNAL_PORT = 19092
const CONTROLLER_PORT = 9093
const REGISTRY_PORT = 8081

export interface DockerClusterOptions extends PartsNeeded {
  /** Of the containers and their network; unique. */
  readonly name: string
  readonly logFolder: string
  /** Whether `release` will be called. */
  readonly outlive: boolean
}

/** Confluent's images of Kafka and its schema registry, which keeps its schemas in Kafka. */
export async function startDockerCluster(options: DockerClusterOptions): Promise<ClusterParts> {
  const { brokers, registry, name, logFolder, outlive } = options
  const [registryPort, ...ports] = (await freePorts(brokers + 1)) as [number, ...number[]]
  const group = await openContainerGroup(name, outlive)
  try {
    // All, before anything is removed, when one fails.
    const started = await Promise.allSettled(brokerContainers(ports, logFolder).map(group.start))
    for (const outcome of started) if (outcome.status === 'rejected') throw outcome.reason
    if (registry) await group.start(registryContainer(brokers, registryPort, logFolder))
  } catch (error) {
    await group.remove()
    throw error
  }
  return {
    brokers: ports.map(port => `127.0.0.1:${port}`),
    registryUrl: registry ? `http://127.0.0.1:${registryPort}` : undefined,
    home: { backend: 'docker', containers: group.ids(), networkId: group.networkId, logFolder },
    kill: group.kill,
    start: group.startAgain,
    pause: group.pause,
    resume: group.resume,
    async release() {
      if (!outlive) throw new RangeError('containers that were not started to outlive this process cannot be released')
    },
    stop: group.remove,
  }
}

/** One node each that is broker and controller. */
export function brokerContainers(ports: readonly number[], logFolder: string): readonly ContainerSpec[] {
  const names = ports.map((_, index) => brokerName(index))
  const clusterId = kafkaUuid()
  return names.map((name, index) => {
    const port = ports[index]!
    const properties = {
      ...clusterProperties(ports.length),
      'node.id': index + 1,
      'controller.quorum.voters': names.map((peer, i) => `${i + 1}@${peer}:${CONTROLLER_PORT}`).join(','),
      listeners: `INTERNAL://:${INTERNAL_PORT},MACHINE://:${CLIENT_PORT},CONTROLLER://:${CONTROLLER_PORT}`,
      'advertised.listeners': `INTERNAL://${name}:${INTERNAL_PORT},MACHINE://127.0.0.1:${port}`,
      'inter.broker.listener.name': 'INTERNAL',
      'listener.security.protocol.map': 'INTERNAL:PLAINTEXT,MACHINE:PLAINTEXT,CONTROLLER:PLAINTEXT',
    }
    const variables = Object.entries(properties).map(([property, value]) => [
      `KAFKA_${property.replaceAll('.', '_').toUpperCase()}`,
      String(value),
    ])
    return {
      name,
      image: `confluentinc/cp-kafka:${CONFLUENT_VERSION}`,
      environment: { CLUSTER_ID: clusterId, KAFKA_HEAP_OPTS: '-Xmx512m', ...Object.fromEntries(variables) },
      port: { container: CLIENT_PORT, machine: port },
      ready: { log: BROKER_READY },
      logFile: join(logFolder, `${name}.log`),
    }
  })
}

function registryContainer(brokers: number, port: number, logFolder: string): ContainerSpec {
  const addresses = Array.from({ length: brokers }, (_, i) => `PLAINTEXT://${brokerName(i)}:${INTERNAL_PORT}`)
  return {
    name: 'registry',
    image: `confluentinc/cp-schema-registry:${CONFLUENT_VERSION}`,
    environment: {
      SCHEMA_REGISTRY_HOST_NAME: 'registry',
      SCHEMA_REGISTRY_LISTENERS: `http://0.0.0.0:${REGISTRY_PORT}`,
      SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS: addresses.join(','),
      SCHEMA_REGISTRY_KAFKASTORE_TOPIC_REPLICATION_FACTOR: String(brokers),
      SCHEMA_REGISTRY_HEAP_OPTS: '-Xmx256m',
    },
    port: { container: REGISTRY_PORT, machine: port },
    ready: { path: '/subjects' },
    logFile: join(logFolder, 'registry.log'),
  }
}
