/** The cluster of `kri cluster up`: one per user, which outlives the command and is found again by a state file. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { RunInferenceError } from '../errors.ts'
import type { ClusterEnvironment } from '../settings.ts'
import { type Cluster, type ClusterOptions, startCluster } from './cluster.ts'
import { endLeftovers, isRunning, readRunFile } from './run-file.ts'

const STOP_DEADLINE_MS = 10_000

export interface BackgroundCluster {
  readonly brokers: readonly string[]
  readonly registryUrl: string
  readonly logFolder: string
  /** Names its processes; see run-file.ts. */
  readonly folder: string
  readonly startedAt: string
}

export interface BackgroundStatus extends BackgroundCluster {
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly running: boolean }[]
}

type UpOptions = Pick<ClusterOptions, 'brokers' | 'logger' | 'onProgress'> & {
  readonly environment: ClusterEnvironment
}

/** Starts it, or gives the one that runs already if it has as many brokers. */
export async function clusterUp(options: UpOptions): Promise<BackgroundStatus> {
  const { environment } = options
  const existing = clusterStatus(environment)
  if (existing !== undefined) {
    if (existing.brokers.length === options.brokers) return existing
    throw new RunInferenceError(
      'CLUSTER_UNAVAILABLE',
      `a cluster of ${existing.brokers.length} is running already, and ${options.brokers} were asked for: kri cluster down first`,
    )
  }
  return keepCluster(await startCluster({ ...options, registry: true, own: true }), environment)
}

/** Makes a cluster with a registry, started by this process, the one of `kri cluster status | down`. There must be none yet. */
export async function keepCluster(cluster: Cluster, environment: ClusterEnvironment): Promise<BackgroundStatus> {
  const state: BackgroundCluster = {
    brokers: cluster.brokers,
    registryUrl: cluster.registryUrl!,
    ...cluster.local!,
    startedAt: new Date().toISOString(),
  }
  mkdirSync(environment.cacheFolder, { recursive: true })
  writeFileSync(stateFile(environment), JSON.stringify(state, undefined, 2))
  await cluster.release()
  return clusterStatus(environment)!
}

/** Undefined when none runs. */
export function clusterStatus(environment: ClusterEnvironment): BackgroundStatus | undefined {
  const state = readState(environment)
  if (state === undefined) return undefined
  const run = readRunFile(state.folder)
  if (run === undefined || !isRunning(run.supervisorPid, state.folder)) {
    // The machine was restarted, or somebody killed the supervisor; whatever it left behind goes too.
    endLeftovers(state.folder)
    rmSync(stateFile(environment), { force: true })
    return undefined
  }
  const names = [...state.brokers.map((_, i) => `broker-${i + 1}`), 'registry']
  const processes = names.map(name => {
    const pid = run.services.find(service => service.name === name)?.pid
    return { name, pid: pid ?? 0, running: pid !== undefined && isRunning(pid, state.folder) }
  })
  return { ...state, processes }
}

/** Ends exactly the processes that `clusterUp` started; false when there were none. */
export async function clusterDown(environment: ClusterEnvironment): Promise<boolean> {
  const status = clusterStatus(environment)
  if (status === undefined) return false
  const supervisorPid = readRunFile(status.folder)?.supervisorPid
  const deadline = performance.now() + STOP_DEADLINE_MS
  if (supervisorPid !== undefined && isRunning(supervisorPid, status.folder)) process.kill(supervisorPid, 'SIGTERM')
  while (supervisorPid !== undefined && isRunning(supervisorPid, status.folder)) {
    if (performance.now() > deadline) process.kill(supervisorPid, 'SIGKILL')
    await delay(50)
  }
  endLeftovers(status.folder)
  rmSync(stateFile(environment), { force: true })
  return true
}

function stateFile(environment: ClusterEnvironment): string {
  return join(environment.cacheFolder, 'cluster.json')
}

function readState(environment: ClusterEnvironment): BackgroundCluster | undefined {
  try {
    return JSON.parse(readFileSync(stateFile(environment), 'utf8')) as BackgroundCluster
  } catch {
    return undefined
  }
}
