/**
 * The cluster of `kri cluster up`: one per user, which outlives the command and is found again by a state file. What a
 * state file says is looked at again each time: machines and engines are restarted.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { RunInferenceError } from '../errors.ts'
import type { ClusterEnvironment } from '../settings.ts'
import { type Cluster, type ClusterOptions, startCluster } from './cluster.ts'
import { containerStates, removeContainers } from './containers.ts'
import { brokerName, type ClusterHome } from './parts.ts'
import { endLeftovers, isRunning, readRunFile } from './run-file.ts'
import { type BackgroundCluster, mayBeRunning, readState, removeState, writeState } from './state-file.ts'

const STOP_DEADLINE_MS = 10_000

type JvmHome = Extract<ClusterHome, { readonly backend: 'jvm' }>

export type BackgroundStatus = BackgroundCluster & {
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly running: boolean }[]
}

type UpOptions = Pick<ClusterOptions, 'brokers' | 'logger' | 'onProgress'> & {
  readonly environment: ClusterEnvironment
}

/** Starts it, or gives the one that runs already if it has as many brokers. */
export async function clusterUp(options: UpOptions): Promise<BackgroundStatus> {
  const { environment } = options
  const existing = await clusterStatus(environment)
  if (existing !== undefined) {
    if (existing.brokers.length === options.brokers) return existing
    throw new RunInferenceError(
      'CLUSTER_UNAVAILABLE',
      `a cluster of ${existing.brokers.length} is running already, and ${options.brokers} were asked for: kri cluster down first`,
    )
  }
  return keepCluster(await startCluster({ ...options, registry: true, own: true, outlive: true }), environment)
}

/** Makes a cluster with a registry, started by this process to outlive it, the one of `kri cluster status | down`. There must be none yet. */
export async function keepCluster(cluster: Cluster, environment: ClusterEnvironment): Promise<BackgroundStatus> {
  const state: BackgroundCluster = {
    brokers: cluster.brokers,
    registryUrl: cluster.registryUrl!,
    ...cluster.local!,
    startedAt: new Date().toISOString(),
    startedFrom: process.cwd(),
  }
  writeState(environment.cacheFolder, state)
  await cluster.release()
  return (await clusterStatus(environment))!
}

/** Undefined when none runs. */
export async function clusterStatus(environment: ClusterEnvironment): Promise<BackgroundStatus | undefined> {
  const state = readState(environment.cacheFolder)
  if (state === undefined) return undefined
  const processes = state.backend === 'docker' ? await containersOf(state.containers) : processesOf(state)
  if (processes === undefined) {
    // The machine was restarted, or somebody killed the supervisor; whatever it left behind goes too.
    await endAll(state)
    removeState(environment.cacheFolder)
    return undefined
  }
  return { ...state, processes }
}

/** Ends exactly what `clusterUp` started; false when there was none. */
export async function clusterDown(environment: ClusterEnvironment): Promise<boolean> {
  const status = await clusterStatus(environment)
  if (status === undefined) return false
  if (status.backend === 'jvm') await endSupervisor(status)
  await endAll(status)
  removeState(environment.cacheFolder)
  return true
}

/** Undefined when the supervisor does not live. */
function processesOf(state: BackgroundCluster & JvmHome): BackgroundStatus['processes'] | undefined {
  if (!mayBeRunning(state)) return undefined
  const { folder, brokers } = state
  const services = readRunFile(folder)?.services ?? []
  return [...brokers.map((_, i) => brokerName(i)), 'registry'].map(name => {
    const pid = services.find(service => service.name === name)?.pid
    return { name, pid: pid ?? 0, running: pid !== undefined && isRunning(pid, folder) }
  })
}

/** Undefined when no container is there any more. */
async function containersOf(
  containers: Readonly<Record<string, string>>,
): Promise<BackgroundStatus['processes'] | undefined> {
  const states = await containerStates(Object.values(containers))
  if (states.every(state => state === undefined)) return undefined
  return Object.keys(containers).map((name, i) => ({
    name,
    pid: states[i]?.pid ?? 0,
    running: states[i]?.running ?? false,
  }))
}

async function endSupervisor({ folder }: JvmHome): Promise<void> {
  const supervisorPid = readRunFile(folder)?.supervisorPid
  const deadline = performance.now() + STOP_DEADLINE_MS
  if (supervisorPid !== undefined && isRunning(supervisorPid, folder)) process.kill(supervisorPid, 'SIGTERM')
  while (supervisorPid !== undefined && isRunning(supervisorPid, folder)) {
    if (performance.now() > deadline) process.kill(supervisorPid, 'SIGKILL')
    await delay(50)
  }
}

async function endAll(home: ClusterHome): Promise<void> {
  if (home.backend === 'jvm') endLeftovers(home.folder)
  else await removeContainers(Object.values(home.containers), home.networkId)
}
