/** Executions `from` to `to` of a course, one behind the other. */
import { execute, type Fault, inputOf } from './execution.ts'
import type { Target, TargetSource } from './target.ts'

export interface Tally {
  executions: number
  /** Inputs that were taken, and those that were refused, by code. */
  taken: number
  readonly refused: Record<string, number>
}

export interface CourseOptions {
  readonly source: TargetSource
  readonly target: Target
  readonly seed: number
  readonly from: number
  readonly to: number
  /** The execution that begins now: whoever ends us must know which it was. */
  readonly onBegin?: (index: number) => void
  readonly onFault: (fault: Fault, bytes: Buffer, index: number) => void
  /** Every so often; resolves false to stop. */
  readonly onProgress?: (tally: Tally) => Promise<boolean>
}

const PROGRESS_MS = 250
const LOOK_EVERY = 64

export async function runCourse(options: CourseOptions): Promise<Tally> {
  const { source, target, seed, from, to, onBegin, onFault, onProgress } = options
  const tally: Tally = { executions: 0, taken: 0, refused: {} }
  let toldMs = performance.now()
  for (let index = from; index < to; index++) {
    onBegin?.(index)
    const bytes = inputOf(source.name, target, seed, index)
    const { code, fault } = await execute(target, bytes)
    tally.executions++
    if (fault) onFault(fault, bytes, index)
    else if (code === undefined) tally.taken++
    else tally.refused[code] = (tally.refused[code] ?? 0) + 1
    if (onProgress && index % LOOK_EVERY === 0 && performance.now() - toldMs > PROGRESS_MS) {
      toldMs = performance.now()
      if (!(await onProgress(tally))) break
    }
  }
  return tally
}
