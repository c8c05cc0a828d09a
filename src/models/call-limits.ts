import type { ModelSpec } from './executor.ts'
import type { ToLane } from './lane-messages.ts'

const KEPT = 128
const TIMES = 10
const LEAST_MS = 1_000

/**
 * How long a call may take: `timeoutMs` of its model, else `stuckMs`; a load what it was given, if that is less. While a batch
 * is searched for the row that does not return, parts of it have less, or the search would take that time at every step: ten
 * times what the longest of the last runs took, at least a second. One row alone has its full time, so no row is found guilty by
 * a guess.
 */
export class CallLimits {
  readonly #stuckMs: number
  readonly #lastRuns = new Map<number, { readonly ms: Float64Array; count: number }>()

  constructor(stuckMs: number) {
    this.#stuckMs = stuckMs
  }

  answered(message: ToLane, tookMs: number): void {
    if (message.type === 'unload') this.#lastRuns.delete(message.model)
    if (message.type !== 'run') return
    const runs = this.#lastRuns.get(message.model) ?? { ms: new Float64Array(KEPT), count: 0 }
    this.#lastRuns.set(message.model, runs)
    runs.ms[runs.count++ % KEPT] = tookMs
  }

  /** `spec` of the model whose rows the call is about; none for loads and the like. */
  of(message: ToLane, spec: ModelSpec | undefined): number {
    if (message.type === 'load') return Math.min(message.timeoutMs ?? this.#stuckMs, this.#stuckMs)
    const limitMs = spec?.timeoutMs ?? this.#stuckMs
    if (message.type !== 'run' || !message.again || message.rows === 1) return limitMs
    const runs = this.#lastRuns.get(message.model)
    return runs ? Math.min(limitMs, Math.max(LEAST_MS, TIMES * Math.max(...runs.ms))) : limitMs
  }
}
