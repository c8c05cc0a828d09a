import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { keyed, topology } from 'kafka-run-inference'
import { Split } from '../../src/refresh/split.ts'
import type { DriverOptions } from '../../src/testing/index.ts'
import { adding, addingTopology, KEYS, numbersIn, onTrial, sumsOut } from '../support/canaries.ts'
import { feed } from '../support/on-driver.ts'
import {
  clipped,
  clippingTopology,
  pairRecord,
  readShadows,
  shadow,
  shadowCounts,
  writeClipping,
} from '../support/shadows.ts'

const folder = mkdtempSync(join(tmpdir(), 'shadows-'))
after(() => rmSync(folder, { recursive: true }))
const [low, high] = [writeClipping(folder, 0), writeClipping(folder, 50)]
const PAIRS = Array.from({ length: 100 }, (_, i) => [i, 2 * i] as const)

async function clipping(options: DriverOptions = {}, maxSize = 7) {
  const { counts, metrics } = shadowCounts()
  const trial = await onTrial(clippingTopology(low, maxSize), { partitions: 2, ...options, metrics })
  return { ...trial, counts }
}

const pairs = PAIRS.map((pair, i) => pairRecord(pair, i % 5 === 0 ? null : `key ${i}`, i % 2))

describe('a shadow', () => {
  it('scores what the stable model scores: both inferences under the key of the record, and whether they differ', async () => {
    const { driver, canary, counts } = await clipping()
    await canary(shadow(high))
    await feed(driver, pairs)
    const records = await readShadows(driver)
    assert.equal(records.length, PAIRS.length)
    for (const { key, source, stable, candidate, differs, maxDifference, partition } of records) {
      const i = 2 * source.offset + source.partition
      assert.deepEqual([source.topic, partition], ['in', source.partition])
      assert.deepEqual(key, pairs[i]!.key ?? null)
      assert.deepEqual(stable, { modelId: low, inference: clipped(0, PAIRS[i]!) })
      assert.deepEqual(candidate, { modelId: high, inference: clipped(50, PAIRS[i]!) })
      assert.deepEqual([differs, maxDifference], [i < 50, Math.max(0, 50 - i)], `pair ${i}`)
    }
    assert.deepEqual(counts.rows, { same: 50, different: 50, failed: 0, unwritten: 0 })
    assert.deepEqual([counts.maxDifference, counts.stable], [50, PAIRS.length], 'none of it counts as work of the step')
    await driver.stop()
  })

  it('changes no byte of what the topology writes, and nothing of it is a dead letter', async () => {
    const outputs = async (isShadowed: boolean) => {
      const { driver, canary } = await clipping()
      if (isShadowed) await canary(shadow(high))
      await feed(driver, pairs)
      const written = await driver.read('out')
      assert.equal(driver.failures.length, 0)
      await driver.stop()
      return written.map(({ partition, offset, key, bytes, headers }) => ({ partition, offset, key, bytes, headers }))
    }
    assert.deepEqual(await outputs(true), await outputs(false))
  })

  it('of a share of the keys scores exactly these', async () => {
    const trial = await onTrial(undefined, {})
    const candidate = shadow('2', 30)
    await trial.canary(candidate)
    await trial.pipe()
    const split = new Split(candidate)
    const chosen = KEYS.filter(key => split.hasKey(Buffer.from(key), 0, Buffer.byteLength(key)))
    const records = await readShadows(trial.driver)
    assert.deepEqual(
      records.map(({ key }) => String(key)),
      chosen,
    )
    for (const { source, stable, candidate: other, differs } of records) {
      assert.equal(stable.inference, `${1_000 + source.offset} by 1`)
      assert.equal(other.inference, `${2_000 + source.offset} by 2`)
      assert.ok(differs)
    }
    await trial.driver.stop()
  })

  for (const percent of [100, 40]) {
    it(`is given no record that the stable model refuses, and all others (${percent} %)`, async () => {
      const trial = await onTrial(undefined, { settings: { floodRatio: 1 } })
      await trial.publish('picky-1')
      const candidate = shadow('2', percent)
      await trial.canary(candidate)
      await trial.pipe()
      const split = new Split(candidate)
      const scored = KEYS.flatMap((key, i) =>
        i % 2 === 0 && split.hasKey(Buffer.from(key), 0, Buffer.byteLength(key)) ? [i] : [],
      )
      const records = (await readShadows(trial.driver)).toSorted((a, b) => a.source.offset - b.source.offset)
      assert.deepEqual(
        records.map(({ key, source, stable, candidate: other }) => {
          return [String(key), source.offset, stable.inference, other.inference]
        }),
        scored.map(i => [KEYS[i], i, `${1_000 + i} by picky-1`, `${2_000 + i} by 2`]),
      )
      await trial.driver.stop()
    })
  }

  it('ends when its trial does: promoted without a load, or aborted; and a new one begins', async () => {
    const loads: string[] = []
    const trial = await onTrial(addingTopology(loads))
    const read = async () => (await readShadows(trial.driver)).map(({ candidate }) => candidate.modelId)
    const models = () => trial.driver.running.health().models.map(({ modelId, lanes }) => `${modelId} ${lanes}`)
    const key = KEYS.slice(0, 1)
    await trial.canary(shadow('2'))
    await trial.pipe(key)
    await trial.abort()
    await trial.pipe(key)
    assert.deepEqual([await read(), models()], [['2'], ['1 1']])
    await trial.canary(shadow('3'))
    await trial.pipe(key)
    assert.deepEqual(await read(), ['2', '3'])
    const loaded = [...loads]
    await trial.promote()
    const [sum] = await trial.pipe(key)
    assert.equal(sum!.by, '3')
    assert.deepEqual([await read(), models(), loads], [['2', '3'], ['3 1'], loaded])
    await trial.driver.stop()
  })

  it('of one key’s model scores the records of its keys alone, and takes its place without a load', async () => {
    const loads: string[] = []
    const mappings = [
      { keys: KEYS.slice(0, 150), handler: adding('1', loads) },
      { keys: KEYS.slice(150), handler: adding('3', loads) },
    ]
    const step = numbersIn.runInference('add', keyed(mappings), { modelMetadata: true })
    const trial = await onTrial(topology('t', [step.to('out', sumsOut)]))
    await trial.canary(shadow('2'), KEYS[0])
    const sums = await trial.pipe()
    assert.deepEqual([...new Set(sums.map(({ by }) => by))].sort(), ['1', '3'])
    const records = await readShadows(trial.driver)
    assert.deepEqual(records.map(({ key }) => String(key)).sort(), KEYS.slice(0, 150).sort())
    assert.ok(
      records.every(({ stable, candidate }) => stable.modelId !== candidate.modelId && candidate.error === undefined),
    )
    await trial.promote(KEYS[0])
    const after = await trial.pipe()
    assert.equal(after.filter(({ by }) => by === '2').length, 150)
    assert.equal((await readShadows(trial.driver)).length, 150)
    await trial.driver.stop()
  })

  it('that becomes a canary stays loaded, and has records then; the other way it is loaded anew', async () => {
    const loads: string[] = []
    const trial = await onTrial(addingTopology(loads))
    await trial.canary(shadow('2'))
    await trial.canary({ ...shadow('2'), mode: 'canary' })
    assert.equal((await trial.pipe()).filter(({ by }) => by === '2').length, KEYS.length)
    assert.deepEqual([loads, (await readShadows(trial.driver)).length], [['1', '2'], 0])
    await trial.canary(shadow('2'))
    assert.equal((await trial.pipe()).filter(({ by }) => by === '1').length, KEYS.length)
    assert.equal((await readShadows(trial.driver)).length, KEYS.length)
    assert.deepEqual(loads, ['1', '2', '2'])
    await trial.driver.stop()
  })
})
