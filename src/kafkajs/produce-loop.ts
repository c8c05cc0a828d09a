/**
 * Sends record batches, so that each is in the log once and in order.
 *
 * W1 Of one output partition one batch is under way; the next is sent when that one is decided.
 * W2 A retry sends the identical bytes, so with the same producer id and sequence: the broker writes it at most once.
 * W3 The sequence moves on only when a batch was written; a refused batch leaves it where it was. When a batch is given
 *    up whose earlier attempt may have been written, so is its identity: the broker would take the next batch with that
 *    sequence for the same one, and drop it.
 * W4 One request per broker at a time carries all that is ready for it.
 * W5 An outage is waited out. When the broker has lost our sequence, that partition goes on under a new producer id. What
 *    that can duplicate is logged: the one batch at its head, if an earlier attempt of it was written and its answer lost.
 * W6 A batch may wait here for long. Each attempt needs its permit anew: what belongs to a lost partition is not written.
 */
import { RunInferenceError } from '../errors.ts'
import type { SendResult, WritePermit } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import { Backoff } from './backoff.ts'
import type { Sender } from './channel.ts'
import type { Cluster } from './cluster.ts'
import { partitionKey } from './partition-key.ts'
import { applyPermits, newPartitionQueue, type Outgoing, type PartitionQueue, rejectAll } from './partition-queue.ts'
import { MAX_REQUEST_BYTES, type ProduceAnswer, type ProducedPartition, produceRequest } from './produce-request.ts'
import { produceVerdict } from './produce-verdict.ts'
import { newIdentity, type ProducerIdentity } from './producer-identity.ts'
import { brokerError, clientError, errorName } from './protocol-errors.ts'
import { NEVER_SEEN_MS, VANISHED_MS } from './topic-sightings.ts'
import { isTroubleWithBroker, Troubles, troubleWith } from './troubles.ts'

/** What producing needs of the cluster. */
export interface ProduceCluster
  extends Pick<Cluster, 'track' | 'refresh' | 'onRefresh' | 'topic' | 'leader' | 'brokerIds' | 'anyBroker'> {
  channel(nodeId: number, purpose: string): Sender
}

export interface ProduceContext {
  readonly cluster: ProduceCluster
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly purpose: string
}

export class ProduceLoop {
  readonly #context: ProduceContext
  readonly #queues = new Map<string, PartitionQueue>()
  readonly #ready = new Set<PartitionQueue>()
  readonly #busyBrokers = new Set<number>()
  readonly #troubles: Troubles
  readonly #metadataBackoff: Backoff
  readonly #ignoreRefreshes: () => void
  #identity: ProducerIdentity | undefined
  #maintaining = false
  #metadataStale = false
  #closed = false
  #cancelWake: (() => void) | undefined

  constructor(context: ProduceContext) {
    this.#context = context
    this.#troubles = new Troubles(context.logger, () => {})
    this.#metadataBackoff = new Backoff(context.clock, context.random)
    this.#ignoreRefreshes = context.cluster.onRefresh(() => this.#refreshed())
  }

