/** What every executor must keep while it runs handlers that users wrote: examples and results as they are, errors told apart. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { BatchSlot, Executor, LaneModel } from '../../src/models/executor.ts'
import type { Topology } from '../../src/topology.ts'
import { loadTopology } from '../../src/topology-module.ts'
import { type CreateExecutor, rejects } from '../support/executor-checks.ts'
import { put, specOf } from '../support/handler-specs.ts'
import { HANDLERS_FILE } from '../support/handlers-topology.ts'
import type { Order } from '../support/obedient-handler.ts'

export function executorHandlersContract(name: string, create: CreateExecutor): void {
  let topology: Topology
  let executor: Executor
  let model: LaneModel
  /** A slot that holds these examples. */
  async function withExamples(of: LaneModel, examples: readonly unknown[], use: (slot: BatchSlot) => Promise<unknown>) {
    const slot = of.acquire()!
    put(slot, examples)
    await use(slot).finally(() => slot.release())
  }
  /** Orders, ids from 0. */
  const withOrders = (orders: readonly Omit<Order, 'id'>[], use: (slot: BatchSlot) => Promise<unknown>) =>
    withExamples(
      model,
      orders.map((order, id) => ({ id, ...order })),
      use,
    )
  /** The results of two rows, of which the first says what to do. */
  const resultsOf = async (deed: Order['do']) => {
    let results: readonly unknown[] = []
    await withOrders([{ do: deed! }, {}], async slot => {
      results = (await slot.run(0, 2)).outputs[0]!.data as readonly unknown[]
    })
    return results
  }

  describe(`${name} executor: handlers that users write`, () => {
    // One lane for all: nothing that a handler does here may harm what comes behind it.
    before(async () => {
      topology = await loadTopology(HANDLERS_FILE)
      executor = create({ lanes: 1, maxBatchRows: 16 })
      model = await executor.lanes[0]!.load(specOf(topology, 'obedient'))
    })
    after(() => executor.close())

    test('take examples and give results as they are, in order, any range of a slot, again and again', () => {
      const payloads = [
        1n,
        null,
        undefined,
        { a: [Number.NaN, -0] },
        new Float32Array([1.5]),
        new Map([[1, new Date(0)]]),
        'é\ud800',
      ]
      return withOrders(
        payloads.map(payload => ({ payload })),
        async slot => {
          for (const [from, rows] of [
            [0, 7],
            [2, 3],
            [6, 1],
            [0, 7],
          ] as const) {
            const { outputs, modelId, numBytes } = await slot.run(from, rows)
            assert.deepEqual([outputs.length, outputs[0]!.rowShape, modelId, numBytes], [1, [], 'obedient/1', rows * 8])
            const results = outputs[0]!.data as readonly { example: unknown; inferenceArgs: unknown }[]
            const wanted = payloads.slice(from, from + rows).map((payload, i) => ({ id: from + i, payload }))
            assert.deepEqual(
              results.map(({ example }) => example),
              wanted,
            )
            assert.equal(results[0]!.inferenceArgs, undefined)
          }
        },
      )
    })

    test('may return a list, a generator or a typed array, now or later', async () => {
      const two = [{ id: 0, do: 'generator' }, { id: 1 }]
      assert.deepEqual(await resultsOf('generator'), two)
      assert.deepEqual(await resultsOf('promise'), [{ id: 0, do: 'promise' }, { id: 1 }])
      assert.deepEqual(await resultsOf('slow generator'), [{ id: 0, do: 'slow generator' }, { id: 1 }])
      assert.deepEqual(await resultsOf('typed'), [0, 1])
    })

    test('may give NaN, which is a result like any other', async () => {
      assert.deepEqual(await resultsOf('no number'), [Number.NaN, Number.NaN])
    })

    test('may change the list that they are given, and nobody else sees it', async () => {
      assert.deepEqual(await resultsOf('change the batch'), [{ id: 0 }, { id: 1 }])
    })

    for (const [deed, got] of [
      ['few', '1'],
      ['many', '4 or more'],
      ['endless', '3 or more'],
    ] as const) {
      test(`that give another number of results (${deed}): RESULT_COUNT says how many, and nothing leaves`, () =>
        rejects(resultsOf(deed), 'RESULT_COUNT', `obedient: runInference gave ${got} results for 2 examples`))
    }

    for (const [deed, got] of [
      ['nothing', 'undefined'],
      ['number', 'a value of type number'],
      ['text', 'a value of type string'],
    ] as const) {
      test(`that return ${deed} instead of results: INFERENCE_FAILED`, () =>
        rejects(resultsOf(deed), 'INFERENCE_FAILED', `runInference returned ${got}, expected the results`))
    }

    for (const [deed, type, text] of [
      ['generator that throws', 'RangeError', 'half-way'],
      ['slow generator that throws', 'RangeError', 'half-way, later'],
      ['reject', 'TypeError', 'rejected'],
      ['throw an error', 'BusyError', 'an error of a class of its own'],
      ['throw a text', 'string', 'just a text'],
      ['throw undefined', 'undefined', 'undefined'],
      ['throw null', 'null', 'null'],
      ['throw an object', 'Object', '[object Object]'],
      ['throw what throws', 'HostileError', 'cannot be shown'],
      ['busy, and isTransient throws', 'BusyError', 'cannot say'],
    ] as const) {
      test(`that fail (${deed}): INFERENCE_FAILED with class and text, the neighbours unharmed when they run alone`, () =>
        withOrders([{}, { do: deed }, {}], async slot => {
          await assert.rejects(slot.run(0, 3), { code: 'INFERENCE_FAILED' })
          await assert.rejects(slot.run(1, 1), (error: Error & { code?: string; errorTypes?: readonly string[] }) => {
            assert.deepEqual([error.code, error.errorTypes?.[0]], ['INFERENCE_FAILED', type])
            assert.ok(error.message.includes('obedient') && error.message.includes(text), error.message)
            return true
          })
          for (const row of [0, 2]) assert.equal((await slot.run(row, 1)).rows, 1)
        }))
    }

    test('bring the stack of what they threw', () =>
      withOrders([{ do: 'throw an error' }], slot =>
        assert.rejects(slot.run(0, 1), ({ stack }: Error) => stack!.includes('obedient-handler.ts')),
      ))

    test('say of an error that trying again can mend it: MODEL_TRANSIENT', () =>
      rejects(resultsOf('busy'), 'MODEL_TRANSIENT', 'come back later'))

    for (const deed of ['a function', 'promises in a list', 'a getter that throws'] as const) {
      test(`that give what cannot be copied (${deed}): NOT_CLONEABLE, the neighbours unharmed`, () =>
        withOrders([{}, { do: deed }, {}], async slot => {
          await rejects(slot.run(0, 3), 'NOT_CLONEABLE', 'obedient: a result is no plain data')
          for (const row of [0, 2]) assert.equal((await slot.run(row, 1)).rows, 1)
        }))
    }

    test('are not asked about an example that cannot be copied: NOT_CLONEABLE, and the slot can be used', () =>
      withOrders([{}, { payload: () => 0 }, {}], async slot => {
        await rejects(slot.run(0, 3), 'NOT_CLONEABLE', 'obedient/1: an example is no plain data', '() => 0')
        await rejects(slot.run(1, 1), 'NOT_CLONEABLE')
        for (const row of [0, 2]) assert.equal((await slot.run(row, 1)).rows, 1)
      }))

    test('that give two gigabytes: RESULT_TOO_LARGE, before they cross, the neighbours unharmed', () =>
      withOrders([{ do: 'two gigabytes' }, {}], async slot => {
        await rejects(slot.run(0, 1), 'RESULT_TOO_LARGE', 'result 1 of 1 is larger than 64 MiB')
        assert.equal((await slot.run(1, 1)).rows, 1)
      }))

    test('that give too much in all: RESULT_TOO_LARGE, and each row may pass alone', () =>
      withOrders([{ do: 'sixty megabytes each' }, {}, {}, {}, {}], slot =>
        rejects(slot.run(0, 5), 'RESULT_TOO_LARGE', 'the results of 5 examples are larger than 256 MiB'),
      ))

    test('take what others wrote against name, loadModel and runInference alone, with private fields', async () => {
      for (const step of ['third-party', 'grown']) {
        const other = await executor.lanes[0]!.load(specOf(topology, step))
        assert.deepEqual(other.loaded.inputs, [{ declared: '', name: '', dtype: 'value', shape: [] }])
        await withExamples(other, [1, 5, 3], async slot =>
          assert.deepEqual((await slot.run(0, 3)).outputs[0]!.data, [2, 6, 4]),
        )
        // Without a control batch there is nothing that could fail.
        await other.runControl()
      }
    })

    test('get exactly the examples of the call: another number is refused', async () => {
      const slot = model.acquire()!
      const [values] = slot.prepare(2, [[]]) as [unknown[]]
      values.push({ id: 0 })
      await rejects(slot.run(0, 1), 'BUG', 'holds 1 examples, expected 2')
      slot.release()
    })
  })
}
