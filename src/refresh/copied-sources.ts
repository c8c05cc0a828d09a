import { rangeOf } from '../pipeline/row-run.ts'
import type { RanRows } from './shadow-copy.ts'
import type { ShadowRecord } from './shadow-record.ts'

/** Room for the keys of most topics; more is made where it is needed. */
const USUAL_KEY_BYTES = 32
/** Of each row: position, ends of its key. */
const BYTES_PER_ROW = 28

/** Where rows were read, and a copy of the keys of their records. */
export interface CopiedSources {
  /** All memory that they keep. */
  readonly bytes: number
  at(i: number): ShadowRecord['source']
  /** The key of the source record, as a view; null where it has none. */
  key(i: number): Buffer | null
}

/** `chosen`: positions in the batch, in order; undefined: all of the rows. */
export function copySources({ batch, from, rows }: RanRows, chosen: Int32Array | undefined): CopiedSources {
  const count = chosen?.length ?? rows
  const topics = new Array<string>(count)
  const partitions = new Int32Array(count)
  const offsets = new Float64Array(count)
  /** −1: no key. */
  const starts = new Int32Array(count)
  const ends = new Int32Array(count)
  let keys = Buffer.allocUnsafeSlow(count * USUAL_KEY_BYTES)
  let end = 0
  let taken = 0
  let position = from
  for (const { run, from: first, to } of rangeOf(batch.segments, from, rows)) {
    const { block } = run.work
    for (let i = first; i < to; i++, position++) {
      if (chosen && chosen[taken] !== position) continue
      const row = run.work.rowOf(run.rows[i]!)
      topics[taken] = block.topic
      partitions[taken] = block.partition
      offsets[taken] = block.offset(row)
      const start = block.keyStart(row)
      starts[taken] = start < 0 ? -1 : end
      if (start >= 0) {
        const next = end + block.keyEnd(row) - start
        if (next > keys.length) keys = larger(keys, end, next)
        block.bytes.copy(keys, end, start, block.keyEnd(row))
        end = next
      }
      ends[taken++] = end
    }
  }
  return {
    bytes: keys.length + count * BYTES_PER_ROW,
    at: i => ({ topic: topics[i]!, partition: partitions[i]!, offset: offsets[i]! }),
    key: i => (starts[i]! < 0 ? null : keys.subarray(starts[i], ends[i])),
  }
}

function larger(keys: Buffer, used: number, needed: number): Buffer<ArrayBuffer> {
  const grown = Buffer.allocUnsafeSlow(Math.max(needed, keys.length * 2))
  keys.copy(grown, 0, 0, used)
  return grown
}
