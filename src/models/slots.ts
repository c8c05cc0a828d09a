/**
 * Shared memory of one place of a lane: an input region and an output region, allocated by the main thread, used by both
 * sides through views, reused by every batch. Both sides compute the same layout from the same few numbers, so a message
 * carries no offsets.
 *
 * 1. Every tensor starts on a 64-byte line, so every element type is aligned.
 * 2. Strings, values and outputs whose row shape the model leaves open, have no room here: they travel in messages.
 * 3. A region is replaced when a batch needs more, never resized in place: views of a batch in flight stay valid.
 */
import { ARRAYS, BYTES_PER_ELEMENT, type Dtype, elementsOf, isNumeric, type NumericArray } from './tensors.ts'

/** The two regions of a place. A new object whenever either region was replaced. */
export interface Regions {
  readonly input: SharedArrayBuffer
  readonly output: SharedArrayBuffer
}

/** Where a tensor of a batch lies in its region. */
export interface Room {
  /** Byte offset of row 0; -1 when the tensor is not in shared memory. */
  readonly offset: number
  readonly rowElements: number
}

export interface Layout {
  readonly rooms: readonly Room[]
  readonly bytes: number
}

const LINE_BYTES = 64

/** Lays `rows` rows of each tensor one behind the other; a shape with an open dimension, strings and values get no room. */
export function layOut(
  tensors: readonly { readonly dtype: Dtype }[],
  rowShapes: readonly (readonly (number | null)[])[],
  rows: number,
): Layout {
  let bytes = 0
  const rooms = tensors.map(({ dtype }, index) => {
    const rowElements = elementsOf(rowShapes[index]!)
    if (rowElements === undefined || !isNumeric(dtype)) return { offset: -1, rowElements: rowElements ?? -1 }
    const room = { offset: bytes, rowElements }
    bytes += Math.ceil((rowElements * rows * BYTES_PER_ELEMENT[dtype]) / LINE_BYTES) * LINE_BYTES
    return room
  })
  return { rooms, bytes }
}

/** A view of `rows` rows of a tensor, starting at row `from`. */
export function viewRows(
  buffer: ArrayBufferLike,
  dtype: Dtype,
  { offset, rowElements }: Room,
  from: number,
  rows: number,
): NumericArray {
  if (!isNumeric(dtype)) throw new TypeError(`rows of ${dtype} have no room in shared memory`)
  return new ARRAYS[dtype](buffer, offset + from * rowElements * BYTES_PER_ELEMENT[dtype], rows * rowElements)
}

/** The memory of a place, which grows on demand. */
export class SlotMemory {
  #regions: Regions = { input: new SharedArrayBuffer(0), output: new SharedArrayBuffer(0) }

  get regions(): Regions {
    return this.#regions
  }

  /** Both regions at least this large from now on. */
  ensure(inputBytes: number, outputBytes: number): void {
    const { input, output } = this.#regions
    if (inputBytes <= input.byteLength && outputBytes <= output.byteLength) return
    this.#regions = { input: grown(input, inputBytes), output: grown(output, outputBytes) }
  }
}

// By half at least, so that slowly growing batches do not replace the region each time.
function grown(region: SharedArrayBuffer, bytes: number): SharedArrayBuffer {
  if (bytes <= region.byteLength) return region
  return new SharedArrayBuffer(Math.max(bytes, Math.ceil(region.byteLength * 1.5)))
}
