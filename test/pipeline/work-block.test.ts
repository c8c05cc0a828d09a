import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import { SinkColumn } from '../../src/pipeline/sink-column.ts'
import { fork } from '../../src/pipeline/stage.ts'
import { blockOf, flowOf, sourceRecord, workOf } from '../support/work-blocks.ts'

const point = { topic: 't', stage: 'preprocess' as const, step: 's', node: 'n', listeners: [] }
const error = new RunInferenceError('FUNCTION_THREW', 'x')
const work = (rows: number) => workOf(blockOf(Array.from({ length: rows }, (_, i) => sourceRecord(i))), flowOf())

describe('a work block', () => {
  it('W1, W2: the done prefix is the longest run of rows whose branches have all ended', () => {
    const branch = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(branch, fc.infiniteStream(fc.nat()), (branches, chance) => {
        const block = work(branches.length)
        const open = branches.flatMap((count, row) => {
          block.addBranches(row, count - 1)
          return new Array<number>(count).fill(row)
        })
        const left = [...branches]
        while (open.length > 0) {
          const [row] = open.splice(chance.next().value % open.length, 1)
          left[row!]!--
          if (chance.next().value % 3 === 0) block.fail(row!, point, -1, error)
          else block.complete(row!)
          const first = left.findIndex(count => count > 0)
          assert.equal(block.donePrefix, first < 0 ? branches.length : first)
        }
      }),
    )
  })

  it('W3: a lost block takes no failures', () => {
    const block = work(1)
    block.flow.lost = true
    block.fail(0, point, -1, error)
    assert.equal(block.hasFailures, false)
    assert.equal(block.donePrefix, 0)
  })

  it('keeps several failures of one row, in their order', () => {
    const block = work(2)
    block.addBranches(1, 1)
    block.fail(1, point, 0, error)
    block.fail(1, point, 1, error, { modelId: 'm' })
    assert.deepEqual(
      block.failuresOf(1)?.map(({ index, modelId }) => [index, modelId]),
      [
        [0, undefined],
        [1, 'm'],
      ],
    )
    assert.equal(block.failuresOf(0), undefined)
  })
})

describe('a fork', () => {
  it('hands every element and every tombstone to all its stages, each a branch of the row', () => {
    const block = work(2)
    const seen: string[] = []
    const stage = (name: string) => ({
      push: (_: unknown, row: number, value: unknown) => void seen.push(`${name} ${row} ${value}`),
      pushNull: (_: unknown, row: number) => void seen.push(`${name} ${row} null`),
    })
    const both = fork([stage('a'), stage('b')])
    both.push(block, 0, 'v')
    both.pushNull(block, 1)
    assert.deepEqual(seen, ['a 0 v', 'b 0 v', 'a 1 null', 'b 1 null'])
    for (const row of [0, 1]) block.complete(row)
    assert.equal(block.donePrefix, 0, 'the other branch is open')
    for (const row of [0, 1]) block.complete(row)
    assert.equal(block.donePrefix, 2)
  })
})

describe('a sink column', () => {
  it('keeps what it holds when it grows, and tells nothing, null and bytes apart', () => {
    const column = new SinkColumn(3)
    const values = [Buffer.alloc(100, 'a'), Buffer.alloc(500, 'b')]
    for (const [row, value] of values.entries()) {
      column.reserve(value.length)
      value.copy(column.arena, column.used)
      column.seal(2 - row, column.used + value.length)
    }
    column.setNull(0)
    assert.deepEqual(column.arena.subarray(column.start[2]!, column.end[2]!), values[0])
    assert.deepEqual(column.arena.subarray(column.start[1]!, column.end[1]!), values[1])
    assert.equal(column.start[0], -1)
    assert.equal(new SinkColumn(1).start[0], -2)
  })
})
