// Whatever an input does to the process that executes it, the pool survives, knows which it was, and goes on behind it.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { inputOf } from '../../fuzz/execution.ts'
import { type PoolOptions, runPool } from '../../fuzz/pool.ts'
import { deadly, deadlyTarget, EXECUTED_FILE, EXIT, HANG, KILL, stillborn } from '../support/deadly-targets.ts'

const SEED = 111
const EXECUTIONS = 150
/** A process also has to start in that time. */
const HANG_MS = 6_000

describe('a pool', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kri-pool-test-'))
  const executedFile = join(folder, 'executed')
  process.env[EXECUTED_FILE] = executedFile
  after(() => rmSync(folder, { recursive: true }))

  const run = (options: Partial<PoolOptions>) => {
    writeFileSync(executedFile, '')
    return runPool({
      ...{ source: deadly, target: deadlyTarget(), seed: SEED, executions: EXECUTIONS, processes: 2, hangMs: HANG_MS },
      ...{ signal: new AbortController().signal, onProgress: () => {} },
      childUrl: new URL('../support/deadly-targets.ts', import.meta.url),
      ...options,
    })
  }
  const executed = () => readFileSync(executedFile, 'utf8').trimEnd().split('\n').map(Number)
  const course = Array.from({ length: EXECUTIONS }, (_, i) => inputOf(deadly.name, deadlyTarget(), SEED, i)[0]!)

  test('executes the inputs from the first on that it is told, and those of another run before it are none of them', async () => {
    const first = 100
    await run({ first, executions: EXECUTIONS - first, processes: 1 })
    assert.deepEqual(executed(), course.slice(first))
  })

  test('tells of each kind of end the first input that is guilty, and executes all others once', async () => {
    const counts = [EXIT, KILL, HANG].map(number => course.filter(each => each === number).length)
    assert.ok(counts[0]! > 1 && counts[1]! > 1 && counts[2] === 1, `a course that says something: ${counts}`)
    const { findings } = await run({})
    const expected = [
      { index: course.indexOf(EXIT), kind: 'crash', what: 'the process ended: exit code 7', input: EXIT },
      { index: course.indexOf(KILL), kind: 'crash', what: 'the process ended: SIGKILL', input: KILL },
      { index: course.indexOf(HANG), kind: 'hang', what: `no end within ${HANG_MS} ms`, input: HANG },
    ]
    assert.deepEqual(
      findings.map(({ index, fault, bytes }) => ({ index, ...fault, input: bytes[0] })),
      expected.toSorted((a, b) => a.index - b.index),
    )
    assert.deepEqual(
      executed().toSorted((a, b) => a - b),
      course.toSorted((a, b) => a - b),
    )
  })

  test('whose processes cannot begin ends, instead of trying for ever', async () => {
    await assert.rejects(run({ source: stillborn }), /stillborn, before its first execution.*exit code 1/)
  })
})
