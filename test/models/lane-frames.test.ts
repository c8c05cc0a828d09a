import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { LoadedModel, LoadedTensor } from '../../src/models/executor.ts'
import { type Frame, ReplyReader, RequestReader, replyFrame, requestFrame } from '../../src/models/lane-frames.ts'
import type { FromLane, RanReply, RunMessage } from '../../src/models/lane-messages.ts'
import { FrameReader, frameStart } from '../../src/models/pipe-frames.ts'
import { layOut, SlotMemory, viewRows } from '../../src/models/slots.ts'
import { type Dtype, elementsOf } from '../../src/models/tensors.ts'

const dtype = fc.constantFrom<Dtype>('float16', 'float32', 'float64', 'uint8', 'int32', 'int64', 'string')
const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 2 })
const tensors = fc.array(fc.record({ dtype, shape }), { minLength: 1, maxLength: 4 })
const range = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.nat(8), fc.nat(8))
  .map(([prepared, a, b]) => ({ prepared, from: a % prepared, rows: 1 + (b % (prepared - (a % prepared))) }))

type Plan = { readonly dtype: Dtype; readonly shape: readonly number[] }

function modelOf(
  inputs: readonly Plan[],
  outputs: readonly LoadedTensor['shape'][],
  dtypes: readonly Dtype[],
): LoadedModel {
  const named = (each: Pick<LoadedTensor, 'dtype' | 'shape'>, i: number): LoadedTensor => ({
    ...{ declared: `t${i}`, name: `t${i}` },
    ...each,
  })
  return {
    inputs: inputs.map(named),
    outputs: outputs.map((each, i) => named({ dtype: dtypes[i]!, shape: each }, i)),
  } as Partial<LoadedModel> as LoadedModel
}

/** Over the pipe, in two portions. */
function travel(frame: Frame, body: (head: never) => Uint8Array[]): void {
  const length = frame.body.reduce((sum, part) => sum + part.length, 0)
  const bytes = Buffer.concat([frameStart(frame.head, length), ...frame.body])
  let isComplete = false
  const reader = new FrameReader({
    body: head => body(head as never),
    complete() {
      isComplete = true
    },
  })
  reader.push(bytes.subarray(0, bytes.length >> 1))
  reader.push(bytes.subarray(bytes.length >> 1))
  assert.ok(isComplete)
}

