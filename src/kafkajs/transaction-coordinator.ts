/**
 * What a transactional id asks of coordinators: its own (InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn) and
 * those of groups (TxnOffsetCommit). The invariants are numbered in `transactional-writer.ts`.
 *
 * A coordinator is looked for once and kept until it moves or does not answer.
 */
import type { RunInferenceError } from '../errors.ts'
import type { PartitionOffset, TopicPartition } from '../kafka/port.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import { Backoff } from './backoff.ts'
import { type Caller, mayHaveBeenSent } from './channel.ts'
import type { Cluster, CoordinatorType } from './cluster.ts'
import type { CoordinatorWatch } from './coordinator-watch.ts'
import { partitionKey } from './partition-key.ts'
import { ProducerIdentity } from './producer-identity.ts'
import { answeredName, brokerError, COORDINATOR_MOVED, clientError, errorName } from './protocol-errors.ts'
import { type PartitionAnswers, topicsThatAnswered, worstAnswer } from './transaction-answers.ts'
import { transactionEnd, transactionLost } from './transaction-verdict.ts'
import type { Troubles } from './troubles.ts'

/** A transaction that just ended is written out in a few milliseconds; one that is not after these tries takes longer. */
const CONCURRENT_WAIT_MS = 4
const CONCURRENT_QUICK_TRIES = 25
const CONCURRENT_LONG_WAIT_MS = 50
/** The answer of T6: so frequent that it is no error until patience ends. */
const CONCURRENT = 'CONCURRENT_TRANSACTIONS'

export interface CoordinatorCluster extends Pick<Cluster, 'forgetCoordinator'> {
  coordinator(type: CoordinatorType, key: string, purpose: string): Promise<Caller & { readonly address: string }>
}

export interface CoordinatorContext {
  readonly cluster: CoordinatorCluster
  readonly clock: Clock
  readonly random: () => number
  readonly troubles: Troubles
  readonly watch: CoordinatorWatch
  readonly purpose: string
}

/** How long a call goes on trying. When the signal is aborted it ends at once, with the signal's reason. */
export interface Patience {
  readonly deadlineMs: number
  readonly signal: AbortSignal
}

interface Question<T> {
  readonly api: string
  readonly args: object
  readonly type: CoordinatorType
  readonly key: string
  /** For errors. */
  readonly what: string
  /** The protocol's name of what the answer says. */
  readonly nameOf: (answer: T) => string
  /** What to do when it was sent and no answer came: ask again, take the transaction for lost (T4), or leave it to the caller. */
  readonly unanswered: 'again' | 'lost' | 'reject'
  /** What the answer says of each partition, where it does. */
  readonly partitionsOf?: (answer: T) => PartitionAnswers
}

type Attempt<T> = { readonly answer: T } | { readonly failure: RunInferenceError } | typeof CONCURRENT
type AddPartitionsAnswer = {
  readonly errors: readonly { topic: string; partitionErrors: PartitionAnswers[number]['partitions'] }[]
}

export class TransactionCoordinator {
  readonly #context: CoordinatorContext
  readonly #id: string
  /** How long it took of late until a transaction that had ended was written out. */
  #writtenOutMs = CONCURRENT_WAIT_MS

  constructor(context: CoordinatorContext, transactionalId: string) {
    this.#context = context
    this.#id = transactionalId
  }

  /** Gets the id's next epoch; waits while a transaction of the one before is being ended. Rejects in an outage. */
  async initProducerId(timeoutMs: number, patience: Patience): Promise<ProducerIdentity> {
    const answer = await this.#ask<{ errorCode: number; producerId: string; producerEpoch: number }>(
      {
        api: 'InitProducerId',
        args: { transactionalId: this.#id, transactionTimeout: timeoutMs },
        ...this.#ours(`Taking over transactional id '${this.#id}' with a time-out of ${timeoutMs} ms`),
        nameOf: ({ errorCode }) => errorName(errorCode),
        unanswered: 'reject',
      },
      patience,
    )
    return new ProducerIdentity(Number(answer.producerId), answer.producerEpoch, { transactional: true })
  }

