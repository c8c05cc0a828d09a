import { RunInferenceError } from '../errors.ts'
import type { GraphNode, SinkNode } from '../graph.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import type { ReplayMark } from './replay-marks.ts'
import type { FailurePoint } from './stage.ts'

/** The rows of one block of a replay topic, and whether each has come again to where it failed. */
export class Replays {
  readonly #marks: (ReplayMark | undefined)[]
  readonly #reached: Uint8Array

  /** `marks`: by row; undefined where all outputs and failures count. */
  constructor(marks: readonly (ReplayMark | undefined)[]) {
    this.#marks = [...marks]
    this.#reached = new Uint8Array(marks.length)
  }

  /** True when the output of this row belongs into this column; what left the graph there before stays out. */
  emits(row: number, outlet: number): boolean {
    const mark = this.#marks[row]
    if (!mark) return true
    if (!mark.outlets.has(outlet)) return false
    this.#reached[row] = 1
    return true
  }

  /** True when a failure of this node is a dead letter. */
  hears(row: number, { node }: FailurePoint): boolean {
    return this.#marks[row]?.heard.has(node) ?? true
  }

  /** An element was dropped behind these nodes. */
  dropped(row: number, passed: ReadonlySet<GraphNode | SinkNode>): void {
    const mark = this.#marks[row]
    if (mark?.nodes.some(node => passed.has(node))) this.#reached[row] = 1
  }

  /** The row is done: what it ends as when nothing of it came to where it failed. From then on everything counts. */
  diverged(row: number): { readonly point: FailurePoint; readonly error: RunInferenceError } | undefined {
    const mark = this.#marks[row]
    if (!mark || this.#reached[row] === 1) return undefined
    this.#marks[row] = undefined
    return { point: mark.diverged, error: new RunInferenceError('REPLAY_DIVERGED', mark.reason) }
  }
}

/** Reads from the headers of replayed records where each of them failed; undefined when no row says so. */
export function replaysOf(
  block: RecordBlock,
  markOf: (headers: ReturnType<RecordBlock['headers']>) => ReplayMark | undefined,
): Replays | undefined {
  const marks = Array.from({ length: block.count }, (_, row) =>
    block.headerCount(row) === 0 ? undefined : markOf(block.headers(row)),
  )
  return marks.some(mark => mark !== undefined) ? new Replays(marks) : undefined
}
