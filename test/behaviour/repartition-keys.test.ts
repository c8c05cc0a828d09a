// Keys that repartition writes stand before their values in one piece of memory, which grows with them.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { from, topology, utf8 } from 'kafka-run-inference'
import { strings } from '../support/digit-topology.ts'
import { onDriver } from '../support/on-driver.ts'

it('a new key is whole, however much longer than the others its value or the key itself is', async () => {
  const graph = topology('t', [
    from('in', utf8())
      .repartition('by-letter', text => `key ${text[0]!.repeat(text.length / 10)}`, strings)
      .to('out', strings),
  ])
  await onDriver(graph, async driver => {
    const texts = [1, 100, 10, 5_000, 20, 100_000, 30].map((length, i) => 'abcdefg'[i]!.repeat(length))
    await driver.pipe(
      'in',
      texts.map(value => ({ value })),
    )
    await driver.advance(1_000)
    const records = await driver.read('by-letter')
    assert.deepEqual(
      records.map(({ key, value }) => [key, value]),
      texts.map(text => [`key ${text[0]!.repeat(text.length / 10)}`, text]),
    )
    assert.equal(driver.failures.length, 0)
  })
})
