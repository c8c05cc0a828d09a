import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type BatchPolicy, batchPolicy } from '../../src/pipeline/batch-policy.ts'
import { Batcher, type LanePlace } from '../../src/pipeline/batcher.ts'
import type { PaddingPlan } from '../../src/pipeline/padding.ts'
import type { RowCost } from '../../src/pipeline/row-cost.ts'
import type { Batch, RowRun, RunSegment } from '../../src/pipeline/row-run.ts'
import type { WorkBlock } from '../../src/pipeline/work-block.ts'
import { plainCost } from '../support/fake-lanes.ts'
import { rowRun, take } from '../support/row-runs.ts'

type Op =
  | { readonly kind: 'add'; readonly work: number; readonly bucket: number; readonly sizes: readonly number[] }
  | { readonly kind: 'take'; readonly place: LanePlace; readonly idleLanes: number }
  | { readonly kind: 'putBack' }
  | { readonly kind: 'lose'; readonly work: number }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'flush'; readonly on: boolean }
  | { readonly kind: 'cap'; readonly rows: number }

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      work: nat(4),
      bucket: nat(2),
      sizes: fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 9 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      place: fc.constantFrom<LanePlace>('idle', 'prefetch'),
      idleLanes: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('putBack' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), work: nat(4) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: nat(30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush' as const), on: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('cap' as const),
      rows: fc.integer({ min: 1, max: 14 }),
    }),
  },
)

/** How rows differ: not at all, by what sizeOf says, by their length. */
type Kind = 'plain' | 'sized' | 'ragged'

const cases: fc.Arbitrary<{ policy: BatchPolicy; kind: Kind }> = fc
  .record({
    mode: fc.constantFrom('stream' as const, 'bundle' as const),
    kind: fc.constantFrom<Kind>('plain', 'sized', 'ragged'),
    maxSize: fc.integer({ min: 1, max: 12 }),
    minShare: fc.double({ min: 0, max: 1, noNaN: true }),
    maxWaitMs: fc.constantFrom(0, 10, 40),
    maxBytes: fc.constantFrom(undefined, 3, 20, 60),
  })
  .map(({ mode, kind, maxSize, minShare, maxWaitMs, maxBytes }) => {
    const held = mode === 'stream' && maxWaitMs > 0
    const limits = kind === 'sized' ? { maxTotalSize: 25, sizeOf: () => 0 } : maxBytes ? { maxBytes } : {}
    const hold = held ? { maxWaitMs, minSize: Math.max(1, Math.round(maxSize * minShare)) } : {}
    return { kind, policy: batchPolicy({ mode, maxSize, ...hold, ...limits }) }
  })

const PLAN: PaddingPlan = {
  inputs: [{ index: 0, axis: 0, outer: 1, inner: 1, with: 0 }],
  masks: [],
  multipleOf: 3,
  fixedLength: undefined,
  bytesPerStep: 1,
}
const ROW_BYTES = 4
describe('batcher: what holds for any course of events', () => {
  it('B1–B7: limits, order, once, hold, prefetch, bundles, oldest first', () => {
    fc.assert(
      fc.property(cases, fc.array(op, { maxLength: 80 }), ({ policy, kind }, ops) => {
        const model = new Model(policy, kind)
        for (const each of ops) model.apply(each)
        model.drain()
      }),
      { numRuns: 600 },
    )
  })
})

interface Row {
  readonly run: RowRun
  readonly row: number
  readonly size: number
}

/** Drives a batcher and remembers, in the plainest way, what must be queued. */
class Model {
  readonly #policy: BatchPolicy
  readonly #kind: Kind
  readonly #batcher: Batcher
  readonly #works = Array.from({ length: 5 }, () => ({ lost: false }))
  /** Rows by bucket, in the order in which they must leave. */
  readonly #queued = new Map<string, Row[]>()
  readonly #left = new Set<string>()
  #limit = 14
  #nowMs = 0
  #runs = 0
  #flushing = false
  #last: { readonly batch: Batch; readonly rows: readonly Row[] } | undefined

  constructor(policy: BatchPolicy, kind: Kind) {
    this.#policy = policy
    this.#kind = kind
    this.#batcher = new Batcher(policy)
  }

