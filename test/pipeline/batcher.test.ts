import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Batcher, type BatchPolicy, batchPolicy, type LanePlace } from '../../src/pipeline/batcher.ts'
import type { Batch, RowRun, RunSegment } from '../../src/pipeline/row-run.ts'
import type { WorkBlock } from '../../src/pipeline/work-block.ts'

type Op =
  | { readonly kind: 'add'; readonly work: number; readonly shape: number; readonly count: number }
  | { readonly kind: 'take'; readonly place: LanePlace; readonly idleLanes: number }
  | { readonly kind: 'putBack' }
  | { readonly kind: 'lose'; readonly work: number }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'flush'; readonly on: boolean }

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('add' as const), work: nat(4), shape: nat(2), count: nat(9) }),
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
)

const policies: fc.Arbitrary<BatchPolicy> = fc
  .record({
    mode: fc.constantFrom('stream' as const, 'bundle' as const),
    maxSize: fc.integer({ min: 1, max: 12 }),
    minShare: fc.double({ min: 0, max: 1, noNaN: true }),
    maxWaitMs: fc.constantFrom(0, 10, 40),
  })
  .map(({ mode, maxSize, minShare, maxWaitMs }) =>
    mode === 'bundle'
      ? batchPolicy({ mode, maxSize })
      : batchPolicy({
          mode,
          maxSize,
          maxWaitMs,
          ...(maxWaitMs > 0 ? { minSize: Math.max(1, Math.round(maxSize * minShare)) } : {}),
        }),
  )

describe('batcher: what holds for any course of events', () => {
  it('B1–B7: sizes, order, once, hold, prefetch, bundles, oldest first', () => {
    fc.assert(
      fc.property(policies, fc.array(op, { maxLength: 80 }), (policy, ops) => {
        const model = new Model(policy)
        for (const each of ops) model.apply(each)
        model.drain()
      }),
      { numRuns: 500 },
    )
  })
})

/** Drives a batcher and remembers, in the plainest way, what must be queued. */
class Model {
  readonly #policy: BatchPolicy
  readonly #batcher: Batcher
  readonly #works = Array.from({ length: 5 }, () => ({ lost: false }))
  /** Rows by shape, in the order in which they must leave. */
  readonly #queued = new Map<string, { run: RowRun; row: number }[]>()
  readonly #left = new Set<string>()
  #nowMs = 0
  #runs = 0
  #flushing = false
  #last: Batch | undefined

  constructor(policy: BatchPolicy) {
    this.#policy = policy
    this.#batcher = new Batcher(policy)
  }

