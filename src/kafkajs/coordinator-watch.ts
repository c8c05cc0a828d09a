import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'

/** As long as a cluster may need to create the topic in which it keeps transactions, or to find it a new leader. */
const PATIENCE_MS = 10_000

/**
 * Notices that a cluster never has a transaction coordinator, which brokers answer in the same way as one that is about
 * to come, and says once what the reason usually is.
 */
export class CoordinatorWatch {
  readonly #clock: Clock
  readonly #logger: Logger
  #missingSinceMs = Number.POSITIVE_INFINITY
  #told = false

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  found(): void {
    this.#missingSinceMs = Number.POSITIVE_INFINITY
    this.#told = false
  }

  missing(transactionalId: string): void {
    const now = this.#clock.now()
    this.#missingSinceMs = Math.min(this.#missingSinceMs, now)
    if (this.#told || now - this.#missingSinceMs < PATIENCE_MS) return
    this.#told = true
    this.#logger.error(
      { transactionalId, missingForMs: Math.round(now - this.#missingSinceMs) },
      'the cluster has no transaction coordinator, and exactly-once waits for one. Where there are fewer brokers than ' +
        'transaction.state.log.replication.factor (default 3) or transaction.state.log.min.isr (default 2) asks for, there ' +
        'will never be one: lower both in the settings of the brokers (1 for a single broker), or start the others',
    )
  }
}
