/** One batch in one place of a lane: the `BatchSlot` port over shared memory and messages. */
import { RunInferenceError } from '../errors.ts'
import type { BatchOutputs, BatchSlot, LoadedModel } from './executor.ts'
import type { LaneAnswer, LaneCall } from './lane-link.ts'
import type { RanReply, RunMessage } from './lane-messages.ts'
import { pack, unpack } from './packed-values.ts'
import { type Layout, layOut, type SlotMemory, viewRows } from './slots.ts'
import { elementsOf, isNumeric, type TensorData } from './tensors.ts'

export interface BatchParts {
  readonly model: number
  readonly loaded: LoadedModel
  readonly slot: number
  readonly memory: SlotMemory
  /** Rows that the memory is first sized for. */
  readonly firstRows: number
  readonly stamp: () => number
  readonly call: (message: LaneCall) => Promise<LaneAnswer>
  readonly onRelease: () => void
}

export class Batch implements BatchSlot {
  readonly #parts: BatchParts
  #prepared = 0
  #rowShapes: readonly (readonly number[])[] = []
  #data: readonly TensorData[] = []
  #outputs: Layout = { rooms: [], bytes: 0 }
  #running = false
  #hasRun = false
  #released = false

  constructor(parts: BatchParts) {
    this.#parts = parts
  }

  prepare(rows: number, rowShapes: readonly (readonly number[])[]): readonly TensorData[] {
    const { loaded, memory, firstRows } = this.#parts
    this.#mustBeIdle('prepare')
    if (!(Number.isSafeInteger(rows) && rows > 0) || rowShapes.length !== loaded.inputs.length) {
      throw bug(`prepare(${rows}) with ${rowShapes.length} row shapes for ${loaded.inputs.length} inputs`)
    }
    const outputShapes = loaded.outputs.map(({ shape }) => shape)
    const sized = Math.max(rows, firstRows)
    // Rows of an open shape may be few and long: room for the most rows, each as long, would be far too much.
    const inputRows = loaded.inputs.some(({ shape }) => shape.includes(null)) ? rows : sized
    const inputBytes = layOut(loaded.inputs, rowShapes, inputRows).bytes
    const outputBytes = layOut(loaded.outputs, outputShapes, sized).bytes
    try {
      memory.ensure(inputBytes, outputBytes)
    } catch (error) {
      throw noRoom(loaded.modelId, rows, inputBytes + outputBytes, error)
    }
    const { rooms } = layOut(loaded.inputs, rowShapes, rows)
    this.#outputs = layOut(loaded.outputs, outputShapes, rows)
    this.#prepared = rows
    this.#hasRun = false
    this.#rowShapes = rowShapes
    this.#data = loaded.inputs.map(({ dtype }, index) =>
      isNumeric(dtype) ? viewRows(memory.regions.input, dtype, rooms[index]!, 0, rows) : [],
    )
    return this.#data
  }

  async run(from: number, rows: number): Promise<BatchOutputs> {
    const { call, model, slot, memory, stamp } = this.#parts
    this.#mustBeIdle('run')
    if (!(from >= 0 && rows > 0 && from + rows <= this.#prepared)) {
      throw bug(`run(${from}, ${rows}) of a slot that was prepared for ${this.#prepared} rows`)
    }
    this.#running = true
    try {
      const reply = await call({
        type: 'run',
        model,
        slot,
        regions: memory.regions,
        prepared: this.#prepared,
        rowShapes: this.#rowShapes,
        from,
        rows,
        again: this.#hasRun,
        strings: this.#strings(from, rows),
        examples: this.#examples(from, rows),
        postedAt: stamp(),
      })
      if (reply.type !== 'ran') throw bug(`'${reply.type}' answers a run`)
      return this.#results(reply, rows)
    } finally {
      this.#running = false
      this.#hasRun = true
    }
  }

  release(): void {
    if (this.#released) return
    this.#mustBeIdle('release')
    this.#released = true
    this.#parts.onRelease()
  }

  #results({ outputs, results, ...reply }: RanReply, rows: number): BatchOutputs {
    const { loaded, memory } = this.#parts
    const { computeMs, queueMs, numBytes } = reply
    return {
      modelId: loaded.modelId,
      rows,
      outputs: results
        ? [{ data: unpack(results), rowShape: [] }]
        : outputs.map((carried, index) => {
            if (carried) return carried
            const { dtype, shape } = loaded.outputs[index]!
            const data = viewRows(memory.regions.output, dtype, this.#outputs.rooms[index]!, 0, rows)
            return { data, rowShape: shape as readonly number[] }
          }),
      computeMs,
      queueMs,
      ...(numBytes === undefined ? {} : { numBytes }),
    }
  }

  // Strings have no place in shared memory; their rows are copied with the message.
  #strings(from: number, rows: number): RunMessage['strings'] {
    const { inputs } = this.#parts.loaded
    if (inputs.every(({ dtype }) => dtype !== 'string')) return undefined
    return inputs.map(({ name, dtype }, index) => {
      if (dtype !== 'string') return null
      const all = this.#data[index] as readonly string[]
      const perRow = elementsOf(this.#rowShapes[index]!)!
      if (all.length !== perRow * this.#prepared) {
        throw bug(`input '${name}' holds ${all.length} strings, expected ${perRow * this.#prepared}`)
      }
      return all.slice(from * perRow, (from + rows) * perRow)
    })
  }

  // Examples of a handler that a user wrote; a run of those that cannot be copied rejects, and the slot stays as it was.
  #examples(from: number, rows: number): RunMessage['examples'] {
    const { inputs, modelId } = this.#parts.loaded
    if (inputs[0]?.dtype !== 'value') return undefined
    const all = this.#data[0] as readonly unknown[]
    if (all.length !== this.#prepared) throw bug(`the slot holds ${all.length} examples, expected ${this.#prepared}`)
    return pack(all.slice(from, from + rows), 'example', modelId)
  }

  #mustBeIdle(what: string): void {
    if (this.#released) throw bug(`${what} of a released slot`)
    if (this.#running) throw bug(`${what} of a slot that is running; one call per slot at a time`)
  }
}

function noRoom(modelId: string, rows: number, bytes: number, cause: unknown): RunInferenceError {
  const why = cause instanceof Error ? cause.message : String(cause)
  const what = `${modelId}: no memory for a batch of ${rows} rows, which needs ${bytes} bytes: ${why}`
  return new RunInferenceError('DEVICE_MEMORY', what, { cause })
}

function bug(message: string): RunInferenceError {
  return new RunInferenceError('BUG', message)
}
