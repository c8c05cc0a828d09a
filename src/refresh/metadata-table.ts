/**
 * What the records of a metadata topic come to, one behind the other: the newest state of each slot.
 *
 * 1. The last record of a key counts, a tombstone takes the slot away, offsets that are not there mean nothing.
 * 2. A record that cannot be read changes nothing but the problems: what was readable before it stays, while the log has it.
 * 3. A problem is over when something that can be read, or a tombstone, is written under its key.
 */
import { RunInferenceError } from '../errors.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { readUtf8 } from '../kafka/utf8-text.ts'
import { parseSlot, type Slot } from './slot.ts'
import { parseStepModels } from './state-codec.ts'
import type { StepModels } from './step-models.ts'

/** What is published for a slot. */
export interface PublishedState {
  readonly slot: Slot
  readonly state: StepModels
  /** Of its record. */
  readonly offset: number
}

/** A record that can be read: from now on this is the slot's state. */
export interface MetadataChange {
  /** The key of the record: the text of the slot. */
  readonly key: string
  readonly slot: Slot
  /** Undefined: a tombstone, the handler's own model serves. */
  readonly state: StepModels | undefined
  readonly offset: number
}

/** A record that cannot be read. */
export interface MetadataProblem {
  /** The key of the record; where it is not UTF-8, its bytes as Latin-1. */
  readonly key: string
  readonly offset: number
  /** METADATA_INVALID. */
  readonly error: RunInferenceError
}

export type MetadataSaid = MetadataChange | MetadataProblem

export interface MetadataSnapshot {
  /** By the text of the slot; a slot that is not here has the handler's own model. */
  readonly slots: ReadonlyMap<string, PublishedState>
  /** Records that cannot be read and were not replaced. A slot may have a state all the same: an earlier one. */
  readonly problems: readonly MetadataProblem[]
  /** Where reading goes on. */
  readonly nextOffset: number | 'earliest'
}

export class MetadataTable {
  readonly #slots: Map<string, PublishedState>
  readonly #problems: Map<string, MetadataProblem>
  #nextOffset: number | 'earliest'

  constructor(snapshot?: MetadataSnapshot) {
    this.#slots = new Map(snapshot?.slots)
    this.#problems = new Map(snapshot?.problems.map(problem => [problem.key, problem]))
    this.#nextOffset = snapshot?.nextOffset ?? 'earliest'
  }

  get nextOffset(): number | 'earliest' {
    return this.#nextOffset
  }

  snapshot(): MetadataSnapshot {
    return { slots: new Map(this.#slots), problems: [...this.#problems.values()], nextOffset: this.#nextOffset }
  }

  /** What the records of a block say, in their order. */
  apply(block: RecordBlock): readonly MetadataSaid[] {
    this.#nextOffset = block.nextOffset
    return Array.from({ length: block.count }, (_, i) => this.#read(block, i)).filter(each => each !== undefined)
  }

  #read(block: RecordBlock, i: number): MetadataSaid | undefined {
    const offset = block.offset(i)
    const value = block.value(i)
    const key = keyOf(block.key(i))
    try {
      const where = `record ${block.topic}/${block.partition}/${offset}`
      const change = {
        key,
        slot: parseSlot(key),
        offset,
        state: value ? parseStepModels(value, where) : undefined,
      }
      this.#problems.delete(key)
      this.#keep(change)
      return change
    } catch (error) {
      // Under a key that names no slot a tombstone only takes away what was wrong there.
      if (value === null) return void this.#problems.delete(key)
      const problem = { key, offset, error: RunInferenceError.from(error, 'BUG') }
      this.#problems.set(key, problem)
      return problem
    }
  }

  #keep({ key, slot, state, offset }: MetadataChange): void {
    if (state === undefined) this.#slots.delete(key)
    else this.#slots.set(key, { slot, state, offset })
  }
}

/** A key that is not UTF-8 names no slot, and is shown as Latin-1. */
function keyOf(key: Buffer | null): string {
  return key === null ? '' : (readUtf8(key, 0, key.length) ?? key.toString('latin1'))
}
