/** Writes small ONNX files: the few protobuf messages that a feed-forward graph needs, by hand, so that no exporter is. */

/** onnx.TensorProto.DataType. */
export const ELEMENT_TYPES = { float32: 1, uint8: 2, int32: 6, int64: 7, string: 8, float64: 11 } as const

export interface OnnxTensor {
  readonly name: string
  readonly dtype: keyof typeof ELEMENT_TYPES
  /** Strings are open dimensions. */
  readonly shape: readonly (number | string)[]
}

export interface OnnxConstant {
  readonly name: string
  readonly dtype: 'float32' | 'int64'
  readonly shape: readonly number[]
  readonly data: Float32Array | BigInt64Array
  /** Keeps the data out of the model: where the caller puts it, as onnx.proto words it (`location`, `offset`, `length`). */
  readonly external?: Readonly<Record<string, string>>
}

export interface OnnxNode {
  readonly op: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Integer attributes. */
  readonly attributes?: Readonly<Record<string, number>>
}

export interface OnnxGraph {
  readonly inputs: readonly OnnxTensor[]
  readonly outputs: readonly OnnxTensor[]
  readonly constants: readonly OnnxConstant[]
  readonly nodes: readonly OnnxNode[]
}

/** The bytes of a .onnx file with this graph (IR version 9, opset 17). */
export function encodeOnnx(graph: OnnxGraph): Uint8Array {
  const body = [
    ...graph.nodes.map(node => message(1, encodeNode(node))),
    text(2, 'graph'),
    ...graph.constants.map(constant => message(5, encodeConstant(constant))),
    ...graph.inputs.map(tensor => message(11, encodeTensor(tensor))),
    ...graph.outputs.map(tensor => message(12, encodeTensor(tensor))),
  ]
  return Buffer.concat([number(1, 9), message(7, body), message(8, [text(1, ''), number(2, 17)])])
}

function encodeNode({ op, inputs, outputs, attributes = {} }: OnnxNode): Buffer[] {
  const INT = 2
  return [
    ...inputs.map(name => text(1, name)),
    ...outputs.map(name => text(2, name)),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) =>
      message(5, [text(1, name), number(3, value), number(20, INT)]),
    ),
  ]
}

function encodeConstant({ name, dtype, shape, data, external }: OnnxConstant): Buffer[] {
  const head = [...shape.map(size => number(1, size)), number(2, ELEMENT_TYPES[dtype]), text(8, name)]
  if (!external) return [...head, message(9, [Buffer.from(data.buffer, data.byteOffset, data.byteLength)])]
  const ELSEWHERE = 1
  const entries = Object.entries(external).map(([key, value]) => message(13, [text(1, key), text(2, value)]))
  return [...head, ...entries, number(14, ELSEWHERE)]
}

function encodeTensor({ name, dtype, shape }: OnnxTensor): Buffer[] {
  const dimensions = shape.map(size => message(1, [typeof size === 'number' ? number(1, size) : text(2, size)]))
  const tensorType = message(1, [number(1, ELEMENT_TYPES[dtype]), message(2, dimensions)])
  return [text(1, name), message(2, [tensorType])]
}

const VARINT = 0
const LENGTH_DELIMITED = 2

function number(field: number, value: number): Buffer {
  return Buffer.from([...varint((field << 3) | VARINT), ...varint(value)])
}

function text(field: number, value: string): Buffer {
  return message(field, [Buffer.from(value)])
}

function message(field: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([...varint((field << 3) | LENGTH_DELIMITED), ...varint(body.length)]), body])
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return [...bytes, rest]
}
