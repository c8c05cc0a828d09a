import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, json, type StepOptions, topology } from 'kafka-run-inference'
import type { RunInferenceError } from '../../src/errors.ts'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { calculation, failed, outputs, timesTen, values } from '../support/number-handlers.ts'
import { feed, onDriver, onFaultyDriver } from '../support/on-driver.ts'

const failingOn = (...bad: readonly number[]) =>
  timesTen(batch => {
    if (batch.some(value => bad.includes(value))) throw new RangeError('out of range')
  })
const asBatches = (maxSize: number): StepOptions<number> => ({
  batch: { maxSize },
  exceptionHandling: { failureUnit: 'batch' },
})

/** Why the topology ended. */
async function endOf(driver: TopologyDriver): Promise<RunInferenceError> {
  return driver.running.finished.then(
    () => assert.fail('it ended in order'),
    (error: RunInferenceError) => error,
  )
}

describe("failureUnit 'batch'", () => {
  it('a batch fails as a whole, in one call: its rows are dead letters of one batch, other batches go on', async () => {
    const { handler, batches } = failingOn(2, 8)
    await onDriver(calculation(handler, asBatches(3)), async driver => {
      await feed(driver, values(1, 2, 3, 4, 5, 6, 7, 8, 9))
      assert.deepEqual(await outputs(driver), [40, 50, 60])
      assert.deepEqual(
        driver.failures.map(({ element }) => element),
        [1, 2, 3, 7, 8, 9],
      )
      const numbers = driver.failures.map(({ batch }) => batch)
      assert.deepEqual(
        numbers,
        [0, 0, 0, 1, 1, 1].map(i => numbers[0]! + i),
      )
      assert.equal(batches.length, 3, 'no search, no second call')
      assert.equal((await driver.read('t.calc.failed-inference')).length, 6)
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [9])
    })
  })

  it('is an outage while the control batch fails', async () => {
    const { handler } = timesTen()
    await onFaultyDriver(calculation(handler, asBatches(3)), async (driver, executor) => {
      executor.failRowsWhere(() => true)
      executor.failControl(true)
      await feed(driver, values(1, 2, 3))
      assert.deepEqual(driver.failures, [])
      executor.failRowsWhere(undefined)
      executor.failControl(false)
      await driver.advance(20_000)
      assert.deepEqual(await outputs(driver), [10, 20, 30])
    })
  })

  it('does not keep a batch that does not fit the device from coming back smaller', async () => {
    const { handler } = timesTen()
    await onFaultyDriver(calculation(handler, asBatches(8)), async (driver, executor) => {
      executor.outOfMemoryAbove(2)
      await feed(driver, values(1, 2, 3, 4, 5, 6, 7, 8))
      assert.deepEqual(await outputs(driver), [10, 20, 30, 40, 50, 60, 70, 80])
      assert.deepEqual(driver.failures, [])
    })
  })
})

class Mine extends TypeError {}

