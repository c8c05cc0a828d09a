import type { Caller } from './channel.ts'
import type { CoordinatorType } from './cluster.ts'
import { partitionKey } from './partition-key.ts'
import { assertAnswer } from './protocol-errors.ts'

interface OffsetFetchAnswer {
  readonly errorCode: number
  readonly responses: readonly {
    readonly topic: string
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number; readonly offset: string }[]
  }[]
}

/** What a group has committed, by `partitionKey`; −1 where there is nothing. */
export async function fetchCommitted(
  cluster: { coordinator(type: CoordinatorType, key: string, purpose: string): Promise<Caller> },
  purpose: string,
  groupId: string,
  partitions: ReadonlyMap<string, readonly number[]>,
): Promise<Map<string, number>> {
  const topics = [...partitions].map(([topic, numbers]) => ({
    topic,
    partitions: numbers.map(partition => ({ partition })),
  }))
  const coordinator = await cluster.coordinator('group', groupId, purpose)
  const answer = await coordinator.call<OffsetFetchAnswer>('OffsetFetch', { groupId, topics })
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
