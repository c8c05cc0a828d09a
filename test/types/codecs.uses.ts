// How codecs and columns are used, for docs/codecs.md, and how not: compiled by the type check, never run.
import {
  avro,
  bytes,
  classOf,
  float32,
  from,
  fromTensor,
  json,
  jsonSchema,
  type KV,
  keyed,
  kv,
  onnx,
  topology,
  toTensor,
  utf8,
} from 'kafka-run-inference'

interface Loan {
  readonly id: string
  readonly amount: number
  readonly age: number | null
  readonly owner: boolean
}

export const plain = from('loans', json<Loan>())
export const checked = from('loans', { key: utf8(), value: json<Loan>({ schema: 'loan' }) })
export const registered = from('loans', { key: utf8(), value: jsonSchema<Loan>('loan') })

export const exact = from('transfers', json<{ id: number | bigint }>({ longs: 'bigint' }))
export const exactAvro = from(
  'transfers',
  avro<{ id: bigint; at: bigint }>('transfer', { longs: 'bigint', logicalTypes: 'raw' }),
)

const columns = toTensor(['amount', 'age', 'owner'], { defaults: { age: Number.NaN } })
const risks = fromTensor(['low', 'high'])
const riskOf = classOf(['low', 'high'])

const scorer = keyed(
  onnx({ model: 'models/loans.onnx', inputs: { x: float32(3) }, outputs: { p: float32(2), label: float32() } }),
)
  .withPreprocess(({ key, value }: KV<string, Loan>) => kv(key, { x: columns(value) }))
  .withPostprocess(({ key, value: { inference } }) =>
    kv(key, { risk: riskOf(inference.label), probabilities: risks(inference.p) }),
  )
export const scored = topology('loans', [
  checked.runInference('score', scorer).to('scores', { key: utf8(), value: json<{ risk: 'low' | 'high' }>() }),
])

interface Wine {
  readonly alcohol: number
  readonly ash: number
  readonly hue: number
}
const chemistry = toTensor(['alcohol', 'ash'])
const colour = toTensor(['hue'], { dtype: 'float64' })
export const severalTensors = (wine: Wine) => ({ chemistry: chemistry(wine), colour: colour(wine) })

// @ts-expect-error a column that the record lacks
export const noColumn = toTensor(['alcohol', 'acid'])({ alcohol: 1 } as Wine)

// @ts-expect-error a column that may be null needs a default
export const nullColumn = toTensor(['age'])({ age: null } as Pick<Loan, 'age'>)

// @ts-expect-error text is no number
export const textColumn = toTensor(['id'])({ id: 'x' })

// @ts-expect-error a default for what is no column
export const otherDefault = toTensor(['age'], { defaults: { amount: 0 } })

// @ts-expect-error there is no class of that name
export const otherClass: 'none' = riskOf([0])

// @ts-expect-error longs are numbers or BigInts
export const otherLongs = json({ longs: 'string' })

// @ts-expect-error a codec of text does not write objects
export const otherCodec = checked.to('out', { key: utf8(), value: utf8() })

// @ts-expect-error bytes are no text
export const otherBytes = from('in', utf8()).to('out', bytes())