  apply(each: Op): void {
    if (each.kind === 'add') this.#add(each.work, each.shape, each.count)
    else if (each.kind === 'take') this.take(each.place, each.idleLanes)
    else if (each.kind === 'putBack') this.#putBack()
    else if (each.kind === 'lose') this.#lose(each.work)
    else if (each.kind === 'advance') this.#nowMs += each.ms
    else {
      this.#flushing = each.on
      this.#batcher.flushing = each.on ? 'pressure' : undefined
    }
    const queued = [...this.#queued.values()].reduce((sum, rows) => sum + rows.length, 0)
    assert.equal(this.#batcher.queuedRows, queued, 'B3: the queue holds what came and has not left')
    assert.equal(this.#batcher.deadlineMs(), this.#deadlineMs(), 'B4: the deadline is that of the oldest held batch')
  }

  /** Flushing, everything that is queued leaves. */
  drain(): void {
    this.apply({ kind: 'flush', on: true })
    while (this.take('idle', 1)) this.#last = undefined
    assert.equal(this.#batcher.queuedRows, 0, 'B3: nothing stays behind')
  }

  take(place: LanePlace, idleLanes: number): boolean {
    const batch = this.#batcher.take(place, idleLanes, this.#nowMs)
    const closable = [...this.#queued.values()].filter(rows => this.#mayClose(rows, place))
    if (!batch) {
      assert.equal(closable.length, 0, 'B4: what may leave does leave')
      return false
    }
    this.#check(batch, place, closable)
    this.#last = batch
    return true
  }

  #check(batch: Batch, place: LanePlace, closable: { run: RowRun; row: number }[][]): void {
    const { mode, maxSize, minSize, maxWaitMs } = this.#policy
    const [first] = batch.segments
    const rows = this.#queued.get(first!.run.shapeKey)!
    assert.ok(closable.includes(rows), 'B4, B5: only a batch that may close is given')
    const oldest = Math.min(...closable.map(([head]) => head!.run.arrivedAtMs))
    assert.equal(first!.run.arrivedAtMs, oldest, 'B7: the bucket that waits longest')
    const before = rows.length
    const taken = batch.segments.flatMap(({ run, from, to }) =>
      Array.from({ length: to - from }, (_, i) => ({ run, row: from + i })),
    )
    assert.equal(taken.length, batch.rows)
    assert.ok(batch.rows >= 1 && batch.rows <= maxSize, `B1: ${batch.rows} rows of at most ${maxSize}`)
    for (const { run, row } of taken) {
      const expected = rows.shift()!
      assert.ok(expected.run === run && expected.row === row, 'B2: rows of one shape leave in order')
      const id = `${run.rows[0]}/${row}`
      assert.ok(!this.#left.has(id), 'B3: a row leaves once')
      this.#left.add(id)
    }
    assert.deepEqual(batch.rowShapes, first!.run.rowShapes)
    assert.equal(batch.firstArrivedAtMs, first!.run.arrivedAtMs)
    if (mode === 'bundle') {
      assert.equal(new Set(batch.segments.map(({ run }) => run)).size, 1, 'B6: one block is one bundle')
      return
    }
    if (place === 'prefetch') assert.equal(batch.rows, maxSize, 'B5: prefetched batches are full')
    if (batch.rows === maxSize) return
    assert.ok(batch.rows >= Math.min(minSize, before), 'a share is never below minSize while there are so many')
    const due = first!.run.arrivedAtMs + maxWaitMs <= this.#nowMs
    if (before < minSize && !due) assert.equal(batch.reason, 'pressure', 'B4: only flushing closes a held batch early')
  }

  #mayClose(rows: readonly { run: RowRun }[], place: LanePlace): boolean {
    const { mode, maxSize, minSize, maxWaitMs } = this.#policy
    const [first] = rows
    if (!first) return false
    if (mode === 'bundle' || rows.length >= maxSize) return true
    if (place === 'prefetch') return false
    return rows.length >= minSize || this.#flushing || this.#nowMs >= first.run.arrivedAtMs + maxWaitMs
  }

  #deadlineMs(): number | undefined {
    const { minSize, maxWaitMs } = this.#policy
    const held = [...this.#queued.values()].filter(rows => rows.length > 0 && rows.length < minSize)
    return held.length === 0 ? undefined : Math.min(...held.map(([first]) => first!.run.arrivedAtMs)) + maxWaitMs
  }

  #add(work: number, shape: number, count: number): void {
    const run = rowRun(this.#works[work] as WorkBlock, `shape-${shape}`, count, this.#nowMs, ++this.#runs)
    this.#batcher.add(run)
    if (this.#works[work]!.lost) {
      this.#batcher.dropLost()
      return
    }
    const rows = this.#queued.get(run.shapeKey) ?? []
    this.#queued.set(run.shapeKey, rows)
    for (let row = 0; row < count; row++) rows.push({ run, row })
  }

  /** Part of the last batch comes back, as after a bisection: its first and its last row. */
  #putBack(): void {
    const batch = this.#last
    this.#last = undefined
    if (!batch) return
    const first = batch.segments[0]!
    const last = batch.segments.at(-1)!
    const parts: RunSegment[] = [{ run: first.run, from: first.from, to: first.from + 1 }]
    if (batch.rows > 1) parts.push({ run: last.run, from: last.to - 1, to: last.to })
    this.#batcher.putBack(parts)
    const rows = this.#queued.get(first.run.shapeKey)!
    for (const { run, from } of parts.toReversed()) {
      if (run.work.lost) continue
      this.#left.delete(`${run.rows[0]}/${from}`)
      rows.unshift({ run, row: from })
    }
  }

  #lose(work: number): void {
    this.#works[work]!.lost = true
    this.#batcher.dropLost()
    for (const [shape, rows] of this.#queued)
      this.#queued.set(
        shape,
        rows.filter(({ run }) => !run.work.lost),
      )
  }
}

describe('batcher', () => {
  it('B4: without a wait a single row leaves for an idle lane at once, and never for the prefetch place', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 8 }))
    batcher.add(rowRun(work(), 's', 1, 0))
    assert.equal(batcher.take('prefetch', 1, 0), undefined)
    assert.equal(batcher.take('idle', 1, 0)?.reason, 'idle')
  })

  it('shares what is queued between the idle lanes', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 100 }))
    batcher.add(rowRun(work(), 's', 30, 0))
    assert.deepEqual(
      [3, 2, 1].map(idle => batcher.take('idle', idle, 0)?.rows),
      [10, 10, 10],
    )
  })

  it('B4: a held batch closes for time at its deadline, for count when it is full, for the reason of a flush', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 4, maxWaitMs: 50 }))
    const add = (count: number, nowMs: number) => batcher.add(rowRun(work(), 's', count, nowMs))
    add(3, 0)
    add(2, 10)
    assert.deepEqual(pick(batcher.take('idle', 1, 10)), { rows: 4, reason: 'count' })
    assert.equal(batcher.take('idle', 1, 59), undefined)
    assert.equal(batcher.deadlineMs(), 60)
    assert.deepEqual(pick(batcher.take('idle', 1, 60)), { rows: 1, reason: 'time' })
    add(1, 60)
    batcher.flushing = 'shutdown'
    assert.deepEqual(pick(batcher.take('idle', 1, 60)), { rows: 1, reason: 'shutdown' })
  })

  it('lost rows do not count towards a full batch', () => {
    const batcher = new Batcher(batchPolicy({ maxSize: 4 }))
    const kept = work()
    const gone = work()
    batcher.add(rowRun(kept, 's', 2, 0))
    batcher.add(rowRun(gone, 's', 2, 0))
    gone.lost = true
    batcher.dropLost()
    assert.equal(batcher.take('prefetch', 1, 0), undefined)
    assert.equal(batcher.take('idle', 1, 0)?.rows, 2)
  })

  it('minSize is maxSize where a wait was asked for, else 1', () => {
    assert.equal(batchPolicy({ maxSize: 7, maxWaitMs: 1 }).minSize, 7)
    assert.equal(batchPolicy({ maxSize: 7 }).minSize, 1)
    assert.deepEqual(batchPolicy({}), { mode: 'stream', minSize: 1, maxSize: 256, maxWaitMs: 0 })
  })
})

function pick(batch: Batch | undefined) {
  return batch && { rows: batch.rows, reason: batch.reason }
}

function work(): WorkBlock & { lost: boolean } {
  return { lost: false } as WorkBlock & { lost: boolean }
}

/** `id` is kept in `rows[0]`, so that a run can be told from others. */
function rowRun(of: WorkBlock, shapeKey: string, count: number, arrivedAtMs: number, id = 0): RowRun {
  return {
    work: of,
    count,
    rows: Int32Array.of(id),
    shapeKey,
    rowShapes: [[shapeKey.length]],
    arrivedAtMs,
    keys: undefined,
    fill() {},
    example: () => undefined,
  }
}

function nat(max: number): fc.Arbitrary<number> {
  return fc.nat({ max })
}
