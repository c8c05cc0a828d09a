// A reporter of node:test: one JSON line per finished test, for scripts/run-test-file.ts.
import { inspect } from 'node:util'

export default async function* report(source) {
  const path = []
  for await (const { type, data } of source) {
    if (type === 'test:start') path[data.nesting] = data.name
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const name = [...path.slice(0, data.nesting), data.name].join(' > ')
    const skip = data.skip ?? data.todo
    const isSuite = data.details.type === 'suite'
    if (skip !== undefined && skip !== false) {
      yield line({
        name,
        outcome: 'skipped',
        reason: typeof skip === 'string' && skip !== '' ? skip : 'NO REASON GIVEN',
      })
    } else if (type === 'test:fail') {
      // A suite or parent fails with its children, which have been told already.
      const { error } = data.details
      if (error?.failureType !== 'subtestsFailed') yield line({ name, outcome: 'failed', reason: show(error) })
    } else if (!isSuite) {
      yield line({ name, outcome: 'passed' })
    }
  }
}

const line = value => `${JSON.stringify(value)}\n`

// node:test wraps what a test threw; that is what a reader wants to see.
function show(error) {
  const cause = error?.cause ?? error
  return typeof cause === 'string' ? cause : inspect(cause, { depth: 6 })
}
