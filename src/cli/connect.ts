import { readFile } from 'node:fs/promises'
import { RunInferenceError } from '../errors.ts'
import type { SchemaRegistryPort } from '../kafka/codec.ts'
import type { KafkaPort } from '../kafka/port.ts'
import { createSchemaRegistry } from '../kafka/schema-registry.ts'
import { createKafkaPort, type KafkaPortOptions } from '../kafkajs/kafka-port.ts'
import { systemClock } from '../ops/clock.ts'
import { createLogger, type Logger, type LogLevel } from '../ops/logger.ts'
import type { GivenParameters } from '../parameters.ts'
import { loadSettings, type Settings } from '../settings.ts'
import type { Topology } from '../topology.ts'
import { loadTopology } from '../topology-module.ts'

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
    ...(await security(settings)),
  })
  return { port, registry: registryOf(settings), close: () => port.close() }
}

async function pem(setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw RunInferenceError.from(error, 'SETTINGS_INVALID', `${setting}: expected a readable PEM file, got ${path}`)
  }
}

async function security(settings: Settings): Promise<Pick<KafkaPortOptions, 'ssl' | 'sasl'>> {
  const { tls, tlsCaFile, tlsCertFile, tlsKeyFile, saslMechanism, saslUsername, saslPassword } = settings
  const ssl = {
    ...(tlsCaFile === undefined ? {} : { ca: await pem('tlsCaFile', tlsCaFile) }),
    ...(tlsCertFile === undefined ? {} : { cert: await pem('tlsCertFile', tlsCertFile) }),
    ...(tlsKeyFile === undefined ? {} : { key: await pem('tlsKeyFile', tlsKeyFile) }),
  }
  return {
    ...(tls ? { ssl } : {}),
    ...(saslMechanism === undefined
      ? {}
      : { sasl: { mechanism: saslMechanism, username: saslUsername!, password: saslPassword! } }),
  }
}

function registryOf({ registryUrl, registryUsername, registryPassword }: Settings): SchemaRegistryPort | undefined {
  if (registryUrl === undefined) return undefined
  const auth =
    registryUsername === undefined ? {} : { auth: { username: registryUsername, password: registryPassword! } }
  return createSchemaRegistry({ url: registryUrl, ...auth })
}
