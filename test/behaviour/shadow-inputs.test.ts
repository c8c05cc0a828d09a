// A shadow that is the same model under another name: it differs wherever it is given anything else than the stable model was.
import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, describe, it } from 'node:test'
import {
  float32,
  from,
  int64,
  json,
  keyed,
  modelHandler,
  onnx,
  padded,
  string,
  topology,
  utf8,
} from 'kafka-run-inference'
import { Split } from '../../src/refresh/split.ts'
import type { Topology } from '../../src/topology.ts'
import { onTrial } from '../support/canaries.ts'
import { feed } from '../support/on-driver.ts'
import { writeMaskedMean } from '../support/ragged-models.ts'
import { type ReadShadow, readShadows, shadow } from '../support/shadows.ts'

const folder = mkdtempSync(join(tmpdir(), 'shadow-inputs-'))
after(() => rmSync(folder, { recursive: true }))

function copied(path: string): string {
  const copy = join(folder, `copy of ${basename(path)}`)
  copyFileSync(path, copy)
  return copy
}

const key = (i: number) => `key ${i}`
const WORDS = ['a', 'bonjour tout le monde', 'guten Tag', '', 'the quick brown fox', 'ciao', 'größer'] as const
const texts = Array.from({ length: 60 }, (_, i) => `${WORDS[i % WORDS.length]} ${i}`)

/** What both said of these texts, of which so many percent were chosen; asserts that they said the same. */
async function same(of: Topology, model: string, percent: number, values: readonly string[]) {
  const { driver, canary } = await onTrial(of)
  const candidate = shadow(model, percent)
  await canary(candidate)
  await feed(
    driver,
    values.map((value, i) => ({ key: Buffer.from(key(i)), value: Buffer.from(value) })),
  )
  const records = await readShadows(driver)
  await driver.stop()
  const split = new Split(candidate)
  const chosen = values.flatMap((_, i) => (split.hasKey(Buffer.from(key(i)), 0, key(i).length) ? [i] : []))
  const places = [...new Set(records.map(({ source }) => source.offset))].sort((a, b) => a - b)
  assert.deepEqual(places, chosen)
  for (const { source, key: own, stable, candidate: other, ...compared } of records) {
    assert.deepEqual(compared, { partition: 0, differs: false, maxDifference: 0 }, `record ${source.offset}`)
    assert.equal(String(own), key(source.offset))
    assert.deepEqual(stable.inference, other.inference)
  }
  return records as readonly (ReadShadow & { readonly stable: { readonly inference: never } })[]
}

for (const percent of [100, 35]) {
  describe(`a shadow of ${percent} % is given what the stable model was`, () => {
    it('rows of different lengths, with padding and masks', async () => {
      const model = writeMaskedMean(folder)
      const mean = onnx({
        model,
        inputs: { ids: padded(int64(null), { with: 99n, mask: 'attention_mask', multipleOf: 4 }) },
        outputs: { mean: float32(), masked: float32(null) },
      })
        .withPreprocess((text: string) => ({ ids: BigInt64Array.from(text, letter => BigInt(letter.length + 1)) }))
        .withPostprocess(({ inference }) => String(inference.mean[0]))
      const step = from('in', utf8()).runInference('add', mean, { modelMetadata: true, batch: { maxSize: 9 } })
      const records = await same(topology('t', [step.to('out', utf8())]), copied(model), percent, texts)
      for (const { stable } of records) assert.deepEqual(stable.inference['mean' as never], [2], 'no padding counts')
    })

    it('strings, and outputs by name', async () => {
      const model = 'models/langid-string.onnx'
      const outputs = { label: string(), probabilities: float32(12) }
      const handler = onnx({ model, inputs: { text: string(1) }, outputs })
        .withPreprocess((text: string) => ({ text: [text] }))
        .withPostprocess(({ inference }) => inference.label[0]!)
      const step = from('in', utf8()).runInference('add', handler, { modelMetadata: true })
      await same(topology('t', [step.to('out', utf8())]), copied(model), percent, texts)
    })

    it('any examples, several of a record, one by one and as a batch', async () => {
      const words = modelHandler<string, number, string>({
        name: 'words',
        modelId: 'one',
        loadModel: id => id,
        runInference: batch => batch.map(word => word.length),
      })
      const source = from('in', utf8())
      const split = (text: string) => text.split(' ')
      const flat = source.flatMap(split, { maxFanOut: 10 }).runInference('add', words, { modelMetadata: true })
      const values = texts.slice(0, 20)
      const one = await same(topology('t', [flat.to('out', json<number>())]), 'two', percent, values)
      const batches = source.map(split).runInference('add', words.withNoBatching(), { modelMetadata: true })
      const other = await same(topology('t', [batches.to('out', json<number>())]), 'two', percent, values)
      for (const records of [one, other]) {
        const lengths = (at: number) => values[at]!.split(' ').map(word => word.length)
        for (const offset of new Set(records.map(({ source: { offset: at } }) => at))) {
          const said = records.filter(({ source: { offset: at } }) => at === offset)
          assert.deepEqual(
            said.map(({ stable }) => stable.inference),
            lengths(offset),
          )
        }
      }
    })

    it('examples of keyed elements', async () => {
      const words = keyed(
        modelHandler<string, { label: string }, string>({
          name: 'words',
          modelId: 'one',
          loadModel: id => id,
          runInference: batch => batch.map(label => ({ label })),
        }),
      )
      const step = from('in', { key: utf8(), value: utf8() }).runInference('add', words, { modelMetadata: true })
      const records = await same(
        topology('t', [step.to('out', { key: utf8(), value: json<{ label: string }>() })]),
        'two',
        percent,
        texts,
      )
      for (const { stable, source } of records) assert.deepEqual(stable.inference, { label: texts[source.offset] })
    })
  })
}