describe('exceptionHandling.only', () => {
  const topologyOf = (only: NonNullable<StepOptions['exceptionHandling']>['only'], fails: () => Error) => {
    const { handler } = timesTen(batch => {
      if (batch.includes(2)) throw fails()
    })
    return calculation(handler, { batch: { maxSize: 1 }, exceptionHandling: { ...(only ? { only } : {}) } })
  }

  it('lets errors of these classes, and of classes below them, be dead letters; by class or by name', async () => {
    const wanted = [
      [[RangeError], () => new RangeError('x')],
      [['RangeError'], () => new RangeError('x')],
      [[TypeError], () => new Mine('x')],
      [['Mine'], () => new Mine('x')],
      [[RangeError, 'TypeError'], () => new Mine('x')],
      [[Error], () => new Mine('x')],
    ] as const
    for (const [only, fails] of wanted) {
      await onDriver(topologyOf(only, fails), async driver => {
        await feed(driver, values(1, 2, 3))
        assert.deepEqual(failed(driver), ['1 inference INFERENCE_FAILED -1'])
        assert.deepEqual(await outputs(driver), [10, 30])
      })
    }
  })

  it('any other error ends the application: its record is neither a dead letter nor committed', async () => {
    await onDriver(
      topologyOf([RangeError], () => new Mine('not this')),
      async driver => {
        const end = endOf(driver)
        await feed(driver, values(1, 2, 3))
        const { code, message } = await end
        assert.equal(code, 'UNHANDLED')
        assert.match(message, /step calc, record in\/0\/1: Mine: .*not this/)
        assert.match(message, /makes dead letters of RangeError alone/)
        assert.deepEqual(await driver.read('t.calc.failed-inference'), [])
        assert.ok((await driver.port.admin.committed('t', 'in'))[0]! <= 1)
        assert.equal(driver.running.health().live, false)
      },
    )
  })

  it('is asked of functions before and behind the model, of the graph too; the message names which', async () => {
    const { handler } = timesTen()
    const thrower = (at: string) => (value: { at: string }) => {
      if (value.at === at) throw new Mine(at)
      return value
    }
    const around = handler
      .withPreprocess((value: { at: string; n: number }) => value.n)
      .withPreprocess((value: { at: string; n: number }) => thrower('pre')(value) as { at: string; n: number })
      .withPostprocess(result => {
        if (result === 70) throw new Mine('post')
        return result
      })
    const graph = (only: readonly [typeof Error]) =>
      topology('t', [
        from('in', json<{ at: string; n: number }>())
          .map(value => thrower('map')(value) as { at: string; n: number })
          .runInference('calc', around, { exceptionHandling: { only } })
          .to('out', json<number>()),
      ])
    const places = [
      ['map', 1, /map#1, record in\/0\/0: Mine/, '0 preprocess FUNCTION_THREW -1'],
      ['pre', 1, /step calc, preprocess function 0, record in\/0\/0: Mine/, '0 preprocess FUNCTION_THREW 0'],
      ['', 7, /step calc, postprocess function 0, record in\/0\/0: Mine/, '0 postprocess POSTPROCESS_THREW 0'],
    ] as const
    for (const [at, n, message, letter] of places) {
      await onDriver(graph([TypeError]), async driver => {
        await feed(driver, values({ at, n }, { at: '', n: 1 }))
        assert.deepEqual([failed(driver), await outputs(driver)], [[letter], [10]])
      })
      await onDriver(graph([RangeError]), async driver => {
        const end = endOf(driver)
        await feed(driver, values({ at, n }, { at: '', n: 1 }))
        assert.match((await end).message, message)
        assert.deepEqual(driver.failures, [])
      })
    }
  })

  it('takes what onnxruntime throws for a plain error', async () => {
    const { handler } = timesTen()
    const failing = async (only: readonly string[]) => {
      let code = ''
      await onFaultyDriver(calculation(handler, { exceptionHandling: { only } }), async (driver, executor) => {
        driver.running.finished.catch((error: RunInferenceError) => {
          code = error.code
        })
        executor.failRowsWhere(([value]) => (value as readonly unknown[])[0] === 2)
        await feed(driver, values(1, 2))
        code ||= failed(driver).join()
      })
      return code
    }
    assert.equal(await failing(['Error']), '1 inference INFERENCE_FAILED -1')
    assert.equal(await failing(['RangeError']), 'UNHANDLED')
    assert.equal(await failing([]), 'UNHANDLED')
  })

  it('leaves alone what is not thrown by functions and models: bytes, shapes, encodings', async () => {
    const { handler } = timesTen()
    const result = handler.withPostprocess(value => (value === 20 ? undefined : value) as number)
    const options: StepOptions<number> = { exceptionHandling: { only: ['NeverThrown'] } }
    await onDriver(calculation(result, options), async driver => {
      await feed(driver, [...values(1, 2), { value: Buffer.from('{') }, ...values(3)])
      assert.deepEqual(failed(driver).sort(), ['1 postprocess ENCODE_SCHEMA -1', '2 preprocess DECODE_MALFORMED -1'])
      assert.deepEqual(await outputs(driver), [10, 30])
    })
  })
})
