/**
 * Forms the batches of one step. Work-conserving in `stream` mode: an idle lane takes what is queued (its share of it),
 * a lane's prefetch place takes only a full batch; so a quiet topic has low latency and a busy one full batches.
 *
 * B1. A batch has at least one row, all of one bucket, and at most as many as its model may have now: the least of maxSize,
 *     the adaptive size and what fits the device. Its bytes and its total size stay within their limits, or it has one row.
 * B2. Rows of one bucket leave in the order in which they came.
 * B3. Every row leaves exactly once, unless its partition was lost meanwhile.
 * B4. A batch below minSize is held until maxWaitMs after its own first record, never longer; flushing overrides.
 * B5. The prefetch place is served only while a bucket has a full batch (stream mode), so a quiet topic does not prefetch.
 * B6. In `bundle` mode a batch never spans two blocks: one block is one bundle (Beam 2.5).
 * B7. Of the buckets that the lane can serve, the one whose first row waits longest is first, at either place: no bucket starves
 *     behind a busy one. Where a model would have to be loaded for it, `model-set.ts` (M4) says how long it may be passed over.
 * B8. What a batch costs does not grow with the number of buckets that wait: their order is kept, not looked for.
 * B9. A run that an element brought as a batch of its own (withNoBatching) is one, whatever the limits say.
 */
import type { LaneAnswer } from '../models/model-set.ts'
import type { BatchPolicy } from './batch-policy.ts'
import { BucketOrder, precedes, type Turn } from './bucket-order.ts'
import { formBatch } from './form-batch.ts'
import { type Reach, reachOf } from './row-cost.ts'
import type { Batch, CloseReason, RowRun, RunSegment } from './row-run.ts'

/** Which place of a lane asks. */
export type LanePlace = 'idle' | 'prefetch'

class Bucket implements Turn {
  readonly key: string
  readonly cohort: number
  readonly number: number
  /** Read from `head`; the front is cut off now and then. */
  segments: RunSegment[] = []
  head = 0
  rows = 0
  /** What follows is as it was when the bucket got its place in the order. */
  order: BucketOrder<Bucket> | undefined
  atMs = 0
  reach: Reach = { rows: 0, closes: undefined }

  constructor(key: string, cohort: number, number: number) {
    this.key = key
    this.cohort = cohort
    this.number = number
  }

  get first(): RunSegment | undefined {
    return this.segments[this.head]
  }

  get isFull(): boolean {
    return this.reach.closes !== undefined
  }
}

/** What a lane should do next. */
export interface Choice {
  /** Whose rows it is about. */
  readonly cohort: number
  /** Their model must be loaded before they can run. */
  readonly mustLoad: boolean
  /** A bucket of the batcher that chose. */
  readonly of: object
}

export class Batcher {
  readonly #policy: BatchPolicy
  readonly #buckets = new Map<string, Bucket>()
  /** Buckets that may close a batch now, whatever the time. */
  readonly #ripe = new BucketOrder<Bucket>()
  /** Buckets below minSize, which may close when their time has come. */
  readonly #held = new BucketOrder<Bucket>()
  /** Their place in the order is to be found again. */
  readonly #changed = new Set<Bucket>()
  /** The most rows of a batch by cohort, where they are fewer than the policy's. */
  readonly #limits = new Map<number, number>()
  #fullBuckets = 0
  #queuedRows = 0
  #lastNumber = 0
  #flush: CloseReason | undefined

  constructor(policy: BatchPolicy) {
    this.#policy = policy
  }

