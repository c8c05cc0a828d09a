import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import type { PreparedModel } from '../../src/models/prepared-model.ts'
import type { FaultyExecutor } from '../../src/testing/faulty-executor.ts'
import type { TopologyDriver } from '../../src/testing/index.ts'
import {
  addedBy,
  addingTopology,
  type Changes,
  changesOf,
  numbers,
  scored,
  writeAddingModels,
} from '../support/changing-models.ts'
import { onFaultyDriver } from '../support/on-driver.ts'

const { paths, wide, missing } = writeAddingModels(4)
const BAD_ROW = 13
const transient = () => new RunInferenceError('MODEL_TRANSIENT', 'again, please')

const act = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('pipe' as const), rows: fc.integer({ min: 1, max: 9 }) }) },
  fc.record({ do: fc.constant('prepare' as const), model: fc.nat(3), isCandidate: fc.boolean() }),
  fc.record({ do: fc.constant('serve' as const) }),
  fc.record({ do: fc.constant('discard' as const) }),
  fc.record({ do: fc.constant('prepare a bad one' as const), isWide: fc.boolean() }),
  fc.record({ do: fc.constant('promote' as const) }),
  fc.record({ do: fc.constant('drop' as const) }),
  fc.record({ do: fc.constant('hang' as const) }),
  fc.record({ do: fc.constant('go on' as const) }),
  fc.record({ do: fc.constant('lose' as const), lane: fc.nat(3) }),
  fc.record({ do: fc.constant('recover' as const) }),
  fc.record({ do: fc.constant('fail' as const), runs: fc.integer({ min: 1, max: 2 }) }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 50, 500) }) },
)
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never

class Course {
  readonly driver: TopologyDriver
  readonly changes: Changes
  readonly executor: FaultyExecutor
  readonly prepared: { readonly model: PreparedModel; readonly isCandidate: boolean }[] = []
  #hung: (() => void)[] = []
  #lost: (() => void)[] = []
  piped: number[] = []

  constructor(driver: TopologyDriver, changes: Changes, executor: FaultyExecutor) {
    this.driver = driver
    this.changes = changes
    this.executor = executor
    executor.failRowsWhere(([x]) => x![0] === BAD_ROW)
  }

  async act(next: Act): Promise<void> {
    const { driver, changes, executor } = this
    const { models } = changes
    switch (next.do) {
      case 'pipe': {
        const from = this.piped.length
        const values = Array.from({ length: next.rows }, (_, i) => from + i)
        this.piped.push(...values)
        return driver.pipe('in', numbers(values))
      }
      case 'prepare':
        this.prepared.push({
          model: await changes.prepare(paths[next.model]!, next.isCandidate ? 1 : 0),
          isCandidate: next.isCandidate,
        })
        return
      case 'prepare a bad one':
        return assert.rejects(changes.prepare(next.isWide ? wide : missing), /MODEL_UNUSABLE/)
      case 'serve':
        return this.prepared.shift()?.model.serve()
      case 'discard':
        return this.prepared.pop()?.model.discard()
      case 'promote':
        return models.hasCandidate(0) ? models.promote(0) : undefined
      case 'drop':
        return models.dropCandidate(0)
      case 'hang':
        return void this.#hung.push(executor.hang())
      case 'go on':
        return this.#hung.splice(0).forEach(release => void release())
      case 'lose': {
        const lane = executor.lanes[next.lane % executor.lanes.length]!
        return void this.#lost.push(executor.lose(lane.id))
      }
      case 'recover':
        return this.#lost.splice(0).forEach(recover => void recover())
      case 'fail':
        return executor.failRuns(next.runs, transient())
      case 'wait':
        return driver.advance(next.ms)
    }
  }

  /** Everything that was in the way is over. */
  async end(): Promise<void> {
    await this.act({ do: 'recover' })
    await this.act({ do: 'go on' })
    for (const { model } of this.prepared.splice(0)) model.discard()
    this.changes.models.dropCandidate(0)
    for (let i = 0; i < 12; i++) await this.driver.advance(5_000)
  }
}

test('I1–I3 for any course of swaps, failures, losses and retries: nothing lost, in order, each output with the model that computed it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { minLength: 5, maxLength: 40 }),
      fc.constantFrom(1, 2),
      fc.constantFrom(1, 4, 256),
      async (acts, lanes, maxSize) => {
        let changes: Changes | undefined
        await onFaultyDriver(
          addingTopology(paths[0]!, { maxSize }),
          async (driver, executor) => {
            const course = new Course(driver, changes!, executor)
            for (const next of acts) {
              await course.act(next)
              const running = executor.lanes.filter(({ occupied }) => occupied > 0).map(({ seat }) => seat)
              assert.equal(new Set(running).size, running.length, 'P3: no two lanes of a seat run at once')
            }
            await course.end()
            const outputs = await scored(driver)
            for (const { modelId, x, y } of outputs)
              assert.equal(y - x, addedBy(paths.indexOf(modelId)), `${modelId} says that it gave ${y} for ${x}`)
            assert.deepEqual(
              outputs.map(({ x }) => x),
              course.piped.filter(x => x !== BAD_ROW),
              'nothing is lost, and all leaves in order',
            )
            assert.equal(driver.failures.length, course.piped.includes(BAD_ROW) ? 1 : 0)
            assert.deepEqual(executor.lanes.map(({ seat }) => seat).sort(), [...Array(lanes).keys()], 'a lane a seat')
            assert.equal(executor.leaving.length, 0, 'no lane is left behind')
            assert.deepEqual(driver.running.health().problems, {})
            const serving = driver.running.health().models.map(({ modelId, lanes: count }) => [modelId, count])
            assert.deepEqual(serving, [[changes!.models.specOf(0)!.uri, lanes]])
          },
          {
            lanes,
            onModelsOpened(steps) {
              changes = changesOf(steps)
            },
          },
        )
      },
    ),
    { numRuns: 60 },
  )
})