  async addPartitions(
    identity: ProducerIdentity,
    partitions: readonly TopicPartition[],
    patience: Patience,
  ): Promise<void> {
    const topics = [...Map.groupBy(partitions, p => p.topic)].map(([topic, list]) => ({
      topic,
      partitions: list.map(p => p.partition),
    }))
    await this.#ask<AddPartitionsAnswer>(
      {
        api: 'AddPartitionsToTxn',
        args: { ...this.#who(identity), topics },
        ...this.#ours(`Adding ${listed(partitions)} to the transaction of '${this.#id}'`),
        nameOf: answer => worstAnswer(partitions, partitionErrors(answer)),
        partitionsOf: partitionErrors,
        unanswered: 'again',
      },
      patience,
    )
  }

  async addOffsets(identity: ProducerIdentity, groupId: string, patience: Patience): Promise<void> {
    await this.#ask<{ errorCode: number }>(
      {
        api: 'AddOffsetsToTxn',
        args: { ...this.#who(identity), groupId },
        ...this.#ours(`Adding offsets of group '${groupId}' to the transaction of '${this.#id}'`),
        nameOf: ({ errorCode }) => errorName(errorCode),
        unanswered: 'again',
      },
      patience,
    )
  }

  /** To be called behind `addOffsets`. */
  async commitOffsets(
    identity: ProducerIdentity,
    groupId: string,
    offsets: readonly PartitionOffset[],
    patience: Patience,
  ): Promise<void> {
    const topics = [...Map.groupBy(offsets, o => o.topic)].map(([topic, list]) => ({
      topic,
      partitions: list.map(({ partition, offset, metadata = null }) => ({
        ...{ partition, metadata },
        offset: String(offset),
      })),
    }))
    await this.#ask<{ topics: PartitionAnswers }>(
      {
        api: 'TxnOffsetCommit',
        args: { ...this.#who(identity), groupId, topics },
        type: 'group',
        key: groupId,
        what: `Committing offsets of ${listed(offsets)} for group '${groupId}' in the transaction of '${this.#id}'`,
        nameOf: answer => worstAnswer(offsets, answer.topics),
        partitionsOf: answer => answer.topics,
        unanswered: 'lost',
      },
      patience,
    )
  }

  async end(identity: ProducerIdentity, end: 'commit' | 'abort', patience: Patience): Promise<void> {
    await this.#ask<{ errorCode: number }>(
      {
        api: 'EndTxn',
        args: { ...this.#who(identity), transactionResult: end === 'commit' },
        ...this.#ours(`${end === 'commit' ? 'Committing' : 'Aborting'} the transaction of '${this.#id}'`),
        nameOf: ({ errorCode }) => errorName(errorCode),
        unanswered: 'lost',
      },
      patience,
    )
  }

  #ours(what: string): { type: CoordinatorType; key: string; what: string } {
    return { type: 'transaction', key: this.#id, what }
  }

  #who({ producerId, epoch }: ProducerIdentity) {
    return { transactionalId: this.#id, producerId: String(producerId), producerEpoch: epoch }
  }

  async #ask<T>(question: Question<T>, { deadlineMs, signal }: Patience): Promise<T> {
    const { clock, random } = this.#context
    const backoff = new Backoff(clock, random)
    let concurrentSinceMs: number | undefined
    for (let tries = 1; ; tries++) {
      const result = await this.#attempt(question, signal)
      const nowMs = clock.now()
      if (result !== CONCURRENT && 'answer' in result) {
        if (concurrentSinceMs !== undefined) this.#writtenOutMs += (nowMs - concurrentSinceMs - this.#writtenOutMs) / 4
        return result.answer
      }
      if (signal.aborted) throw signal.reason
      if (nowMs >= deadlineMs) {
        const failure = result === CONCURRENT ? brokerError(CONCURRENT, question.what) : result.failure
        if (question.unanswered === 'reject') throw failure
        throw transactionLost(`It was tried until the transaction's time was over. ${failure.message}`, failure)
      }
      if (result !== CONCURRENT) await backoff.wait(signal)
      else await sleep(clock, this.#concurrentWaitMs(tries), signal)
      if (result === CONCURRENT) concurrentSinceMs ??= nowMs
      if (signal.aborted) throw signal.reason
    }
  }

