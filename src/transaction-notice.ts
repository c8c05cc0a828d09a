import type { TopicDescription } from './kafka/port.ts'
import { thinTopics } from './kafka/thin-topics.ts'
import type { Logger } from './ops/logger.ts'
import { transactionalId } from './pipeline/transactional-writers.ts'

/** What an operator should know of an application that is to be exactly once: its ids, and topics that may lose what is in them. */
export function tellOfTransactions(applicationId: string, topics: readonly TopicDescription[], logger: Logger): void {
  const transactionalIds = transactionalId(applicationId, { topic: '<topic>', partition: '<partition>' })
  logger.info({ transactionalIds }, 'exactly once: outputs, dead letters and offsets are committed in transactions')
  const thin = thinTopics(topics)
  if (thin.length === 0) return
  const remedy = 'set it to 2, or what one broker has acknowledged alone is lost with that broker'
  logger.warn({ topics: thin }, `min.insync.replicas of these topics is 1, though they have replicas: ${remedy}`)
}
