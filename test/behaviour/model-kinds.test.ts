import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { float16, float32, from, inference, int64, onnx, string, topology, utf8 } from 'kafka-run-inference'
import type { OutputRecord } from '../../src/testing/index.ts'
import { deadLetters } from '../support/digit-topology.ts'
import { type Digit, type Expectation, readNdjson } from '../support/model-specs.ts'
import { feed, onDriver } from '../support/on-driver.ts'
import { writeOwnLengthModel } from '../support/written-models.ts'

const digits = readNdjson<Digit>('data/digits-test.ndjson').slice(0, 50)
const texts = ({ value }: OutputRecord) => String(value)

describe('models of every kind, from topic to topic', () => {
  const names = readNdjson<{ text: string }>('data/langid-test.ndjson').slice(0, 50)
  const languages = readNdjson<{ label: string }>('data/langid-string.expected.ndjson').slice(0, 50)

  it('strings: a row of one may be a bare string, and comes back as a list', async () => {
    const classifier = onnx({
      model: 'models/langid-string.onnx',
      inputs: { text: string(1) },
      outputs: { label: string() },
    })
      .withPreprocess((text: string) => ({ text: text.startsWith('C') ? [text] : text }))
      .withPostprocess(({ example, inference }) => `${example.text.join()} is ${inference.label.join()}`)
    const labels = from('in', utf8()).runInference('classify', classifier).to('out', utf8())
    await onDriver(topology('t', [labels]), async driver => {
      await feed(
        driver,
        names.map(({ text }) => ({ value: text })),
      )
      assert.deepEqual(
        (await driver.read('out')).map(texts),
        names.map(({ text }, i) => `${text} is ${languages[i]!.label}`),
      )
    })
  })

  it('strings: one where a row has two is a dead letter that says so', async () => {
    const pairs = onnx({ model: 'models/langid-string.onnx', input: string(1), output: string() })
    const wrong = pairs.withPreprocess((text: string) => (text === 'two' ? ['a', 'b'] : text))
    const labels = from('in', utf8()).runInference('classify', wrong)
    const sink = labels.map(({ inference }) => inference.join()).to('out', utf8())
    await onDriver(topology('t', [sink]), async driver => {
      await feed(driver, [{ value: 'two' }, { value: names[0]!.text }])
      assert.deepEqual((await driver.read('out')).map(texts), [languages[0]!.label])
      const [dead] = await deadLetters(driver, 'inference')
      assert.match(String(dead!.headers['kri-error-message']), /expected string\[1\], got 2 elements/)
    })
  })

  it('16-bit floats: raw rows of them, and rows of plain numbers, give the recorded results', async () => {
    const wanted = readNdjson<Expectation>('data/digits-mlp-fp16.expected.ndjson').slice(0, 50)
    const model = 'models/digits-mlp-fp16.onnx'
    const halves = onnx({ model, input: float16(64), output: float16(10) })
    const images = from('in', float16(64))
    const raw = images.runInference('raw', halves).to('raw', inference(float16(10)))
    const numbers = images
      .runInference(
        'numbers',
        onnx({
          model,
          inputs: { x: float16(64) },
          outputs: { label: int64(), probabilities: float16(10) },
        }).withPreprocess((row: Float16Array) => ({ x: [...row] })),
      )
      .map(({ inference }) => `${inference.label[0]} ${inference.probabilities.join()}`)
      .to('numbers', utf8())
    await onDriver(topology('t', [raw, numbers]), async driver => {
      await feed(
        driver,
        digits.map(({ pixels }) => ({ value: Float16Array.from(pixels) })),
      )
      assert.deepEqual(
        (await driver.read('raw')).map(({ bytes }) => [...new Float16Array(Uint8Array.from(bytes!).buffer)]),
        wanted.map(({ probabilities }) => probabilities),
      )
      assert.deepEqual(
        (await driver.read('numbers')).map(texts),
        wanted.map(({ label, probabilities }) => `${label} ${probabilities.join()}`),
      )
    })
  })

  it('a fixed batch dimension of 8 changes nothing that can be seen', async () => {
    const wanted = readNdjson<Expectation>('data/digits-mlp-v2.expected.ndjson').slice(0, 50)
    const eight = onnx({ model: 'models/digits-mlp-b8.onnx', input: float32(64), output: float32(10) })
    const rows = from('in', float32(64))
      .runInference('eight', eight)
      .to('out', inference(float32(10)))
    await onDriver(topology('t', [rows]), async driver => {
      await feed(
        driver,
        digits.map(({ pixels }) => ({ value: Float32Array.from(pixels) })),
      )
      const rows = await driver.read('out')
      assert.equal(rows.length, wanted.length)
      for (const [i, { bytes }] of rows.entries()) {
        const row = new Float32Array(Uint8Array.from(bytes!).buffer)
        for (const [j, number] of wanted[i]!.probabilities.entries()) assert.ok(Math.abs(row[j]! - number) <= 1e-6)
      }
    })
  })

  it('one row a call, each result of a length of its own: no row is blamed for its neighbours in the batch', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'own-length-'))
    try {
      const model = onnx({
        model: writeOwnLengthModel(folder),
        inputs: { x: float32(4) },
        outputs: { y: float32(null) },
      }).withPostprocess(({ inference }) => inference.y.join())
      const rows = from('in', float32(4))
        .map(x => ({ x }))
        .runInference('own', model)
        .to('out', utf8())
      const lengths = Array.from({ length: 40 }, (_, i) => 1 + ((i * 7) % 4))
      await onDriver(topology('t', [rows]), async driver => {
        await feed(
          driver,
          lengths.map(length => ({ value: Float32Array.of(length, 0, 0, 0) })),
        )
        assert.deepEqual(await deadLetters(driver, 'inference', 't.own'), [])
        const wanted = lengths.map(length => [length, 0, 0, 0].slice(0, length).join())
        assert.deepEqual((await driver.read('out')).map(texts), wanted)
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
