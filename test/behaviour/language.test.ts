import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import languages, { type Guess } from '../../topologies/language.ts'
import { largestDifference, ndjson } from '../support/ndjson.ts'
import { feed, onDriver } from '../support/on-driver.ts'

interface Name {
  readonly id: string
  readonly text: string
}
interface Expected {
  readonly id: string
  readonly label: string | number
  readonly probabilities: readonly number[]
}

const names = await ndjson<Name>('data/langid-test.ndjson')
const inputs = names.map(({ id, text }) => ({ key: id, value: { text } }))
/** In the order of the int64 model's labels. */
const TRAINED = ['en', 'de', 'fr', 'es', 'it', 'pl', 'tr', 'fi', 'hu', 'ru', 'el', 'cs']
const isForeign = ({ text }: Name) => Array.from(text).some(character => character.codePointAt(0)! >= 1_280)

async function assertAsInPython(model: string, outputs: readonly { key: unknown; value: unknown }[]): Promise<void> {
  const expected = new Map((await ndjson<Expected>(`data/${model}.expected.ndjson`)).map(line => [line.id, line]))
  let largest = 0
  for (const { key, value } of outputs) {
    const { language, probabilities, modelId } = value as Guess
    const { label, probabilities: wanted } = expected.get(key as string)!
    assert.equal(language, typeof label === 'number' ? TRAINED[label] : label)
    assert.equal(modelId, `models/${model}.onnx`)
    largest = Math.max(largest, largestDifference(Object.values(probabilities), wanted))
  }
  assert.ok(largest <= 1e-6, `probabilities differ by ${largest}`)
}

suite('the language topology on the driver', () => {
  test('strings in, a language out: what the model says in Python', async () => {
    await onDriver(languages.build({}), async driver => {
      await feed(driver, inputs, 'names.written')
      const outputs = await driver.read('names.languages')
      assert.equal(outputs.length, names.length)
      await assertAsInPython('langid-string', outputs)
    })
  })

  test('code points in, where unknown ones are folded as in the training: what the model says in Python', async () => {
    await onDriver(languages.build({ codePoints: 'true', fold: 'true' }), async driver => {
      await feed(driver, inputs, 'names.written')
      const outputs = await driver.read('names.languages')
      assert.equal(outputs.length, names.length)
      await assertAsInPython('langid-int64', outputs)
    })
  })

  test('a code point outside the table poisons its batch: bisection finds it, and only it becomes a dead letter', async () => {
    const foreign = names.filter(isForeign).map(({ id }) => id)
    assert.ok(foreign.length > 5 && foreign.length < 50)
    await onDriver(languages.build({ codePoints: 'true' }), async driver => {
      await feed(driver, inputs, 'names.written')
      await driver.advance(60_000)
      const letters = await driver.read('language.guess.failed-inference')
      assert.deepEqual(
        letters.map(({ bytes }) => JSON.parse(String(bytes)).text),
        names.filter(isForeign).map(({ text }) => text),
      )
      for (const { headers } of letters) assert.equal(headers['kri-code'], 'INFERENCE_FAILED')
      const outputs = await driver.read('names.languages')
      assert.equal(outputs.length, names.length - foreign.length)
      await assertAsInPython('langid-int64', outputs)
    })
  })

  test('text that is not UTF-8, no text, a name that is too long, a record without a key: dead letters that say so', async () => {
    await onDriver(languages.build({ codePoints: 'true' }), async driver => {
      const broken = Buffer.from('{"text":"A\xff"}', 'latin1')
      const records = [
        { key: 'broken', value: broken },
        { key: 'empty', value: Buffer.from('{"name":"A"}') },
        { key: 'long', value: { text: 'x'.repeat(33) } },
        { value: { text: 'keyless' } },
        inputs[0]!,
      ]
      await feed(driver, records, 'names.written')
      const letters = await driver.read('language.guess.failed-preprocess')
      assert.deepEqual(
        letters.map(({ headers }) => headers['kri-code']),
        ['DECODE_MALFORMED', 'DECODE_SCHEMA', 'FUNCTION_THREW', 'KEY_MISSING'],
      )
      assert.deepEqual(letters[0]!.bytes, broken)
      assert.equal((await driver.read('names.languages')).length, 1)
    })
  })
})
