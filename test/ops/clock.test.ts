import assert from 'node:assert/strict'
import { it } from 'node:test'
import { systemClock } from '../../src/ops/clock.ts'

it('a delay beyond what a timer takes does not end at once', async () => {
  const called: number[] = []
  const cancels = [2 ** 31, Number.POSITIVE_INFINITY].map(ms => systemClock.after(ms, () => called.push(ms)))
  // This one was set later and is longer than one millisecond: those before it would have come, if they were short.
  await new Promise<void>(resolve => systemClock.after(2, resolve))
  for (const cancel of cancels) cancel()
  assert.deepEqual(called, [])
})
