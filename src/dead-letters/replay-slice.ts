import type { KafkaPort } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import type { DeadLetter } from './dead-letter.ts'
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

/** Letters that are written and committed together: what becomes of each, as records and as counts. */
export class ReplaySlice {
  readonly #parts: SliceParts
  readonly #outputs: ReplayOutputs
  readonly #originals: OriginalValues
  /** Why the broker does not take letters, by their places. */
  readonly #refused = new Map<string, string>()
  #counts = { replayed: 0, parked: 0, lost: 0 }
  #first: DeadLetter | undefined

  constructor(parts: SliceParts) {
    this.#parts = parts
    this.#outputs = new ReplayOutputs(parts.topics)
    this.#originals = new OriginalValues(parts.port, parts.signal)
  }

  get counts(): ReplayCounts {
    return this.#counts
  }

  /** Everything that was added, in rounds with one batch for a partition at most. */
  batches(): readonly (readonly SealedBatch[])[] {
    return this.#outputs.take()
  }

  clear(): void {
    this.#outputs.take()
    this.#counts = { replayed: 0, parked: 0, lost: 0 }
    this.#first = undefined
  }

  /** The only letter of this slice is not to be written any more. */
  refuse(why: string): void {
    this.#refused.set(placeText(this.#first!), why)
  }

  /** False: the letter is left where it is. */
  async add(letter: DeadLetter, block: RecordBlock, row: number): Promise<boolean> {
    const place = replayPlace(letter, { ...this.#parts, ...this.#parts.order })
    const refused = this.#refused.size === 0 ? undefined : this.#refused.get(placeText(letter))
    if (refused !== undefined) return this.#leave(letter, refused)
    if (place.what === 'lost') return this.#leave(letter, place.why)
    if (letter.leftOut !== null && place.what === 'replayed') {
      const original = await this.#originals.of(letter)
      if ('why' in original) return this.#leave(letter, original.why)
      this.#write(letter, block, row, place, original.value)
    } else this.#write(letter, block, row, place)
    this.#counts[place.what]++
    this.#first ??= letter
    return true
  }

  #leave(letter: DeadLetter, why: string): false {
    this.#counts.lost++
    this.#parts.onLost?.(letter, why)
    return false
  }

  #write(
    letter: DeadLetter,
    block: RecordBlock,
    row: number,
    place: ReplayPlace & { what: 'replayed' | 'parked' },
    value?: Buffer | null,
  ) {
    const { order } = this.#parts
    const isPrivate = place.what === 'parked' || order.target.kind === 'replay'
    const setHeaders = place.what === 'parked' ? {} : order.setHeaders
    if (isPrivate && value === undefined && Object.keys(setHeaders).length === 0)
      this.#outputs.addRow(place.topic, place.partition, block, row, letter.original.timestamp ?? letter.writtenAt)
    else {
      const record = replayedRecord(letter, block, row, {
        isPrivate,
        setHeaders,
        ...(value === undefined ? {} : { value }),
      })
      this.#outputs.add(place.topic, place.partition, record)
    }
  }
}

function placeText({ topic, partition, offset }: DeadLetter): string {
  return `${topic}/${partition}/${offset}`
}
