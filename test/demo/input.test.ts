import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BAD_RECORDS } from '../../demo/bad-records.ts'
import { readDigitImages, recordedAccuracy } from '../../demo/digit-images.ts'
import { BETTER_MODEL, FIRST_MODEL } from '../../demo/digit-models.ts'
import { badRecordsAmong, inputRecord } from '../../demo/input.ts'

const images = await readDigitImages()

describe('input of the demo', () => {
  it('repeats the 540 held-out digits, each with what either model says about it', () => {
    assert.equal(images.length, 540)
    assert.equal(new Set(images.map(({ digit }) => digit.id)).size, 540)
    assert.equal(inputRecord(images, 0).image, inputRecord(images, 540).image)
    for (const { digit, results } of images) {
      assert.equal(digit.pixels.length, 64)
      assert.deepEqual([...results.keys()], [FIRST_MODEL, BETTER_MODEL])
      for (const { probabilities } of results.values()) assert.equal(probabilities.length, 10)
    }
  })

  it('knows how many of them each model gets right', () => {
    assert.equal(recordedAccuracy(images, FIRST_MODEL).toFixed(4), '0.8759')
    assert.equal(recordedAccuracy(images, BETTER_MODEL).toFixed(4), '0.9815')
  })

  it('has a bad record in place of every 97th, of each kind in turn', () => {
    const bad = Array.from({ length: 54_000 }, (_, number) => inputRecord(images, number).bad)
    assert.equal(bad.filter(Boolean).length, badRecordsAmong(54_000))
    assert.deepEqual(bad.flatMap((kind, number) => (kind ? [number] : [])).slice(0, 3), [96, 193, 290])
    assert.deepEqual(bad.filter(Boolean).slice(0, 7), [...BAD_RECORDS, BAD_RECORDS[0]])
  })
})
