import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32, from, json, type KV, keyed, kv, maybeKeyed, onnx, topology, utf8 } from 'kafka-run-inference'
import { countingMetrics } from '../support/counting-metrics.ts'
import { calculation, failed, outputs, timesTen, values } from '../support/number-handlers.ts'
import { feed, onDriver, onFaultyDriver } from '../support/on-driver.ts'

describe('elements that are batches already (withNoBatching)', () => {
  it('are one call each, whatever maxSize says, and their results leave one by one, in order', async () => {
    const { handler, batches } = timesTen()
    const many = Array.from({ length: 300 }, (_, i) => i)
    await onDriver(calculation(handler.withNoBatching(), { batch: { maxSize: 2 } }), async driver => {
      await feed(driver, values([1, 2, 3], [4], many, [5, 6]))
      assert.deepEqual(batches, [[1, 2, 3], [4], many, [5, 6]])
      const expected = [1, 2, 3, 4, ...many, 5, 6].map(value => value * 10)
      assert.deepEqual(await outputs(driver), expected)
      assert.deepEqual(await driver.port.admin.committed('t', 'in'), [4])
    })
  })

  it('become batches in the last function before the model; functions behind it see single results', async () => {
    const { handler, batches } = timesTen()
    const pairs = handler
      .withNoBatching()
      .withPreprocess((text: string) => text.split(',').map(Number))
      .withPostprocess(result => `${result}!`)
    await onDriver(calculation(pairs), async driver => {
      await feed(driver, values('1,2', '3'))
      assert.deepEqual(batches, [[1, 2], [3]])
      assert.deepEqual(await outputs(driver), ['10!', '20!', '30!'])
    })
  })

  it('that fail are one dead letter of their record, whose element is the whole array; nothing of it leaves, others do', async () => {
    for (const failureUnit of ['bisect', 'batch'] as const) {
      const { handler, batches } = timesTen(batch => {
        if (batch.includes(2)) throw new RangeError('two is too many')
      })
      await onDriver(calculation(handler.withNoBatching(), { exceptionHandling: { failureUnit } }), async driver => {
        await feed(driver, values([1, 2, 3], [4, 5]))
        assert.deepEqual(await outputs(driver), [40, 50])
        assert.deepEqual(failed(driver), ['0 inference INFERENCE_FAILED -1'])
        assert.deepEqual(driver.failures[0]!.element, [1, 2, 3])
        const letters = await driver.read('t.calc.failed-inference')
        assert.deepEqual(
          letters.map(({ bytes }) => String(bytes)),
          ['[1,2,3]'],
        )
        assert.deepEqual(
          batches.filter(batch => batch.includes(2)).map(batch => batch.length),
          failureUnit === 'batch' ? [3] : [3, 3],
          'tried whole, never in parts',
        )
        assert.deepEqual(await driver.port.admin.committed('t', 'in'), [2])
      })
    }
  })

  it('that are empty are counted drops', async () => {
    const { handler, batches } = timesTen()
    const metrics = countingMetrics()
    await onDriver(
      calculation(handler.withNoBatching()),
      async driver => {
        await feed(driver, values([], [7], []))
        assert.deepEqual(batches, [[7]])
        assert.deepEqual(await outputs(driver), [70])
        assert.deepEqual(metrics.drops, { 'step calc': 2 })
        assert.deepEqual(await driver.port.admin.committed('t', 'in'), [3])
      },
      { metrics },
    )
  })

  it('that are no arrays are dead letters that say so', async () => {
    const { handler } = timesTen()
    const any = handler.withNoBatching().withPreprocess((value: unknown) => value as number[])
    await onDriver(calculation(any), async driver => {
      await feed(driver, values(5, 'text', [6]))
      assert.deepEqual(await outputs(driver), [60])
      assert.deepEqual(failed(driver), ['0 preprocess FUNCTION_THREW 0', '1 preprocess FUNCTION_THREW 0'])
      assert.match(driver.failures[0]!.message, /expected an array of examples, got number 5/)
    })
  })

  it('keyed are arrays of keyed examples; each result has the key of its example', async () => {
    const { handler, batches } = timesTen()
    const pair = ({ key, value }: KV<string, number[]>) => value.map(each => kv(`${key}${each}`, each))
    for (const outer of [keyed(handler), maybeKeyed(handler)]) {
      batches.length = 0
      const shown = (outer as ReturnType<typeof keyed<number, number>>)
        .withNoBatching()
        .withPreprocess(pair)
        .withPostprocess(({ key, value }) => `${key}:${value}`)
      const graph = topology('t', [
        from('in', { key: utf8(), value: json<number[]>() }).runInference('calc', shown).to('out', json<string>()),
      ])
      await onDriver(graph, async driver => {
        await feed(driver, [
          { key: 'a', value: [1, 2] },
          { key: 'b', value: [3] },
        ])
        assert.deepEqual(batches, [[1, 2], [3]])
        assert.deepEqual(await outputs(driver), ['a1:10', 'a2:20', 'b3:30'])
      })
    }
  })

  it('keyed that hold an element without a key, or keys of several models, are dead letters', async () => {
    const one = timesTen()
    const two = timesTen(undefined, { name: 'other' })
    const mixed = (array: number[]) =>
      array.map(each => (each === 0 ? (each as never) : kv(each > 100 ? 'large' : 'small', each)))
    const single = keyed(one.handler).withNoBatching().withPreprocess(mixed)
    await onDriver(calculation(single), async driver => {
      await feed(driver, values([1, 0], [2, 3]))
      assert.deepEqual(failed(driver), ['0 preprocess FUNCTION_THREW 0'])
      assert.match(driver.failures[0]!.message, /array of kv\(key, example\), got number 0 at 1/)
      assert.deepEqual(one.batches, [[2, 3]])
    })
    const perKey = keyed([
      { keys: ['small'], handler: one.handler },
      { keys: ['large'], handler: two.handler },
    ])
    await onDriver(calculation(perKey.withNoBatching().withPreprocess(mixed)), async driver => {
      await feed(driver, values([1, 101], [102, 103], [4]))
      assert.deepEqual(failed(driver), ['0 preprocess FUNCTION_THREW 0'])
      assert.match(driver.failures[0]!.message, /several models/)
      assert.deepEqual(two.batches, [[102, 103]])
    })
  })

  it('that do not fit the device, or end their worker, are not cut; the others go on', async () => {
    const { handler } = timesTen()
    await onFaultyDriver(calculation(handler.withNoBatching()), async (driver, executor) => {
      executor.outOfMemoryAbove(2)
      await feed(driver, values([1, 2, 3], [4, 5]))
      assert.deepEqual(failed(driver), ['0 inference DEVICE_MEMORY -1'])
      assert.deepEqual(await outputs(driver), [40, 50])
      assert.ok(executor.runs.every(({ rows }) => rows >= 2))
    })
  })

  it('wait through an outage, whole', async () => {
    const { handler } = timesTen()
    await onFaultyDriver(calculation(handler.withNoBatching()), async (driver, executor) => {
      executor.failControl(true)
      executor.failRowsWhere(() => true)
      await feed(driver, values([1, 2], [3]))
      assert.deepEqual(await outputs(driver), [])
      executor.failControl(false)
      executor.failRowsWhere(undefined)
      await driver.advance(20_000)
      assert.deepEqual(await outputs(driver), [10, 20, 30])
      assert.deepEqual(failed(driver), [])
    })
  })

  it('of tensors: rows of one shape are a call, of several a dead letter; raw rows are no arrays of examples', async () => {
    const linear = onnx({ model: 'models/digits-mlp-v1.onnx', input: float32(64), output: float32(10) })
    const images = (sizes: number[]) => sizes.map(size => new Float32Array(size))
    const graph = calculation(
      linear
        .withNoBatching()
        .withPreprocess(images)
        .withPostprocess(() => 'ok'),
    )
    await onDriver(graph, async driver => {
      await feed(driver, values([64, 64], [64, 63]))
      assert.deepEqual(await outputs(driver), ['ok', 'ok'])
      assert.deepEqual(failed(driver), ['1 inference SHAPE_MISMATCH -1'])
    })
    const raw = topology('t', [
      from('in', float32(64))
        .runInference('calc', linear.withNoBatching() as never)
        .to('out', json()),
    ])
    await onDriver(raw, async driver => {
      await feed(driver, [{ value: Buffer.alloc(256) }])
      assert.deepEqual(failed(driver), ['0 preprocess FUNCTION_THREW -1'])
      assert.match(driver.failures[0]!.message, /expected an array of examples, got Float32Array/)
    })
  })

  it('may wait in any number', async () => {
    const { handler } = timesTen()
    await onDriver(calculation(handler.withNoBatching()), async driver => {
      await feed(driver, values(...Array.from({ length: 3_000 }, (_, i) => [i])))
      assert.equal((await outputs(driver)).length, 3_000)
    })
  })
})
