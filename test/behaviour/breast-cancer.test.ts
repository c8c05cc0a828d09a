import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import tumours, { type Diagnosis, type Tumour } from '../../topologies/breast-cancer.ts'
import { largestDifference, ndjson } from '../support/ndjson.ts'
import { feed, onDriver } from '../support/on-driver.ts'

interface Expected {
  readonly id: string
  readonly label: number
  readonly probabilities: readonly number[]
}

const records = await ndjson<Tumour>('data/tumours.ndjson')
const inputs = records.map(value => ({ key: value.id, value }))

suite('the breast-cancer topology on the driver', () => {
  test('data/tumours.ndjson is the held-out set with its columns named', async () => {
    const rows = await ndjson<{ id: string; features: number[] }>('data/breast_cancer-test.ndjson')
    assert.deepEqual(
      records.map(({ id, ...columns }) => ({ id, features: Object.values(columns) })),
      rows.map(({ id, features }) => ({ id, features })),
    )
  })

  for (const model of ['breast-cancer-gb', 'breast-cancer-lr']) {
    test(`${model} says of every record what it says in Python`, async () => {
      const expected = new Map((await ndjson<Expected>(`data/${model}.expected.ndjson`)).map(line => [line.id, line]))
      await onDriver(tumours.build({ model }), async driver => {
        await feed(driver, inputs, 'tumours.measured')
        const diagnoses = await driver.read('tumours.diagnosed')
        assert.equal(diagnoses.length, records.length)
        let largest = 0
        for (const { key, value } of diagnoses) {
          const { id, diagnosis, probabilities, modelId } = value as Diagnosis
          const { label, probabilities: wanted } = expected.get(id)!
          assert.equal(key, id)
          assert.equal(diagnosis, ['malignant', 'benign'][label])
          assert.deepEqual(Object.keys(probabilities), ['malignant', 'benign'])
          assert.equal(modelId, `models/${model}.onnx`)
          largest = Math.max(largest, largestDifference(Object.values(probabilities), wanted))
        }
        assert.ok(largest <= 1e-6, `probabilities differ by ${largest}`)
      })
    })
  }

  test('a bad record is a dead letter that names the field, and harms no other', async () => {
    const { mean_radius, ...headless } = records[0]!
    const bad: [string, unknown, string, RegExp][] = [
      ['headless', headless, 'DECODE_SCHEMA', /schemas\/tumour\.schema\.json.*'mean_radius'/],
      [
        'text',
        { ...records[0], worst_area: '12' },
        'DECODE_SCHEMA',
        /field worst_area: expected to be number, got "12"/,
      ],
      ['negative', { ...records[0], mean_area: -1 }, 'DECODE_SCHEMA', /field mean_area: expected to be >= 0, got -1/],
      ['cut', Buffer.from(JSON.stringify(records[0]).slice(0, 99)), 'DECODE_MALFORMED', /99 bytes, is not JSON/],
      [
        'large',
        { ...records[0], mean_area: 1e300 },
        'FUNCTION_THREW',
        /field mean_area \(4 of 30\): expected float32, got 1e\+300/,
      ],
    ]
    await onDriver(tumours.build({}), async driver => {
      // Bad ones as raw text: the codec would refuse to write them.
      const raw = bad.map(([key, value]) => ({
        key,
        value: Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value)),
      }))
      await feed(driver, [inputs[0]!, ...raw, inputs[1]!], 'tumours.measured')
      const diagnosed = await driver.read('tumours.diagnosed')
      assert.deepEqual(
        diagnosed.map(({ key }) => key),
        [records[0]!.id, records[1]!.id],
      )
      const letters = await driver.read('breast-cancer.diagnose.failed-preprocess')
      assert.equal(letters.length, bad.length)
      for (const [i, [key, , code, message]] of bad.entries()) {
        const { headers, bytes } = letters[i]!
        assert.equal(headers['kri-code'], code, key)
        assert.match(headers['kri-error-message'] ?? '', message)
        assert.deepEqual(bytes, raw[i]!.value)
      }
    })
  })
})
