import { RunInferenceError } from '../errors.ts'
import type { RowGrouping } from './row-grouping.ts'
import type { FailurePoint, Stage } from './stage.ts'
import type { WorkBlock } from './work-block.ts'

/** What `bucketBy` and `sizeOf` said of the elements that are on their way through the functions of a step. */
export class Groups {
  readonly #byWork = new WeakMap<WorkBlock, Map<number, { readonly bucket: string; readonly size: number }>>()

  set(work: WorkBlock, element: number, bucket: string, size: number): void {
    const known = this.#byWork.get(work) ?? new Map()
    known.set(element, { bucket, size })
    this.#byWork.set(work, known)
  }

  /** Once for each element. */
  take(work: WorkBlock, element: number): { readonly bucket: string; readonly size: number } {
    const known = this.#byWork.get(work)
    const group = known?.get(element)
    known?.delete(element)
    return group ?? NO_GROUP
  }
}

export const NO_GROUP = { bucket: '', size: 0 }

/** Asks the functions of `batch` about an element as it enters the step, before the functions of the handler change it. */
export function groupingStage(grouping: RowGrouping, groups: Groups, point: FailurePoint, next: Stage): Stage {
  const { bucketOf, sizeOf } = grouping
  if (!bucketOf && !sizeOf) return next
  return {
    push(work, element, value) {
      let bucket = ''
      let size = 0
      try {
        if (bucketOf) bucket = bucketOf(value)
        if (sizeOf) size = sizeOf(value)
      } catch (error) {
        work.fail(element, point, -1, RunInferenceError.from(error, 'FUNCTION_THREW'), { value })
        return
      }
      groups.set(work, element, bucket, size)
      next.push(work, element, value)
    },
    pushNull: (work, element) => next.pushNull(work, element),
  }
}
