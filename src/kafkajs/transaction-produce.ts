/**
 * Sends the batches of one call inside a transaction: one request after the other to each leader, all leaders at once, until
 * the broker has answered for every (topic, partition). The invariants are numbered in `transactional-writer.ts`.
 */
import type { RunInferenceError } from '../errors.ts'
import type { SendResult } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { Clock } from '../ops/clock.ts'
import { Backoff } from './backoff.ts'
import type { Sender } from './channel.ts'
import type { Cluster } from './cluster.ts'
import { partitionKey } from './partition-key.ts'
import { MAX_REQUEST_BYTES, type ProduceAnswer, type ProducedPartition, produceRequest } from './produce-request.ts'
import { produceVerdict } from './produce-verdict.ts'
import type { ProducerIdentity } from './producer-identity.ts'
import { brokerError, clientError, errorName } from './protocol-errors.ts'
import type { TopicSightings } from './topic-sightings.ts'
import type { Patience } from './transaction-coordinator.ts'
import { transactionEnd, transactionLost } from './transaction-verdict.ts'
import { type Troubles, troubleWith } from './troubles.ts'

export interface TransactionProduceCluster extends Pick<Cluster, 'track' | 'refresh' | 'topic' | 'leader'> {
  channel(nodeId: number, purpose: string): Sender
}

export interface TransactionProduceContext {
  readonly cluster: TransactionProduceCluster
  readonly clock: Clock
  readonly random: () => number
  readonly troubles: Troubles
  readonly sightings: TopicSightings
  readonly purpose: string
}

interface Outgoing {
  readonly batch: SealedBatch
  readonly key: string
  attempts: number
  result: SendResult | undefined
}

export class TransactionProduce {
  readonly #context: TransactionProduceContext
  readonly #transactionalId: string

  constructor(context: TransactionProduceContext, transactionalId: string) {
    this.#context = context
    this.#transactionalId = transactionalId
  }

