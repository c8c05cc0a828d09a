/**
 * What the log says of dead letters: the first of each kind with its position and reason, then how many more there were, at
 * most a line a minute and kind. A kind is a step, a stage and a code, so there are few.
 */
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { Failure } from './stage.ts'

const COUNT_INTERVAL_MS = 60_000
const MAX_REASON_CHARS = 300

interface Kind {
  readonly facts: object
  /** Since the last line. */
  count: number
  cancel: (() => void) | undefined
}

export class DeadLetterLog {
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #kinds = new Map<string, Kind>()

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger
    this.#clock = clock
  }

  /** `source`: topic/partition/offset of the record, as far as it is known. */
  note({ point, error }: Failure, source: string): void {
    const { step, stage, node, topic } = point
    const key = `${step}/${stage}/${error.code}`
    const kind = this.#kinds.get(key)
    if (kind === undefined) {
      const facts = { step, stage, code: error.code }
      this.#kinds.set(key, { facts, count: 0, cancel: undefined })
      const reason = error.message.slice(0, MAX_REASON_CHARS)
      this.#logger.warn({ ...facts, node, source, deadLetterTopic: topic, reason }, 'first dead letter of its kind')
      return
    }
    kind.count++
    kind.cancel ??= this.#clock.after(COUNT_INTERVAL_MS, () => this.#tell(kind))
  }

  /** Tells the counts that nobody has heard yet. */
  close(): void {
    for (const kind of this.#kinds.values()) if (kind.count > 0) this.#tell(kind)
  }

  #tell(kind: Kind): void {
    kind.cancel?.()
    kind.cancel = undefined
    this.#logger.warn({ ...kind.facts, more: kind.count }, 'more dead letters of this kind since the last line')
    kind.count = 0
  }
}
