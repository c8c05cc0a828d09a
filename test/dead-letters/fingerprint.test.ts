// One reason, one fingerprint (F1 to F3).
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fingerprintOf, normalised } from '../../src/dead-letters/fingerprint.ts'

const of = (message: string | null) => fingerprintOf({ stage: 'inference', step: 's', code: 'C', message })

describe('F1 messages are one that differ only in', () => {
  const alike: Record<string, readonly [string, string]> = {
    numbers: ['expected 64 values, got 63', 'expected 64 values, got 128'],
    'negative and broken numbers': ['loss is -1.5e-7', 'loss is 3'],
    'quoted text': ['no such field "age"', 'no such field "a much longer one"'],
    'text in other quotes': ["cannot read 'x1'", "cannot read 'y'"],
    ids: ['order 6f1c9a52-1d2e-4c3b-8a4f-0a1b2c3d4e5f is gone', 'order 00000000-1d2e-4c3b-8a4f-0a1b2c3d4e5f is gone'],
    'hexadecimal numbers': ['at 0x7f3a, digest ab12cd34ef', 'at 0x1, digest 99aa88bb7766'],
    times: ['not before 2026-01-02T03:04:05Z', 'not before 2027-11-12 13:14:15.123+02:00'],
    addresses: ['https://a.example/x?y=1 answered 503', 'http://b.example:8080/ answered 404'],
    paths: ['cannot open /var/data/a.bin', 'cannot open /tmp/b/c/d'],
    'what follows the first line': ['it failed\n    at f (a.js:1:2)', 'it failed\n    at g'],
    'white space': ['it   failed ', 'it\tfailed'],
  }
  for (const [what, [a, b]] of Object.entries(alike))
    it(what, () => {
      assert.equal(normalised(a), normalised(b))
      assert.equal(of(a), of(b))
    })
})

describe('fingerprints are apart for', () => {
  it('other words', () => {
    assert.notEqual(of('expected 64 values'), of('expected 64 rows'))
    assert.notEqual(of('cafe is closed'), of('face is closed'))
  })

  it('another stage, step or code', () => {
    const letter = { stage: 'inference', step: 's', code: 'C', message: 'm' }
    const all = [letter, { ...letter, stage: 'preprocess' }, { ...letter, step: 't' }, { ...letter, code: 'D' }]
    assert.equal(new Set(all.map(fingerprintOf)).size, all.length)
  })

  it('a step that ends as the next part begins', () => {
    const a = fingerprintOf({ stage: 'ab', step: 'c', code: '', message: '' })
    assert.notEqual(a, fingerprintOf({ stage: 'a', step: 'bc', code: '', message: '' }))
  })
})

describe('a fingerprint', () => {
  it('stays what it was: audits refer to it', () => {
    assert.equal(of('expected [64], got [63]'), of('expected [1], got [2]'))
    assert.equal(normalised('row 3: expected [64], got "x"'), 'row <n>: expected [<n>], got <text>')
    assert.match(of('m'), /^[0-9a-f]{12}$/)
  })

  it('is had of letters that state nothing', () => {
    assert.match(fingerprintOf({ stage: null, step: null, code: null, message: null }), /^[0-9a-f]{12}$/)
  })

  it('F2 has at most 300 characters of the message to it, whatever that is', () => {
    assert.equal(normalised('word '.repeat(1_000)).length, 300)
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 1_000 }), message => {
        assert.ok(normalised(message).length <= 300)
      }),
    )
  })

  it('F3 is found quickly, whatever the message', () => {
    const parts = ['"', "'", '/', 'a', '0', 'f', '-', ':', '.', ' ', '://', '0x', '1,1,', '/a', '\u{1f600}']
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 6 }), fc.nat(3_000), (unit, times) => {
        const message = unit.join('').repeat(times)
        const cpu = process.cpuUsage()
        normalised(message)
        const { user } = process.cpuUsage(cpu)
        assert.ok(user < 500_000, `${user} µs of processor time for ${JSON.stringify(unit.join(''))}`)
      }),
    )
  })
})
