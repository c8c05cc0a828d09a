import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKV, KV, kv } from 'kafka-run-inference'

describe('keyed elements', () => {
  it('are told from arrays, pairs and objects that look like them', () => {
    assert.ok(isKV(kv('k', 1)))
    for (const other of [null, undefined, 5, 'text', ['k', 1], { key: 'k', value: 1 }, Object.create(null), () => {}])
      assert.ok(!isKV(other))
  })

  it('hold what they were made from', () => {
    const element = kv('k', { a: 1 })
    assert.ok(element instanceof KV)
    assert.deepEqual([element.key, element.value], ['k', { a: 1 }])
  })

  it('of another copy of this package are known by their brand', async () => {
    const copy = '../src/records.ts?copy'
    const other = (await import(copy)) as typeof import('../src/records.ts')
    assert.notEqual(other.KV, KV)
    assert.ok(isKV(other.kv('k', 1)))
    assert.ok(other.isKV(kv('k', 1)))
  })
})
