import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Admission } from '../../src/pipeline/admission.ts'
import { PartitionFlow } from '../../src/pipeline/partition-flow.ts'
import type { WorkBlock } from '../../src/pipeline/work-block.ts'

const MAX_ROWS = 100
const MAX_BYTES = 10_000

interface Held {
  readonly rows: number
  readonly bytes: number
  given: number
}

type Op =
  | { readonly kind: 'assign'; readonly replay: boolean }
  | { readonly kind: 'block'; readonly flow: number; readonly rows: number; readonly bytes: number }
  | { readonly kind: 'acknowledge'; readonly flow: number; readonly rows: number }
  | { readonly kind: 'lose'; readonly flow: number }

const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('assign' as const), replay: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('block' as const),
      flow: fc.nat({ max: 5 }),
      rows: fc.nat({ max: 60 }),
      bytes: fc.nat({ max: 3_000 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('acknowledge' as const),
      flow: fc.nat({ max: 5 }),
      rows: fc.integer({ min: 1, max: 80 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), flow: fc.nat({ max: 5 }) }) },
)

/** Does with an admission what the pipeline does, and looks after each step at what must hold. */
class Course {
  readonly flows: PartitionFlow[] = []
  readonly #held = new Map<PartitionFlow, Held[]>()
  readonly #told = new Map<PartitionFlow, boolean>()
  readonly admission = new Admission(
    { maxRows: MAX_ROWS, maxBytes: MAX_BYTES },
    flow => this.#tell(flow, true),
    flow => this.#tell(flow, false),
  )
  #partitions = 0

  apply(each: Op): void {
    if (each.kind === 'assign') this.assign(each.replay)
    const flow = each.kind === 'assign' ? undefined : this.flows[each.flow % this.flows.length]
    if (!flow) return
    // A member brings nothing for a paused partition.
    if (each.kind === 'block' && !flow.paused) this.block(flow, each.rows, each.bytes)
    else if (each.kind === 'acknowledge') this.acknowledge(flow, each.rows)
    else if (each.kind === 'lose' && this.flows.length > 1) this.lose(flow)
  }

  assign(replay = false): PartitionFlow {
    const flow = new PartitionFlow({ topic: 't', partition: this.#partitions++, epoch: 1, position: 0 }, replay)
    this.flows.push(flow)
    this.#held.set(flow, [])
    this.check()
    return flow
  }

  block(flow: PartitionFlow, rows: number, bytes: number): void {
    flow.blocks.push({} as WorkBlock)
    this.#held.get(flow)!.push({ rows, bytes, given: 0 })
    this.admission.take(flow, rows, bytes)
    this.check()
  }

  acknowledge(flow: PartitionFlow, rows: number): void {
    const held = this.#held.get(flow)!
    for (let left = rows; held.length > 0; ) {
      const first = held[0]!
      const part = Math.min(left, first.rows - first.given)
      first.given += part
      left -= part
      const complete = first.given === first.rows
      this.admission.give(flow, part, complete ? first.bytes : 0)
      if (!complete) break
      held.shift()
      flow.blocks.shift()
      if (left === 0) break
    }
    this.check()
  }

  lose(flow: PartitionFlow): void {
    this.flows.splice(this.flows.indexOf(flow), 1)
    flow.lost = true
    for (const { bytes } of this.#held.get(flow)!) this.admission.give(flow, 0, bytes)
    this.admission.give(flow, flow.rows, 0)
    flow.blocks.length = 0
    this.check()
  }

  check(): void {
    const { admission, flows } = this
    const wasPaused = new Map(flows.map(flow => [flow, flow.paused]))
    const starved = admission.balance(flows)
    const full = admission.rows >= MAX_ROWS || admission.bytes >= MAX_BYTES
    const replayRows = flows.reduce((sum, flow) => sum + (flow.replay ? flow.rows : 0), 0)
    for (const flow of flows) {
      const holds = flow.blocks.length > 0
      assert.equal(this.#told.get(flow) ?? false, flow.paused, 'the member was told')
      if (!holds) assert.equal(flow.paused, false, 'A1: a partition that holds nothing is open')
      if (!flow.paused && holds) {
        assert.ok(flow.rows < (2 * MAX_ROWS) / flows.length, 'A2: rows of one partition')
        assert.ok(flow.bytes < (2 * MAX_BYTES) / flows.length, 'A2: bytes of one partition')
        assert.equal(full, false, 'A3: nothing that holds is open when the cap is reached')
        if (flow.replay) assert.ok(replayRows < MAX_ROWS * 0.2, 'A4: replay')
        if (wasPaused.get(flow)) assert.ok(admission.rows < MAX_ROWS * 0.75, 'A5: opened again below three quarters')
      }
    }
    const holding = flows.filter(flow => flow.blocks.length > 0)
    assert.equal(starved, holding.length > 0 && holding.every(flow => flow.paused), 'pressure: all that hold wait')
    const rows = [...this.#held].reduce((sum, [flow]) => sum + (flow.lost ? 0 : flow.rows), 0)
    assert.equal(admission.rows, rows, 'no row leaks')
  }

  #tell(flow: PartitionFlow, paused: boolean): void {
    assert.notEqual(this.#told.get(flow) ?? false, paused, 'told once per change')
    this.#told.set(flow, paused)
  }
}

describe('admission', () => {
  it('A1–A5 hold for any course of blocks, acknowledgements, assignments and losses, and nothing leaks', () => {
    fc.assert(
      fc.property(fc.array(op, { maxLength: 100 }), ops => {
        const course = new Course()
        course.assign()
        for (const each of ops) course.apply(each)
        for (const flow of [...course.flows]) course.acknowledge(flow, Number.MAX_SAFE_INTEGER)
        assert.equal(course.admission.rows, 0, 'rows come back')
        assert.equal(course.admission.bytes, 0, 'bytes come back')
        assert.ok(course.flows.every(flow => !flow.paused && flow.rows === 0 && flow.bytes === 0))
      }),
      { numRuns: 500 },
    )
  })

  it('pressure is told although an idle partition stays open', () => {
    const course = new Course()
    const busy = course.assign()
    course.assign()
    course.assign(true)
    course.block(busy, MAX_ROWS, 10)
    assert.equal(busy.paused, true)
    assert.equal(course.admission.balance(course.flows), true)
  })

  it('after close everything is paused, and stays so', () => {
    const course = new Course()
    const flow = course.assign()
    course.admission.close()
    course.admission.balance(course.flows)
    assert.equal(flow.paused, true)
  })
})
