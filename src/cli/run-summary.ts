import type { RunSummary } from '../ops/run-tally.ts'

export interface RunOutcome {
  /** False: it was stopped before the end of the input, or was not asked to go there. */
  readonly reachedEnd: boolean
  readonly seconds: number
  readonly json: boolean
}

/** The last line of `kri run`. */
export function printSummary(summary: RunSummary, { reachedEnd, seconds, json }: RunOutcome): void {
  if (json) {
    console.log(JSON.stringify({ reachedEnd, ...summary, seconds: Number(seconds.toFixed(3)) }))
    return
  }
  const { preprocess, inference, postprocess } = summary.deadLetters
  console.log(
    `${summary.records} records, ${summary.predictions} predictions, ${preprocess + inference + postprocess} dead letters ` +
      `(${preprocess} before, ${inference} in, ${postprocess} after inference), ${summary.dropped} dropped, ` +
      `in ${seconds.toFixed(1)} s${reachedEnd ? '' : '; stopped before the end'}`,
  )
}
