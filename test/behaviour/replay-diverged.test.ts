// Dead letters that do not come to where they failed when they are processed again: R4 of pipeline/replay-marks.ts.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { from, topology } from 'kafka-run-inference'
import { countingMetrics } from '../support/counting-metrics.ts'
import { strings } from '../support/digit-topology.ts'
import { calculation, outputs as numbers, timesTen } from '../support/number-handlers.ts'
import { onDriver } from '../support/on-driver.ts'
import { failing, header, outputs, REPLAY, replayed, said } from '../support/replays.ts'

const value = (key: string, text: string) => ({ key, value: text })
const source = from('in', strings)

describe('a replayed dead letter', () => {
  it('whose way does not lead there any more is REPLAY_DIVERGED, once: branch, filter, empty flatMap', async () => {
    const { step } = failing()
    const drops: Record<string, (s: typeof source) => typeof source> = {
      'filter#1': s => s.filter(({ value: text }) => text !== 'x'),
      'flatMap#1': s => s.flatMap(element => (element.value === 'x' ? [] : [element]), { maxFanOut: 2 }),
      'branch#1': s => s.branch({ not: ({ value: text }) => text !== 'x' }).not,
    }
    for (const [name, drop] of Object.entries(drops)) {
      const metrics = countingMetrics()
      const graph = topology('t', [
        source.to('copy', strings),
        drop(source).runInference('s', step('s')).to('out', strings),
      ])
      await onDriver(
        graph,
        async driver => {
          const headers = [header('kri-step', 's'), header('kri-stage', 'inference'), header('kri-node', 'step s')]
          await replayed(driver, [
            { ...value('a', 'x'), headers },
            { ...value('b', 'y'), headers },
          ])
          const letters = await driver.read('t.s.failed-preprocess')
          assert.deepEqual(
            letters.map(letter => [String(letter.key), ...said(letter, 'code', 'step')]),
            [['a', 'REPLAY_DIVERGED', 's']],
            name,
          )
          assert.deepEqual(await outputs(driver, 'out'), ['b=s'])
          assert.deepEqual(await outputs(driver, 'copy'), [])
          assert.deepEqual(metrics.letters, { REPLAY_DIVERGED: 1 })
          assert.deepEqual(await driver.port.admin.committed('t', REPLAY), [2])
        },
        { metrics },
      )
    }
  })

  it('that comes there and is dropped behind it is a counted drop', async () => {
    const { step } = failing()
    const metrics = countingMetrics()
    const graph = topology('t', [
      source
        .runInference('s', step('s'))
        .filter(() => false)
        .to('out', strings),
    ])
    await onDriver(
      graph,
      async driver => {
        await replayed(driver, [{ ...value('a', 'x'), headers: [header('kri-step', 's')] }])
        assert.deepEqual([metrics.letters, metrics.drops], [{}, { 'filter#1': 1 }])
        assert.deepEqual(await driver.port.admin.committed('t', REPLAY), [1])
      },
      { metrics },
    )
  })

  it('that comes to its step as a batch of nothing is a counted drop', async () => {
    const metrics = countingMetrics()
    const words = timesTen()
      .handler.withNoBatching()
      .withPreprocess((text: string) => text.split(' ').flatMap(word => (word === '' ? [] : [Number(word)])))
    await onDriver(
      calculation(words),
      async driver => {
        const headers = [header('kri-step', 'calc'), header('kri-node', 'step calc')]
        await replayed(
          driver,
          ['""', '"1 2"'].map(value => ({ value, headers })),
        )
        assert.deepEqual([metrics.letters, metrics.drops], [{}, { 'step calc': 1 }])
        assert.deepEqual(await numbers(driver), [10, 20])
      },
      { metrics },
    )
  })

  it('of a step that there is no more is REPLAY_DIVERGED, and says so', async () => {
    const { step } = failing()
    await onDriver(topology('t', [source.runInference('s', step('s')).to('out', strings)]), async driver => {
      await replayed(driver, [
        { ...value('a', 'x'), headers: [header('kri-step', 'gone'), header('kri-node', 'step gone')] },
      ])
      const [letter, ...others] = await driver.read('t.s.failed-preprocess')
      assert.equal(others.length, 0)
      assert.deepEqual(said(letter!, 'code'), ['REPLAY_DIVERGED'])
      assert.match(letter!.headers['kri-error-message']!, /step "gone", which the topology does not have/)
      assert.deepEqual(await outputs(driver, 'out'), [])
    })
  })

  it('of a node that there is no more: everything of its step and below', async () => {
    const { step, at } = failing()
    const labels = source.map(at('m')).runInference('s', step('s'))
    await onDriver(topology('t', [source.to('copy', strings), labels.to('out', strings)]), async driver => {
      const headers = [header('kri-step', 's'), header('kri-stage', 'preprocess'), header('kri-node', 'map#7')]
      await replayed(driver, [{ ...value('a', 'x'), headers }])
      assert.deepEqual([await outputs(driver, 'copy'), await outputs(driver, 'out')], [[], ['a=s']])
    })
  })
})
