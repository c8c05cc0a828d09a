import type { RunInferenceError } from '../../src/errors.ts'
import type { FunctionJob, FunctionLane } from '../../src/models/function-lane.ts'
import type { FunctionSide } from '../../src/models/user-function.ts'
import { eventually } from './eventually.ts'

/** How a job ended. */
export interface Ended {
  readonly result?: unknown
  readonly code?: string
  readonly index?: number
  readonly error?: RunInferenceError
}

export class TestJob implements FunctionJob {
  readonly value: unknown
  isLost = false
  ends: Ended[] = []

  constructor(value: unknown) {
    this.value = value
  }

  done(result: unknown): void {
    this.ends.push({ result })
  }

  failed(index: number, error: RunInferenceError): void {
    this.ends.push({ code: error.code, index, error })
  }
}

/** Gives these values to a lane and waits until each of them has ended; fails where one ends twice. */
export async function runJobs(
  lane: FunctionLane,
  values: readonly unknown[],
  side: FunctionSide = 'preprocess',
): Promise<readonly Ended[]> {
  const jobs = values.map(value => new TestJob(value))
  for (const job of jobs) lane.push(side, job)
  await eventually('every job has ended', () => jobs.every(({ ends }) => ends.length > 0), 30_000)
  return jobs.map(({ ends }) => {
    if (ends.length > 1) throw new Error(`a job ended ${ends.length} times`)
    return ends[0]!
  })
}
