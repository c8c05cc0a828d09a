/**
 * A Kafka cluster and a schema registry for tests, demo and development: those that the environment names, else real
 * ones on this machine, which end with this process, however it ends (see supervisor.ts).
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { RunInferenceError } from '../errors.ts'
import type { Logger } from '../ops/logger.ts'
import { type ClusterEnvironment, clusterEnvironment } from '../settings.ts'
import { archiveFile, finishArchive, useArchive, writeArchive } from './class-archive.ts'
import { installKafka, installRegistry } from './install.ts'
import { javaVersion } from './java.ts'
import { type LocalCluster, startLocalCluster } from './local-cluster.ts'
import type { OnClusterProgress } from './progress.ts'
import { RUN_FOLDER_PREFIX, sweepLeftovers } from './run-file.ts'

const KEPT_LOG_FOLDERS = 20

export interface ClusterOptions {
  /** 3: replicated three times, two must be in sync. Ignored when the environment names brokers. */
  readonly brokers: 1 | 3
  readonly registry: boolean
  readonly logger: Logger
  readonly onProgress?: OnClusterProgress
  /** Always start one, whatever the environment names: for tests that kill brokers. Default false. */
  readonly own?: boolean
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
  readonly local: { readonly folder: string; readonly logFolder: string } | undefined
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
  /** Lets what runs here outlive this process, for `kri cluster up`. */
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
  let local: LocalCluster | undefined
  if (needsBrokers || needsRegistry) {
    local = await startLocally(needsBrokers ? options.brokers : 0, needsRegistry, environment, options)
    options.logger.info({ ...local }, 'local cluster started')
  }
  const ours = (needed: boolean): LocalCluster => {
    if (local !== undefined && needed) return local
    throw new RunInferenceError(
      'CLUSTER_UNAVAILABLE',
      'this part of the cluster was given by KRI_BROKERS or KRI_REGISTRY_URL, or not asked for; it cannot be stopped from here',
    )
  }
  return {
    brokers: given.brokers ?? local!.brokers,
    registryUrl: options.registry ? (given.registryUrl ?? local?.registryUrl) : undefined,
    local: local === undefined ? undefined : { folder: local.folder, logFolder: local.logFolder },
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

function brokerName(index: number): string {
  return `broker-${index + 1}`
}

async function startLocally(
  brokers: 0 | 1 | 3,
  registry: boolean,
  environment: ClusterEnvironment,
  options: ClusterOptions,
): Promise<LocalCluster> {
  const onProgress = options.onProgress ?? (() => {})
  const version = await javaVersion(environment.java)
  const install = { ...environment, onProgress }
  // One after the other: Maven's local repository is not made for two at a time.
  const kafka = brokers === 0 ? undefined : await installKafka(install)
  const apicurio = registry ? await installRegistry(install) : undefined
  sweepLeftovers()

  const archives = { broker: archiveOf(kafka, version), registry: archiveOf(apicurio, version) }
  const start = (count: 0 | 1 | 3, jvmArgs: (file: string | undefined) => readonly string[]) => {
    const folder = mkdtempSync(join(tmpdir(), RUN_FOLDER_PREFIX))
    return startLocalCluster({
      kafka,
      registry: apicurio,
      brokers: count,
      folder,
      logFolder: newLogFolder(environment.cacheFolder, folder),
      java: environment.java,
      jvmArgs: { broker: jvmArgs(archives.broker), registry: jvmArgs(archives.registry) },
      logger: options.logger,
    })
  }

  const missing = Object.values(archives).filter(file => file !== undefined && !existsSync(file)) as string[]
  if (missing.length > 0) {
    onProgress({ phase: 'prepare', text: 'preparing quick starts of the Java processes (once)' })
    const rehearsal = await start(brokers === 0 ? 0 : 1, file => (missing.includes(file!) ? writeArchive(file!) : []))
    await rehearsal.shutDown()
    await rehearsal.stop()
    await Promise.all(missing.map(finishArchive))
  }
  const what = [
    ...(brokers === 0 ? [] : [`${brokers} Kafka broker${brokers === 1 ? '' : 's'}`]),
    ...(registry ? ['a schema registry'] : []),
  ]
  onProgress({ phase: 'start', text: `starting ${what.join(' and ')}` })
  return start(brokers, file => (file === undefined ? [] : useArchive(file)))
}

function archiveOf(installation: { readonly folder: string } | undefined, version: string): string | undefined {
  return installation === undefined ? undefined : archiveFile(installation.folder, version)
}

/** Logs outlive their run, for a look at what went wrong; the oldest make room. */
function newLogFolder(cacheFolder: string, runFolder: string): string {
  const all = join(cacheFolder, 'logs')
  const run = basename(runFolder).slice(RUN_FOLDER_PREFIX.length)
  const folder = join(all, `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${run}`)
  mkdirSync(folder, { recursive: true })
  for (const old of readdirSync(all).sort().slice(0, -KEPT_LOG_FOLDERS))
    rmSync(join(all, old), { recursive: true, force: true })
  return folder
}
