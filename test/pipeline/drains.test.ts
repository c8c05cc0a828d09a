import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Drains } from '../../src/pipeline/drains.ts'

const set = (...topics: readonly string[]) => new Set(topics)

function setUp() {
  const drains = new Drains()
  const over: string[] = []
  const wait = (name: string, topics?: ReadonlySet<string>) => void drains.wait(topics).then(() => over.push(name))
  const turn = () => new Promise<void>(resolve => setImmediate(resolve))
  return { drains, over, wait, turn }
}

describe('drains', () => {
  it('are over when nothing of their topics is in flight; that of the end when nothing is at all', async () => {
    const { drains, over, wait, turn } = setUp()
    wait('in', set('in', 'in.replay'))
    wait('between', set('between'))
    wait('end')
    drains.settle(set('in', 'between'))
    await turn()
    assert.deepEqual(over, [])
    drains.settle(set('between'))
    await turn()
    assert.deepEqual(over, ['in'])
    drains.settle(set())
    await turn()
    assert.deepEqual([over, drains.any], [['in', 'between', 'end'], false])
  })

  it('that have outlasted their budget are kept no longer than until their group has joined again', async () => {
    const { drains, over, wait, turn } = setUp()
    for (let rebalance = 0; rebalance < 3; rebalance++) wait('in', set('in'))
    wait('end')
    drains.giveUp(set('between'))
    await turn()
    assert.deepEqual(over, [])
    drains.giveUp(set('in'))
    await turn()
    assert.deepEqual([over, drains.any], [['in', 'in', 'in'], true], 'the end still waits')
  })
})
