import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pair } from '../../bench/pair.ts'

test('a pair is run in the order ABBA over two rounds, one at a time, and named in one order', async () => {
  const order: string[] = []
  const run = (name: string) => async () => {
    order.push(`${name} begins`)
    await Promise.resolve()
    order.push(`${name} ends`)
    return name
  }
  for (const round of [0, 1]) assert.deepEqual(await pair(round, run('a'), run('b')), ['a', 'b'])
  assert.deepEqual(
    order,
    ['a', 'b', 'b', 'a'].flatMap(name => [`${name} begins`, `${name} ends`]),
  )
})
