import { RunInferenceError } from '../../src/errors.ts'
import { fakeLane, fakeStep } from './fake-lanes.ts'
import { blockOf, flowOf, sourceRecord, workOf } from './work-blocks.ts'

export interface SearchCalls {
  /** For each batch that was dispatched, until every row was decided: its rows, and the calls beyond its first one. */
  readonly batches: readonly { readonly rows: number; readonly extraCalls: number }[]
  readonly extraCalls: number
  readonly deadLetters: readonly number[]
  readonly delivered: number
}

/** How many calls of the model it takes to tell the bad rows of one batch from the others; the control batch is one. */
export async function countSearchCalls(rows: number, bad: ReadonlySet<number>): Promise<SearchCalls> {
  const lane = fakeLane()
  const fake = fakeStep([lane], { maxSize: rows })
  const work = workOf(blockOf(Array.from({ length: rows }, (_, i) => sourceRecord(i))), flowOf())
  lane.answer = values => {
    if (values.some(value => bad.has(value))) throw new RunInferenceError('INFERENCE_FAILED', 'a bad row')
  }
  fake.queue(work, [...new Array(rows).keys()])
  fake.step.collect()
  const batches: { rows: number; extraCalls: number }[] = []
  while (fake.step.queuedRows > 0) {
    const before = lane.runs.length + lane.controls
    const batch = fake.step.take(lane, 'idle', [lane], 0, 0)!
    await fake.step.run(fake.step.acquire(lane, batch)!, batch)
    batches.push({ rows: batch.rows, extraCalls: lane.runs.length + lane.controls - before - 1 })
  }
  return {
    batches,
    // Batches of rows that came back would not have been run without the bad ones.
    extraCalls: lane.runs.length + lane.controls - 1,
    deadLetters: [...new Array(rows).keys()].filter(row => work.failuresOf(row) !== undefined),
    delivered: fake.delivered.length,
  }
}
