import type { Caller } from './channel.ts'
import type { CoordinatorType } from './cluster.ts'
import type { OffsetFetchAnswer, OffsetFetchArgs } from './offset-fetch.ts'
import { partitionKey } from './partition-key.ts'
import { assertAnswer } from './protocol-errors.ts'

/**
 * What a group has committed, by `partitionKey`; −1 where there is nothing. With `requireStable` it rejects BROKER_UNAVAILABLE
 * while an offset that was asked for waits for the end of a transaction; else the one of before is told.
 */
export async function fetchCommitted(
  cluster: { coordinator(type: CoordinatorType, key: string, purpose: string): Promise<Caller> },
  purpose: string,
  groupId: string,
  partitions: ReadonlyMap<string, readonly number[]>,
  { requireStable = false }: { readonly requireStable?: boolean } = {},
): Promise<Map<string, number>> {
  const topics = [...partitions].map(([topic, numbers]) => ({
    topic,
    partitions: numbers.map(partition => ({ partition })),
  }))
  const coordinator = await cluster.coordinator('group', groupId, purpose)
  const args: OffsetFetchArgs = { groupId, topics, requireStable }
  const answer = await coordinator.call<OffsetFetchAnswer>('OffsetFetch', args)
  const what = `Reading the committed offsets of group '${groupId}'`
  assertAnswer(answer.errorCode, what, `Read on group '${groupId}'`)
  const offsets = new Map<string, number>()
  for (const { topic, partitions: list } of answer.responses) {
    for (const { partition, errorCode, offset } of list) {
      assertAnswer(errorCode, `${what} for ${topic}/${partition}`, `Describe on topic '${topic}' (Read brings it)`)
      offsets.set(partitionKey(topic, partition), Number(offset))
    }
  }
  return offsets
}
