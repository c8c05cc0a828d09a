/**
 * Who writes, as the broker sees it: a producer id with an epoch, and the next sequence number of each partition. By
 * these the broker recognises a batch that was sent twice.
 */
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import { stampProducer } from '../kafka/record-batch-stamp.ts'
import type { Cluster } from './cluster.ts'
import { partitionKey } from './partition-key.ts'
import { assertAnswer } from './protocol-errors.ts'

/** Sequence numbers wrap to 0 behind 2^31 − 1. */
const SEQUENCES = 0x8000_0000

/** Ignored by the broker without a transactional id, and part of the request all the same. */
const TRANSACTION_TIMEOUT_MS = 15_000

export class ProducerIdentity {
  readonly producerId: number
  readonly epoch: number
  readonly transactional: boolean
  readonly #next = new Map<string, number>()

  constructor(producerId: number, epoch: number, { transactional = false } = {}) {
    this.producerId = producerId
    this.epoch = epoch
    this.transactional = transactional
  }

  /** The sequence of the next record for a partition. */
  sequence(key: string): number {
    return this.#next.get(key) ?? 0
  }

  /** Writes id, epoch and the partition's next sequence into the batch; the sequence moves only with `advance`. */
  stamp({ topic, partition, bytes }: SealedBatch): void {
    const { producerId, epoch, transactional } = this
    stampProducer(bytes, producerId, epoch, this.sequence(partitionKey(topic, partition)), { transactional })
  }

  /** To be called when a batch was written. */
  advance({ topic, partition, count }: SealedBatch): void {
    const key = partitionKey(topic, partition)
    this.#next.set(key, (this.sequence(key) + count) % SEQUENCES)
  }
}

/** Asks a broker for a producer id that nobody else has. */
export async function newIdentity(cluster: Pick<Cluster, 'anyBroker'>): Promise<ProducerIdentity> {
  const answer = await cluster.anyBroker<{ errorCode: number; producerId: string; producerEpoch: number }>(
    'InitProducerId',
    { transactionalId: null, transactionTimeout: TRANSACTION_TIMEOUT_MS },
  )
  assertAnswer(answer.errorCode, 'Asking for a producer id', 'Write on the output topics')
  return new ProducerIdentity(Number(answer.producerId), answer.producerEpoch)
}
