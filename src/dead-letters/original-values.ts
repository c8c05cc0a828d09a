import { createHash } from 'node:crypto'
import { RunInferenceError } from '../errors.ts'
import type { KafkaPort } from '../kafka/port.ts'
import type { DeadLetter } from './dead-letter.ts'
import { scanWhole } from './whole-scan.ts'

/** The value, or why it is not to be had. */
export type OriginalValue = { readonly value: Buffer | null } | { readonly why: string }

/** What says that a record is not there, or cannot be read by anybody: all else is in the way of it, and may be mended. */
const GONE: readonly string[] = ['TOPIC_MISSING', 'OFFSET_OUT_OF_RANGE', 'RECORDS_UNREADABLE']

/** Values that were too large for a dead letter, read where the record was first read, and checked. */
export class OriginalValues {
  readonly #port: Pick<KafkaPort, 'admin' | 'scan'>
  readonly #signal: AbortSignal

  constructor(port: Pick<KafkaPort, 'admin' | 'scan'>, signal: AbortSignal) {
    this.#port = port
    this.#signal = signal
  }

  /** Rejects in an outage, AUTHORISATION, and CLOSED when the signal has come: what was not read is not gone. */
  async of({ original: { topic, partition, offset }, leftOut }: DeadLetter): Promise<OriginalValue> {
    if (topic === null || partition === null || offset === null || partition < 0 || offset < 0)
      return { why: 'its value was left out, and it does not say where it was first read' }
    const place = `${topic}/${partition}/${offset}`
    try {
      const offsets = (await this.#port.admin.offsets(topic))[partition]
      if (offsets === undefined || offset < offsets.start || offset >= offsets.end)
        return { why: `its value was left out, and ${place} is not there any more` }
      const range = { topic, partition, from: offset, to: offset + 1 }
      for await (const block of scanWhole(this.#port, [range], this.#signal))
        for (let row = 0; row < block.count; row++)
          if (block.offset(row) === offset) return checked(block.value(row), leftOut, place)
    } catch (error) {
      if (!(error instanceof RunInferenceError && GONE.includes(error.code))) throw error
      return { why: `its value was left out, and ${place} cannot be read: ${error.message}` }
    }
    return { why: `its value was left out, and ${place} has no record any more` }
  }
}

function checked(value: Buffer | null, leftOut: DeadLetter['leftOut'], place: string): OriginalValue {
  const digest = createHash('sha256')
    .update(value ?? Buffer.alloc(0))
    .digest('hex')
  if (digest === leftOut?.sha256) return { value: value === null ? null : Buffer.from(value) }
  return { why: `its value was left out, and what is at ${place} now is another one` }
}
