import type { KafkaWriter, SendResult } from '../../src/kafka/port.ts'
import type { SealedBatch } from '../../src/kafka/record-batch-builder.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import { recordsOf, storedBatch, type TestRecord } from './record-batches.ts'

export interface RecordingWriter extends Pick<KafkaWriter, 'send'> {
  /** What is stored in a partition, `topic/partition`, in order. */
  readonly logs: ReadonlyMap<string, readonly TestRecord[]>
  /** Sends so far. */
  readonly sends: number
  /** While set, sends wait. */
  hold(): () => void
}

/**
 * A writer that keeps what it is given, in the order of the calls, and refuses whole batches as brokers do.
 * @param refusal why a batch is refused; undefined = it is stored
 * @param turns how many turns of the microtask queue a send takes
 */
export function recordingWriter(
  refusal: (topic: string, records: readonly TestRecord[], bytes: number) => string | undefined = () => undefined,
  turns: () => number = () => 0,
): RecordingWriter {
  const logs = new Map<string, TestRecord[]>()
  let sends = 0
  let gate: Promise<void> | undefined
  return {
    logs,
    get sends() {
      return sends
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      return () => {
        gate = undefined
        resolve()
      }
    },
    async send(batches) {
      sends++
      await gate
      for (let turn = turns(); turn > 0; turn--) await undefined
      return batches.map(store)
    },
  }

  function store(batch: SealedBatch): SendResult {
    const { topic, partition } = batch
    const records = recordsOf(
      readRecordBlock({ topic, partition, records: storedBatch(batch.bytes), startOffset: 0, endOffset: 0 }),
    )
    const reason = refusal(topic, records, batch.bytes.length)
    if (reason !== undefined) return { outcome: 'refused', reason }
    const log = logs.get(`${topic}/${partition}`) ?? []
    logs.set(`${topic}/${partition}`, log)
    log.push(...records)
    return { outcome: 'acknowledged', baseOffset: log.length - records.length }
  }
}