describe('a lane’s messages as frames', () => {
  test('a run brings exactly its rows of every input, at the places where the other side looks for them', () => {
    const requests = new RequestReader()
    fc.assert(
      fc.property(tensors, range, fc.infiniteStream(fc.nat(255)), (inputs, { prepared, from, rows }, noise) => {
        const model = modelOf(inputs, [[3]], ['float32'])
        const shapes = inputs.map(input => input.shape)
        const memory = new SlotMemory()
        const { rooms, bytes } = layOut(model.inputs, shapes, prepared)
        memory.ensure(bytes, 0)
        const filled = new Uint8Array(memory.regions.input)
        for (let i = 0; i < filled.length; i++) filled[i] = noise.next().value!
        const strings = inputs.map(input =>
          input.dtype === 'string'
            ? Array.from({ length: rows * elementsOf(input.shape)! }, (_, i) => `\ud800 ${i} 漢"`)
            : null,
        )
        const message: RunMessage = {
          ...{ type: 'run', call: 7, model: 1, slot: 2, regions: memory.regions, prepared, rowShapes: shapes },
          ...{ from, rows, again: true, strings, examples: undefined, postedAt: 1.5 },
        }
        travel(requestFrame(message, model), head => requests.body(head))
        const there = requests.message as RunMessage
        assert.deepEqual({ ...there, regions: 0 }, { ...message, regions: 0, prepared: rows, from: 0 })
        const layout = layOut(model.inputs, shapes, rows)
        for (const [i, input] of inputs.entries()) {
          if (input.dtype === 'string') continue
          const sent = viewRows(memory.regions.input, input.dtype, rooms[i]!, from, rows)
          assert.deepEqual(
            bytesOf(viewRows(there.regions!.input, input.dtype, layout.rooms[i]!, 0, rows)),
            bytesOf(sent),
          )
        }
        assert.ok(there.regions!.output.byteLength >= layOut(model.outputs, [[3]], rows).bytes)
      }),
    )
  })

  test('a reply brings the rows of every output, known shapes to the slot, open ones and strings beside it', () => {
    const known = fc.array(fc.record({ dtype, shape, isOpen: fc.boolean() }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(known, range, (outputs, { prepared, rows }) => {
        const shapes = outputs.map(({ shape: row, isOpen }) => (isOpen ? [...row, null] : row))
        const model = modelOf(
          [],
          shapes,
          outputs.map(output => output.dtype),
        )
        const sides = [new SlotMemory(), new SlotMemory()] as const
        // The child's slot was prepared for these rows alone.
        sides[0].ensure(0, layOut(model.outputs, shapes, rows).bytes)
        sides[1].ensure(0, layOut(model.outputs, shapes, prepared).bytes)
        new Uint8Array(sides[0].regions.output).forEach((_, i, all) => {
          all[i] = i % 251
        })
        const reply: RanReply = {
          ...{ type: 'ran', call: 7, computeMs: 1.25, queueMs: 0 },
          outputs: outputs.map(({ dtype: type, shape: row, isOpen }) => {
            const rowShape = isOpen ? [...row, 2] : row
            const count = rows * elementsOf(rowShape)!
            if (type === 'string') return { data: Array.from({ length: count }, (_, i) => `s${i}`), rowShape }
            if (!isOpen) return null
            const data = viewRows(new ArrayBuffer(count * 8), type, { offset: 0, rowElements: count }, 0, 1)
            new Uint8Array(data.buffer).fill(42)
            return { data, rowShape }
          }),
        }
        const here = { run: { prepared, rows }, regions: sides[1].regions, model }
        const replies = new ReplyReader(() => here)
        const there = { run: { prepared: rows, rows }, regions: sides[0].regions, model }
        travel(
          replyFrame(reply, () => there),
          head => replies.body(head),
        )
        assert.deepEqual(replies.reply, reply)
        const [theirs, ours] = [rows, prepared].map(each => layOut(model.outputs, shapes, each).rooms)
        for (const [i, output] of reply.outputs.entries()) {
          if (output) continue
          const type = outputs[i]!.dtype
          assert.deepEqual(
            bytesOf(viewRows(sides[1].regions.output, type, ours![i]!, 0, rows)),
            bytesOf(viewRows(sides[0].regions.output, type, theirs![i]!, 0, rows)),
          )
        }
      }),
    )
  })

  test('what users’ handlers take and give travels packed, as the body', () => {
    const value: LoadedTensor = { declared: '', name: '', dtype: 'value', shape: [] }
    const model = { inputs: [value], outputs: [value] } as Partial<LoadedModel> as LoadedModel
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.uint8Array({ minLength: 1 }), (examples, results) => {
        const { regions } = new SlotMemory()
        const message: RunMessage = {
          ...{ type: 'run', call: 7, model: 1, slot: 0, regions, prepared: 3, rowShapes: [[]], from: 1, rows: 2 },
          ...{ again: false, strings: undefined, examples, postedAt: 0 },
        }
        const requests = new RequestReader()
        travel(requestFrame(message, model), head => requests.body(head))
        assert.deepEqual({ strings: undefined, ...requests.message, regions }, { ...message, prepared: 2, from: 0 })
        const reply: RanReply = {
          ...{ type: 'ran', call: 7, outputs: [], results, numBytes: 3, computeMs: 1, queueMs: 0 },
        }
        const context = () => ({ run: { prepared: 2, rows: 2 }, regions, model })
        const replies = new ReplyReader(context)
        travel(replyFrame(reply, context), head => replies.body(head))
        assert.deepEqual(replies.reply, reply)
      }),
    )
  })

  test('everything else travels as it is', () => {
    const failed: FromLane = {
      type: 'failed',
      call: 3,
      error: { code: 'BUG', message: 'why', stack: 'where', errorTypes: [] },
    }
    const replies = new ReplyReader(() => assert.fail('it is no run'))
    travel(
      replyFrame(failed, () => assert.fail('it is no run')),
      head => replies.body(head),
    )
    assert.deepEqual(replies.reply, failed)
    const requests = new RequestReader()
    travel(requestFrame({ type: 'control', call: 4, model: 2 }, undefined), head => requests.body(head))
    assert.deepEqual(requests.message, { type: 'control', call: 4, model: 2 })
  })
})

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(new Uint8Array(buffer, byteOffset, byteLength))
}
