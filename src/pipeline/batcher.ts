/**
 * Forms the batches of one step. Work-conserving in `stream` mode: an idle lane takes what is queued (its share of it),
 * a lane's prefetch place takes only a full batch; so a quiet topic has low latency and a busy one full batches.
 *
 * B1. A batch has between 1 and maxSize rows, all of one shape.
 * B2. Rows of one shape leave in the order in which they came.
 * B3. Every row leaves exactly once, unless its partition was lost meanwhile.
 * B4. A batch below minSize is held until maxWaitMs after its own first record, never longer; flushing overrides.
 * B5. The prefetch place gets full batches only (stream mode).
 * B6. In `bundle` mode a batch never spans two runs: one block is one bundle (Beam 2.5).
 * B7. The bucket whose first row waits longest is served first.
 */
import type { Batch, CloseReason, RowRun, RunSegment } from './row-run.ts'

export interface BatchPolicy {
  readonly mode: 'stream' | 'bundle'
  readonly minSize: number
  readonly maxSize: number
  readonly maxWaitMs: number
}

/** Which place of a lane asks. */
export type LanePlace = 'idle' | 'prefetch'

/** Fills in the defaults of DESIGN 5: minSize is maxSize where a wait was asked for, else 1. */
export function batchPolicy(options: Partial<BatchPolicy>): BatchPolicy {
  const maxSize = options.maxSize ?? 256
  const maxWaitMs = options.maxWaitMs ?? 0
  return {
    mode: options.mode ?? 'stream',
    maxSize,
    maxWaitMs,
    minSize: options.minSize ?? (maxWaitMs > 0 ? maxSize : 1),
  }
}

class Bucket {
  /** Read from `head`; the front is cut off now and then. */
  segments: RunSegment[] = []
  head = 0
  rows = 0

  get first(): RunSegment | undefined {
    return this.segments[this.head]
  }
}

export class Batcher {
  readonly #policy: BatchPolicy
  readonly #buckets = new Map<string, Bucket>()
  #ceiling = Number.POSITIVE_INFINITY
  #flush: CloseReason | undefined

  constructor(policy: BatchPolicy) {
    this.#policy = policy
  }

  /** Batches have at most so many rows from now on, beside `maxSize`: what fits the memory of the device. */
  set ceiling(rows: number) {
    this.#ceiling = rows
  }

  get #maxSize(): number {
    return Math.min(this.#policy.maxSize, this.#ceiling)
  }

  get queuedRows(): number {
    let rows = 0
    for (const bucket of this.#buckets.values()) rows += bucket.rows
    return rows
  }

  add(run: RowRun): void {
    if (run.count === 0) return
    this.#bucketOf(run.shapeKey).segments.push({ run, from: 0, to: run.count })
    this.#bucketOf(run.shapeKey).rows += run.count
  }

  /** Returns rows that were taken and not run, to the front and in their old order. */
  putBack(segments: readonly RunSegment[]): void {
    for (const segment of segments.toReversed()) {
      if (segment.run.work.lost) continue
      const bucket = this.#bucketOf(segment.run.shapeKey)
      bucket.segments.splice(0, bucket.head, segment)
      bucket.head = 0
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
    const { mode, minSize, maxWaitMs } = this.#policy
    const maxSize = this.#maxSize
    const bucket = this.#oldestBucket(nowMs, place)
    const first = bucket?.first
    if (!bucket || !first) return undefined
    if (mode === 'bundle') return this.#cut(bucket, Math.min(maxSize, first.to - first.from), 'count')
    if (bucket.rows >= maxSize) return this.#cut(bucket, maxSize, 'count')
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
      if (!first || bucket.rows >= this.#policy.minSize) continue
      const deadline = first.run.arrivedAtMs + this.#policy.maxWaitMs
      if (earliest === undefined || deadline < earliest) earliest = deadline
    }
    return earliest
  }

  #bucketOf(shapeKey: string): Bucket {
    const known = this.#buckets.get(shapeKey)
    if (known) return known
    const made = new Bucket()
    this.#buckets.set(shapeKey, made)
    return made
  }

  /** The bucket to serve: among those that may close a batch for this place, the one whose first row waits longest (B7). */
  #oldestBucket(nowMs: number, place: LanePlace): Bucket | undefined {
    let oldest: Bucket | undefined
    for (const [key, bucket] of this.#buckets) {
      this.#skipLost(bucket)
      if (!bucket.first) {
        if (this.#buckets.size > 1) this.#buckets.delete(key)
        continue
      }
      if (!this.#mayClose(bucket, bucket.first, nowMs, place)) continue
      if (!oldest?.first || bucket.first.run.arrivedAtMs < oldest.first.run.arrivedAtMs) oldest = bucket
    }
    return oldest
  }

  #mayClose(bucket: Bucket, first: RunSegment, nowMs: number, place: LanePlace): boolean {
    const { mode, minSize, maxWaitMs } = this.#policy
    if (mode === 'bundle' || bucket.rows >= this.#maxSize) return true
    if (place === 'prefetch') return false
    return bucket.rows >= minSize || this.#flush !== undefined || nowMs >= first.run.arrivedAtMs + maxWaitMs
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
    const head = segments[0]
    if (!head) return undefined
    return { segments, rows, rowShapes: head.run.rowShapes, reason, firstArrivedAtMs: head.run.arrivedAtMs }
  }
}
