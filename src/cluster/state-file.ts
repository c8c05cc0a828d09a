/** Where `kri cluster up` says what it started, for other commands of the same user. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClusterHome } from './parts.ts'
import { isRunning, readRunFile } from './run-file.ts'

export type BackgroundCluster = ClusterHome & {
  readonly brokers: readonly string[]
  readonly registryUrl: string
  readonly startedAt: string
  /** The folder it was started from. Earlier versions did not say. */
  readonly startedFrom?: string
}

export function writeState(cacheFolder: string, state: BackgroundCluster): void {
  mkdirSync(cacheFolder, { recursive: true })
  writeFileSync(stateFile(cacheFolder), JSON.stringify(state, undefined, 2))
}

/** Undefined when none was started, or it was ended. It may have died since. */
export function readState(cacheFolder: string): BackgroundCluster | undefined {
  try {
    // Earlier versions knew no other backend, and did not write it.
    return { backend: 'jvm', ...JSON.parse(readFileSync(stateFile(cacheFolder), 'utf8')) } as BackgroundCluster
  } catch {
    return undefined
  }
}

export function removeState(cacheFolder: string): void {
  rmSync(stateFile(cacheFolder), { force: true })
}

/** False when it is known to be dead; containers are not asked. */
export function mayBeRunning(state: BackgroundCluster): boolean {
  if (state.backend === 'docker') return true
  const run = readRunFile(state.folder)
  return run !== undefined && isRunning(run.supervisorPid, state.folder)
}

/** The line of a shell that makes a cluster the one of the commands after it. */
export function exportLine({ brokers, registryUrl }: Pick<BackgroundCluster, 'brokers' | 'registryUrl'>): string {
  return `export KRI_BROKERS=${brokers.join(',')} KRI_REGISTRY_URL=${registryUrl}`
}

function stateFile(cacheFolder: string): string {
  return join(cacheFolder, 'cluster.json')
}
