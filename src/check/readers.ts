/** Records as people read them. */
import { type SinkNode, stepsAbove } from '../graph.ts'
import type { Decoder, RecordField, RowDecoder } from '../kafka/codec.ts'
import { json } from '../kafka/json-codec.ts'
import { utf8 } from '../kafka/plain-codecs.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { float16, float32, float64, int32, int64, uint8 } from '../kafka/tensor-codec.ts'
import { isNumeric, type NumericDtype } from '../models/tensors.ts'
import { codecContext } from '../pipeline/open-graph.ts'
import { showable } from './showable.ts'

const ROWS: Readonly<Record<NumericDtype, object>> = {
  float16: float16(null),
  float32: float32(null),
  float64: float64(null),
  uint8: uint8(null),
  int32: int32(null),
  int64: int64(null),
}

const TEXT = utf8()
const JSON_VALUES = json({ longs: 'bigint' })

/** The codec of a sink, or one that reads the rows that an output of a model is written as. */
export function readableCodec({ input, value }: SinkNode): object {
  if (value.inferenceOf === undefined) return value
  const { output, tensor } = value.inferenceOf
  // Rows of several models are of one type, or readers of the topic could not read them.
  const [step] = stepsAbove(input)
  const model = step?.handler.cohorts[0].model
  const declared = model?.kind === 'onnx' ? model.outputs : {}
  const dtype = tensor?.dtype ?? (declared[output ?? ''] ?? Object.values(declared)[0])?.dtype
  return dtype !== undefined && isNumeric(dtype) ? ROWS[dtype] : value
}

/** What is shown of a key or value; with `reason` it is its bytes in base64, because they could not be decoded. */
export interface ReadField {
  readonly shown: unknown
  readonly reason?: string
}

export interface RecordReader {
  /** Loads what these records need before they are read; rejects in an outage of the registry. */
  prepare(block: RecordBlock): Promise<void>
  key(block: RecordBlock, row: number): ReadField
  value(block: RecordBlock, row: number): ReadField
}

/**
 * Reads records for people, with the codecs of the topic. What has none is read as text, and what has one that can only
 * write as JSON or text.
 */
export async function openReader(
  topic: string,
  key: object | undefined,
  value: object,
  parts: Parameters<typeof codecContext>[0],
): Promise<RecordReader> {
  const open = async (codec: object, field: RecordField): Promise<RowDecoder<unknown>> => {
    const context = codecContext(parts, topic, field)
    if ('openDecoder' in codec) return (codec as Decoder<unknown>).openDecoder(context)
    const [asJson, asText] = [await JSON_VALUES.openDecoder(context), await TEXT.openDecoder(context)]
    return {
      decode(bytes, start, end) {
        try {
          return asJson.decode(bytes, start, end)
        } catch {
          return asText.decode(bytes, start, end)
        }
      },
    }
  }
  const keys = await open(key ?? TEXT, 'key')
  const values = await open(value, 'value')
  return {
    async prepare(block) {
      await keys.prepare?.(block)
      await values.prepare?.(block)
    },
    key: (block, row) => read(keys, block.key(row)),
    value: (block, row) => read(values, block.value(row)),
  }
}

function read(decoder: RowDecoder<unknown>, bytes: Buffer | null): ReadField {
  if (bytes === null) return { shown: null }
  try {
    // A copy: raw rows are read where they are aligned.
    return { shown: showable(decoder.decode(Buffer.from(bytes), 0, bytes.length)) }
  } catch (error) {
    return { shown: showable(bytes), reason: error instanceof Error ? error.message : String(error) }
  }
}
