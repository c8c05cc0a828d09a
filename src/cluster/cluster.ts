/**
 * A Kafka cluster and a schema registry for tests, demo and development: those that the environment names, else real
 * ones on this machine, in containers if Docker's engine answers, else as Java processes. They end with this process,
 * however it ends (see supervisor.ts, containers.ts).
 */
import { randomBytes } from 'node:crypto'
import { RunInferenceError } from '../errors.ts'
import type { Logger } from '../ops/logger.ts'
import { type ClusterEnvironment, clusterEnvironment } from '../settings.ts'
import type { BrokerProperties } from './broker.ts'
import { startDockerCluster } from './docker-cluster.ts'
import { noDockerEngine } from './docker-engine.ts'
import { cannotStart } from './java.ts'
import { startJvmCluster } from './jvm-cluster.ts'
import { newLogFolder } from './logs.ts'
import { brokerName, type ClusterHome, type ClusterParts, describeParts, type PartsNeeded } from './parts.ts'
import type { OnClusterProgress } from './progress.ts'
import { RUN_FOLDER_PREFIX } from './run-file.ts'

export interface ClusterOptions {
  /** 3: replicated three times, two must be in sync. Ignored when the environment names brokers. */
  readonly brokers: 1 | 3
  readonly registry: boolean
  readonly logger: Logger
  readonly onProgress?: OnClusterProgress
  /** Always start one, whatever the environment names: for tests that kill brokers. Default false. */
  readonly own?: boolean
  /** That `release` may be called. Default false. */
  readonly outlive?: boolean
  /** Changes the settings of each broker, e.g. to add listeners; then they run as Java processes. */
  readonly brokerProperties?: BrokerProperties
  /** Default: from the environment. */
  readonly environment?: ClusterEnvironment
}

/** Everything that takes an index or concerns the registry is refused (CLUSTER_UNAVAILABLE) where it is not ours. */
export interface Cluster {
  /** host:port */
  readonly brokers: readonly string[]
  /** Confluent-compatible base URL; undefined when none was asked for. */
  readonly registryUrl: string | undefined
  /** What runs on this machine because of this object; undefined when all was given by the environment. */
  readonly local: ClusterHome | undefined
  /** SIGKILL; resolves when the process has ended. */
  killBroker(index: number): Promise<void>
  /** Same port, same data; resolves when it is ready. */
  startBroker(index: number): Promise<void>
  /** Stops its clock (SIGSTOP): connections stay open and nothing answers. */
  pauseBroker(index: number): Promise<void>
  resumeBroker(index: number): Promise<void>
  killRegistry(): Promise<void>
  /** Same port, same schemas and ids. */
  startRegistry(): Promise<void>
  /** Lets what runs here, started with `outlive`, outlive this process: for `kri cluster up`. */
  release(): Promise<void>
  /** Ends what runs here and removes its data; logs stay. Ends nothing that the environment gave. */
  stop(): Promise<void>
}

/** Rejects with CLUSTER_UNAVAILABLE, naming what was tried and the ways out. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const environment = options.environment ?? clusterEnvironment()
  const given: Pick<ClusterEnvironment, 'brokers' | 'registryUrl'> = options.own === true ? {} : environment
  const needsBrokers = given.brokers === undefined
  const needsRegistry = options.registry && given.registryUrl === undefined
  let local: ClusterParts | undefined
  if (needsBrokers || needsRegistry) {
    const needed: PartsNeeded = { brokers: needsBrokers ? options.brokers : 0, registry: needsRegistry }
    local = await startParts(needed, environment, options)
    options.logger.info({ ...local }, 'local cluster started')
  }
  const ours = (needed: boolean): ClusterParts => {
    if (local !== undefined && needed) return local
    throw new RunInferenceError(
      'CLUSTER_UNAVAILABLE',
      'this part of the cluster was given by KRI_BROKERS or KRI_REGISTRY_URL, or not asked for; it cannot be stopped from here',
    )
  }
  return {
    brokers: given.brokers ?? local!.brokers,
    registryUrl: options.registry ? (given.registryUrl ?? local?.registryUrl) : undefined,
    local: local?.home,
    killBroker: async index => ours(needsBrokers).kill(brokerName(index)),
    startBroker: async index => ours(needsBrokers).start(brokerName(index)),
    pauseBroker: async index => ours(needsBrokers).pause(brokerName(index)),
    resumeBroker: async index => ours(needsBrokers).resume(brokerName(index)),
    killRegistry: async () => ours(needsRegistry).kill('registry'),
    startRegistry: async () => ours(needsRegistry).start('registry'),
    release: async () => local?.release(),
    stop: async () => local?.stop(),
  }
}

async function startParts(
  needed: PartsNeeded,
  environment: ClusterEnvironment,
  { logger, onProgress = () => {}, outlive = false, brokerProperties }: ClusterOptions,
): Promise<ClusterParts> {
  const { backend, dockerHosts, cacheFolder } = environment
  const onJvm = () => startJvmCluster({ ...needed, environment, logger, onProgress, brokerProperties })
  if (backend === 'jvm' || brokerProperties !== undefined) return onJvm()
  const unfit = needed.brokers === 0 ? 'a registry in a container cannot reach given brokers' : undefined
  const reason = unfit ?? (await noDockerEngine(dockerHosts))
  if (reason !== undefined) {
    if (backend === 'docker') throw cannotStart(`Docker was asked for, but: ${reason}`)
    logger.debug({ reason }, 'no Docker engine to use: the cluster starts as Java processes')
    return onJvm()
  }
  try {
    onProgress({ phase: 'start', text: `starting ${describeParts(needed)} in containers (images are pulled once)` })
    const name = RUN_FOLDER_PREFIX + randomBytes(4).toString('hex')
    return await startDockerCluster({ ...needed, name, logFolder: newLogFolder(cacheFolder, name), outlive })
  } catch (error) {
    if (backend === 'docker') throw cannotStart(`Docker was asked for, but: ${messageOf(error)}`, error)
    logger.warn({ reason: messageOf(error) }, 'containers did not come up: the cluster starts as Java processes')
    return onJvm()
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
