import type { KafkaPort } from '../src/kafka/port.ts'
import type { Figure } from './figures.ts'

/** What every subject is given. */
export interface Setting {
  readonly brokers: readonly string[]
  readonly registryUrl: string | undefined
  /** The harness's own connection, to prepare and to check topics. */
  readonly port: KafkaPort
  /** Where generated models lie. */
  readonly folder: string
  readonly lanes: number
  readonly provenance: boolean
  /** Fewer records and rounds: ratios are good for a first look, not for a record. */
  readonly quick: boolean
  /** Folder of another checkout of this repository, to be held against this one. */
  readonly before: string | undefined
  /** Instead of each subject's own number. */
  readonly rounds: number | undefined
  /** A line for whoever watches. */
  readonly say: (line: string) => void
}

export interface Subject {
  readonly name: string
  /** One sentence for `--help`. */
  readonly about: string
  /** It needs none: `brokers` is empty and `port` is not to be touched. */
  readonly withoutBrokers?: true
  /** `registryUrl` is there. */
  readonly needsRegistry?: true
  readonly run: (setting: Setting) => Promise<readonly Figure[]>
}

/** Records that did not come out as they should: figures of such a run are worth nothing. */
export class WrongOutput extends Error {}
