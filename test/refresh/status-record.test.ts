import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { encodeStatus, type InstanceStatus, parseStatus } from '../../src/refresh/status-record.ts'

const status: InstanceStatus = {
  instance: 'a',
  memberIds: ['m-1'],
  slots: [
    {
      slot: 'infer/"de"',
      revision: 3,
      metadataOffset: 7,
      state: 'failed',
      reason: 'no such file',
      modelId: 'old.onnx',
      sha256: 'ab',
      since: '2026-01-01T00:00:00.000Z',
      positions: { 'in/0': 12 },
      candidate: { revision: 3, metadataOffset: 7, state: 'loading', since: '2026-01-01T00:00:00.000Z', positions: {} },
    },
  ],
  ignored: { other: 'there is no such step' },
  writtenAt: '2026-01-01T00:00:01.000Z',
}

describe('the status of an instance as a record', () => {
  it('what is written is read', () => {
    assert.deepEqual(parseStatus(encodeStatus(status), 'r'), status)
  })

  it('fields of a later version are left out', () => {
    const more = { ...status, more: 1, slots: [{ ...status.slots[0], also: [] }] }
    assert.deepEqual(parseStatus(Buffer.from(JSON.stringify(more)), 'r'), status)
  })

  const wrong: readonly (readonly [field: string, value: unknown])[] = [
    ['the value', 7],
    ['instance', { ...status, instance: 1 }],
    ['memberIds[0]', { ...status, memberIds: [null] }],
    ['slots', { ...status, slots: {} }],
    ['slots[0].state', { ...status, slots: [{ ...status.slots[0], state: 'lost' }] }],
    ['slots[0].metadataOffset', { ...status, slots: [{ ...status.slots[0], metadataOffset: -2 }] }],
    ['slots[0].positions.in/0', { ...status, slots: [{ ...status.slots[0], positions: { 'in/0': 'x' } }] }],
    ['slots[0].candidate', { ...status, slots: [{ ...status.slots[0], candidate: 'x' }] }],
    ['ignored.x', { ...status, ignored: { x: 1 } }],
  ]
  for (const [field, value] of wrong) {
    it(`a record whose ${field} is wrong is refused by that name`, () => {
      const read = () => parseStatus(Buffer.from(JSON.stringify(value)), 'record s/0/1')
      assert.throws(read, (error: unknown) => {
        assert.ok(error instanceof RunInferenceError)
        assert.equal(error.code, 'METADATA_INVALID')
        assert.ok(error.message.includes(`record s/0/1: ${field} cannot be used`), error.message)
        return true
      })
    })
  }

  for (const bytes of [Buffer.from('{'), Buffer.from([0xff, 0xfe]), Buffer.alloc(0)])
    it(`${bytes.length} bytes that are no JSON are refused`, () => {
      assert.throws(() => parseStatus(bytes, 'r'), { code: 'METADATA_INVALID' })
    })
})
