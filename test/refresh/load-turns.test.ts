import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LoadTurns } from '../../src/refresh/load-turns.ts'

const settled = () => new Promise(resolve => setImmediate(resolve))

describe('turns of loads', () => {
  it('so many at once, the others in their order, and one that is given up leaves its place to the next', async () => {
    const turns = new LoadTurns(2)
    const log: string[] = []
    const ends: PromiseWithResolvers<void>[] = []
    const take = (name: string, signal = new AbortController().signal) => {
      const end = Promise.withResolvers<void>()
      ends.push(end)
      const load = async () => {
        log.push(`begins ${name}`)
        await end.promise
      }
      return turns.take(signal, load).then(
        () => void log.push(`ended ${name}`),
        () => void log.push(`left ${name}`),
      )
    }
    const given = new AbortController()
    const all = [take('a'), take('b'), take('c', given.signal), take('d')]
    given.abort()
    await settled()
    assert.deepEqual(log, ['begins a', 'begins b', 'left c'])
    ends[1]!.reject(new Error('garbage'))
    await settled()
    assert.deepEqual(log.slice(3), ['begins d', 'left b'])
    ends[0]!.resolve()
    ends[3]!.resolve()
    await Promise.all(all)
    await turns.take(new AbortController().signal, async () => void log.push('free'))
    assert.equal(log.at(-1), 'free')
  })
})
