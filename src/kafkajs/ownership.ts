/**
 * The partitions that one member owns, each under an epoch.
 *
 * O1 A partition stays as it is (epoch, position, queue) only when the same member gets it again in the same or the next
 *    generation: after any gap somebody else may have read and committed it in between.
 * O2 Epochs are never used twice by this member object.
 */
import type { OwnedPartition } from '../kafka/port.ts'
import type { Generation } from './group-session.ts'
import { partitionKey } from './partition-key.ts'

export class Ownership {
  readonly #owned = new Map<string, OwnedPartition>()
  /** Given up in this generation, to be taken again: still claimed, since the group has not taken them away. */
  readonly #between = new Map<string, OwnedPartition>()
  #memberId = ''
  #generation = -1
  #lastEpoch = 0

  /** What the next JoinGroup says of us. */
  claim(): { generation: number; owned: Map<string, number[]> } {
    const owned = new Map<string, number[]>()
    for (const { topic, partition } of [...this.#owned.values(), ...this.#between.values()]) {
      const list = owned.get(topic)
      if (list) list.push(partition)
      else owned.set(topic, [partition])
    }
    return { generation: this.#generation, owned }
  }

  owns(key: string, epoch: number): boolean {
    return this.#owned.get(key)?.epoch === epoch
  }

  /** Enters a generation: takes out and returns what is lost by it, and lists what is new, without owning that yet. */
  enter(generation: Generation): { lost: OwnedPartition[]; added: { topic: string; partition: number }[] } {
    const step = generation.number - this.#generation
    const continued = generation.memberId === this.#memberId && (step === 0 || step === 1)
    this.#memberId = generation.memberId
    this.#generation = generation.number
    this.#between.clear()
    const lost: OwnedPartition[] = []
    for (const [key, owned] of this.#owned) {
      if (continued && generation.partitions.get(owned.topic)?.includes(owned.partition)) continue
      this.#owned.delete(key)
      lost.push(owned)
    }
    const added: { topic: string; partition: number }[] = []
    for (const [topic, partitions] of generation.partitions) {
      for (const partition of partitions) {
        if (!this.#owned.has(partitionKey(topic, partition))) added.push({ topic, partition })
      }
    }
    return { lost, added }
  }

  /** Gives one up, to take it again; undefined when this epoch is not owned. */
  release(key: string, epoch: number): OwnedPartition | undefined {
    const owned = this.#owned.get(key)
    if (owned?.epoch !== epoch) return undefined
    this.#owned.delete(key)
    this.#between.set(key, owned)
    return owned
  }

  /** Owns new partitions from these positions on. */
  take(partitions: readonly { topic: string; partition: number; position: number }[]): OwnedPartition[] {
    return partitions.map(({ topic, partition, position }) => {
      this.#lastEpoch++
      const owned = { topic, partition, epoch: this.#lastEpoch, position }
      this.#owned.set(partitionKey(topic, partition), owned)
      this.#between.delete(partitionKey(topic, partition))
      return owned
    })
  }

  /** Everything is lost; nothing is kept by the next generation. */
  clear(): OwnedPartition[] {
    const lost = [...this.#owned.values()]
    this.#owned.clear()
    this.#between.clear()
    this.#memberId = ''
    this.#generation = -1
    return lost
  }
}
