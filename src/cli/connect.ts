import type { SchemaRegistryPort } from '../kafka/codec.ts'
import type { KafkaPort } from '../kafka/port.ts'
import { createSchemaRegistry } from '../kafka/schema-registry.ts'
import { createKafkaPort, type KafkaPortOptions } from '../kafkajs/kafka-port.ts'
import { loadSettings, type Settings, visibleSecrets } from '../load-settings.ts'
import { systemClock } from '../ops/clock.ts'
import { createLogger, type Logger, type LogLevel } from '../ops/logger.ts'
import type { GivenParameters } from '../parameters.ts'
import type { Topology } from '../topology.ts'
import { loadTopology } from '../topology-module.ts'
import { readTlsFiles, type TlsFiles } from './tls-files.ts'

export { readSchemaFile as readSchema } from '../kafka/schema-files.ts'

/** Flags that every command with a topology has; the others are settings by name. */
export interface TopologyFlags {
  readonly config?: string
  readonly param?: GivenParameters
  readonly [setting: string]: unknown
}

/** What a command works with. `close` ends every connection. */
export interface Connected {
  readonly topology: Topology
  readonly settings: Settings
  readonly logger: Logger
  readonly port: KafkaPort
  readonly registry: SchemaRegistryPort | undefined
  close(): Promise<void>
}

/** Loads settings and topology, both checked whole, and prepares the connections; nothing is connected yet. */
export async function connect(
  module: string,
  flags: TopologyFlags,
  {
    makeLogger = createLogger,
    ...patience
  }: { readonly makeLogger?: (level: LogLevel) => Logger; readonly adminPatienceMs?: number } = {},
): Promise<Connected> {
  const settings = loadSettings({ flags, configFile: flags.config })
  const topology = await loadTopology(module, flags.param ?? {})
  const logger = makeLogger(settings.logLevel)
  warnOfVisibleSecrets(flags, logger)
  return { topology, settings, logger, ...(await prepareConnections(settings, logger, patience)) }
}

/** Kafka and the registry as the settings say; nothing is connected yet. */
export async function prepareConnections(
  settings: Settings,
  logger: Logger,
  patience: Pick<KafkaPortOptions, 'adminPatienceMs'> = {},
): Promise<Pick<Connected, 'port' | 'registry' | 'close'>> {
  const port = createKafkaPort({
    brokers: settings.brokers,
    clientId: settings.clientId,
    logger,
    clock: systemClock,
    random: Math.random,
    ...patience,
    ...security(settings),
  })
  return { port, registry: registryOf(settings), close: () => port.close() }
}

/** Of those on the command line, which other users of the machine see. */
export function warnOfVisibleSecrets(flags: TopologyFlags, logger: Logger): void {
  for (const { where, what, remedy } of visibleSecrets(flags)) logger.warn({ flag: where }, `${what}. ${remedy}`)
}

function security(settings: Settings): Pick<KafkaPortOptions, 'ssl' | 'sasl'> {
  const { tls, saslMechanism, saslUsername, saslPassword } = settings
  return {
    ...(tls ? { ssl: brokerTls(settings) } : {}),
    ...(saslMechanism === undefined
      ? {}
      : { sasl: { mechanism: saslMechanism, username: saslUsername!, password: saslPassword! } }),
  }
}

function brokerTls({ tlsCaFile, tlsCertFile, tlsKeyFile, tlsKeyPassword }: Settings): TlsFiles {
  return readTlsFiles({
    ca: { setting: 'tlsCaFile', path: tlsCaFile },
    cert: { setting: 'tlsCertFile', path: tlsCertFile },
    key: { setting: 'tlsKeyFile', path: tlsKeyFile },
    password: tlsKeyPassword,
  })
}

function registryOf(settings: Settings): SchemaRegistryPort | undefined {
  const { registryUrl, registryUsername, registryPassword } = settings
  if (registryUrl === undefined) return undefined
  const { registryCaFile, registryCertFile, registryKeyFile, tlsKeyPassword } = settings
  const tls = readTlsFiles({
    ca: { setting: 'registryCaFile', path: registryCaFile },
    cert: { setting: 'registryCertFile', path: registryCertFile },
    key: { setting: 'registryKeyFile', path: registryKeyFile },
    password: tlsKeyPassword,
  })
  const auth =
    registryUsername === undefined ? {} : { auth: { username: registryUsername, password: registryPassword! } }
  return createSchemaRegistry({ url: registryUrl, tls, ...auth })
}
