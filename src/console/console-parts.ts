import type { ReaderParts } from '../dead-letters/letter-reader.ts'
import type { KafkaPort } from '../kafka/port.ts'
import type { RunSettings } from '../run-settings.ts'
import type { Topology } from '../topology.ts'

/** What the console works with, whichever its scope is. */
export interface ConsoleParts extends ReaderParts {
  /** The whole, not a part of it. */
  readonly topology: Topology
  readonly port: KafkaPort
  /** Numbers in [0, 1), for jitter. */
  readonly random: () => number
  /** Of this package. */
  readonly version: string
  readonly guarantee: RunSettings['processingGuarantee']
  /** The setting `replayTargets`. */
  readonly allowedTopics: readonly string[]
  /** Whom audits and publications name. */
  readonly by: string
  /** Waited for behind each block of a scan: an instance has records to process, which go first. */
  readonly giveWay?: () => Promise<void>
}
