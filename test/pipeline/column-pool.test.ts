import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ColumnPool } from '../../src/pipeline/column-pool.ts'
import { ABSENT } from '../../src/pipeline/sink-column.ts'
import { WorkBlock } from '../../src/pipeline/work-block.ts'
import { blockOf, flowOf, putOutput, sourceRecord } from '../support/work-blocks.ts'

it('W4: a released column comes back empty for another block, whatever its size, and not before', () => {
  const pool = new ColumnPool()
  const make = (rows: number) =>
    new WorkBlock(blockOf(Array.from({ length: rows }, (_, i) => sourceRecord(i))), flowOf(), 1, 0, pool)
  const first = make(3)
  for (let row = 0; row < 3; row++) putOutput(first, 0, row, Buffer.from(`output ${row}`))
  const column = first.column(0)
  assert.notEqual(make(1).column(0), column)
  first.release()
  assert.equal(first.existingColumn(0), undefined)
  const second = make(5)
  assert.equal(second.column(0), column)
  assert.deepEqual([...column.start.subarray(0, 5)], new Array(5).fill(ABSENT))
  putOutput(second, 0, 4, Buffer.from('another'))
  assert.equal(column.arena.toString('utf8', column.start[4]!, column.end[4]!), 'another')
})
