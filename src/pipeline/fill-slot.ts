import type { BatchSlot } from '../models/executor.ts'
import type { TensorData } from '../models/tensors.ts'
import type { Batch } from './row-run.ts'

/** Copies the rows of a batch into a slot, and gives its inputs. Throws DEVICE_MEMORY. */
export function fillInputs(slot: BatchSlot, { rows, rowShapes, segments, paddedLength }: Batch): readonly TensorData[] {
  const inputs = slot.prepare(rows, rowShapes)
  let at = 0
  for (const { run, from, to } of segments) {
    run.fill(from, to - from, inputs, at, paddedLength)
    at += to - from
  }
  return inputs
}

/** Bytes of so many of `all` rows of these inputs; undefined where there are strings, whose bytes would have to be counted one by one. */
export function bytesOfRows(inputs: readonly TensorData[], all: number, rows: number): number | undefined {
  let bytes = 0
  for (const input of inputs) {
    if (!ArrayBuffer.isView(input)) return undefined
    bytes += input.byteLength
  }
  return (bytes / all) * rows
}