  send(batches: readonly SealedBatch[], permit?: WritePermit): Promise<SendResult[]> {
    const outgoing = batches.map(batch => this.#enqueue(batch, permit))
    this.#pump()
    return Promise.all(outgoing.map(({ result }) => result.promise))
  }

  close(): void {
    this.#closed = true
    this.#ignoreRefreshes()
    this.#cancelWake?.()
    const error = new RunInferenceError('CLOSED', 'The writer was closed before this batch was acknowledged.')
    for (const queue of this.#queues.values()) rejectAll(queue, error)
    this.#ready.clear()
  }

  #enqueue(batch: SealedBatch, permit: WritePermit | undefined): Outgoing {
    const { topic, partition } = batch
    const key = partitionKey(topic, partition)
    let queue = this.#queues.get(key)
    if (queue === undefined) {
      const { clock, random, cluster } = this.#context
      queue = newPartitionQueue(key, topic, partition, new Backoff(clock, random))
      this.#queues.set(key, queue)
      if (cluster.track([topic])) this.#metadataStale = true
    }
    const result = Promise.withResolvers<SendResult>()
    const outgoing: Outgoing = { batch, permit, result, attempts: 0, stampedBy: undefined }
    queue.waiting.push(outgoing)
    if (!queue.inFlight) this.#ready.add(queue)
    return outgoing
  }

  /** Starts every request that can be started now. */
  #pump(): void {
    if (this.#closed) return
    for (const queue of applyPermits(this.#ready, this.#context.clock.now())) this.#giveUpIdentity(queue)
    if (this.#ready.size === 0) return
    if (this.#identity === undefined || this.#metadataStale || this.#maintaining) {
      this.#maintain()
      return
    }
    const { clock, cluster } = this.#context
    const now = clock.now()
    let wakeMs = Number.POSITIVE_INFINITY
    const requests = new Map<number, { queues: PartitionQueue[]; bytes: number }>()
    for (const queue of this.#ready) {
      if (queue.notBeforeMs > now) {
        wakeMs = Math.min(wakeMs, queue.notBeforeMs - now)
        continue
      }
      const leader = cluster.leader(queue.topic, queue.partition)
      if (leader < 0) {
        this.#leaderless(queue)
        continue
      }
      if (this.#busyBrokers.has(leader)) continue
      const bytes = queue.waiting[0]!.batch.bytes.length
      const request = requests.get(leader)
      if (request === undefined) requests.set(leader, { queues: [queue], bytes })
      else if (request.bytes + bytes <= MAX_REQUEST_BYTES) {
        request.queues.push(queue)
        request.bytes += bytes
      }
    }
    for (const [leader, { queues }] of requests) void this.#request(leader, queues)
    this.#cancelWake?.()
    this.#cancelWake = Number.isFinite(wakeMs) ? clock.after(wakeMs, () => this.#pump()) : undefined
  }

  async #request(leader: number, queues: readonly PartitionQueue[]): Promise<void> {
    const { cluster, purpose } = this.#context
    this.#busyBrokers.add(leader)
    for (const queue of queues) {
      // Out of the set and later in again: who was served goes to the end.
      this.#ready.delete(queue)
      queue.inFlight = true
      this.#prepare(queue)
    }
    let answer: ProduceAnswer | undefined
    try {
      const batches = queues.map(queue => queue.waiting[0]!.batch)
      const channel = cluster.channel(leader, `${purpose}:produce`)
      answer = await channel.send(produceRequest({ batches }))
      this.#troubles.note(troubleWith(leader), undefined)
    } catch (error) {
      const failure = clientError(error, `Producing to broker ${leader}`)
      if (failure.retriable) this.#troubles.note(troubleWith(leader), failure)
      this.#metadataStale = true
      for (const queue of queues) this.#failed(queue, failure, 'broker')
    }
    const answers = new Map(answer?.partitions.map(p => [partitionKey(p.topic, p.partition), p]))
    for (const queue of queues) {
      queue.inFlight = false
      if (answer !== undefined) this.#decide(queue, answers.get(queue.key))
      if (queue.waiting.length > 0) this.#ready.add(queue)
    }
    this.#busyBrokers.delete(leader)
    this.#pump()
  }

  /** Stamps the first batch unless it was sent before (W2). */
  #prepare(queue: PartitionQueue): void {
    const head = queue.waiting[0]!
    head.attempts++
    queue.identity ??= this.#identity!
    if (head.stampedBy === queue.identity) return
    queue.identity.stamp(head.batch)
    head.stampedBy = queue.identity
  }

  #decide(queue: PartitionQueue, answer: ProducedPartition | undefined): void {
    const head = queue.waiting[0]
    if (head === undefined) return // Closed meanwhile.
    const name = answer === undefined ? 'UNKNOWN' : errorName(answer.errorCode)
    const verdict = produceVerdict(name)
    if (verdict === 'retry' || verdict === 'hopeless') {
      this.#metadataStale = true
      const failure = brokerError(name, `Producing to ${queue.key}`, `Write on topic '${queue.topic}'`)
      this.#failed(queue, failure, 'partition')
      return
    }
    if (verdict === 'recover') {
      this.#recover(queue, head, name)
      return
    }
    this.#working(queue)
    queue.waiting.shift()
    if (verdict === 'refused') {
      if (head.attempts > 1) this.#giveUpIdentity(queue)
      head.result.resolve({ outcome: 'refused', reason: name })
      return
    }
    queue.identity!.advance(head.batch)
    head.result.resolve({ outcome: 'acknowledged', baseOffset: answer!.baseOffset })
  }

  #working(queue: PartitionQueue): void {
    queue.backoff.reset()
    if (queue.missingSinceMs < Number.POSITIVE_INFINITY) this.#troubles.note(queue.key, undefined)
    queue.missingSinceMs = Number.POSITIVE_INFINITY
  }

  /** Sent again after a while, or given up when that cannot help. One line in the log for a broker, or a partition. */
  #failed(queue: PartitionQueue, failure: RunInferenceError, whose: 'broker' | 'partition'): void {
    const { clock, cluster } = this.#context
    const now = clock.now()
    queue.notBeforeMs = now + queue.backoff.nextMs()
    queue.missingSinceMs = Math.min(queue.missingSinceMs, now)
    const topic = cluster.topic(queue.topic)
    const exists = topic !== undefined && topic.errorCode === 0 && queue.partition < topic.leaders.length
    const seen = queue.identity !== undefined
    const missing = !exists && now - queue.missingSinceMs > (seen ? VANISHED_MS : NEVER_SEEN_MS)
    if (missing) this.#reject(queue, brokerError('UNKNOWN_TOPIC_OR_PARTITION', `Producing to ${queue.key}`))
    else if (!failure.retriable && failure.code !== 'TOPIC_MISSING') this.#reject(queue, failure)
    else if (whose === 'partition') this.#troubles.note(queue.key, failure)
  }

