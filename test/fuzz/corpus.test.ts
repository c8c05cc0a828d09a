// Every input that was ever found to be taken wrongly, again; and a short run of each target, the same each time.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { casesOf, targetsWithCases } from '../../fuzz/cases.ts'
import { runCourse } from '../../fuzz/course.ts'
import { execute, inputOf } from '../../fuzz/execution.ts'
import { sources } from '../../fuzz/sources.ts'

const SEED = 20_260_101
const SHORT = 10_000
/** A run stops here, so that a busy machine is not kept; where it is quiet all come to their end. */
const MOST_MS = 700

test('kept cases are those of targets that there are', () => {
  const names = sources.map(({ name }) => name)
  assert.deepEqual(
    targetsWithCases().filter(name => !names.includes(name)),
    [],
  )
})

for (const source of sources) {
  describe(source.name, () => {
    test('takes what is valid, and every kept case as it must be taken', async () => {
      const target = await source.open()
      try {
        let taken = 0
        for (const seed of target.seeds) {
          const { code, fault } = await execute(target, seed)
          assert.equal(fault, undefined)
          if (code === undefined) taken++
        }
        assert.ok(taken >= target.seeds.length / 3, `${taken} of ${target.seeds.length} seeds are taken`)
        for (const { name, bytes } of casesOf(source.name)) {
          const { fault } = await execute(target, bytes)
          assert.equal(fault, undefined, `${name} shows ${fault?.kind}: ${fault?.what}`)
        }
      } finally {
        await target.close?.()
      }
    })

    test('a short run finds nothing', async () => {
      const target = await source.open()
      const started = performance.now()
      try {
        const { executions } = await runCourse({
          source,
          target,
          seed: SEED,
          from: 0,
          to: source.short ?? SHORT,
          onFault({ kind, what }, bytes, index) {
            assert.fail(`${kind} at ${index}: ${what}, of ${bytes.toString('hex').slice(0, 400)}`)
          },
          onProgress: async () => performance.now() - started < MOST_MS,
        })
        assert.ok(executions > 0)
      } finally {
        await target.close?.()
      }
    })
  })
}

test('a seed gives the same inputs, wherever a process begins', async () => {
  const [source] = sources
  const target = await source!.open()
  const course = (from: number) =>
    Array.from({ length: 50 }, (_, i) => inputOf(source!.name, target, 7, from + i).toString('hex'))
  assert.deepEqual(course(20).slice(0, 30), course(0).slice(20))
  assert.notDeepEqual(
    course(0),
    Array.from({ length: 50 }, (_, i) => inputOf(source!.name, target, 8, i).toString('hex')),
  )
})
