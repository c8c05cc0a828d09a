import type { KafkaPort } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import type { DeadLetter } from './dead-letter.ts'
import { LostLetters, type LostTold } from './lost-letters.ts'
import { OriginalValues } from './original-values.ts'
import type { ReplayCounts, ReplayOrder } from './replay-audit.ts'
import { type OutputTopic, ReplayOutputs } from './replay-outputs.ts'
import { type PlaceOptions, type ReplayPlace, replayPlace } from './replay-place.ts'
import { replayedRecord } from './replay-record.ts'

export interface SliceParts extends Omit<PlaceOptions, 'target' | 'maxReplays'> {
  readonly port: Pick<KafkaPort, 'admin' | 'scan'>
  readonly order: ReplayOrder
  /** Every topic that is written to. */
  readonly topics: ReadonlyMap<string, OutputTopic>
  readonly signal: AbortSignal
  /** A letter that is left where it is. */
  readonly onLost?: (letter: DeadLetter, why: string) => void
}

type WrittenPlace = ReplayPlace & { readonly what: 'replayed' | 'parked' }

const NO_HEADERS: ReplayOrder['setHeaders'] = {}

/** Letters that are written and committed together: what becomes of each, as records and as counts. */
export class ReplaySlice {
  readonly #parts: SliceParts
  readonly #outputs: ReplayOutputs
  readonly #originals: OriginalValues
  readonly #lost = new LostLetters()
  /** Why the broker does not take letters, by their places. */
  readonly #refused = new Map<string, string>()
  readonly #options: PlaceOptions
  #counts = { replayed: 0, parked: 0, lost: 0 }
  #letters = 0
  #first: DeadLetter | undefined

  constructor(parts: SliceParts) {
    this.#parts = parts
    this.#options = { ...parts, ...parts.order }
    this.#outputs = new ReplayOutputs(parts.topics)
    this.#originals = new OriginalValues(parts.port, parts.signal)
  }

  /** Letters that are to be written. */
  get letters(): number {
    return this.#letters
  }

  /** About as much as they take. */
  get bytes(): number {
    return this.#outputs.bytes
  }

  /** Of what was added since this was asked last. */
  takeCounts(): ReplayCounts {
    const counts = this.#counts
    this.#counts = { replayed: 0, parked: 0, lost: 0 }
    return counts
  }

  /** Letters that are left where they are; undefined: none. */
  get lost(): LostTold | undefined {
    return this.#lost.told()
  }

  /** Everything that was added, in rounds with one batch for a partition at most. */
  batches(): readonly (readonly SealedBatch[])[] {
    return this.#outputs.take()
  }

  clear(): void {
    this.#outputs.take()
    this.takeCounts()
    this.#lost.clear()
    this.#letters = 0
    this.#first = undefined
  }

  /** The only letter of this slice is not to be written any more. */
  refuse(why: string): void {
    this.#refused.set(placeText(this.#first!), why)
  }

  /** False: the letter is left where it is. A promise only where its value has to be read first. */
  add(letter: DeadLetter, block: RecordBlock, row: number): boolean | Promise<boolean> {
    const place = replayPlace(letter, this.#options)
    const refused = this.#refused.size === 0 ? undefined : this.#refused.get(placeText(letter))
    if (refused !== undefined) return this.#leave(letter, refused)
    if (place.what === 'lost') return this.#leave(letter, place.why)
    if (letter.leftOut !== null && place.what === 'replayed') return this.#addOriginal(letter, block, row, place)
    return this.#write(letter, block, row, place)
  }

  async #addOriginal(letter: DeadLetter, block: RecordBlock, row: number, place: WrittenPlace): Promise<boolean> {
    const original = await this.#originals.of(letter)
    if ('why' in original) return this.#leave(letter, original.why)
    return this.#write(letter, block, row, place, original.value)
  }

  #leave(letter: DeadLetter, why: string): false {
    this.#counts.lost++
    this.#lost.add(letter, why)
    this.#parts.onLost?.(letter, why)
    return false
  }

  #write(letter: DeadLetter, block: RecordBlock, row: number, place: WrittenPlace, value?: Buffer | null): true {
    const { order } = this.#parts
    const { what, topic, partition } = place
    const isPrivate = what === 'parked' || order.target.kind === 'replay'
    const setHeaders = what === 'parked' ? NO_HEADERS : order.setHeaders
    if (isPrivate && value === undefined && isEmpty(setHeaders))
      this.#outputs.addRow(topic, partition, block, row, letter.original.timestamp ?? letter.writtenAt)
    else {
      const given = value === undefined ? {} : { value }
      this.#outputs.add(topic, partition, replayedRecord(letter, block, row, { isPrivate, setHeaders, ...given }))
    }
    this.#counts[what]++
    if (this.#lost.count > 0) this.#lost.end(letter)
    this.#letters++
    this.#first ??= letter
    return true
  }
}

function isEmpty(headers: ReplayOrder['setHeaders']): boolean {
  for (const _ in headers) return false
  return true
}

function placeText({ topic, partition, offset }: DeadLetter): string {
  return `${topic}/${partition}/${offset}`
}
