import type { KafkaPort } from '../kafka/port.ts'
import type { Clock } from '../ops/clock.ts'
import type { Topology } from '../topology.ts'
import type { ReplayOrder } from './replay-audit.ts'

/** What replays are planned and run with. */
export interface ReplayParts {
  readonly port: KafkaPort
  /** Or a part of it: replays are those of the whole. */
  readonly topology: Topology
  readonly clock: Clock
  /** Numbers in [0, 1), for jitter. */
  readonly random: () => number
  /** Plans reject; runs stop in order, so that they can be taken up again. */
  readonly signal: AbortSignal
  /** Whom the audit names. */
  readonly by: string
  /** That of the application, for runs that do not ask for one. */
  readonly guarantee: ReplayOrder['guarantee']
  /** The setting `replayTargets`. */
  readonly allowedTopics: readonly string[]
}
