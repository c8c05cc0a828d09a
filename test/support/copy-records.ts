import type { KafkaPort } from '../../src/kafka/port.ts'
import { batchOf, recordsOf } from '../contract/port-harness.ts'

export interface CopyNames {
  readonly source: string
  /** Of two partitions. */
  readonly target: string
  readonly group: string
  readonly transactionalId: string
}

const RECORDS_PER_TRANSACTION = 5

/** Copies partition 0 of a topic from where its group has committed to its end. Each step is told before it is done. */
export async function copyRecords(
  port: KafkaPort,
  { source, target, group, transactionalId }: CopyNames,
  onStep: (step: 'send' | 'sendOffsets' | 'commit' | 'ending', transaction: number) => Promise<void>,
): Promise<void> {
  const writer = port.transactionalWriter({ transactionalId, timeoutMs: 10_000 })
  await writer.fence()
  let next = Math.max(0, (await port.admin.committed(group, source))[0]!)
  const end = (await port.admin.offsets(source))[0]!.end
  for (let transaction = 1; next < end; transaction++) {
    const to = Math.min(end, next + RECORDS_PER_TRANSACTION)
    const values: string[] = []
    for await (const block of port.scan([{ topic: source, partition: 0, from: next, to }])) {
      for (const { value } of recordsOf(block)) values.push(String(value))
    }
    const batch = (partition: number) => {
      const records = values.map(value => ({ value }))
      return batchOf(target, partition, records, Date.now())
    }
    await onStep('send', transaction)
    await writer.send([batch(0), batch(1)])
    await onStep('sendOffsets', transaction)
    await writer.sendOffsets(group, [{ topic: source, partition: 0, offset: to }])
    await onStep('commit', transaction)
    const committed = writer.commit()
    await onStep('ending', transaction)
    await committed
    next = to
  }
  await writer.close()
}
