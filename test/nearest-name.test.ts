import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { nearestName, suggestion } from '../src/nearest-name.ts'

const name = fc.stringMatching(/^[a-zA-Z]{4,12}$/)
const names = fc.uniqueArray(name, { minLength: 1, maxLength: 8, selector: text => text.toLowerCase() })

describe('the nearest name', () => {
  test('is the name itself, whatever its case', () => {
    fc.assert(
      fc.property(names, fc.nat(), (all, i) => {
        const wanted = all[i % all.length]!
        assert.equal(nearestName(wanted, all), wanted)
        assert.equal(nearestName(wanted.toUpperCase(), all), wanted)
      }),
    )
  })

  test('is the name from which a letter was dropped, doubled or swapped with its neighbour, when no other is as near', () => {
    fc.assert(
      fc.property(name, fc.nat(), (wanted, at) => {
        const i = at % (wanted.length - 1)
        const typos = [
          wanted.slice(0, i) + wanted.slice(i + 1),
          wanted.slice(0, i + 1) + wanted.slice(i),
          wanted.slice(0, i) + wanted[i + 1] + wanted[i] + wanted.slice(i + 2),
        ]
        for (const typo of typos) assert.equal(nearestName(typo, [wanted, '0123456789']), wanted)
      }),
    )
  })

  test('is none where nothing is near; then all are told', () => {
    assert.equal(nearestName('completely', ['other', 'names']), undefined)
    assert.equal(suggestion('completely', ['other', 'names']), 'Known: other, names')
    assert.equal(suggestion('nmaes', ['other', 'names']), 'Did you mean names?')
    assert.equal(suggestion('x', []), 'Leave it out: there are none')
  })

  test('of a name of a megabyte is told without comparing it letter by letter', () => {
    const candidates = Array.from({ length: 100 }, (_, i) => `aSettingOfSomeLength${i}`)
    const before = process.cpuUsage()
    assert.equal(nearestName('a'.repeat(2 ** 20), candidates), undefined)
    // Letter by letter it takes many seconds.
    assert.ok(process.cpuUsage(before).user < 500_000)
  })
})
