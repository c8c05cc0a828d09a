import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BAD_RECORDS } from '../../demo/bad-records.ts'
import { isInky, readDigitImages, recordedAccuracy } from '../../demo/digit-images.ts'
import { BETTER_MODEL, FIRST_MODEL } from '../../demo/digit-models.ts'
import { badRecordsAmong, goodRecords, inputRecord } from '../../demo/input.ts'

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

  it('can be had without the bad ones, and only of one kind of image, behind a number', () => {
    const inky = goodRecords(images, 54_000, isInky)
    const found = Array.from({ length: 600 }, () => inputRecord(images, inky.next().value))
    assert.ok(found.every(({ image, bad }) => bad === undefined && isInky(image)))
    assert.deepEqual(new Set(found.map(({ image }) => image)), new Set(images.filter(isInky)))
    const others = goodRecords(images, 96, image => !isInky(image))
    assert.equal(others.next().value, 97, 'behind the bad one')
  })
})
