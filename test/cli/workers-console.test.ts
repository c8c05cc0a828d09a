import assert from 'node:assert/strict'
import { it } from 'node:test'
import { withHealth } from '../../src/cli/workers-console.ts'
import { fixtureSource } from '../console/fixture-source.ts'

const { signal } = new AbortController()

it('the console of all workers shows what any of them waits for, beside what is wrong with the application', async () => {
  const source = fixtureSource()
  const take = async () => ({ ...(await source.snapshots.take(signal)), problems: { 'group a': 'it is Empty' } })
  let problems: Record<string, string> = { 'worker 1: process': 'is being started again' }
  const health = async () => ({ ready: Object.keys(problems).length === 0, problems }) as never
  const { snapshots } = withHealth({ ...source, snapshots: { ...source.snapshots, take } }, health)
  const troubled = await snapshots.take(signal)
  assert.equal(troubled.ready, false)
  assert.deepEqual(troubled.problems, { ...problems, 'group a': 'it is Empty' })
  problems = {}
  const well = await snapshots.take(signal)
  assert.deepEqual([well.ready, well.problems], [true, { 'group a': 'it is Empty' }])
})
