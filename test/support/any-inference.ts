/** Whatever a model or a user's handler may say: what can be copied between threads. For property tests. */
import fc from 'fast-check'

/** Tensors by name or bare, texts, and plain values with dates, maps, sets, int64 and numbers that are none. */
export function anyInference(): fc.Arbitrary<unknown> {
  const { value } = fc.letrec<{ value: unknown }>(tie => ({
    value: fc.oneof(
      { maxDepth: 3 },
      leaf(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(name(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
      fc.array(fc.tuple(fc.oneof(name(), fc.integer()), tie('value')), { maxLength: 3 }).map(pairs => new Map(pairs)),
      fc.array(leaf(), { maxLength: 3 }).map(members => new Set(members)),
    ),
  }))
  return value
}

// Of all names, only this one is no member when it is set.
const name = () => fc.string({ maxLength: 6 }).filter(text => text !== '__proto__')

function leaf(): fc.Arbitrary<unknown> {
  return fc.oneof(
    fc.constantFrom(null, undefined, true, false, -0, Number.NaN, Number.NEGATIVE_INFINITY),
    fc.double(),
    fc.integer(),
    fc.bigInt(),
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.date({ noInvalidDate: false }),
    fc.float32Array({ maxLength: 8 }),
    fc.float64Array({ maxLength: 8 }),
    fc.float32Array({ maxLength: 8, min: -1, max: 1 }).map(row => Float16Array.from(row)),
    fc.bigInt64Array({ maxLength: 4 }),
    fc.uint8Array({ maxLength: 8 }),
    fc.int32Array({ maxLength: 8 }),
  )
}
