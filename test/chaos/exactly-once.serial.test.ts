// The short form of `npm run chaos`, exactly once.
import { describe, it } from 'node:test'
import { chaosRuns } from '../support/chaos-run.ts'

describe('chaos', () => {
  const { holds } = chaosRuns()

  it('nothing is lost or comes twice while instances, brokers and the registry are taken away', t =>
    holds(t, 'exactly_once', 12))
})
