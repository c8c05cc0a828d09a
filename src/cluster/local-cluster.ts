import type { Logger } from '../ops/logger.ts'
import {
  BROKER_READY,
  type BrokerNode,
  type BrokerProperties,
  brokerService,
  type KafkaInstallation,
  kafkaUuid,
  prepareBroker,
} from './broker.ts'
import type { ClusterParts } from './parts.ts'
import { freePorts } from './ports.ts'
import { logLength, type ReadyWatch, untilAnswered, untilLogged } from './ready.ts'
import { type RegistryInstallation, registryService, registryUrl } from './registry.ts'
import type { ServiceSpec } from './service.ts'
import { supervise } from './supervised.ts'

// Three brokers and a registry on two busy cores without class archives need half of it.
const START_DEADLINE_MS = 90_000

export interface LocalClusterOptions {
  readonly brokers: 0 | 1 | 3
  readonly kafka: KafkaInstallation | undefined
  readonly registry: RegistryInstallation | undefined
  readonly folder: string
  readonly logFolder: string
  readonly java: string
  /** Added to those that each part has anyway. */
  readonly jvmArgs: { readonly broker: readonly string[]; readonly registry: readonly string[] }
  readonly logger: Logger
  readonly brokerProperties: BrokerProperties | undefined
}

export interface LocalCluster extends ClusterParts {
  /** Asks all to end, and waits. */
  shutDown(): Promise<void>
}

/** A service, and how to tell from its log (from a byte on) or its port that it is ready. */
interface Part {
  readonly service: ServiceSpec
  readonly ready: (logFrom: number, watch: ReadyWatch) => Promise<void>
}

export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const { kafka, registry } = options
  const ports = [...(await freePorts(2 * options.brokers + 1))]
  const registryPort = ports.pop()!
  const nodes = Array.from({ length: options.brokers }, (_, i) => ({
    id: i + 1,
    port: ports.pop()!,
    controllerPort: ports.pop()!,
  }))
  const parts = [
    ...(kafka === undefined ? [] : brokerParts(nodes, kafka, options)),
    ...(registry === undefined ? [] : [registryPart(registryPort, registry, options)]),
  ]

  const ended = new Map<string, string>()
  const expected = new Set<string>()
  const supervised = supervise(options.folder, options.logFolder, (name, how) => {
    ended.set(name, how)
    if (!expected.delete(name))
      options.logger.warn({ service: name, how, logFolder: options.logFolder }, 'a process of the local cluster ended')
  })

  async function start(name: string): Promise<void> {
    const part = parts.find(candidate => candidate.service.name === name)
    if (part === undefined)
      throw new RangeError(`${name} is none of ${parts.map(({ service }) => service.name).join(', ')}`)
    const { logFile } = part.service
    const logFrom = logLength(logFile)
    ended.delete(name)
    await supervised.start(part.service)
    await part.ready(logFrom, { name, logFile, deadlineMs: START_DEADLINE_MS, ended: () => ended.get(name) })
  }

  function expectAll(): void {
    for (const { service } of parts) expected.add(service.name)
  }

  function end(name: string, signal: NodeJS.Signals): Promise<void> {
    expected.add(name)
    return supervised.signal(name, signal, true)
  }

  try {
    await Promise.all(parts.map(({ service }) => start(service.name)))
  } catch (error) {
    expectAll()
    await supervised.stop()
    throw error
  }
  return {
    brokers: nodes.map(node => `127.0.0.1:${node.port}`),
    registryUrl: registry === undefined ? undefined : registryUrl(registryPort),
    home: { backend: 'jvm', folder: options.folder, logFolder: options.logFolder },
    kill: name => end(name, 'SIGKILL'),
    shutDown: async () => void (await Promise.all(parts.map(({ service }) => end(service.name, 'SIGTERM')))),
    start,
    pause: name => supervised.signal(name, 'SIGSTOP', false),
    resume: name => supervised.signal(name, 'SIGCONT', false),
    release: () => supervised.release(),
    stop() {
      expectAll()
      return supervised.stop()
    },
  }
}

function brokerParts(nodes: readonly BrokerNode[], kafka: KafkaInstallation, options: LocalClusterOptions): Part[] {
  const layout = { nodes, clusterId: kafkaUuid(), runFolder: options.folder, logFolder: options.logFolder }
  return nodes.map(node => {
    const files = prepareBroker(node, layout, kafka, options.brokerProperties)
    return {
      service: brokerService(node, files, kafka, options.java, options.jvmArgs.broker),
      ready: (logFrom, watch) => untilLogged(BROKER_READY, logFrom, watch),
    }
  })
}

function registryPart(port: number, registry: RegistryInstallation, options: LocalClusterOptions): Part {
  const { folder, logFolder, java, jvmArgs } = options
  return {
    service: registryService(port, folder, logFolder, registry, java, jvmArgs.registry),
    ready: (_, watch) => untilAnswered(`${registryUrl(port)}/subjects`, watch),
  }
}
