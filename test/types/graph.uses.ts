// What the types of branches, merges, fan-outs, keys and written topics allow and refuse, checked by tsc; nothing is executed.
import { avro, type Branches, bytes, from, type KV, type Sink, type Stream, utf8 } from 'kafka-run-inference'

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
const any = avro<Digit | Label>('any')
const digits = from('in', digit)
const labels = from('labels', label)
const either = from('any', any)
const keyedDigits = from('in', { key: utf8(), value: digit })
const codecs = { key: utf8(), value: digit }

// ---- branch

// A function that is a type guard, or that the compiler sees to be one, narrows its case.
const { pictures, rest } = either.branch({ pictures: v => 'pixels' in v, rest: () => true })
export const narrowed: Sink = pictures.to('out', digit)
export const whole: Sink = rest.to('out', any)
const isDigit = (v: unknown): v is Digit => typeof v === 'object' && v !== null && 'pixels' in v
export const guarded: Stream<Label> = either.branch({ pictures: isDigit, rest: (v): v is Label => 'digit' in v }).rest
export const sizes: Sink = digits.branch({ large: d => d.pixels.length > 64, small: () => true }).large.to('out', digit)
export const named: Branches<Digit, { large: () => boolean }> = digits.branch({ large: () => true })

// @ts-expect-error what is no guard leaves the type as it is
export const notNarrowed = rest.to('out', digit)

// @ts-expect-error there is no case of that name
export const otherCase = digits.branch({ large: () => true }).small

// @ts-expect-error a case says yes or no
export const noAnswer = digits.branch({ large: d => d.pixels })

// @ts-expect-error the elements are digits, which have no text
export const otherElement = digits.branch({ large: d => d.text === '' })

// ---- merge

export const two: Stream<Digit | Label> = digits.merge(labels)
export const three: Stream<Digit | Label | string> = digits.merge(labels, from('s', utf8()))
export const again: Sink = pictures.merge(rest).to('out', any)

// @ts-expect-error labels are among them
export const onlyDigits = digits.merge(labels).to('out', digit)

// @ts-expect-error keyed elements and others need a codec for either
export const halfKeyed = keyedDigits.merge(digits).to('out', codecs)

// ---- flatMap

export const halves: Stream<string> = digits.flatMap(d => [d.id, d.id], { maxFanOut: 2 })
export const generated: Stream<number> = digits.flatMap(
  function* (d) {
    yield* d.pixels
  },
  { maxFanOut: 64 },
)

// @ts-expect-error memory is bounded by maxFanOut
export const unbounded = digits.flatMap(d => d.pixels)

// @ts-expect-error one element is no list of them
export const single = digits.flatMap(d => d.pixels.length, { maxFanOut: 2 })

// ---- keyBy

export const keys: Stream<KV<number, Digit>> = digits.keyBy(d => d.pixels.length)

// @ts-expect-error the codec writes strings, the key is a number
export const otherKey = digits.keyBy(d => d.pixels.length).to('out', codecs)

// ---- through and repartition

export const written: Stream<Digit> = digits.through('between', digit)
export const writtenKeyed: Stream<KV<string, Digit>> = keyedDigits.through('between', codecs, { partition: 'source' })
export const wider: Stream<Digit | Label> = digits.through('between', any)
export const rekeyed: Stream<KV<string, Digit>> = digits.repartition('between', d => d.id, codecs)
export const rekeyedValues = keyedDigits.map(e => e.value).repartition('between', d => d.id, codecs)

// @ts-expect-error the codec writes labels
export const otherCodec = digits.through('between', label)

// @ts-expect-error a codec that only writes cannot read what it wrote
export const writeOnly = digits.through('between', { label: 'x', openEncoder: digit.openEncoder })

// @ts-expect-error keyed elements need a codec for the key
export const keyedThrough = keyedDigits.through('between', digit)

// @ts-expect-error a stream without keys has none to write
export const bareThrough = digits.through('between', codecs)

// @ts-expect-error the codec writes text, the key is a number
export const numberKey = digits.repartition('between', d => d.pixels.length, codecs)

// @ts-expect-error the codec writes labels
export const labelValues = digits.repartition('between', d => d.id, { key: utf8(), value: label })

// @ts-expect-error values of keyed elements are what is written: map(e => e.value) first
export const keyedValues = keyedDigits.repartition('between', e => e.value.id, codecs)

// @ts-expect-error what comes back has the key of the codec
export const bytesKey = rekeyed.to('out', { key: bytes(), value: digit })