  /** Resolves when every partition is known to exist. Rejects TOPIC_MISSING for one that stays missing. */
  async locate(batches: readonly SealedBatch[], patience: Patience): Promise<void> {
    const { cluster, clock, random } = this.#context
    const backoff = new Backoff(clock, random)
    cluster.track(batches.map(({ topic }) => topic))
    for (;;) {
      const missing = batches.filter(({ topic, partition }) => !this.#exists(topic, partition))
      if (missing.length === 0) return
      const failure = await this.#refresh()
      if (failure === undefined) for (const { topic, partition } of missing) this.#assertNotGone(topic, partition)
      if (batches.every(({ topic, partition }) => this.#exists(topic, partition))) return
      const { topic, partition } = missing[0]!
      await this.#wait(
        backoff,
        patience,
        failure ?? brokerError('UNKNOWN_TOPIC_OR_PARTITION', this.#what(topic, partition)),
      )
    }
  }

  /** All partitions must be part of the transaction. Resolves with one result per batch, in order. */
  async send(batches: readonly SealedBatch[], identity: ProducerIdentity, patience: Patience): Promise<SendResult[]> {
    const { clock, random } = this.#context
    const backoff = new Backoff(clock, random)
    const all = batches.map((batch): Outgoing => {
      identity.stamp(batch)
      return { batch, key: partitionKey(batch.topic, batch.partition), attempts: 0, result: undefined }
    })
    for (;;) {
      const failure = await this.#round(
        all.filter(outgoing => outgoing.result === undefined),
        identity,
        patience.signal,
      )
      // T3
      if (failure === undefined) return all.map(outgoing => outgoing.result!)
      await this.#wait(backoff, patience, failure)
      await this.#refresh()
    }
  }

  /** Sends what is undecided to who leads it now. Resolves with a failure where something still is; throws what ends it. */
  async #round(
    undecided: readonly Outgoing[],
    identity: ProducerIdentity,
    signal: AbortSignal,
  ): Promise<RunInferenceError | undefined> {
    const { cluster } = this.#context
    const byLeader = Map.groupBy(undecided, ({ batch }) => cluster.leader(batch.topic, batch.partition))
    const rounds = [...byLeader].map(async ([leader, list]) => {
      if (leader < 0)
        return brokerError('LEADER_NOT_AVAILABLE', this.#what(list[0]!.batch.topic, list[0]!.batch.partition))
      let failure: RunInferenceError | undefined
      for (const part of requestsOf(list)) {
        if (signal.aborted) throw signal.reason // T7
        failure = (await this.#request(leader, part, identity)) ?? failure
      }
      return failure
    })
    const settled = await Promise.allSettled(rounds)
    const thrown = settled.flatMap(round => (round.status === 'rejected' ? [round.reason as RunInferenceError] : []))
    if (thrown.length > 0) throw thrown.find(error => error.retriable) ?? thrown[0]
    return settled.flatMap(round => (round.status === 'fulfilled' && round.value ? [round.value] : []))[0]
  }

  async #request(
    leader: number,
    part: readonly Outgoing[],
    identity: ProducerIdentity,
  ): Promise<RunInferenceError | undefined> {
    const { cluster, purpose, troubles } = this.#context
    const transactionalId = this.#transactionalId
    for (const outgoing of part) outgoing.attempts++
    let answer: ProduceAnswer
    try {
      const channel = cluster.channel(leader, purpose)
      const batches = part.map(({ batch }) => batch)
      answer = await channel.send(produceRequest({ batches, transactionalId }))
      troubles.note(troubleWith(leader), undefined)
    } catch (error) {
      const failure = clientError(error, `Producing to broker ${leader} in the transaction of '${transactionalId}'`)
      if (!failure.retriable) throw failure
      troubles.note(troubleWith(leader), failure)
      return failure
    }
    const answers = new Map(answer.partitions.map(p => [partitionKey(p.topic, p.partition), p]))
    let failure: RunInferenceError | undefined
    for (const outgoing of part) failure = this.#decide(outgoing, answers.get(outgoing.key), identity) ?? failure
    return failure
  }

  /** Undefined: this batch is decided. */
  #decide(
    outgoing: Outgoing,
    answer: ProducedPartition | undefined,
    identity: ProducerIdentity,
  ): RunInferenceError | undefined {
    const { batch } = outgoing
    const name = answer === undefined ? 'UNKNOWN' : errorName(answer.errorCode)
    const what = this.#what(batch.topic, batch.partition)
    const end = transactionEnd(name, what)
    if (end !== undefined) throw end
    const verdict = produceVerdict(name)
    if (verdict === 'written') {
      identity.advance(batch)
      outgoing.result = { outcome: 'acknowledged', baseOffset: answer!.baseOffset }
      return undefined
    }
    if (verdict === 'refused') {
      // T2: an attempt of before may have been written, so nobody knows the next sequence.
      if (outgoing.attempts > 1)
        throw transactionLost(`${what}: refused (${name}) after an attempt that may have been written.`)
      outgoing.result = { outcome: 'refused', reason: name }
      return undefined
    }
    const failure = brokerError(name, what, `Write on topic '${batch.topic}'`)
    if (verdict === 'retry') return failure
    throw failure
  }

  async #wait(backoff: Backoff, { deadlineMs, signal }: Patience, failure: RunInferenceError): Promise<void> {
    if (signal.aborted) throw signal.reason
    if (this.#context.clock.now() >= deadlineMs) {
      throw transactionLost(`It was tried until the transaction's time was over. ${failure.message}`, failure)
    }
    await backoff.wait(signal)
    if (signal.aborted) throw signal.reason
  }

  async #refresh(): Promise<RunInferenceError | undefined> {
    try {
      await this.#context.cluster.refresh()
      return undefined
    } catch (error) {
      const failure = clientError(error, 'Reading metadata')
      if (!failure.retriable) throw failure
      return failure
    }
  }

  #exists(topic: string, partition: number): boolean {
    const info = this.#context.cluster.topic(topic)
    const exists = info !== undefined && info.errorCode === 0 && partition < info.leaders.length
    if (exists) this.#context.sightings.seen(topic)
    return exists
  }

  #assertNotGone(topic: string, partition: number): void {
    if (this.#exists(topic, partition)) return
    const info = this.#context.cluster.topic(topic)
    const failure = brokerError(
      errorName(info?.errorCode || UNKNOWN_TOPIC),
      this.#what(topic, partition),
      `Write on topic '${topic}'`,
    )
    if (!failure.retriable && failure.code !== 'TOPIC_MISSING') throw failure
    const { clock, sightings } = this.#context
    if (failure.code === 'TOPIC_MISSING' && sightings.isGone(topic, clock.now())) throw failure
  }

  #what(topic: string, partition: number): string {
    return `Producing to ${partitionKey(topic, partition)} in the transaction of '${this.#transactionalId}'`
  }
}

const UNKNOWN_TOPIC = 3

/** In requests of at most a few megabytes. */
function requestsOf(list: readonly Outgoing[]): Outgoing[][] {
  const requests: Outgoing[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const outgoing of list) {
    bytes += outgoing.batch.bytes.length
    if (bytes <= MAX_REQUEST_BYTES) requests.at(-1)!.push(outgoing)
    else {
      requests.push([outgoing])
      bytes = outgoing.batch.bytes.length
    }
  }
  return requests
}
