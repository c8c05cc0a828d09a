/** What the environment says: the only file that reads it. Much imports this that needs no settings, so it imports little. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ClusterBackend } from './cluster/parts.ts'
import { RunInferenceError } from './errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The environment as it is now. */
export function environment(): Environment {
  return { ...process.env }
}

/** What a local cluster is told by the environment. */
export interface ClusterEnvironment {
  /** KRI_BROKERS: brokers that run already. */
  readonly brokers?: readonly string[]
  /** KRI_REGISTRY_URL: a registry that runs already. */
  readonly registryUrl?: string
  /** KRI_CACHE_FOLDER, else XDG_CACHE_HOME/kafka-run-inference, else ~/.cache/kafka-run-inference. */
  readonly cacheFolder: string
  /** KRI_CLUSTER: `docker` or `jvm`; default: Docker if its engine answers, else Java processes. */
  readonly backend?: ClusterBackend
  /** Where Docker's engine may answer: DOCKER_HOST, else its usual sockets. */
  readonly dockerHosts: readonly string[]
  /** JAVA_HOME/bin/java, else `java`. */
  readonly java: string
  readonly maven: string
}

const BACKENDS: readonly ClusterBackend[] = ['docker', 'jvm']

export function clusterEnvironment(env: Environment = environment()): ClusterEnvironment {
  const brokers = (env.KRI_BROKERS ?? '').split(',').map(broker => broker.trim())
  const given = brokers.filter(broker => broker !== '')
  const backend = BACKENDS.find(name => name === env.KRI_CLUSTER)
  if (env.KRI_CLUSTER && backend === undefined)
    throw new RunInferenceError('SETTINGS_INVALID', `KRI_CLUSTER: expected docker or jvm, got ${env.KRI_CLUSTER}`)
  return {
    ...(given.length > 0 ? { brokers: given } : {}),
    ...(env.KRI_REGISTRY_URL ? { registryUrl: env.KRI_REGISTRY_URL } : {}),
    cacheFolder: cacheFolder(env),
    ...(backend === undefined ? {} : { backend }),
    dockerHosts: env.DOCKER_HOST ? [env.DOCKER_HOST] : dockerSockets(env).map(path => `unix://${path}`),
    java: env.JAVA_HOME ? join(env.JAVA_HOME, 'bin', 'java') : 'java',
    maven: 'mvn',
  }
}

/** KRI_CACHE_FOLDER, else where a cache of ours is on this system. */
export function cacheFolder(env: Environment): string {
  const cacheHome = env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return env.KRI_CACHE_FOLDER || join(cacheHome, 'kafka-run-inference')
}

/** Of engines that run for everybody, for one user, and on a desktop. */
function dockerSockets(env: Environment): readonly string[] {
  const home = join(homedir(), '.docker')
  const own = env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, 'docker.sock')] : []
  return ['/var/run/docker.sock', ...own, join(home, 'run', 'docker.sock'), join(home, 'desktop', 'docker.sock')]
}

/** What this person edits texts with; undefined: nothing that is known. */
export function editorCommand({ VISUAL, EDITOR }: Environment = environment()): string | undefined {
  return VISUAL || EDITOR || undefined
}
