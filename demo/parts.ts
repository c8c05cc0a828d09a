/** What the phases of the demo share. */
import type { Cluster } from '../src/cluster/cluster.ts'
import type { CodecContext, SchemaRegistryPort } from '../src/kafka/codec.ts'
import type { KafkaPort } from '../src/kafka/port.ts'
import { readSchemaFile } from '../src/kafka/schema-files.ts'
import { systemClock } from '../src/ops/clock.ts'
import type { Logger } from '../src/ops/logger.ts'
import type { Topology } from '../src/topology.ts'
import type { DigitImage } from './digit-images.ts'
import type { DemoFlags } from './flags.ts'
import type { Screen } from './screen.ts'

export interface Job {
  readonly flags: DemoFlags
  readonly screen: Screen
  readonly logger: Logger
  /** Aborted by Ctrl-C; nothing is started after. */
  readonly signal: AbortSignal
  readonly resources: AsyncDisposableStack
}

export interface Parts extends Job {
  readonly cluster: Cluster
  readonly topology: Topology
  readonly images: readonly DigitImage[]
  readonly port: KafkaPort
  readonly registry: SchemaRegistryPort
}

/** For the values of a topic. */
export function codecContext(topic: string, registry: SchemaRegistryPort, logger: Logger): CodecContext {
  return { topic, field: 'value', registry, readSchema: readSchemaFile, logger, now: systemClock.now }
}
