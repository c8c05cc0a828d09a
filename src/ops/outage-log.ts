/**
 * What the log says of outages: when one begins, with its reason, and when it is over. One that comes and goes has at most one
 * beginning a minute; what is still out at the end of that minute is told then.
 */
import { RunInferenceError } from '../errors.ts'
import type { Clock } from './clock.ts'
import type { Logger } from './logger.ts'

const INTERVAL_MS = 60_000
const MAX_REASON_CHARS = 300

interface Outage {
  beganAtMs: number
  toldAtMs: number | undefined
  error: unknown
  isOn: boolean
  cancel: (() => void) | undefined
}

export class OutageLog {
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #outages = new Map<string, Outage>()

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger
    this.#clock = clock
  }

  /** `what` is out, for the first time or still. */
  began(what: string, error: unknown): void {
    const nowMs = this.#clock.now()
    const known = this.#outages.get(what)
    const outage = known ?? { beganAtMs: nowMs, toldAtMs: undefined, error, isOn: false, cancel: undefined }
    outage.error = error
    if (outage.isOn) return
    this.#outages.set(what, outage)
    outage.isOn = true
    outage.beganAtMs = nowMs
    const waitMs = (outage.toldAtMs ?? Number.NEGATIVE_INFINITY) + INTERVAL_MS - nowMs
    if (waitMs <= 0) this.#tell(what, outage)
    else outage.cancel = this.#clock.after(waitMs, () => this.#tell(what, outage))
  }

  /** It works again; nothing is said of an outage of which nothing was. */
  over(what: string): void {
    const outage = this.#outages.get(what)
    if (!outage?.isOn) return
    outage.isOn = false
    outage.cancel?.()
    outage.cancel = undefined
    if (outage.toldAtMs === undefined || outage.toldAtMs < outage.beganAtMs) return
    this.#logger.info({ what, afterMs: Math.round(this.#clock.now() - outage.beganAtMs) }, 'the outage is over')
  }

  /** No timer after this. */
  close(): void {
    for (const outage of this.#outages.values()) outage.cancel?.()
  }

  #tell(what: string, outage: Outage): void {
    outage.cancel = undefined
    outage.toldAtMs = this.#clock.now()
    const { code, message } = RunInferenceError.from(outage.error, 'MODEL_OUTAGE')
    const facts = { what, code, reason: message.slice(0, MAX_REASON_CHARS) }
    this.#logger.warn(facts, 'an outage: what needs it waits, and is tried again')
  }
}
