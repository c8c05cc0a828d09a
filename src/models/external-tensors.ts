/**
 * Which tensors of a model file keep their data in other files. onnxruntime looks for these by itself only when it opens the
 * model by its path; then nobody knows what bytes it read. So the few protobuf messages on the way to a tensor are read here;
 * field numbers are those of onnx.proto. Bytes that are no such messages have no tensors: onnxruntime says what is wrong.
 */

export interface ExternalTensor {
  readonly name: string
  /** Path of the file, relative to the model's folder. */
  readonly location: string
  readonly offset: number
  /** Bytes; 0 where the model does not say. */
  readonly length: number
}

/** Part of a file that holds one message or string. */
interface Span {
  readonly from: number
  readonly to: number
}

const MODEL_GRAPH = 7
const MODEL_FUNCTIONS = 25
const GRAPH_NODES = 1
const GRAPH_TENSORS = 5
const GRAPH_SPARSE_TENSORS = 15
const SPARSE_TENSOR_PARTS = [1, 2]
const FUNCTION_NODES = 7
const NODE_ATTRIBUTES = 5
const ATTRIBUTE_TENSORS = [5, 10]
const ATTRIBUTE_GRAPHS = [6, 11]
const TENSOR_NAME = 8
const TENSOR_EXTERNAL_DATA = 13
const ENTRY_KEY = 1
const ENTRY_VALUE = 2

/** Every tensor of the file that lies elsewhere, those of nested graphs too. */
export function externalTensors(file: Uint8Array): ExternalTensor[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  const found: ExternalTensor[] = []

  function graph(span: Span): void {
    for (const tensor of children(bytes, span, GRAPH_TENSORS)) readTensor(tensor)
    for (const sparse of children(bytes, span, GRAPH_SPARSE_TENSORS))
      for (const tensor of children(bytes, sparse, ...SPARSE_TENSOR_PARTS)) readTensor(tensor)
    for (const node of children(bytes, span, GRAPH_NODES)) readNode(node)
  }

  function readNode(span: Span): void {
    for (const attribute of children(bytes, span, NODE_ATTRIBUTES)) {
      for (const tensor of children(bytes, attribute, ...ATTRIBUTE_TENSORS)) readTensor(tensor)
      for (const nested of children(bytes, attribute, ...ATTRIBUTE_GRAPHS)) graph(nested)
    }
  }

  function readTensor(span: Span): void {
    const entries = new Map(
      children(bytes, span, TENSOR_EXTERNAL_DATA).map(entry => [
        text(bytes, entry, ENTRY_KEY),
        text(bytes, entry, ENTRY_VALUE),
      ]),
    )
    const location = entries.get('location')
    if (location === undefined) return
    const [offset, length] = [Number(entries.get('offset') ?? 0), Number(entries.get('length') ?? 0)]
    found.push({ name: text(bytes, span, TENSOR_NAME), location, offset, length })
  }

  const whole = { from: 0, to: bytes.length }
  for (const each of children(bytes, whole, MODEL_GRAPH)) graph(each)
  for (const each of children(bytes, whole, MODEL_FUNCTIONS))
    for (const node of children(bytes, each, FUNCTION_NODES)) readNode(node)
  return found
}

function text(bytes: Buffer, span: Span, field: number): string {
  const at = children(bytes, span, field).at(-1)
  return at ? bytes.toString('utf8', at.from, at.to) : ''
}

/** Where the length-delimited fields with these numbers lie, in order; those before the first malformed one. */
function children(bytes: Buffer, { from, to }: Span, ...fields: number[]): Span[] {
  const found: Span[] = []
  for (let at = from; at < to; ) {
    const tag = varint(bytes, at)
    const wire = tag.value & 7
    if (wire === 0) at = varint(bytes, tag.end).end
    else if (wire === 1) at = tag.end + 8
    else if (wire === 5) at = tag.end + 4
    else if (wire === 2) {
      const length = varint(bytes, tag.end)
      at = length.end + length.value
      if (at <= to && fields.includes(Math.floor(tag.value / 8))) found.push({ from: length.end, to: at })
    } else break
  }
  return found
}

/** Past the end of the bytes a number is read as 0, so that every loop over them ends. */
function varint(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  let value = 0
  let scale = 1
  let end = at
  for (; (bytes[end] ?? 0) > 0x7f; end++) {
    value += (bytes[end]! & 0x7f) * scale
    scale *= 0x80
  }
  value += (bytes[end] ?? 0) * scale
  return { value, end: end + 1 }
}
