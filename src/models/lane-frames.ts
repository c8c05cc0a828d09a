/**
 * A lane's messages as frames, for a host in another process. Only the rows that a call is about travel: the inputs' rows, one
 * tensor behind the other, and so the outputs' rows on the way back. Strings travel in the head;
 * what users' handlers take and give is in the body, packed.
 */
import { RunInferenceError } from '../errors.ts'
import type { LoadedModel } from './executor.ts'
import type { CarriedOutput, FromLane, RanReply, RunMessage, ToLane } from './lane-messages.ts'
import { layOut, type Regions, SlotMemory, viewRows } from './slots.ts'
import { ARRAYS, elementsOf, isNumeric } from './tensors.ts'

/** A frame before it is written. */
export interface Frame {
  readonly head: object
  readonly body: readonly Uint8Array[]
}

/** What a reply to a run is about: the request, where its rows lie, and its model. */
export interface RunContext {
  readonly run: Pick<RunMessage, 'prepared' | 'rows'>
  readonly regions: Regions
  readonly model: LoadedModel
}

/** A run as it travels: as if the slot had been prepared for exactly these rows. */
interface RunHead extends Omit<RunMessage, 'regions' | 'prepared' | 'from' | 'examples'> {
  /** Of packed examples, which are the whole body then. */
  readonly exampleBytes: number | undefined
  /** Sizes of the two regions there, and where in the first one each part of the body goes. */
  readonly memory: readonly [inputBytes: number, outputBytes: number]
  readonly ranges: readonly (readonly [offset: number, bytes: number])[]
}
type RequestHead = RunHead | Exclude<ToLane, RunMessage>

/** An output in the head of a reply: null when its shape is known, its rows then are in the body. */
type OutputHead = { readonly rowShape: readonly number[]; readonly strings: readonly string[] | null } | null
interface RanHead extends Omit<RanReply, 'outputs' | 'results'> {
  /** Of packed results, which are the whole body then. */
  readonly resultBytes: number | undefined
  readonly outputs: readonly OutputHead[]
}
type ReplyHead = RanHead | Exclude<FromLane, RanReply>

/** A request; for a run, with its model. */
export function requestFrame(message: ToLane, model: LoadedModel | undefined): Frame {
  if (message.type !== 'run') return { head: message, body: [] }
  const { regions, prepared, from, examples, ...rest } = message
  if (!model || !regions) throw new RunInferenceError('BUG', `a run of model ${message.model}, which is not loaded`)
  const { inputs, outputs } = model
  const { rows, rowShapes } = message
  const { rooms } = layOut(inputs, rowShapes, prepared)
  const there = layOut(inputs, rowShapes, rows)
  const body: Uint8Array[] = []
  const ranges: (readonly [number, number])[] = []
  for (const [index, { dtype }] of inputs.entries()) {
    if (!isNumeric(dtype)) continue
    const bytes = bytesOf(viewRows(regions.input, dtype, rooms[index]!, from, rows))
    body.push(bytes)
    ranges.push([there.rooms[index]!.offset, bytes.length])
  }
  const memory = [there.bytes, layOut(outputs, shapesOf(outputs), rows).bytes] as const
  if (examples) body.push(examples)
  return { head: { ...rest, memory, ranges, exampleBytes: examples?.length } satisfies RunHead, body }
}

/** Takes requests apart on the other side: into messages, their rows in memory of its own. */
export class RequestReader {
  readonly #memories: SlotMemory[] = []
  #message: ToLane | undefined

  /** Where the body goes. */
  body(head: RequestHead): Uint8Array[] {
    if (head.type !== 'run') {
      this.#message = head
      return []
    }
    const { memory: sizes, ranges, exampleBytes, ...rest } = head
    this.#memories[head.slot] ??= new SlotMemory()
    const memory = this.#memories[head.slot]!
    memory.ensure(...sizes)
    const { regions } = memory
    const examples = exampleBytes === undefined ? undefined : new Uint8Array(exampleBytes)
    this.#message = { ...rest, regions, prepared: head.rows, from: 0, examples }
    if (examples) return [examples]
    return ranges.map(([offset, bytes]) => new Uint8Array(regions.input, offset, bytes))
  }

  /** The request whose body has come. */
  get message(): ToLane {
    return this.#message!
  }
}

/** A reply; for that to a run, with what it is about. */
export function replyFrame(reply: FromLane, context: () => RunContext): Frame {
  if (reply.type !== 'ran') return { head: reply, body: [] }
  const { run, regions, model } = context()
  const { rooms } = layOut(model.outputs, shapesOf(model.outputs), run.prepared)
  const { results, ...rest } = reply
  const body: Uint8Array[] = results ? [results] : []
  const outputs = reply.outputs.map((carried, index): OutputHead => {
    if (!carried) {
      body.push(bytesOf(viewRows(regions.output, model.outputs[index]!.dtype, rooms[index]!, 0, run.rows)))
      return null
    }
    const { data, rowShape } = carried
    if (!ArrayBuffer.isView(data)) return { rowShape, strings: data as readonly string[] }
    body.push(bytesOf(data))
    return { rowShape, strings: null }
  })
  return { head: { ...rest, outputs, resultBytes: results?.length } satisfies RanHead, body }
}

/** Takes replies apart where they were asked for: their rows go to the slot. */
export class ReplyReader {
  readonly #contextOf: (call: number) => RunContext
  #reply: FromLane | undefined

  constructor(contextOf: (call: number) => RunContext) {
    this.#contextOf = contextOf
  }

  /** Where the body goes. */
  body(head: ReplyHead): Uint8Array[] {
    if (head.type !== 'ran') {
      this.#reply = head
      return []
    }
    const { run, regions, model } = this.#contextOf(head.call)
    const { rooms } = layOut(model.outputs, shapesOf(model.outputs), run.prepared)
    const body: Uint8Array[] = []
    const outputs = head.outputs.map((output, index): CarriedOutput | null => {
      const { dtype } = model.outputs[index]!
      if (output?.strings) return { data: output.strings, rowShape: output.rowShape }
      const data =
        output && isNumeric(dtype)
          ? new ARRAYS[dtype](run.rows * elementsOf(output.rowShape)!)
          : viewRows(regions.output, dtype, rooms[index]!, 0, run.rows)
      body.push(bytesOf(data))
      return output && { data, rowShape: output.rowShape }
    })
    const { resultBytes, ...rest } = head
    const results = resultBytes === undefined ? undefined : new Uint8Array(resultBytes)
    this.#reply = { ...rest, outputs, ...(results && { results }) }
    return results ? [results] : body
  }

  /** The reply whose body has come. */
  get reply(): FromLane {
    return this.#reply!
  }
}

function shapesOf(tensors: LoadedModel['outputs']): readonly (readonly (number | null)[])[] {
  return tensors.map(({ shape }) => shape)
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
