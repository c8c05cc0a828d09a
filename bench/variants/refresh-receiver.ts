/** Reads results of models that change, and holds each against what the model that it names gives for its digit. */
import { writeFileSync } from 'node:fs'
import type { RecordBlock } from '../../src/kafka/record-block.ts'
import { receiveOrder, reportResult, untilStopped } from './child.ts'
import { machineNow } from './pace.ts'
import { readOutputs } from './read-outputs.ts'

export interface RefreshReceiverOrder {
  readonly brokers: readonly string[]
  readonly topic: string
  /** How many will be sent; when the parent says stop, what is there by then is all. */
  readonly records: number
  readonly deadlineSeconds: number
  /** How far a probability may be from the expected one. */
  readonly tolerance: number
  /** By model id: probabilities of every digit, one behind the other. */
  readonly expected: Readonly<Record<string, readonly number[]>>
  /** For each record by its number: when it was meant to be sent, and how long it took; float64. */
  readonly notesFile: string
}

export interface RefreshReceived {
  readonly records: number
  readonly duplicates: number
  /** Results that the model that they name does not give. */
  readonly mislabelled: number
  readonly byModel: Readonly<Record<string, number>>
}

const CLASSES = 10

const order = await receiveOrder<RefreshReceiverOrder>()
const notes = new Float64Array(2 * order.records).fill(Number.NaN)
const byModel: Record<string, number> = {}
let received = 0
let duplicates = 0
let mislabelled = 0

function note(block: RecordBlock): boolean {
  const now = machineNow()
  for (let i = 0; i < block.count; i++) {
    const start = block.keyStart(i)
    const intended = block.bytes.readDoubleBE(start)
    const number = block.bytes.readDoubleBE(start + 8)
    if (!Number.isNaN(notes[2 * number])) {
      duplicates++
      continue
    }
    notes[2 * number] = intended
    notes[2 * number + 1] = now - intended
    check(block.value(i)!.toString(), number)
    received++
  }
  return received >= order.records
}

function check(result: string, number: number): void {
  const [modelId, probabilities] = result.split(' ') as [string, string]
  byModel[modelId] = (byModel[modelId] ?? 0) + 1
  const expected = order.expected[modelId]
  const got = probabilities.split(',').map(Number)
  const digit = expected === undefined ? 0 : number % (expected.length / CLASSES)
  const isRight = got.every(
    (value, i) => Math.abs(value - (expected?.[digit * CLASSES + i] ?? Number.NaN)) <= order.tolerance,
  )
  if (got.length !== CLASSES || !isRight) mislabelled++
}

await readOutputs({ ...order, deadlineMs: order.deadlineSeconds * 1000 }, note, untilStopped())
writeFileSync(order.notesFile, new Uint8Array(notes.buffer))
reportResult({ records: received, duplicates, mislabelled, byModel } satisfies RefreshReceived)