  apply(each: Op): void {
    if (each.kind === 'add') this.#add(each.work, `bucket-${each.bucket}`, each.sizes)
    else if (each.kind === 'take') this.take(each.place, each.idleLanes)
    else if (each.kind === 'putBack') this.#putBack()
    else if (each.kind === 'lose') this.#lose(each.work)
    else if (each.kind === 'advance') this.#nowMs += each.ms
    else if (each.kind === 'cap') {
      this.#limit = each.rows
      this.#batcher.limit(0, each.rows)
    } else {
      this.#flushing = each.on
      this.#batcher.flushing = each.on ? 'pressure' : undefined
    }
    const queued = [...this.#queued.values()].reduce((sum, rows) => sum + rows.length, 0)
    assert.equal(this.#batcher.queuedRows, queued, 'B3: the queue holds what came and has not left')
    assert.equal(this.#batcher.deadlineMs(this.#nowMs), this.#deadlineMs(), 'B4: the next of the held batches')
  }

  /** When flushing, everything leaves. */
  drain(): void {
    this.apply({ kind: 'flush', on: true })
    while (this.take('idle', 1)) this.#last = undefined
    assert.equal(this.#batcher.queuedRows, 0, 'B3: nothing stays behind')
  }

  take(place: LanePlace, idleLanes: number): boolean {
    const full = [...this.#queued.values()].filter(rows => this.#full(rows))
    const ready = [...this.#queued.values()].filter(rows => this.#full(rows) || this.#mayClose(rows))
    const closable = place === 'prefetch' && full.length === 0 ? [] : ready
    const batch = take(this.#batcher, place, idleLanes, this.#nowMs)
    if (!batch) {
      assert.equal(closable.length, 0, 'B4, B5: what may leave does leave')
      return false
    }
    this.#check(batch, closable)
    return true
  }

  #check(batch: Batch, closable: readonly Row[][]): void {
    const [first] = batch.segments
    const rows = this.#queued.get(first!.run.bucketKey)!
    assert.ok(closable.includes(rows), 'B4, B5: only a batch that may close is given')
    const oldest = Math.min(...closable.map(([head]) => head!.run.arrivedAtMs))
    assert.equal(first!.run.arrivedAtMs, oldest, 'B7: the bucket that waits longest')
    const full = this.#full(rows)
    const before = rows.length
    const taken = batch.segments.flatMap(({ run, from, to }) =>
      Array.from({ length: to - from }, (_, i) => ({ run, row: from + i })),
    )
    assert.equal(taken.length, batch.rows)
    const left = taken.map(({ run, row }) => {
      const expected = rows.shift()!
      assert.ok(expected.run === run && expected.row === row, 'B2: rows of one bucket leave in order')
      const id = `${run.rows[0]}/${row}`
      assert.ok(!this.#left.has(id), 'B3: a row leaves once')
      this.#left.add(id)
      return expected
    })
    this.#last = { batch, rows: left }
    this.#checkShape(batch, left)
    assert.equal(batch.firstArrivedAtMs, first!.run.arrivedAtMs)
    const { minSize, maxWaitMs } = this.#policy
    if (full) {
      assert.deepEqual({ rows: batch.rows, reason: batch.reason }, full, 'B1: a full batch is as large as it may be')
      return
    }
    assert.ok(this.#cost(left) <= this.#most || left.length === 1, 'B1: within bytes and total size')
    assert.ok(batch.rows >= Math.min(minSize, before), 'a share is never below minSize while there are so many')
    const due = first!.run.arrivedAtMs + maxWaitMs <= this.#nowMs
    if (before < minSize && !due) assert.equal(batch.reason, 'pressure', 'B4: only flushing closes a held batch early')
  }

  #checkShape(batch: Batch, rows: readonly Row[]): void {
    if (this.#kind !== 'ragged') {
      assert.deepEqual(batch.rowShapes, rows[0]!.run.rowShapes)
      return
    }
    const longest = Math.ceil(Math.max(...rows.map(({ size }) => size)) / 3) * 3
    assert.deepEqual(batch.rowShapes, [[longest]])
    assert.equal(batch.paddedLength, longest)
    assert.equal(
      batch.paddingBytes,
      rows.reduce((sum, { size }) => sum + longest - size, 0),
    )
  }

  /** What the limit of bytes or of the total says of these rows. */
  #cost(rows: readonly Row[]): number {
    if (this.#kind === 'sized') return rows.reduce((sum, { size }) => sum + size, 0)
    if (this.#kind === 'plain') return rows.length * ROW_BYTES
    const longest = Math.max(...rows.map(({ size }) => size))
    return rows.length * (ROW_BYTES + Math.ceil(longest / 3) * 3)
  }

  get #most(): number {
    return (this.#kind === 'sized' ? this.#policy.maxTotalSize : this.#policy.maxBytes) ?? Number.POSITIVE_INFINITY
  }

  /** The full batch at the front of these rows, if there is one. */
  #full(rows: readonly Row[]): { rows: number; reason: string } | undefined {
    const { mode, maxSize } = this.#policy
    const cap = Math.min(maxSize, this.#limit)
    const foreign = mode === 'bundle' ? rows.findIndex(({ run }) => run.work !== rows[0]!.run.work) : -1
    const open = foreign < 0 ? rows : rows.slice(0, foreign)
    if (open.length === 0) return undefined
    let fitting = 1
    while (fitting < open.length && fitting < cap && this.#cost(open.slice(0, fitting + 1)) <= this.#most) fitting++
    if (fitting === cap) return { rows: cap, reason: 'count' }
    const filled = fitting < open.length || this.#cost(open.slice(0, fitting)) >= this.#most
    const noneFits = this.#kind === 'plain' && mode === 'stream' && (fitting + 1) * ROW_BYTES > this.#most
    if (filled || noneFits) return { rows: fitting, reason: 'bytes' }
    return mode === 'bundle' ? { rows: open.length, reason: 'count' } : undefined
  }

  #mayClose(rows: readonly Row[]): boolean {
    const { minSize, maxWaitMs } = this.#policy
    const [first] = rows
    if (!first) return false
    return rows.length >= minSize || this.#flushing || this.#nowMs >= first.run.arrivedAtMs + maxWaitMs
  }

  #deadlineMs(): number | undefined {
    const { minSize, maxWaitMs } = this.#policy
    const held = [...this.#queued.values()].filter(
      rows => rows.length > 0 && rows.length < minSize && !this.#full(rows),
    )
    const deadlines = held.map(([first]) => first!.run.arrivedAtMs + maxWaitMs).filter(at => at > this.#nowMs)
    return deadlines.length === 0 ? undefined : Math.min(...deadlines)
  }

  #add(work: number, bucket: string, sizes: readonly number[]): void {
    const of = this.#works[work] as WorkBlock
    const run = rowRun(of, bucket, sizes.length, this.#nowMs, ++this.#runs, this.#costOf(sizes))
    this.#batcher.add(run)
    if (of.lost) {
      this.#batcher.dropLost()
      return
    }
    const rows = this.#queued.get(run.bucketKey) ?? []
    this.#queued.set(run.bucketKey, rows)
    for (const [row, size] of sizes.entries()) rows.push({ run, row, size })
  }

  #costOf(sizes: readonly number[]): RowCost {
    if (this.#kind === 'sized') return { ...plainCost(ROW_BYTES), sizes: Float64Array.from(sizes) }
    if (this.#kind === 'ragged') return { ...plainCost(ROW_BYTES), lengths: Int32Array.from(sizes), padding: PLAN }
    return plainCost(ROW_BYTES)
  }

  /** Part of the last batch comes back, as after a bisection: its first and its last row. */
  #putBack(): void {
    const last = this.#last
    this.#last = undefined
    if (!last) return
    const [first] = last.batch.segments
    const back = last.rows.filter((_, i) => i === 0 || i === last.rows.length - 1)
    const parts = back.map(({ run, row }): RunSegment => ({ run, from: row, to: row + 1 }))
    this.#batcher.putBack(parts)
    const rows = this.#queued.get(first!.run.bucketKey)!
    for (const row of back.toReversed()) {
      if (row.run.work.lost) continue
      this.#left.delete(`${row.run.rows[0]}/${row.row}`)
      rows.unshift(row)
    }
  }

  #lose(work: number): void {
    this.#works[work]!.lost = true
    this.#batcher.dropLost()
    for (const [bucket, rows] of this.#queued)
      this.#queued.set(
        bucket,
        rows.filter(({ run }) => !run.work.lost),
      )
  }
}

function nat(max: number): fc.Arbitrary<number> {
  return fc.nat({ max })
}
