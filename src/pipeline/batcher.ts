/**
 * Forms the batches of one step. Work-conserving in `stream` mode: an idle lane takes what is queued (its share of it),
 * a lane's prefetch place takes only a full batch; so a quiet topic has low latency and a busy one full batches.
 *
 * B1. A batch has at least one row, all of one bucket, and at most `maxRows`: the least of maxSize, the adaptive size and what
 *     fits the device. Its bytes and its total size stay within their limits, or it has one row.
 * B2. Rows of one bucket leave in the order in which they came.
 * B3. Every row leaves exactly once, unless its partition was lost meanwhile.
 * B4. A batch below minSize is held until maxWaitMs after its own first record, never longer; flushing overrides.
 * B5. The prefetch place is served only while a bucket has a full batch (stream mode), so a quiet topic does not prefetch.
 * B6. In `bundle` mode a batch never spans two blocks: one block is one bundle (Beam 2.5).
 * B7. The bucket whose first row waits longest is served first, at either place: no bucket starves behind a busy one.
 */
import type { BatchPolicy } from './batch-policy.ts'
import { paddedLength, shapesAt } from './padding.ts'
import { type Reach, reachOf } from './row-cost.ts'
import type { Batch, CloseReason, RowRun, RunSegment } from './row-run.ts'

/** Which place of a lane asks. */
export type LanePlace = 'idle' | 'prefetch'

class Bucket {
  /** Read from `head`; the front is cut off now and then. */
  segments: RunSegment[] = []
  head = 0
  rows = 0

  get first(): RunSegment | undefined {
    return this.segments[this.head]
  }
}

interface Choice {
  readonly bucket: Bucket
  readonly first: RunSegment
  readonly reach: Reach
}

export class Batcher {
  readonly #policy: BatchPolicy
  readonly #adaptive: { readonly size: number } | undefined
  readonly #buckets = new Map<string, Bucket>()
  #ceiling = Number.POSITIVE_INFINITY
  #flush: CloseReason | undefined

  /** `adaptive`: the size that past batches suggest. */
  constructor(policy: BatchPolicy, adaptive?: { readonly size: number }) {
    this.#policy = policy
    this.#adaptive = adaptive
  }

  /** Batches have at most so many rows from now on, beside `maxSize`: what fits the memory of the device. */
  set ceiling(rows: number) {
    this.#ceiling = rows
  }

  /** The most rows that a batch may have now. */
  get maxRows(): number {
    return Math.min(this.#policy.maxSize, this.#ceiling, this.#adaptive?.size ?? Number.POSITIVE_INFINITY)
  }

  get queuedRows(): number {
    let rows = 0
    for (const bucket of this.#buckets.values()) rows += bucket.rows
    return rows
  }

  add(run: RowRun): void {
    if (run.count === 0) return
    const bucket = this.#bucketOf(run.bucketKey)
    bucket.segments.push({ run, from: 0, to: run.count })
    bucket.rows += run.count
  }

  /** Returns rows that were taken and not run, to the front and in their old order: behind older ones that came back before. */
  putBack(segments: readonly RunSegment[]): void {
    for (const segment of segments.toReversed()) {
      if (segment.run.work.lost) continue
      const bucket = this.#bucketOf(segment.run.bucketKey)
      bucket.segments.splice(0, bucket.head)
      bucket.head = 0
      const at = bucket.segments.findIndex(queued => !isOlder(queued, segment))
      bucket.segments.splice(at < 0 ? bucket.segments.length : at, 0, segment)
      bucket.rows += segment.to - segment.from
    }
  }

  /** Forgets the rows of lost partitions, wherever they stand in the queue. */
  dropLost(): void {
    for (const bucket of this.#buckets.values()) {
      bucket.segments = bucket.segments.slice(bucket.head).filter(segment => !segment.run.work.lost)
      bucket.head = 0
      bucket.rows = bucket.segments.reduce((rows, { from, to }) => rows + to - from, 0)
    }
  }

  /** While set, nothing is held back, and batches below minSize close for this reason. */
  set flushing(reason: CloseReason | undefined) {
    this.#flush = reason
  }

  /** Takes the next batch for a lane's place, or nothing. `idleLanes` counts the lanes that could share the queue. */
  take(place: LanePlace, idleLanes: number, nowMs: number): Batch | undefined {
    const choice = this.#choose(nowMs, place)
    if (!choice) return undefined
    const { bucket, reach } = choice
    if (reach.closes) return this.#cut(bucket, reach.rows, reach.closes)
    const { minSize, maxWaitMs } = this.#policy
    const share = Math.ceil(bucket.rows / Math.max(1, idleLanes))
    const size = Math.max(share, Math.min(minSize, bucket.rows))
    if (bucket.rows >= minSize) return this.#cut(bucket, size, 'idle')
    return this.#cut(bucket, size, this.#flush ?? (maxWaitMs > 0 ? 'time' : 'idle'))
  }

  /** When the batch that is being held must close, in clock milliseconds; undefined when none is held. */
  deadlineMs(): number | undefined {
    let earliest: number | undefined
    for (const bucket of this.#buckets.values()) {
      this.#skipLost(bucket)
      const first = bucket.first
      if (!first || bucket.rows >= this.#policy.minSize || this.#reach(bucket).closes) continue
      const deadline = first.run.arrivedAtMs + this.#policy.maxWaitMs
      if (earliest === undefined || deadline < earliest) earliest = deadline
    }
    return earliest
  }

  #bucketOf(key: string): Bucket {
    const known = this.#buckets.get(key)
    if (known) return known
    const made = new Bucket()
    this.#buckets.set(key, made)
    return made
  }

  /** The bucket to serve: among those that may close a batch, the one whose first row waits longest (B7). */
  #choose(nowMs: number, place: LanePlace): Choice | undefined {
    let oldest: Choice | undefined
    let isFull = false
    for (const [key, bucket] of this.#buckets) {
      this.#skipLost(bucket)
      const { first } = bucket
      if (!first) {
        if (this.#buckets.size > 1) this.#buckets.delete(key)
        continue
      }
      const reach = this.#reach(bucket)
      if (!reach.closes && !this.#mayClose(bucket, first, nowMs)) continue
      isFull ||= reach.closes !== undefined
      const choice = { bucket, first, reach }
      if (!oldest || isBefore(choice, oldest)) oldest = choice
    }
    return place === 'idle' || isFull ? oldest : undefined
  }

  /** True when a batch that is not full need not be held. */
  #mayClose(bucket: Bucket, first: RunSegment, nowMs: number): boolean {
    const { minSize, maxWaitMs } = this.#policy
    return bucket.rows >= minSize || this.#flush !== undefined || nowMs >= first.run.arrivedAtMs + maxWaitMs
  }

  /** How many of the rows that wait make one batch; `closes` is set when it is full. */
  #reach({ segments, head, rows }: Bucket): Reach {
    const { mode, maxBytes, maxTotalSize } = this.#policy
    return reachOf(segments, head, rows, {
      maxRows: this.maxRows,
      maxBytes: maxBytes ?? Number.POSITIVE_INFINITY,
      maxTotalSize: maxTotalSize ?? Number.POSITIVE_INFINITY,
      oneBlock: mode === 'bundle',
    })
  }

  #skipLost(bucket: Bucket): void {
    for (let first = bucket.first; first?.run.work.lost; first = bucket.first) this.#advance(bucket, first)
  }