  #reject(queue: PartitionQueue, error: RunInferenceError): void {
    if ((queue.waiting[0]?.attempts ?? 0) > 0) this.#giveUpIdentity(queue)
    rejectAll(queue, error)
    this.#ready.delete(queue)
    this.#troubles.note(queue.key, undefined)
    queue.missingSinceMs = Number.POSITIVE_INFINITY
  }

  #leaderless(queue: PartitionQueue): void {
    this.#metadataStale = true
    this.#failed(queue, brokerError('LEADER_NOT_AVAILABLE', `Producing to ${queue.key}`), 'partition')
    this.#maintain()
  }

  /** W5 */
  #recover(queue: PartitionQueue, head: Outgoing, name: string): void {
    this.#context.logger.error(
      { partition: queue.key, answer: name, records: head.batch.count, mayBeTwice: head.attempts > 1 },
      'the broker does not know our sequence any more: this partition goes on under a new producer id' +
        (head.attempts > 1 ? '; the records of this batch are twice in the log if an earlier attempt was written' : ''),
    )
    queue.notBeforeMs = this.#context.clock.now() + queue.backoff.nextMs()
    this.#giveUpIdentity(queue)
  }

  /** The partition goes on under an identity that it has not used yet: a newer one if there is, else one is asked for. */
  #giveUpIdentity(queue: PartitionQueue): void {
    if (queue.identity === this.#identity) this.#identity = undefined
    queue.identity = undefined
  }

  /** A broker that is gone from the cluster is no trouble any more. */
  #refreshed(): void {
    const brokers = new Set(this.#context.cluster.brokerIds.map(troubleWith))
    this.#troubles.forget(what => isTroubleWithBroker(what) && !brokers.has(what))
    this.#pump()
  }

  /** Gets what sending needs: a producer id and fresh metadata. */
  #maintain(): void {
    if (this.#maintaining) return
    this.#maintaining = true
    void this.#maintainOnce()
  }

  async #maintainOnce(): Promise<void> {
    const { cluster } = this.#context
    try {
      if (this.#metadataStale) {
        this.#metadataStale = false
        await cluster.refresh()
      }
      this.#identity ??= await newIdentity(cluster)
      this.#metadataBackoff.reset()
      this.#troubles.note('metadata', undefined)
    } catch (error) {
      this.#metadataStale = true
      const failure = clientError(error, 'Preparing to produce')
      if (failure.retriable) this.#troubles.note('metadata', failure)
      else for (const queue of [...this.#ready]) this.#reject(queue, failure)
      await this.#metadataBackoff.wait()
    }
    this.#maintaining = false
    this.#pump()
  }
}
