/** What coordinators answer of the partitions that they were asked about. */
import type { TopicPartition } from '../kafka/port.ts'
import { brokerError, errorName } from './protocol-errors.ts'
import { transactionEnd } from './transaction-verdict.ts'

export type PartitionAnswers = readonly {
  readonly topic: string
  readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[]
}[]

/** The protocol's name of the worst that is said of these partitions. One without an answer counts as UNKNOWN. */
export function worstAnswer(asked: readonly TopicPartition[], answers: PartitionAnswers): string {
  let worst = 'NONE'
  for (const { topic, partition } of asked) {
    const ofTopic = answers.find(answer => answer.topic === topic)
    const errorCode = ofTopic?.partitions.find(answer => answer.partition === partition)?.errorCode
    if (errorCode === 0) continue
    const name = errorCode === undefined ? 'UNKNOWN' : errorName(errorCode)
    if (weight(name) > weight(worst)) worst = name
  }
  return worst
}

/** Of the topics that were asked about, those of which this was answered. */
export function topicsThatAnswered(answers: PartitionAnswers, name: string): string {
  const topics = answers.filter(({ partitions }) => partitions.some(({ errorCode }) => errorName(errorCode) === name))
  return `topic ${topics.map(({ topic }) => `'${topic}'`).join(', ')}`
}

function weight(name: string): number {
  if (name === 'NONE') return 0
  // Said of partitions that nothing is wrong with, when something is wrong with another.
  if (name === 'OPERATION_NOT_ATTEMPTED') return 1
  if (transactionEnd(name, '') !== undefined) return 4
  const { retriable, code } = brokerError(name, '')
  return retriable || code === 'TOPIC_MISSING' ? 2 : 3
}
