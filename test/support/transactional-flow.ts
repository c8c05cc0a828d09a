/** One partition behind a transactional outbox, with rows that are done when the test says so. */
import type { PartitionFlow } from '../../src/pipeline/partition-flow.ts'
import type { TransactionalOutboxOptions } from '../../src/pipeline/transactional-outbox.ts'
import { createManualClock } from '../../src/testing/index.ts'
import { outboxInstance } from './outbox-instance.ts'
import { recordingTransactions } from './recording-transactions.ts'
import { blockOf, flowOf, putOutput, sourceRecord, workOf } from './work-blocks.ts'

export const IN = { topic: 'in', partition: 0 }

export async function transactionalFlow(
  change: Partial<TransactionalOutboxOptions> = {},
  brokers = recordingTransactions(),
) {
  const clock = createManualClock()
  const instance = outboxInstance(clock, brokers, change)
  await instance.assigned(IN)
  const flow = flowOf()
  return { clock, brokers, instance, flow, outbox: instance.outbox, ...over(brokers) }
}

function over(brokers: ReturnType<typeof recordingTransactions>) {
  return {
    written: (place = 'out/0') => (brokers.logs.get(place) ?? []).map(({ value }) => String(value)),
    committed: () => brokers.offsets.get('app in/0'),
    commits: () => brokers.calls.filter(call => call.startsWith('commit')).length,
  }
}

/** One more block of rows that are done, one output each. */
export function done(flow: PartitionFlow, offset: number, rows = 1): void {
  const work = pending(flow, offset, rows)
  for (let row = 0; row < rows; row++) finish(work, row)
}

export function pending(flow: PartitionFlow, offset: number, rows: number) {
  const records = Array.from({ length: rows }, (_, i) => sourceRecord(offset + i))
  flow.rows += rows
  return workOf(blockOf(records), flow, 2)
}

export function finish(work: ReturnType<typeof pending>, row: number): void {
  putOutput(work, 0, row, Buffer.from(`output ${work.block.offset(row)}`))
  work.complete(row)
}
