import type { OwnedPartition, TopicPartition } from '../kafka/port.ts'
import type { WorkBlock } from './work-block.ts'

/**
 * One owned partition under one epoch: the blocks that were taken and are not acknowledged yet, in offset order.
 * When the partition is lost the flow is marked and everything under it is dropped (I8).
 */
export class PartitionFlow implements TopicPartition {
  readonly topic: string
  readonly partition: number
  readonly epoch: number
  /** A replay topic: may use only a part of the credits. */
  readonly replay: boolean
  /** Its records were written by another part of the topology, with headers of ours that count (a replay topic of one, too). */
  readonly between: boolean
  readonly blocks: WorkBlock[] = []
  lost = false
  paused = false
  /** A unit is being written. */
  sending = false
  /** Credits in use (I5). */
  rows = 0
  bytes = 0
  /** The next offset that may be committed: everything before it is acknowledged. */
  committable: number
  /** The last offset that was committed under this epoch, or where it started. */
  committed: number
  /** Log end as the last fetch saw it. */
  endOffset: number

  constructor(owned: OwnedPartition, replay: boolean, between = false) {
    this.topic = owned.topic
    this.partition = owned.partition
    this.epoch = owned.epoch
    this.replay = replay
    this.between = between
    this.committable = owned.position
    this.committed = owned.position
    this.endOffset = owned.position
  }
}

/** The offsets behind what was read of each partition, by `topic/partition`. */
export function positionsOf(flows: Iterable<PartitionFlow>): Readonly<Record<string, number>> {
  const positions: Record<string, number> = {}
  for (const { topic, partition, blocks, committable } of flows)
    positions[`${topic}/${partition}`] = blocks.at(-1)?.block.nextOffset ?? committable
  return positions
}
