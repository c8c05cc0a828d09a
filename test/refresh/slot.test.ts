import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseSlot, slotText } from '../../src/refresh/slot.ts'

const step = fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/).filter(name => name !== '.' && name !== '..')
const modelKey = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double({ noNaN: true }),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
)

describe('the text of a slot', () => {
  it('is the step, or the step and the model key as JSON', () => {
    assert.deepEqual(
      [
        slotText('infer'),
        slotText('infer', 'de'),
        slotText('infer', 7),
        slotText('infer', true),
        slotText('infer', 7n),
        slotText('infer', -0),
        slotText('infer', 'a/"b"'),
      ],
      ['infer', 'infer/"de"', 'infer/7', 'infer/true', 'infer/7n', 'infer/0', 'infer/"a/\\"b\\""'],
    )
  })

  it('is read back as the slot that it was made of, and is no other slot’s', () => {
    fc.assert(
      fc.property(step, fc.option(modelKey, { nil: undefined }), (name, key) => {
        const text = slotText(name, key)
        // A map of keys takes 0 and −0 for one.
        const same = key === 0 ? 0 : key
        assert.deepEqual(parseSlot(text), same === undefined ? { step: name } : { step: name, modelKey: same })
        assert.equal(slotText(name, parseSlot(text).modelKey), text)
        assert.equal(Buffer.from(text).toString(), text)
      }),
    )
  })

  it('has one way to be written: compaction tells keys apart by their bytes', () => {
    for (const text of [
      '',
      '/',
      '/1',
      'infer/',
      'infer/ 7',
      'infer/7.0',
      'infer/07',
      'infer/1e2',
      'infer/-0',
      'infer/-0n',
      'infer/"\\u0061"',
      'infer/null',
      'infer/[1]',
      'infer/de',
      'infer/NaN',
      'a b',
      'infer/1/2',
      'ä',
    ])
      assert.throws(() => parseSlot(text), /\[METADATA_INVALID\] the key of a record names no step and model key/, text)
  })

  it('is refused or its own, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string().map(rest => `infer/${rest}`),
        ),
        text => {
          let slot: ReturnType<typeof parseSlot>
          try {
            slot = parseSlot(text)
          } catch {
            // Refused: that is allowed.
            return
          }
          assert.equal(slotText(slot.step, slot.modelKey), text)
        },
      ),
    )
  })
})
