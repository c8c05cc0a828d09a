/** Reads the constants of small ONNX files, whose weights then go into another graph: the counterpart of onnx-writer.ts. */

const VARINT = 0
const EIGHT_BYTES = 1
const LENGTH_DELIMITED = 2
const FLOAT32 = 1

export interface FloatConstant {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** The float32 constants of a .onnx file that holds them as raw bytes, by name. Throws when the bytes are no protobuf. */
export function readFloatConstants(bytes: Uint8Array): ReadonlyMap<string, FloatConstant> {
  const constants = new Map<string, FloatConstant>()
  for (const graph of messages(Buffer.from(bytes), 7)) {
    for (const tensor of messages(graph, 5)) {
      const fields = [...fieldsOf(tensor)]
      if (fields.find(({ field }) => field === 2)?.value !== FLOAT32) continue
      const shape = fields.flatMap(({ field, value }) => (field === 1 && typeof value === 'number' ? [value] : []))
      const [name, raw] = [messages(tensor, 8)[0], messages(tensor, 9)[0]]
      if (name === undefined || raw === undefined) continue
      const data = Float32Array.from({ length: raw.length / 4 }, (_, i) => raw.readFloatLE(4 * i))
      constants.set(name.toString(), { shape, data })
    }
  }
  return constants
}

interface Field {
  readonly field: number
  readonly value: number | Buffer
}

function messages(bytes: Buffer, wanted: number): Buffer[] {
  return [...fieldsOf(bytes)].flatMap(({ field, value }) =>
    field === wanted && typeof value !== 'number' ? [value] : [],
  )
}

function* fieldsOf(bytes: Buffer): Iterable<Field> {
  let at = 0
  const varint = () => {
    for (let value = 0, scale = 1; ; scale *= 0x80) {
      const byte = bytes.readUInt8(at++)
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }
  while (at < bytes.length) {
    const key = varint()
    const [field, wireType] = [key >>> 3, key & 7]
    if (wireType === VARINT) yield { field, value: varint() }
    else {
      const length = wireType === LENGTH_DELIMITED ? varint() : wireType === EIGHT_BYTES ? 8 : 4
      const end = at + length
      if (end > bytes.length) throw new RangeError(`field ${field} ends at ${end} of ${bytes.length} bytes`)
      yield { field, value: bytes.subarray(at, end) }
      at = end
    }
  }
}
