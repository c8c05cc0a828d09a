/** Raw tensor rows: bytes of any number, at any place of a block. */
import type { Codec } from '../../src/kafka/codec.ts'
import { float16, float32, float64, int32, int64, uint8 } from '../../src/kafka/tensor-codec.ts'
import { codecContext } from '../../test/support/codec-context.ts'
import { must, type TargetSource } from '../target.ts'

const CODECS: readonly Codec<never>[] = [
  float16(3),
  float32(2, 2),
  float64(),
  uint8(7),
  int32(2),
  int64(1),
  float32(null),
  int64(null, 2),
  uint8(null),
  float16(2, null),
] as unknown as readonly Codec<never>[]

/** Bytes of a row, by codec. */
const SIZES = [6, 16, 8, 7, 8, 8, 12, 32, 9, 8]

export const tensors: TargetSource = {
  name: 'tensors',
  about: 'raw tensor rows of every type, fixed and open shapes',
  async open() {
    const context = codecContext(undefined)
    const codecs = await Promise.all(
      CODECS.map(async codec => ({
        decoder: await codec.openDecoder(context),
        encoder: await codec.openEncoder(context),
      })),
    )
    return {
      // Behind five bytes, so that rows are aligned and not; of a size that each shape takes.
      seeds: SIZES.flatMap((size, i) =>
        [3, 5].map(at => Buffer.concat([Buffer.of(i, at), Buffer.alloc(at + size, i)])),
      ),
      codes: ['DECODE_SIZE'],
      run(bytes) {
        const { decoder, encoder } = codecs[(bytes[0] ?? 0) % codecs.length]!
        const start = Math.min(bytes.length, 2 + ((bytes[1] ?? 0) % 9))
        const row = decoder.decode(bytes, start, bytes.length)
        const into = Buffer.alloc(bytes.length + 9)
        const at = (bytes[1] ?? 0) % 8
        const end = encoder.encode(row, into, at)
        must(end === at + bytes.length - start, 'a row is as long as it was')
        must(into.subarray(at, end).equals(bytes.subarray(start)), 'written again, a row is the same')
        must(
          bytes.length === start || encoder.encode(row, into.subarray(0, end - 1), at) < 0,
          'a row that does not fit is told',
        )
      },
    }
  },
}
