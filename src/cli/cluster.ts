import * as background from '../cluster/background.ts'
import { exportLine } from '../cluster/state-file.ts'
import { RunInferenceError } from '../errors.ts'
import { createLogger } from '../ops/logger.ts'
import { clusterEnvironment } from '../settings.ts'
import { createProgress } from './progress.ts'

export interface ClusterFlags {
  readonly brokers?: '1' | '3'
  readonly docker?: boolean
  readonly jvm?: boolean
  readonly json?: boolean
}

/** Starts a cluster that stays, or names the one that the environment gives. */
export async function clusterUp({ brokers = '1', docker, jvm, json = false }: ClusterFlags): Promise<void> {
  if (docker === true && jvm === true)
    throw new RunInferenceError('SETTINGS_INVALID', '--docker and --jvm exclude each other: leave one out')
  const forced = docker === true ? ({ backend: 'docker' } as const) : jvm === true ? ({ backend: 'jvm' } as const) : {}
  const environment = { ...clusterEnvironment(), ...forced }
  if (environment.brokers !== undefined && environment.registryUrl !== undefined) {
    const given = { brokers: environment.brokers, registryUrl: environment.registryUrl }
    console.log(
      json ? JSON.stringify(given) : 'KRI_BROKERS and KRI_REGISTRY_URL name a cluster already: nothing to start',
    )
    return
  }
  const progress = createProgress()
  const onProgress = ({ text }: { readonly text: string }) => progress.show(text)
  const askedAt = new Date().toISOString()
  try {
    const status = await background.clusterUp({
      brokers: brokers === '3' ? 3 : 1,
      environment,
      logger: createLogger('warn'),
      onProgress,
    })
    progress.clear()
    if (!json && status.startedAt < askedAt) console.log(`already running ${origin(status)}: nothing to start\n`)
    print(status, json)
  } finally {
    progress.clear()
  }
}

/** Exit code 1 when none runs, or a part of it has ended. */
export async function clusterStatus({ json = false }: ClusterFlags): Promise<void> {
  const status = await background.clusterStatus(clusterEnvironment())
  if (status === undefined) {
    console.log(json ? '{"running":false}' : 'no cluster is running; kri cluster up starts one')
    process.exitCode = 1
    return
  }
  print(status, json)
  if (status.processes.some(({ running }) => !running)) process.exitCode = 1
}

/** Ending nothing is fine. */
export async function clusterDown({ json = false }: ClusterFlags): Promise<void> {
  const stopped = await background.clusterDown(clusterEnvironment())
  if (json) console.log(JSON.stringify({ stopped }))
  else console.log(stopped ? 'the cluster has ended, its data is removed' : 'no cluster is running')
}

function print(status: background.BackgroundStatus, json: boolean): void {
  const { backend, brokers, registryUrl, logFolder, startedAt, startedFrom, processes } = status
  if (json) {
    const told = { backend, brokers, registryUrl, logFolder, startedAt, startedFrom, processes }
    console.log(JSON.stringify({ running: true, ...told }))
    return
  }
  const ended = processes.filter(({ running }) => !running).map(({ name }) => name)
  console.log(`\
Kafka            ${brokers.join(', ')}
schema registry  ${registryUrl}
logs             ${logFolder}
since            ${startedAt}, ${backend === 'docker' ? 'in containers' : 'as Java processes'}${ended.length > 0 ? `\nENDED            ${ended.join(', ')} (see the logs; kri cluster down and up again)` : ''}

To use it:  ${exportLine(status)}`)
}

function origin({ startedAt, startedFrom }: background.BackgroundStatus): string {
  return `since ${startedAt}${startedFrom === undefined ? '' : `, started from ${startedFrom}`}`
}