  #advance(bucket: Bucket, first: RunSegment): void {
    bucket.rows -= first.to - first.from
    bucket.head++
    if (bucket.head > 64 && bucket.head * 2 > bucket.segments.length) {
      bucket.segments.splice(0, bucket.head)
      bucket.head = 0
    }
  }

  #cut(bucket: Bucket, size: number, reason: CloseReason): Batch | undefined {
    const segments: RunSegment[] = []
    let rows = 0
    for (let first = bucket.first; first && rows < size; first = bucket.first) {
      if (first.run.work.lost) {
        this.#advance(bucket, first)
        continue
      }
      const taken = Math.min(size - rows, first.to - first.from)
      segments.push({ run: first.run, from: first.from, to: first.from + taken })
      rows += taken
      if (taken === first.to - first.from) this.#advance(bucket, first)
      else {
        bucket.segments[bucket.head] = { run: first.run, from: first.from + taken, to: first.to }
        bucket.rows -= taken
      }
    }
    const [head] = segments
    if (!head) return undefined
    return { segments, rows, ...paddedShape(segments, rows), reason, firstArrivedAtMs: head.run.arrivedAtMs }
  }
}

/** Who came first is served first; of those that came together, a full batch. */
function isBefore({ first, reach }: Choice, other: Choice): boolean {
  const ms = first.run.arrivedAtMs - other.first.run.arrivedAtMs
  return ms < 0 || (ms === 0 && reach.closes !== undefined && other.reach.closes === undefined)
}

/** Of one run the rows tell; rows that came at one time may change places. */
function isOlder(queued: RunSegment, { run, from }: RunSegment): boolean {
  return queued.run === run ? queued.from < from : queued.run.arrivedAtMs < run.arrivedAtMs
}

/** The shape of a batch: its rows' own, or, where they differ, that of the longest. */
function paddedShape(
  segments: readonly RunSegment[],
  rows: number,
): Pick<Batch, 'rowShapes' | 'paddedLength' | 'paddingBytes'> {
  const { rowShapes, cost } = segments[0]!.run
  const { padding } = cost
  if (!padding) return { rowShapes: rowShapes as Batch['rowShapes'], paddedLength: 0, paddingBytes: 0 }
  let longest = 0
  let steps = 0
  for (const { run, from, to } of segments) {
    const { lengths } = run.cost
    for (let i = from; i < to; i++) {
      longest = Math.max(longest, lengths![i]!)
      steps += lengths![i]!
    }
  }
  const length = paddedLength(padding, longest)
  return {
    rowShapes: shapesAt(padding, rowShapes, length),
    paddedLength: length,
    paddingBytes: (rows * length - steps) * padding.bytesPerStep,
  }
}
