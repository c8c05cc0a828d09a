import type { ModelVersion } from '../models/model-version.ts'
import type { Batcher } from './batcher.ts'
import type { RowRun, RunSegment } from './row-run.ts'
import type { Failure, Spare } from './stage.ts'
import type { StrayRows } from './stray-rows.ts'
import type { TrialWatches } from './trial-watches.ts'

export interface SparedRowsOptions {
  readonly watches: TrialWatches
  readonly strays: StrayRows
  readonly batcher: Pick<Batcher, 'putBack'>
  /** Rows wait again, maybe outside of any batch. */
  readonly onPutBack: () => void
}

/**
 * What a model on trial, or a function behind it, throws and `exceptionHandling.only` leaves out: it ends the trial, and its rows run
 * again on the stable model.
 *
 * S1. Nothing that a model on trial has brought about ends the application, also when its trial is over by then.
 * S2. A row is run again only while nothing of it can have gone another way: else it would leave twice. It is a dead letter then.
 * S3. What the stable model does with the row is as ever: it may end the application.
 */
export class SparedRows {
  readonly #options: SparedRowsOptions

  constructor(options: SparedRowsOptions) {
    this.#options = options
  }

  /** For rows that this version could not run; undefined: it is no model on trial. */
  ofRows(by: ModelVersion | undefined, segment: RunSegment): Spare | undefined {
    return this.#isOfTrial(by) ? (_, error) => this.#spare(by, segment, error) : undefined
  }

  /** For row i of a run, when functions see what this version made of it. */
  ofResults(by: ModelVersion): ((run: RowRun, i: number) => Spare) | undefined {
    if (!this.#isOfTrial(by)) return undefined
    return (run, i) => (failure, error) => {
      if (run.broughtBy === undefined && isStraight(failure)) return this.#spare(by, { run, from: i, to: i + 1 }, error)
      this.#options.watches.threw(by.cohort, error)
      return false
    }
  }

  #spare({ cohort }: ModelVersion, segment: RunSegment, error: Parameters<Spare>[1]): true {
    const { batcher, onPutBack, strays, watches } = this.#options
    // First: the rows that wait for it are moved with its end, and these stand before them.
    watches.threw(cohort, error)
    batcher.putBack(strays.isOfCandidate(segment.run.cohort) ? strays.moved([segment]) : [segment])
    onPutBack()
    return true
  }

  /** One that was promoted is none any more, and keeps its rows. */
  #isOfTrial(by: ModelVersion | undefined): by is ModelVersion {
    return by !== undefined && this.#options.strays.isOfCandidate(by.cohort)
  }
}

/** Functions of the handler stand before any fork. */
function isStraight({ index, point }: Failure): boolean {
  return index >= 0 || point.isStraight === true
}
