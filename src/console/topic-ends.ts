import { RunInferenceError } from '../errors.ts'
import { deadLetterTopics } from '../kafka/topic-names.ts'
import type { ConsoleParts } from './console-parts.ts'

export type PartitionEnds = readonly { readonly start: number; readonly end: number }[]

export interface TopicEnds {
  readonly ends: ReadonlyMap<string, PartitionEnds>
  /** Topics that do not exist, with the words of the error. */
  readonly missing: Readonly<Record<string, string>>
}

/** Log starts and ends of these topics, as far as they exist. Rejects with what is wrong with the cluster. */
export async function topicEnds({ port }: Pick<ConsoleParts, 'port'>, topics: readonly string[]): Promise<TopicEnds> {
  const missing: Record<string, string> = {}
  const found = await Promise.all(
    topics.map(async topic => {
      try {
        return [[topic, (await port.admin.offsets(topic)) as PartitionEnds] as const]
      } catch (error) {
        if (!(error instanceof RunInferenceError) || error.code !== 'TOPIC_MISSING') throw error
        missing[topic] = error.message
        return []
      }
    }),
  )
  return { ends: new Map(found.flat()), missing }
}

export function letterTopics({ topology }: Pick<ConsoleParts, 'topology'>): readonly string[] {
  const steps = topology.steps.map(({ step }) => step)
  return deadLetterTopics(topology.name, steps)
}

/** How many records topics have. */
export function recordCounts(
  { ends }: TopicEnds,
  topics: readonly string[],
): readonly { readonly topic: string; readonly records: number }[] {
  return topics.flatMap(topic => {
    const partitions = ends.get(topic)
    if (partitions === undefined) return []
    return [{ topic, records: partitions.reduce((sum, { start, end }) => sum + end - start, 0) }]
  })
}
