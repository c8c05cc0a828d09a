/** What runs a cluster on this machine. */
export type ClusterBackend = 'docker' | 'jvm'

/** Where the parts of a cluster are, for another process to find them: plain data. */
export type ClusterHome =
  | { readonly backend: 'jvm'; readonly folder: string; readonly logFolder: string }
  | {
      readonly backend: 'docker'
      /** Ids, by the names of the parts. */
      readonly containers: Readonly<Record<string, string>>
      readonly networkId: string
      readonly logFolder: string
    }

/** Brokers and a registry that a backend started. Its parts are named `broker-1` and so on, and `registry`. */
export interface ClusterParts {
  readonly brokers: readonly string[]
  readonly registryUrl: string | undefined
  readonly home: ClusterHome
  kill(name: string): Promise<void>
  start(name: string): Promise<void>
  pause(name: string): Promise<void>
  resume(name: string): Promise<void>
  release(): Promise<void>
  stop(): Promise<void>
}

export interface PartsNeeded {
  readonly brokers: 0 | 1 | 3
  readonly registry: boolean
}

export function brokerName(index: number): string {
  return `broker-${index + 1}`
}

/** For progress and logs: what is being started. */
export function describeParts({ brokers, registry }: PartsNeeded): string {
  const parts = [
    ...(brokers === 0 ? [] : [`${brokers} Kafka broker${brokers === 1 ? '' : 's'}`]),
    ...(registry ? ['a schema registry'] : []),
  ]
  return parts.join(' and ')
}
