import { isRetriable, RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import type { PipelineMetrics } from './pipeline-metrics.ts'
import type { SourceStage } from './source-stage.ts'
import type { WorkBlock } from './work-block.ts'

const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 10_000

export interface PreparationOptions {
  readonly sourceOf: (topic: string) => { readonly stage: Pick<SourceStage, 'prepare'> }
  readonly clock: Clock
  readonly random: () => number
  readonly metrics: Pick<PipelineMetrics, 'retried'>
  readonly onOutage: (what: string, error: unknown) => void
  readonly onRecovered: (what: string) => void
  readonly onFatal: (error: unknown) => void
  /** Everything that the codecs need is there. */
  readonly onReady: (work: WorkBlock) => void
}

/** Has the schemas of blocks fetched before they are decoded, and waits through an outage of the registry (I10). */
export class Preparation {
  readonly #options: PreparationOptions
  /** Blocks whose schemas could not be had yet. */
  readonly #waiting = new Set<WorkBlock>()

  constructor(options: PreparationOptions) {
    this.#options = options
  }

  begin(work: WorkBlock): void {
    this.#try(work, 0)
  }

  #try(work: WorkBlock, attempt: number): void {
    const { sourceOf, onFatal } = this.#options
    if (work.lost) {
      this.#waitsNoMore(work)
      return
    }
    const { block } = work
    try {
      const preparing = sourceOf(block.topic).stage.prepare(work)
      if (preparing !== undefined) {
        preparing
          .then(
            // Not prepared again: what is still unknown is a dead letter, or ids that fall out of memory would be asked for ever.
            () => this.#ready(work),
            (error: unknown) => this.#retry(work, attempt, error),
          )
          .catch(onFatal)
      } else this.#ready(work)
    } catch (error) {
      const where = `decoding ${block.topic}/${block.partition} from offset ${block.offset(0)}`
      onFatal(RunInferenceError.from(error, 'BUG', where))
    }
  }

  #ready(work: WorkBlock): void {
    this.#waitsNoMore(work)
    if (!work.lost) this.#options.onReady(work)
  }

  #retry(work: WorkBlock, attempt: number, error: unknown): void {
    const { clock, random, metrics, onOutage, onFatal } = this.#options
    if (!isRetriable(error)) {
      onFatal(error)
      return
    }
    this.#waiting.add(work)
    onOutage('registry', error)
    metrics.retried('registry')
    const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt) * (0.5 + random() / 2)
    clock.after(delayMs, () => this.#try(work, attempt + 1))
  }

  /** The outage is over when no block waits for schemas any more. */
  #waitsNoMore(work: WorkBlock): void {
    if (this.#waiting.delete(work) && this.#waiting.size === 0) this.#options.onRecovered('registry')
  }
}
