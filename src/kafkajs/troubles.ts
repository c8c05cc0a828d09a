import type { RunInferenceError } from '../errors.ts'
import type { Logger } from '../ops/logger.ts'

/** The name of the trouble with a broker. */
export function troubleWith(broker: number): string {
  return `${TROUBLE_WITH}${broker}`
}

export function isTroubleWithBroker(what: string): boolean {
  return what.startsWith(TROUBLE_WITH)
}

const TROUBLE_WITH = 'broker '

/**
 * What is failing at present, by what it is. Tells when the first trouble comes and when the last one is over, and logs
 * one line for each that begins or ends.
 */
export class Troubles {
  readonly #open = new Map<string, RunInferenceError>()
  readonly #logger: Logger
  readonly #onChange: (first: RunInferenceError | undefined) => void

  /** `onChange` gets the failure that began, or undefined when nothing fails any more. */
  constructor(logger: Logger, onChange: (first: RunInferenceError | undefined) => void) {
    this.#logger = logger
    this.#onChange = onChange
  }

  /** What has failed for longest; undefined when all is well. */
  get first(): RunInferenceError | undefined {
    return this.#open.values().next().value
  }

  note(what: string, failure: RunInferenceError | undefined): void {
    const known = this.#open.has(what)
    if (failure === undefined) {
      if (!known) return
      this.#open.delete(what)
      this.#logger.info({ what }, 'works again')
      if (this.#open.size === 0) this.#onChange(undefined)
      return
    }
    const first = this.#open.size === 0
    this.#open.set(what, failure)
    if (known) return
    this.#logger.warn({ what, code: failure.code, error: failure.message }, 'fails, and is tried again')
    if (first) this.#onChange(failure)
  }

  /** Forgets what `matches`, e.g. troubles of partitions that are read no more. */
  forget(matches: (what: string) => boolean): void {
    for (const what of [...this.#open.keys()]) if (matches(what)) this.note(what, undefined)
  }
}
