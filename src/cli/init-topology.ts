/** The topology module that `kri init` writes, and its schemas. */

export type InitCodec = 'json' | 'avro' | 'raw'

export function topologyFile(name: string, codec: InitCodec): string {
  return codec === 'raw' ? rawTopology(name) : recordTopology(name, codec)
}

/** JSON Schemas; those of Avro are files of this package. */
export function schemaFiles(codec: InitCodec): readonly (readonly [file: string, content: string])[] {
  return codec === 'json' ? [['schemas/digit.schema.json', digitSchema]] : []
}

const digitSchema = `{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "Digit",
  "description": "A handwritten digit, 8 by 8 pixels, row by row.",
  "type": "object",
  "required": ["id", "pixels"],
  "properties": {
    "id": { "type": "string" },
    "pixels": {
      "type": "array",
      "items": { "type": "number", "minimum": 0, "maximum": 16 },
      "minItems": 64,
      "maxItems": 64
    }
  }
}
`

function recordTopology(name: string, codec: 'json' | 'avro'): string {
  const digits = codec === 'json' ? "json<Digit>({ schema: 'digit' })" : "avro<Digit>('digit')"
  const predictions = codec === 'json' ? 'json<DigitPrediction>()' : "avro<DigitPrediction>('digit-prediction')"
  const imports = ['float32', 'from', 'int64', 'type KV', 'keyed', 'kv', 'onnx', 'topology', 'utf8']
  const names = codec === 'json' ? imports.toSpliced(3, 0, 'json') : ['avro', ...imports]
  const checked = codec === 'json' ? 'schemas/digit.schema.json' : 'schemas/digit.avsc'
  return `\
// Digits in, predictions out, under the same key. What cannot be decoded, prepared, predicted or written is a dead letter.
import { ${names.join(', ')} } from 'kafka-run-inference'

/** One record of ${name}.images; ${checked} says the same to whoever produces it. */
interface Digit {
  id: string
  /** 64 grey values from 0 to 16. */
  pixels: number[]
}

interface DigitPrediction {
  id: string
  label: number
  probabilities: number[] | Float32Array
  modelId: string
}

const model = onnx({
  model: 'models/digits.onnx',
  inputs: { x: float32(64) }, // rows of the model's inputs and outputs, which the file is checked against
  outputs: { probabilities: float32(10), label: int64() },
})

const classifier = keyed(model)
  .withPreprocess(({ key, value }: KV<string, Digit>) => kv(key, { x: value.pixels }))
  .withPostprocess(({ key, value: { inference, modelId } }): KV<string, DigitPrediction> => {
    const { label, probabilities } = inference
    return kv(key, { id: key, label: Number(label[0]), probabilities: [...probabilities], modelId })
  })

const predictions = from('${name}.images', { key: utf8(), value: ${digits} })
  .runInference('classify', classifier, { batch: { maxSize: 256 } })

export default topology('${name}', [predictions.to('${name}.predictions', { key: utf8(), value: ${predictions} })])
`
}

function rawTopology(name: string): string {
  return `\
// Rows of 64 little-endian float32 in, the model's first output as rows of 10 float32 out: nothing is parsed on the way.
import { float32, from, inference, onnx, topology } from 'kafka-run-inference'

const model = onnx({ model: 'models/digits.onnx', input: float32(64), output: float32(10) })

const predictions = from('${name}.images', float32(64)).runInference('classify', model, { batch: { maxSize: 256 } })

export default topology('${name}', [predictions.to('${name}.predictions', inference())])
`
}
