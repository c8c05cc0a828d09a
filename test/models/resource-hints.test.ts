import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { hintProblems, mergedHints, parseAccelerator, parseRam } from '../../src/models/resource-hints.ts'

suite('resource hints', () => {
  test('memory is bytes, or a number with a unit, as Beam reads it; case and spaces do not count', () => {
    const read: readonly (readonly [number | string, number])[] = [
      [4_096, 4_096],
      ['4096', 4_096],
      ['20GB', 20e9],
      ['20 GiB', 20 * 2 ** 30],
      [' 512 mib ', 512 * 2 ** 20],
      ['1.5tb', 1.5e12],
      ['3KB', 3_000],
      ['2PiB', 2 ** 51],
      ['7 B', 7],
      [0, 0],
    ]
    for (const [text, bytes] of read) assert.equal(parseRam(text), bytes, String(text))
    for (const text of ['', 'GB', '20 gigs', '20Gi', '20G', '-1GB', 'NaN', '1,5GB', '20GB more', -1, Number.NaN])
      assert.equal(parseRam(text), undefined, String(text))
  })

  test('any whole number of any unit comes back as bytes', () => {
    const units = [
      ['KB', 1e3],
      ['MiB', 2 ** 20],
      ['GB', 1e9],
      ['GiB', 2 ** 30],
    ] as const
    fc.assert(
      fc.property(fc.nat(100_000), fc.constantFrom(...units), fc.boolean(), (count, [unit, bytes], isSpaced) => {
        assert.equal(parseRam(`${count}${isSpaced ? ' ' : ''}${unit}`), count * bytes)
      }),
    )
  })

  test('an accelerator is a type and a count, with parts behind them for whoever makes the machine', () => {
    const t4 = { type: 'nvidia-tesla-t4', count: 1 }
    assert.deepEqual(parseAccelerator('type:nvidia-tesla-t4;count:1;install-nvidia-driver'), t4)
    assert.deepEqual(parseAccelerator(' Type : NVIDIA-Tesla-T4 ; '), t4)
    assert.deepEqual(parseAccelerator('count:4;type:nvidia-l4;install-nvidia-driver:5xx'), {
      type: 'nvidia-l4',
      count: 4,
    })
    for (const text of ['', 'nvidia-tesla-t4', 'count:1', 'type:;count:1', 'type:t4;count:0', 'type:t4;count:two'])
      assert.equal(parseAccelerator(text), undefined, text)
  })

  test('what cannot be read, and names that are none, are problems of their place', () => {
    assert.deepEqual(hintProblems('step "a"', { minRam: '20GB', accelerator: 'type:tpu-v5-lite;topology:2x4' }), [])
    const told = (hints: object) => hintProblems('step "a"', hints).map(({ where, what }) => `${where}: ${what}`)
    assert.deepEqual(told({ minRam: '20 gigs', accelerator: 'nvidia' }), [
      'step "a": minRam cannot be used',
      'step "a": accelerator cannot be used',
    ])
    assert.deepEqual(told({ minram: '20GB' }), ['step "a": there is no resource hint "minram"'])
    assert.deepEqual(told({ accelerator: 'type:nvidia-l4;cuont:2' }), [
      'step "a", accelerator: there is no part "cuont"',
    ])
    assert.deepEqual(told({ accelerator: 7, minRam: null }), [
      'step "a": minRam cannot be used',
      'step "a": accelerator cannot be used',
    ])
  })

  test('the step wins over the handler, hint by hint', () => {
    const handler = { minRam: '20GB', accelerator: 'type:nvidia-l4' }
    assert.deepEqual(mergedHints(handler, { minRam: 0 }), { minRam: 0, accelerator: 'type:nvidia-l4' })
    assert.deepEqual(mergedHints(handler), handler)
  })
})
