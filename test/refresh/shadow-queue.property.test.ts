import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import { type ShadowDrop, ShadowQueue } from '../../src/refresh/shadow-queue.ts'

const MAX_ROWS = 100
const MAX_BYTES = 1_000

interface Batch {
  readonly id: number
  readonly rows: number
  readonly bytes: number
}

const batch = (id: number, rows: number, bytes = rows): Batch => ({ id, rows, bytes })
const queueOf = () => new ShadowQueue<Batch>({ maxRows: MAX_ROWS, maxBytes: MAX_BYTES })

type Act =
  | { readonly kind: 'offer'; readonly rows: number; readonly bytes: number; readonly fails: boolean }
  | { readonly kind: 'next' | 'done' | 'close' }

const offerOf = (rows: number, bytes: number) =>
  fc.record({
    kind: fc.constant('offer' as const),
    rows: fc.integer({ min: 1, max: rows }),
    bytes: fc.integer({ min: 0, max: bytes }),
    fails: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)),
  })
const act = fc.oneof(
  { weight: 5, arbitrary: offerOf(2 * MAX_ROWS, 2 * MAX_BYTES) },
  { weight: 20, arbitrary: offerOf(40, 300) },
  { weight: 20, arbitrary: fc.constantFrom<Act>({ kind: 'next' }, { kind: 'done' }) },
  { weight: 1, arbitrary: fc.constant<Act>({ kind: 'close' }) },
)

describe('the queue to the shadow model', () => {
  it('Q1, Q2, Q4: whatever is done with it, it is bounded, in order, and each row is taken, waiting or counted', async () => {
    const acts = fc.array(act, { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(acts, async list => {
        const told = { full: 0, closed: 0, failed: 0 }
        const onDropped = (rows: number, why: ShadowDrop) => {
          told[why] += rows
        }
        const queue = new ShadowQueue<Batch>({ maxRows: MAX_ROWS, maxBytes: MAX_BYTES, onDropped })
        const taken: Batch[] = []
        const accepted: number[] = []
        const open: Promise<void>[] = []
        let undone: Batch[] = []
        let offered = 0
        let isClosed = false
        for (const [id, act] of list.entries()) {
          if (act.kind === 'offer') {
            const held = queue.held
            let copies = 0
            const isTaken = queue.offer(() => {
              copies++
              if (act.fails) throw new RangeError('no memory')
              return batch(id, act.rows, act.bytes)
            }, act.rows)
            offered += act.rows
            const hasRoom = held.rows === 0 || (held.rows + act.rows <= MAX_ROWS && held.bytes < MAX_BYTES)
            assert.equal(copies, hasRoom && !isClosed ? 1 : 0)
            assert.equal(isTaken, hasRoom && !isClosed && !act.fails)
            if (isTaken) accepted.push(id)
            assert.ok(queue.held.rows <= Math.max(MAX_ROWS, act.rows, held.rows))
            if (isTaken) assert.ok(queue.held.bytes < MAX_BYTES + act.bytes)
            else assert.deepEqual(queue.held, held)
          } else if (act.kind === 'next') {
            const next = queue.next().then(given => {
              if (given === undefined) return
              taken.push(given)
              undone.push(given)
            })
            open.push(next)
          } else if (act.kind === 'done') {
            const [first, ...rest] = undone
            undone = rest
            if (first) queue.done(first)
          } else {
            queue.close()
            isClosed = true
          }
          // Those who were given a batch have it.
          await Promise.resolve()
          await Promise.resolve()
          const rows = (batches: readonly Batch[]) => batches.reduce((sum, each) => sum + each.rows, 0)
          const dropped = told.full + told.closed + told.failed
          const done = rows(taken) - rows(undone)
          assert.equal(offered, done + queue.held.rows + dropped)
          assert.deepEqual(queue.dropped, told)
        }
        queue.close()
        await Promise.all(open)
        assert.deepEqual(
          taken.map(({ id }) => id),
          accepted.slice(0, taken.length),
        )
        for (const each of undone) queue.done(each)
        assert.deepEqual(queue.held, { rows: 0, bytes: 0 })
      }),
    )
  })

  it('Q2: what was taken keeps its room until it is done, and only once', async () => {
    const queue = queueOf()
    assert.ok(queue.offer(() => batch(1, 60), 60))
    const first = (await queue.next())!
    assert.equal(
      queue.offer(() => batch(2, 60), 60),
      false,
    )
    queue.done(first)
    queue.done(first)
    assert.deepEqual(queue.held, { rows: 0, bytes: 0 })
    assert.ok(queue.offer(() => batch(3, 60), 60))
    assert.equal((await queue.next())?.id, 3)
    assert.deepEqual(queue.dropped, { full: 60, closed: 0, failed: 0 })
  })

  it('Q2: it is full at the bytes, one batch may go beyond', () => {
    const queue = queueOf()
    assert.ok(queue.offer(() => batch(1, 1, MAX_BYTES - 1), 1))
    assert.ok(queue.offer(() => batch(2, 1, 5_000), 1))
    assert.equal(
      queue.offer(() => assert.fail('nothing is copied'), 1),
      false,
    )
  })

  it('Q3: a batch above all limits goes through an empty queue', async () => {
    const queue = queueOf()
    assert.ok(queue.offer(() => batch(1, 1_000, 1_000_000), 1_000))
    assert.equal((await queue.next())?.id, 1)
  })

  it('Q1: a copy that fails is told, and the pipeline is not', () => {
    const errors: unknown[] = []
    const queue = new ShadowQueue<Batch>({
      maxRows: MAX_ROWS,
      maxBytes: MAX_BYTES,
      onDropped: (rows, why, error) => errors.push([rows, why, error]),
    })
    const failing = () => {
      throw new RangeError('Array buffer allocation failed')
    }
    assert.equal(queue.offer(failing, 7), false)
    const [[rows, why, error]] = errors as [[number, string, RunInferenceError]]
    assert.deepEqual([rows, why], [7, 'failed'])
    assert.ok(error instanceof RunInferenceError)
    assert.match(error.message, /cannot be copied for the shadow: Array buffer allocation failed/)
  })

  it('Q5: closing lets everybody go who waits, drops what waits, and takes nothing any more', async () => {
    const idle = queueOf()
    const both = [idle.next(), idle.next()]
    idle.close()
    assert.deepEqual(await Promise.all(both), [undefined, undefined])
    assert.equal(await idle.next(), undefined)

    const busy = queueOf()
    for (const id of [1, 2]) busy.offer(() => batch(id, 10), 10)
    const first = (await busy.next())!
    busy.close()
    busy.close()
    assert.equal(
      busy.offer(() => assert.fail('nothing is copied'), 5),
      false,
    )
    assert.deepEqual(busy.dropped, { full: 0, closed: 15, failed: 0 })
    assert.deepEqual(busy.held, { rows: 10, bytes: 10 })
    busy.done(first)
    assert.deepEqual(busy.held, { rows: 0, bytes: 0 })
    assert.equal(await busy.next(), undefined)
  })

  it('Q5: a queue that is closed while a batch is copied drops it', () => {
    const queue = queueOf()
    const closing = () => {
      queue.close()
      return batch(1, 3)
    }
    assert.equal(queue.offer(closing, 3), false)
    assert.deepEqual([queue.held.rows, queue.dropped.closed], [0, 3])
  })
})
