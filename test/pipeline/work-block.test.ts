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

describe('elements of a row', () => {
  it('W4: below a row they come in the order of their parents, whenever they were made; dead letters of a row likewise', () => {
    const shape = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 3 })), { maxLength: 12 })
    fc.assert(
      fc.property(shape, fc.array(fc.nat(), { maxLength: 20 }), (made, failing) => {
        const block = work(3)
        const paths = new Map<number, readonly number[]>([0, 1, 2].map(row => [row, [row]]))
        for (const [of, count] of made) {
          const parent = [...paths.keys()][of % paths.size]!
          const first = block.addChildren(parent, count)
          for (let i = 0; i < count; i++) paths.set(first + i, [...paths.get(parent)!, first + i])
        }
        const order = [...paths.keys()].toSorted((a, b) => comparePaths(paths.get(a)!, paths.get(b)!))
        for (const row of [0, 1, 2]) {
          const below = order.filter(element => block.rowOf(element) === row && element !== row)
          assert.deepEqual([...block.below(row)], below)
          assert.equal(block.madeOf(row, row + 1), below.length)
        }
        assert.equal(block.takeUncounted(), paths.size - 3)
        assert.equal(block.takeUncounted(), 0)
        const failed = [...new Set(failing.map(chance => [...paths.keys()][chance % paths.size]!))]
        for (const element of failed) {
          block.addBranches(element, 1)
          block.fail(element, point, element, error)
        }
        for (const row of [0, 1, 2]) {
          assert.deepEqual(
            block.failuresOf(row)?.map(({ index }) => index) ?? [],
            failed
              .filter(element => block.rowOf(element) === row)
              .toSorted((a, b) => comparePaths(paths.get(a)!, paths.get(b)!)),
          )
        }
      }),
    )
  })
})

function comparePaths(a: readonly number[], b: readonly number[]): number {
  const differs = a.findIndex((element, i) => element !== b[i])
  if (differs < 0) return a.length - b.length
  return (a[differs] ?? 0) - (b[differs] ?? -1)
}

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

  it('keeps keys of elements before their values, also of elements that come late, and forgets them when it is used again', () => {
    const column = new SinkColumn(2)
    const put = (element: number, key: string, value: string) => {
      column.reserve(key.length + value.length)
      const keyEnd = column.used + column.arena.write(key, column.used)
      column.sealKeyed(element, keyEnd, keyEnd + column.arena.write(value, keyEnd))
    }
    put(7, 'k7', 'v7')
    put(0, '', 'v0')
    put(1, 'k1', '')
    const keyOf = (element: number) => column.arena.toString('utf8', column.keyStart![element], column.start[element])
    const textOf = (element: number) => column.arena.toString('utf8', column.start[element], column.end[element])
    assert.deepEqual(
      [0, 1, 7].map(element => [keyOf(element), textOf(element)]),
      [
        ['', 'v0'],
        ['k1', ''],
        ['k7', 'v7'],
      ],
    )
    column.clear(2)
    assert.deepEqual([column.keyStart, column.startOf(0), column.startOf(7)], [undefined, -2, -2])
  })
})
