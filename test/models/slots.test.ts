import assert from 'node:assert/strict'
import { test } from 'node:test'
import { layOut, SlotMemory, viewRows } from '../../src/models/slots.ts'

test('tensors start on 64-byte lines, one behind the other, whatever their types', () => {
  const { rooms, bytes } = layOut([{ dtype: 'uint8' }, { dtype: 'float64' }, { dtype: 'int64' }], [[3], [2, 2], []], 5)
  assert.deepEqual(rooms, [
    { offset: 0, rowElements: 3 },
    { offset: 64, rowElements: 4 },
    { offset: 256, rowElements: 1 },
  ])
  assert.equal(bytes, 320)
})

test('strings and open shapes get no room', () => {
  const { rooms, bytes } = layOut(
    [{ dtype: 'string' }, { dtype: 'float32' }, { dtype: 'int32' }],
    [[2], [null], [1]],
    3,
  )
  assert.deepEqual(
    rooms.map(({ offset }) => offset),
    [-1, -1, 0],
  )
  assert.equal(bytes, 64)
})

test('a view covers exactly the rows that were asked for', () => {
  const memory = new SlotMemory()
  const { rooms, bytes } = layOut([{ dtype: 'float32' }], [[4]], 10)
  memory.ensure(bytes, 0)
  const whole = viewRows(memory.regions.input, 'float32', rooms[0]!, 0, 10) as Float32Array
  for (let index = 0; index < whole.length; index++) whole[index] = index
  assert.deepEqual([...viewRows(memory.regions.input, 'float32', rooms[0]!, 3, 2)], [12, 13, 14, 15, 16, 17, 18, 19])
})

test('memory is replaced only when more is needed, and only the region that needs it', () => {
  const memory = new SlotMemory()
  memory.ensure(100, 10)
  const first = memory.regions
  assert.deepEqual([first.input.byteLength, first.output.byteLength], [100, 10])
  memory.ensure(50, 10)
  assert.equal(memory.regions, first)
  memory.ensure(50, 11)
  assert.equal(memory.regions.input, first.input)
  assert.deepEqual([memory.regions.output.byteLength, first.output.byteLength], [15, 10])
})