  /** T6: first as long as it usually takes, then often, at last seldom. */
  #concurrentWaitMs(tries: number): number {
    // A little less, so that it is noticed when it takes less.
    if (tries === 1) return Math.min(Math.max(0.75 * this.#writtenOutMs, 1), CONCURRENT_LONG_WAIT_MS)
    return tries <= CONCURRENT_QUICK_TRIES ? CONCURRENT_WAIT_MS : CONCURRENT_LONG_WAIT_MS
  }

  /** Resolves with a failure where trying again can help, throws where it cannot. */
  async #attempt<T>(question: Question<T>, signal: AbortSignal): Promise<Attempt<T>> {
    const { cluster, purpose, troubles, watch } = this.#context
    const { type, key, what, api, args, unanswered } = question
    let channel: Awaited<ReturnType<CoordinatorCluster['coordinator']>>
    try {
      channel = await cluster.coordinator(type, key, purpose)
      troubles.note('looking for coordinators', undefined)
    } catch (error) {
      const failure = clientError(error, what)
      if (!failure.retriable) throw failure
      const name = answeredName(failure)
      if (type === 'transaction' && name === 'GROUP_COORDINATOR_NOT_AVAILABLE') watch.missing(this.#id)
      if (name === undefined) troubles.note('looking for coordinators', failure)
      if (name === undefined && unanswered === 'reject') throw failure
      return { failure }
    }
    if (signal.aborted) throw signal.reason // T7
    let answer: T
    try {
      answer = await channel.call<T>(api, args)
      troubles.note(troubleOf(channel), undefined)
    } catch (error) {
      const failure = clientError(error, what)
      cluster.forgetCoordinator(type, key)
      if (!failure.retriable) throw failure
      troubles.note(troubleOf(channel), failure)
      if (unanswered === 'reject') throw failure
      if (unanswered === 'lost' && mayHaveBeenSent(failure)) {
        throw transactionLost(
          `${what}: no answer came, and the broker may carry it out yet. ${failure.message}`,
          failure,
        )
      }
      return { failure }
    }
    return this.#judge(question, answer)
  }

  #judge<T>(question: Question<T>, answer: T): Attempt<T> {
    const { cluster, watch } = this.#context
    const { type, key, what, nameOf } = question
    const name = nameOf(answer)
    if (name === 'NONE') {
      if (type === 'transaction') watch.found()
      return { answer }
    }
    if (name === CONCURRENT) return CONCURRENT
    const end = transactionEnd(name, what)
    if (end !== undefined) throw end
    if (COORDINATOR_MOVED.has(name)) cluster.forgetCoordinator(type, key)
    if (type === 'transaction' && name === 'GROUP_COORDINATOR_NOT_AVAILABLE') watch.missing(this.#id)
    const failure = brokerError(name, what, this.#needs(name, question, question.partitionsOf?.(answer)))
    if (name === 'INVALID_TRANSACTION_TIMEOUT') failure.message += TIMEOUT_REMEDY
    // A topic that was just created is unknown to some brokers for a while.
    if (!failure.retriable && failure.code !== 'TOPIC_MISSING') throw failure
    return { failure }
  }

  #needs<T>(name: string, { api, args }: Question<T>, partitions: PartitionAnswers = []): string {
    if (name === 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED') return `Write on transactional id '${this.#id}'`
    if (name === 'GROUP_AUTHORIZATION_FAILED') return `Read on group '${(args as { groupId?: string }).groupId}'`
    return `${api === 'TxnOffsetCommit' ? 'Read' : 'Write'} on ${topicsThatAnswered(partitions, name)}`
  }
}

const TIMEOUT_REMEDY = " Lower transactionTimeoutMs, or raise the brokers' transaction.max.timeout.ms."

function troubleOf({ address }: { readonly address: string }): string {
  return `coordinator ${address}`
}

function partitionErrors({ errors }: AddPartitionsAnswer): PartitionAnswers {
  return errors.map(({ topic, partitionErrors }) => ({ topic, partitions: partitionErrors }))
}

function listed(partitions: readonly TopicPartition[]): string {
  const [first, ...more] = partitions
  return `${partitionKey(first!.topic, first!.partition)}${more.length > 0 ? ` and ${more.length} more` : ''}`
}
