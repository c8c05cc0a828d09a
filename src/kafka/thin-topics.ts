import type { TopicDescription } from './port.ts'

/**
 * Topics that have replicas and do without them: with `min.insync.replicas` 1, the leader alone may acknowledge a record, and when its
 * broker is then gone for good, so is the record. Exactly-once cannot mend that: the offset behind it is kept elsewhere.
 */
export function thinTopics(topics: readonly TopicDescription[]): readonly string[] {
  return topics
    .filter(({ replicationFactor, configs }) => {
      return replicationFactor > 1 && Number(configs['min.insync.replicas'] ?? 1) < 2
    })
    .map(({ name }) => name)
}
