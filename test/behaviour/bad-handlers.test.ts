// What a handler can do wrong, through the whole engine: a dead letter for the row to blame, its neighbours unharmed.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, json, modelHandler, topology } from 'kafka-run-inference'
import { ObedientHandler, type Order } from '../support/obedient-handler.ts'
import { feed, onDriver } from '../support/on-driver.ts'

interface Answer {
  readonly example: Order
}

const BAD: readonly (readonly [deed: string, code: string, errorType: string])[] = [
  ['throw an error', 'INFERENCE_FAILED', 'BusyError'],
  ['throw a text', 'INFERENCE_FAILED', 'string'],
  ['throw undefined', 'INFERENCE_FAILED', 'undefined'],
  ['throw null', 'INFERENCE_FAILED', 'null'],
  ['throw an object', 'INFERENCE_FAILED', 'Object'],
  ['throw what throws', 'INFERENCE_FAILED', 'HostileError'],
  ['reject', 'INFERENCE_FAILED', 'TypeError'],
  ['generator that throws', 'INFERENCE_FAILED', 'RangeError'],
  ['slow generator that throws', 'INFERENCE_FAILED', 'RangeError'],
  ['nothing', 'INFERENCE_FAILED', 'TypeError'],
  ['few', 'RESULT_COUNT', 'RunInferenceError'],
  ['many', 'RESULT_COUNT', 'RunInferenceError'],
  ['endless', 'RESULT_COUNT', 'RunInferenceError'],
  ['a function', 'NOT_CLONEABLE', 'Error'],
  ['promises in a list', 'NOT_CLONEABLE', 'Error'],
  ['two gigabytes', 'RESULT_TOO_LARGE', 'RunInferenceError'],
]

const graph = topology('t', [
  from('in', json<Order>())
    .runInference('ask', modelHandler<Order, unknown, never>(new ObedientHandler('obedient') as never))
    .map(result => ({ id: (result as Answer).example.id }))
    .to('out', json<{ id: number }>()),
])

describe('a handler that does wrong for one row', () => {
  for (const [deed, code, errorType] of BAD) {
    it(`(${deed}) makes ${code} of that row, and its neighbours have their results, in order`, () =>
      onDriver(graph, async driver => {
        const orders = Array.from({ length: 9 }, (_, id): Order => (id === 4 ? { id, do: deed } : { id }))
        await feed(
          driver,
          orders.map(value => ({ key: Buffer.from(`k${value.id}`), value })),
        )
        const letters = await driver.read('t.ask.failed-inference')
        assert.deepEqual(
          letters.map(({ bytes, headers }) => [
            JSON.parse(String(bytes)).id,
            headers['kri-code'],
            headers['kri-error-type'],
            headers['kri-step'],
            headers['kri-model-id'],
          ]),
          [[4, code, errorType, 'ask', 'obedient/1']],
        )
        assert.deepEqual(
          (await driver.read('out')).map(({ value }) => (value as { id: number }).id),
          [0, 1, 2, 3, 5, 6, 7, 8],
        )
      }))
  }

  it('(an example that cannot be copied) makes NOT_CLONEABLE of that row', () => {
    const uncopied = topology('t', [
      from('in', json<Order>())
        .runInference(
          'ask',
          modelHandler<Order, unknown, never>(new ObedientHandler('obedient') as never).withPreprocess(
            (order: Order) => (order.id === 1 ? { ...order, payload: () => 0 } : order),
          ),
        )
        .map(result => ({ id: (result as Answer).example.id }))
        .to('out', json<{ id: number }>()),
    ])
    return onDriver(uncopied, async driver => {
      await feed(
        driver,
        [0, 1, 2].map(id => ({ value: { id } })),
      )
      const letters = await driver.read('t.ask.failed-inference')
      assert.deepEqual(
        letters.map(({ bytes, headers }) => [String(bytes), headers['kri-code']]),
        [['{"id":1}', 'NOT_CLONEABLE']],
      )
      assert.deepEqual(
        (await driver.read('out')).map(({ value }) => value),
        [{ id: 0 }, { id: 2 }],
      )
    })
  })

  it('(NaN) is no failure', () =>
    onDriver(
      topology('t', [
        from('in', json<Order>())
          .runInference('ask', modelHandler<Order, unknown, never>(new ObedientHandler('obedient') as never))
          .map(String)
          .to('out', json<string>()),
      ]),
      async driver => {
        await feed(driver, [{ value: { id: 0, do: 'no number' } }])
        assert.deepEqual(
          (await driver.read('out')).map(({ value }) => value),
          ['NaN'],
        )
      },
    ))
})
