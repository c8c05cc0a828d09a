/**
 * What a batch is for onnxruntime: tensors over the slot's shared memory, in one native call, or, where the model's batch
 * dimension is fixed, in as many calls of that size as it takes. Only the rows of a last call that is not full are copied,
 * into a place of their own with zeros behind them, and their results back: rows behind them in the slot may be another
 * range's, or none, and zeros are what the model was warmed up with.
 */
import type { LoadedModel } from './executor.ts'
import type { RunRequest } from './lane-session.ts'
import { type NativeTensor, tensorOf } from './onnxruntime.ts'
import { layOut, type Room, viewRows } from './slots.ts'
import type { Dtype } from './tensors.ts'

type Strings = RunRequest['strings']

/** One native call. */
export interface SessionCall {
  readonly feeds: Record<string, NativeTensor>
  /** null: the output has no room in shared memory, and onnxruntime makes a tensor for it. */
  readonly fetches: Record<string, NativeTensor | null>
  /** Rows that the model sees; those behind the first `rows` are padding. */
  readonly size: number
  readonly rows: number
  /** Copied before the call, with zeros behind up to the end of `into`, and after it. */
  readonly before: readonly Copy[]
  readonly after: readonly Copy[]
}

export interface Copy {
  readonly from: Uint8Array
  readonly into: Uint8Array
}

/** Where the tensors of a batch lie: a slot's memory, or that of a padded call. */
export interface Place {
  readonly input: ArrayBufferLike
  readonly inputRooms: readonly Room[]
  readonly output: ArrayBufferLike
  readonly outputRooms: readonly Room[]
}

type Memory = Pick<Place, 'input' | 'output'>
type RowShapes = readonly (readonly number[])[]

/** The calls that run these rows of a slot. `padding` is asked for the place of a call that is not full. */
export function callsOf(
  loaded: LoadedModel,
  memory: Memory,
  request: RunRequest,
  padding: (rowShapes: RowShapes) => Place,
): SessionCall[] {
  const { prepared, rowShapes, from, rows, strings } = request
  const slot = placeOf(loaded, rowShapes, prepared, memory)
  const size = loaded.fixedRows ?? rows
  const calls: SessionCall[] = []
  for (let at = 0; at < rows; at += size) {
    const count = Math.min(size, rows - at)
    const own = size === rows ? strings : cutStrings(strings, slot, at, count, size)
    if (count === size) {
      calls.push({ ...bind(loaded, slot, from + at, at, size, rowShapes, own), rows: count, before: [], after: [] })
    } else {
      const pad = padding(rowShapes)
      const before = copies(loaded.inputs, [slot.input, slot.inputRooms, from + at], [pad.input, pad.inputRooms, 0], {
        count,
        room: size,
      })
      const after = copies(loaded.outputs, [pad.output, pad.outputRooms, 0], [slot.output, slot.outputRooms, at], {
        count,
        room: count,
      })
      calls.push({ ...bind(loaded, pad, 0, 0, size, rowShapes, own), rows: count, before, after })
    }
  }
  return calls
}

/** The place of padded calls with these row shapes. */
export function paddingPlace(loaded: LoadedModel, rowShapes: RowShapes, size: number): Place {
  const { inputs, outputs } = loaded
  const outputShapes = outputs.map(({ shape }) => shape)
  const input = new ArrayBuffer(layOut(inputs, rowShapes, size).bytes)
  const output = new ArrayBuffer(layOut(outputs, outputShapes, size).bytes)
  return placeOf(loaded, rowShapes, size, { input, output })
}

/** A call of zeros (and empty strings), open dimensions as 1; its outputs get no room, so that they show their own shape. */
export function zeroCall(loaded: LoadedModel, size: number): SessionCall {
  const rowShapes = loaded.inputs.map(({ shape }) => shape.map(length => length ?? 1))
  const place = paddingPlace(loaded, rowShapes, size)
  const strings = loaded.inputs.map(({ dtype }, index) =>
    dtype === 'string' ? Array<string>(size * place.inputRooms[index]!.rowElements).fill('') : null,
  )
  const { feeds } = bind(loaded, place, 0, 0, size, rowShapes, strings)
  const fetches = Object.fromEntries(loaded.outputs.map(({ name }) => [name, null]))
  return { feeds, fetches, size, rows: size, before: [], after: [] }
}

function placeOf({ inputs, outputs }: LoadedModel, rowShapes: RowShapes, rows: number, memory: Memory): Place {
  const outputShapes = outputs.map(({ shape }) => shape)
  return {
    input: memory.input,
    inputRooms: layOut(inputs, rowShapes, rows).rooms,
    output: memory.output,
    outputRooms: layOut(outputs, outputShapes, rows).rooms,
  }
}

function bind(
  { inputs, outputs }: LoadedModel,
  place: Place,
  inputRow: number,
  outputRow: number,
  size: number,
  rowShapes: RowShapes,
  strings: Strings,
): Pick<SessionCall, 'feeds' | 'fetches' | 'size'> {
  const feeds: Record<string, NativeTensor> = {}
  for (const [index, { name, dtype }] of inputs.entries()) {
    const data = strings?.[index] ?? viewRows(place.input, dtype, place.inputRooms[index]!, inputRow, size)
    feeds[name] = tensorOf(dtype, data, [size, ...rowShapes[index]!])
  }
  const fetches: Record<string, NativeTensor | null> = {}
  for (const [index, { name, dtype, shape }] of outputs.entries()) {
    const room = place.outputRooms[index]!
    fetches[name] =
      room.offset < 0
        ? null
        : tensorOf(dtype, viewRows(place.output, dtype, room, outputRow, size), [size, ...(shape as number[])])
  }
  return { feeds, fetches, size }
}

type RowsAt = readonly [buffer: ArrayBufferLike, rooms: readonly Room[], row: number]

function copies(
  tensors: readonly { readonly dtype: Dtype }[],
  [fromBuffer, fromRooms, fromRow]: RowsAt,
  [intoBuffer, intoRooms, intoRow]: RowsAt,
  { count, room }: { readonly count: number; readonly room: number },
): Copy[] {
  return tensors.flatMap(({ dtype }, index) => {
    if (fromRooms[index]!.offset < 0) return []
    const from = bytesOf(fromBuffer, dtype, fromRooms[index]!, fromRow, count)
    return [{ from, into: bytesOf(intoBuffer, dtype, intoRooms[index]!, intoRow, room) }]
  })
}

function bytesOf(buffer: ArrayBufferLike, dtype: Dtype, room: Room, from: number, rows: number): Uint8Array {
  const { byteOffset, byteLength } = viewRows(buffer, dtype, room, from, rows)
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function cutStrings(strings: Strings, { inputRooms }: Place, at: number, count: number, size: number): Strings {
  return strings?.map((all, index) => {
    if (!all) return null
    const { rowElements } = inputRooms[index]!
    const cut = all.slice(at * rowElements, (at + count) * rowElements)
    return count === size ? cut : [...cut, ...Array<string>((size - count) * rowElements).fill('')]
  })
}
