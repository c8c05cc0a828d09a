import { homedir } from 'node:os'
import { join } from 'node:path'

export interface ClusterEnvironment {
  readonly brokers?: readonly string[]
  readonly registryUrl?: string
  readonly cacheFolder: string
  readonly java: string
  readonly maven: string
}

/** What the environment says about clusters. */
export function clusterEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): ClusterEnvironment {
  const brokers =
    env.KRI_BROKERS?.split(',')
      .map(broker => broker.trim())
      .filter(broker => broker !== '') ?? []
  return {
    ...(brokers.length > 0 ? { brokers } : {}),
    ...(env.KRI_REGISTRY_URL ? { registryUrl: env.KRI_REGISTRY_URL } : {}),
    cacheFolder: env.KRI_CACHE_FOLDER ?? join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kafka-run-inference'),
    java: env.JAVA_HOME ? join(env.JAVA_HOME, 'bin', 'java') : 'java',
    maven: 'mvn',
  }
}
