// The short form of `npm run chaos`, at least once, and its manners.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chaosRuns } from '../support/chaos-run.ts'
import { eventually } from '../support/eventually.ts'

describe('chaos', () => {
  const { chaos, holds, left, running } = chaosRuns()

  // The run of exactly once has every kind.
  it('nothing is lost, out of order or wrong while instances, brokers and the registry are taken away', t =>
    holds(t, 'at_least_once', 8, ['kill', 'broker', 'registry']))

  it('leaves no process behind when it is interrupted in the midst of it', async t => {
    const run = chaos(['--seed', '1', '--rate', '100'])
    // Brokers, registry, their supervisor and instances.
    await eventually('instances run', () => running().length > 6 || run.isOver(), 120_000)
    run.child.kill('SIGINT')
    const { code, stderr } = await run.ended
    if (stderr.includes('[CLUSTER_UNAVAILABLE]')) return t.skip(stderr)
    assert.equal(code, 130, stderr)
    assert.deepEqual(left(), [[], []])
  })

  it('refuses a flag that makes no sense', async () => {
    const { code, stderr } = await chaos(['--faults', 'fire']).ended
    assert.equal(code, 2)
    assert.match(stderr, /--faults takes kill, stop, broker, rebalance, registry, got "fire"/)
  })
})
