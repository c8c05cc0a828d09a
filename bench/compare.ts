/**
 * Checks the outputs of a pipeline, row by row, against those of the hand-written loop: each has every row once, the
 * numbers are the same, and the pipeline's stand in source order under the keys of their sources.
 */
import type { KafkaPort } from '../src/kafka/port.ts'
import type { RecordBlock } from '../src/kafka/record-block.ts'
import { PLAIN_SHAPE } from './input.ts'
import { WrongOutput } from './setting.ts'

/** A model may round differently when a row travels in a batch of another size. */
const TOLERANCE = 1e-6

export interface Comparison {
  readonly rows: number
  /** Rows whose bytes are equal; the others are equal within the tolerance. */
  readonly sameBytes: number
}

/** Throws WrongOutput when a row is missing, is there twice, stands elsewhere, or has another key or other numbers. */
export async function compareOutputs(port: KafkaPort, pipeline: string, loop: string): Promise<Comparison> {
  let rows = 0
  let sameBytes = 0
  for (let partition = 0; partition < PLAIN_SHAPE.partitions; partition++) {
    const left = rowsOf(port, pipeline, partition)
    const right = rowsOf(port, loop, partition)
    for (;;) {
      const [a, b] = await Promise.all([left.next(), right.next()])
      if (a.done !== b.done)
        throw new WrongOutput(`partition ${partition}: ${pipeline} and ${loop} have different numbers of rows`)
      if (a.done || b.done) break
      const limit = Math.min(a.value.left, b.value.left)
      const taken = a.value.take(limit)
      requireKeys(taken, partition)
      sameBytes += compareRows(taken, b.value.take(limit), `${pipeline}/${partition}`)
      rows += limit
    }
  }
  return { rows, sameBytes }
}

interface Part {
  readonly block: RecordBlock
  readonly from: number
  readonly count: number
}

interface Rows {
  readonly left: number
  take(count: number): Part
}

/** The rows of a partition, as blocks of which as much may be taken as is wanted. */
async function* rowsOf(port: KafkaPort, topic: string, partition: number): AsyncGenerator<Rows, undefined> {
  for await (const block of port.scan([{ topic, partition, from: 'earliest', to: 'end' }])) {
    let from = 0
    while (from < block.count) {
      yield {
        left: block.count - from,
        take(count) {
          from += count
          return { block, from: from - count, count }
        },
      }
    }
  }
  return undefined
}

/** Record i of the input has key i and went to partition i mod 4 (input.ts): so has the output at the same offset. */
function requireKeys({ block, from, count }: Part, partition: number): void {
  for (let i = from; i < from + count; i++) {
    const expected = block.offset(i) * PLAIN_SHAPE.partitions + partition
    const start = block.keyStart(i)
    if (start >= 0 && block.bytes.readDoubleBE(start) === expected) continue
    throw new WrongOutput(`${block.topic}/${partition} offset ${block.offset(i)}: expected the key of row ${expected}`)
  }
}

function compareRows(a: Part, b: Part, where: string): number {
  let same = 0
  for (let i = 0; i < a.count; i++) {
    const [startA, endA] = [a.block.valueStart(a.from + i), a.block.valueEnd(a.from + i)]
    const [startB, endB] = [b.block.valueStart(b.from + i), b.block.valueEnd(b.from + i)]
    if (a.block.bytes.compare(b.block.bytes, startB, endB, startA, endA) === 0) same++
    else if (!close(a.block.bytes, startA, endA, b.block.bytes, startB, endB)) {
      throw new WrongOutput(
        `${where} offset ${a.block.offset(a.from + i)}: other numbers than the plain loop has there`,
      )
    }
  }
  return same
}

function close(a: Buffer, startA: number, endA: number, b: Buffer, startB: number, endB: number): boolean {
  if (endA - startA !== endB - startB) return false
  for (let at = 0; at < endA - startA; at += 4) {
    if (!(Math.abs(a.readFloatLE(startA + at) - b.readFloatLE(startB + at)) <= TOLERANCE)) return false
  }
  return true
}