  /** Batches of this cohort have at most so many rows from now on, beside `maxSize`. */
  limit(cohort: number, rows: number): void {
    this.#limits.set(cohort, rows)
    for (const bucket of this.#buckets.values()) if (bucket.cohort === cohort) this.#changed.add(bucket)
  }

  /** The most rows that a batch of this cohort may have now. */
  maxRowsOf(cohort: number): number {
    return Math.min(this.#policy.maxSize, this.#limits.get(cohort) ?? Number.POSITIVE_INFINITY)
  }

  get queuedRows(): number {
    return this.#queuedRows
  }

  /** When the first of the rows that wait came; undefined when there are none. */
  get firstArrivedAtMs(): number | undefined {
    this.#settle()
    const [ripe, held] = [this.#ripe.at(0)?.atMs, this.#held.at(0)?.atMs]
    return ripe === undefined || (held !== undefined && held < ripe) ? held : ripe
  }

  hasRowsOf(cohort: number): boolean {
    for (const bucket of this.#buckets.values()) if (bucket.cohort === cohort && bucket.rows > 0) return true
    return false
  }

  add(run: RowRun): void {
    if (run.count === 0 || run.work.lost) return
    const bucket = this.#bucketOf(run)
    bucket.segments.push({ run, from: 0, to: run.count })
    this.#grew(bucket, run.count)
  }

  /** Returns rows that were taken and not run, to the front and in their old order: behind older ones that came back before. */
  putBack(segments: readonly RunSegment[]): void {
    for (const segment of segments.toReversed()) {
      if (segment.run.work.lost) continue
      const bucket = this.#bucketOf(segment.run)
      bucket.segments.splice(0, bucket.head)
      bucket.head = 0
      const at = bucket.segments.findIndex(queued => !isOlder(queued, segment))
      bucket.segments.splice(at < 0 ? bucket.segments.length : at, 0, segment)
      this.#grew(bucket, segment.to - segment.from)
    }
  }

  /** Forgets the rows of lost partitions, wherever they stand in the queue. */
  dropLost(): void {
    for (const bucket of this.#buckets.values()) this.#keep(bucket, ({ run }) => !run.work.lost)
  }

  /** Takes all rows of a cohort out of the queue. */
  takeAll(cohort: number): readonly RunSegment[] {
    const taken: RunSegment[] = []
    for (const bucket of this.#buckets.values()) {
      if (bucket.cohort !== cohort) continue
      for (const segment of bucket.segments.slice(bucket.head)) taken.push(segment)
      this.#keep(bucket, () => false)
    }
    return taken
  }

  /** While set, nothing is held back, and batches below minSize close for this reason. */
  set flushing(reason: CloseReason | undefined) {
    this.#flush = reason
  }

  /** What is next for a lane's place. `answer`: what the lane can do for rows of a cohort; missing: run them all. */
  choose(
    place: LanePlace,
    nowMs: number,
    answer?: (cohort: number, isFull: boolean) => LaneAnswer,
  ): Choice | undefined {
    this.#settle()
    if (place === 'prefetch' && this.#fullBuckets === 0) return undefined
    let last: Bucket | undefined
    let [nextRipe, nextHeld] = [0, 0]
    for (;;) {
      const ripe = this.#ripe.at(nextRipe)
      const held = this.#held.at(nextHeld)
      const heldIsNext = held !== undefined && this.#isDue(held, nowMs) && (!ripe || precedes(held, ripe))
      const bucket = heldIsNext ? held : ripe
      if (!bucket) return last && { cohort: last.cohort, mustLoad: true, of: last }
      if (heldIsNext) nextHeld++
      else nextRipe++
      const can = answer ? answer(bucket.cohort, bucket.isFull) : 'run'
      if (can === 'run' || can === 'load') return { cohort: bucket.cohort, mustLoad: can === 'load', of: bucket }
      if (can === 'load-if-idle') last ??= bucket
    }
  }

  /** Takes the batch that was chosen; nothing may have changed since. `idleLanes` counts the lanes that could share the queue. */
  close({ of }: Choice, idleLanes: number): Batch {
    const bucket = of as Bucket
    const { reach } = bucket
    if (reach.closes) return this.#cut(bucket, reach.rows, reach.closes)
    const { minSize, maxWaitMs } = this.#policy
    const share = Math.ceil(bucket.rows / Math.max(1, idleLanes))
    const size = Math.max(share, Math.min(minSize, bucket.rows))
    if (bucket.rows >= minSize) return this.#cut(bucket, size, 'idle')
    return this.#cut(bucket, size, this.#flush ?? (maxWaitMs > 0 ? 'time' : 'idle'))
  }

  /** When the next one of the batches that are held must close, in clock milliseconds; undefined when there is none. */
  deadlineMs(nowMs: number): number | undefined {
    this.#settle()
    const { maxWaitMs } = this.#policy
    // Those whose time has come wait for a lane, or for their model, and must not hide the others.
    for (let i = 0, held = this.#held.at(0); held; held = this.#held.at(++i))
      if (held.atMs + maxWaitMs > nowMs) return held.atMs + maxWaitMs
    return undefined
  }

  #bucketOf({ bucketKey, cohort }: RowRun): Bucket {
    const known = this.#buckets.get(bucketKey)
    if (known) return known
    const made = new Bucket(bucketKey, cohort, ++this.#lastNumber)
    this.#buckets.set(bucketKey, made)
    return made
  }

  #grew(bucket: Bucket, rows: number): void {
    bucket.rows += rows
    this.#queuedRows += rows
    this.#changed.add(bucket)
  }

  #keep(bucket: Bucket, isKept: (segment: RunSegment) => boolean): void {
    const kept = bucket.segments.slice(bucket.head).filter(isKept)
    const rows = kept.reduce((sum, { from, to }) => sum + to - from, 0)
    if (rows === bucket.rows) return
    bucket.segments = kept
    bucket.head = 0
    this.#grew(bucket, rows - bucket.rows)
  }

  /** True when a batch that is held need not be any more. */
  #isDue({ atMs }: Bucket, nowMs: number): boolean {
    return this.#flush !== undefined || nowMs >= atMs + this.#policy.maxWaitMs
  }

  /** Gives every bucket that has changed its place in the order. */
  #settle(): void {
    for (const bucket of this.#changed) {
      bucket.order?.remove(bucket)
      if (bucket.order && bucket.isFull) this.#fullBuckets--
      bucket.order = undefined
      const { first } = bucket
      if (!first) {
        // Keys may be of any number; a bucket that is used again and again stays where it is the only one.
        if (this.#buckets.size > 1) this.#buckets.delete(bucket.key)
        continue
      }
      bucket.atMs = first.run.arrivedAtMs
      bucket.reach = this.#reach(bucket)
      if (bucket.isFull) this.#fullBuckets++
      bucket.order = bucket.isFull || bucket.rows >= this.#policy.minSize ? this.#ripe : this.#held
      bucket.order.add(bucket)
    }
    this.#changed.clear()
  }

  /** How many of the rows that wait make one batch; `closes` is set when it is full. */
  #reach({ segments, head, rows, cohort }: Bucket): Reach {
    if (segments[head]!.run.broughtBy !== undefined) return { rows, closes: 'count' }
    const { mode, maxBytes, maxTotalSize } = this.#policy
    return reachOf(segments, head, rows, {
      maxRows: this.maxRowsOf(cohort),
      maxBytes: maxBytes ?? Number.POSITIVE_INFINITY,
      maxTotalSize: maxTotalSize ?? Number.POSITIVE_INFINITY,
      oneBlock: mode === 'bundle',
    })
  }

  #cut(bucket: Bucket, size: number, reason: CloseReason): Batch {
    const segments: RunSegment[] = []
    let rows = 0
    for (let first = bucket.first; first && rows < size; first = bucket.first) {
      const { run, from, to } = first
      const taken = Math.min(size - rows, to - from)
      segments.push({ run, from, to: from + taken })
      rows += taken
      if (taken === to - from) bucket.head++
      else bucket.segments[bucket.head] = { run, from: from + taken, to }
    }
    // What has left holds the memory of its block.
    if (!bucket.first || (bucket.head > 8 && bucket.head * 2 > bucket.segments.length)) {
      bucket.segments.splice(0, bucket.head)
      bucket.head = 0
    }
    this.#grew(bucket, -rows)
    return formBatch(segments, reason)
  }
}

/** Of one run the rows tell; rows that came at one time may change places. */
function isOlder(queued: RunSegment, { run, from }: RunSegment): boolean {
  return queued.run === run ? queued.from < from : queued.run.arrivedAtMs < run.arrivedAtMs
}
