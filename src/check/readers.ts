/** Records as people read them. */
import type { SinkNode } from '../graph.ts'
import type { Codec, RecordField } from '../kafka/codec.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { float16, float32, float64, int32, int64, uint8 } from '../kafka/tensor-codec.ts'
import type { Dtype } from '../models/tensors.ts'
import { codecContext } from '../pipeline/open-graph.ts'
import type { CheckParts } from './check.ts'
import { showable } from './showable.ts'

const ROWS: Readonly<Partial<Record<Dtype, object>>> = {
  float16: float16(null),
  float32: float32(null),
  float64: float64(null),
  uint8: uint8(null),
  int32: int32(null),
  int64: int64(null),
}

/** The codec of a sink, or one that reads the rows that an output of a model is written as. */
export function readableCodec({ input, value }: SinkNode): object {
  if (value.inferenceOf === undefined) return value
  const { output, tensor } = value.inferenceOf
  let step = input
  while (step.kind !== 'runInference' && step.kind !== 'source') step = step.input
  const declared = step.kind === 'runInference' ? step.handler.model.outputs : {}
  const dtype = tensor?.dtype ?? (declared[output ?? ''] ?? Object.values(declared)[0])?.dtype
  return (dtype && ROWS[dtype]) ?? value
}

/** Reads records for people: decoded where the codec can and the bytes allow it, else in base64. */
export async function openReaders(topic: string, key: object | undefined, value: object, parts: CheckParts) {
  const open = (codec: object | undefined, field: RecordField) =>
    codec && 'openDecoder' in codec
      ? (codec as Codec<unknown>).openDecoder(codecContext(parts, topic, field))
      : undefined
  const keys = await open(key, 'key')
  const values = await open(value, 'value')
  const read = (decoder: Awaited<typeof keys>, bytes: Buffer | null) => {
    if (bytes === null) return null
    try {
      return showable(decoder === undefined ? bytes : decoder.decode(Buffer.from(bytes), 0, bytes.length))
    } catch {
      // It cannot be decoded: what that means for the topology stands in its dead letter.
      return showable(bytes)
    }
  }
  return {
    async prepare(block: RecordBlock) {
      await keys?.prepare?.(block)
      await values?.prepare?.(block)
    },
    read: (block: RecordBlock, row: number) => ({
      key: key === undefined ? (block.key(row)?.toString() ?? null) : read(keys, block.key(row)),
      value: read(values, block.value(row)),
    }),
  }
}
