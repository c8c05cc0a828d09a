/** Which settings belong together: in help and documents, and by the commands that take them. */

export type SettingGroup = 'connection' | 'topics' | 'run' | 'console' | 'models' | 'replay'

/** How Kafka and the registry are reached. */
const CONNECTION = [
  'brokers',
  'clientId',
  'tls',
  'tlsCaFile',
  'tlsCertFile',
  'tlsKeyFile',
  'tlsKeyPassword',
  'tlsKeyPasswordFile',
  'saslMechanism',
  'saslUsername',
  'saslPassword',
  'saslPasswordFile',
  'registryUrl',
  'registryCaFile',
  'registryCertFile',
  'registryKeyFile',
  'registryUsername',
  'registryPassword',
  'registryPasswordFile',
  'logLevel',
] as const
const TOPICS = ['partitions', 'replicationFactor', 'minIsr'] as const
/** From where models come. */
const MODELS = [
  'modelRoots',
  'maxModelBytes',
  'modelFetchTimeoutMs',
  'modelCacheFolder',
  'maxModelCacheBytes',
  'modelToken',
  'modelTokenFile',
  'modelTokenOrigin',
  's3Endpoint',
  's3Region',
  's3Addressing',
  's3AccessKeyId',
  's3SecretAccessKey',
  's3SecretAccessKeyFile',
  's3SessionToken',
  's3SessionTokenFile',
] as const

const CONSOLE = ['console', 'consoleHosts', 'consoleToken', 'consoleTokenFile'] as const

/** What replays of dead letters may do. */
const REPLAY = ['replayTargets'] as const

const GROUPS: readonly (readonly [SettingGroup, readonly string[]])[] = [
  ['connection', CONNECTION],
  ['topics', TOPICS],
  ['console', CONSOLE],
  ['models', MODELS],
  ['replay', REPLAY],
]

export function groupOf(name: string): SettingGroup {
  return GROUPS.find(([, names]) => names.includes(name))?.[0] ?? 'run'
}
