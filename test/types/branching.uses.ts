// What the types of branches, merges, fan-outs and dead letters allow and refuse, checked by tsc; nothing here is executed.
import {
  avro,
  type Codec,
  float32,
  from,
  type KV,
  keyed,
  kv,
  onnx,
  type Sink,
  type Stream,
  topology,
  utf8,
} from 'kafka-run-inference'

interface Digit {
  readonly id: string
  readonly pixels: readonly number[]
}
interface Label {
  readonly id: string
  readonly digit: number
}
const digit = avro<Digit>('digit')
const label = avro<Label>('label')
const digits = from('in', digit)
const keyedDigits = from('in', { key: utf8(), value: digit })
const either = from('in', avro<Digit | Label>('any'))

// ---- what is allowed

const { pictures, rest } = either.branch({ pictures: v => 'pixels' in v, rest: () => true })
export const narrowed: Stream<Digit> = pictures
export const not: Stream<Digit | Label> = rest
const isDigit = (v: unknown): v is Digit => typeof v === 'object'
const guarded = either.branch({ pictures: isDigit, rest: (v): v is Label => 'digit' in v })
export const p2: Sink = guarded.pictures.to('out', digit)
export const p3: Sink = guarded.rest.to('out', label)
const big = digits.branch({ big: d => d.pixels.length > 64, small: () => true })
export const b1: Sink = big.big.to('x', digit)

export const merged: Stream<Digit | Label> = digits.merge(from('l', label))
export const three: Stream<Digit | Label | string> = digits.merge(from('l', label), from('s', utf8()))
export const m = digits.merge(from('l', label)).to('o', avro<Digit | Label>('any'))

export const t1: Stream<Digit> = digits.through('t', digit)
export const t2: Stream<KV<string, Digit>> = keyedDigits.through('t', { key: utf8(), value: digit })
export const t3: Stream<KV<string, Digit>> = digits.repartition('t', d => d.id, { key: utf8(), value: digit })
export const t4: Stream<Digit | Label> = digits.through('t', avro<Digit | Label>('any'))

// @ts-expect-error label codec
export const w1 = digits.through('t', label)
// @ts-expect-error key codec
export const w2 = digits.repartition('t', d => d.pixels.length, { key: utf8(), value: digit })
// @ts-expect-error value codec
export const w3 = digits.repartition('t', d => d.id, { key: utf8(), value: label })
// @ts-expect-error keyed
export const w4 = keyedDigits.through('t', digit)
// @ts-expect-error unkeyed
export const w5 = digits.through('t', { key: utf8(), value: digit })
