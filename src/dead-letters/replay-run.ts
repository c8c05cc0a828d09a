/**
 * One run of a replay: reads dead letters up to its bounds, writes those that are selected again, and commits how far it is. It can
 * be ended at any time and taken up again by its name.
 *
 * R1. Its progress is what the group of its name has committed, and is committed only behind what was written (at least once) or
 *     together with it (exactly once). Every letter below the bounds is looked at; those at and above are left for another run.
 * R2. Whoever begins a run of a name has it: another one of that name can commit nothing more, and ends with TRANSACTION_FENCED.
 * R3. A letter that was replayed `maxReplays` times goes to the parked topic, never into a loop.
 * R4. What cannot be written again is left where it is, counted, and told, together with the commit of what is behind.
 * R5. Memory is that of a few blocks, however many letters there are.
 */
import { isRetriable, type RunInferenceError } from '../errors.ts'
import type { KafkaPort, PartitionOffset, SendResult } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { replayGroup } from '../kafka/topic-names.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import { deadLetterOf } from './dead-letter.ts'
import type { LetterRange } from './letter-scan.ts'
import type { LostTold } from './lost-letters.ts'
import type { LetterOffsets, ReplayCounts } from './replay-audit.ts'
import type { ReplayClaim } from './replay-claim.ts'
import { ReplayPace } from './replay-pace.ts'
import { NO_LETTERS, plus, type ReplayProgress, tallyText } from './replay-progress.ts'
import { ReplaySlice, type SliceParts } from './replay-slice.ts'
import { type Selects, selects } from './selection.ts'

export { replayGroup } from '../kafka/topic-names.ts'

/**
 * A slice, what is written and committed together: so many letters, about so many bytes of them, and so many that were looked at. A
 * commit takes some round trips, however little is in it.
 */
const SLICE_LETTERS = 10_000
const SLICE_BYTES = 8 * 1024 * 1024
const SLICE_LOOKED_AT = 50_000
const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 10_000

export interface ReplayRunParts extends SliceParts {
  readonly port: KafkaPort
  /** Has the run; whoever gave it closes it. */
  readonly claim: Pick<ReplayClaim, 'writer' | 'hold'>
  /** How far the run is; asked behind `hold`. */
  readonly progress: () => Promise<ReplayProgress>
  /** Writes with the claim's writer what is left where it is. */
  readonly tellLost: (lost: LostTold) => Promise<void>
  readonly run: string
  readonly clock: Clock
  readonly random: () => number
  /** What is being written is not waited for any more. */
  readonly givenUp?: AbortSignal
  /** Of what is selected, these alone. */
  readonly isOpen?: Selects
  /** Letters a second, and altogether until it stops, at most. */
  readonly rate?: number
  readonly limit?: number
  /** Letters that are written and committed together, at most; default 10,000. */
  readonly sliceLetters?: number
  /** Waited for before a topic is written to for the first time; rejects where it must not be. */
  readonly admit?: (topic: string) => Promise<void>
  /** Offsets that are behind, of how many, with each commit. */
  readonly onProgress?: (done: number, all: number, counts: ReplayCounts) => void
  /** What is in its way, each time that it is about to wait and try again. */
  readonly onTrouble?: (trouble: RunInferenceError) => void
}

export interface ReplayResult {
  /** `stopped`: before the bounds. */
  readonly end: 'finished' | 'stopped'
  /** Since the run was started, whoever has run it. */
  readonly counts: ReplayCounts
  readonly positions: LetterOffsets
}

/** A slice that was refused is written again in smaller ones. */
class Refused extends Error {}

/** Rejects TRANSACTION_FENCED when another run of this name has begun, and with what is final for the broker. */
export async function runReplay(parts: ReplayRunParts): Promise<ReplayResult> {
  const { clock, random, signal } = parts
  const course = new Course(parts)
  parts.givenUp?.addEventListener('abort', () => void course.close(), { once: true })
  try {
    for (let losses = 0; ; losses++) {
      try {
        return await course.run()
      } catch (error) {
        if (error instanceof Refused) continue
        if ((error as RunInferenceError).code === 'TRANSACTION_FENCED') throw error
        if (signal.aborted && course.isSure) return course.stopped()
        if (signal.aborted || !isRetriable(error)) throw error
        parts.onTrouble?.(error as RunInferenceError)
        await sleep(clock, Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** losses) * (0.5 + random() / 2), signal)
      }
    }
  } finally {
    await course.close()
  }
}

class Course {
  readonly #parts: ReplayRunParts
  readonly #plain
  readonly #isSelected: Selects
  readonly #slice: ReplaySlice
  readonly #admitted = new Set<string>()
  readonly #mostLetters: number
  #sliceLetters: number
  readonly #pace: ReplayPace
  /** What is looked at and not committed: how far, and the counts with it. */
  readonly #behind = new Map<string, PartitionOffset & { readonly tally: ReplayCounts }>()
  #lookedAt = 0
  /** Offsets that are committed. */
  #done = 0
  #progress: ReplayProgress | undefined
  /** Not while it is unknown whether what was sent to be committed is: then whoever asked for the run has to look. */
  isSure = false
  #positions = new Map<string, number>()
  #tallies = new Map<string, ReplayCounts>()
  /** Letters that had been written when this began. */
  #writtenBefore: number | undefined

  constructor(parts: ReplayRunParts) {
    this.#parts = parts
    this.#plain = parts.order.guarantee === 'at_least_once' ? parts.port.writer() : undefined
    const [isSelected, { isOpen }] = [selects(parts.order.selection), parts]
    this.#isSelected = isOpen ? (...letter) => isSelected(...letter) && isOpen(...letter) : isSelected
    this.#slice = new ReplaySlice(parts)
    this.#pace = new ReplayPace(parts)
    this.#mostLetters = parts.sliceLetters ?? SLICE_LETTERS
    this.#sliceLetters = this.#mostLetters
  }

  /** From what is committed to the bounds. */
  async run(): Promise<ReplayResult> {
    const { port, signal, claim, progress } = this.#parts
    await claim.hold()
    const ranges = this.#begin(await progress())
    for await (const block of port.scan(ranges, { signal })) {
      let row = 0
      do {
        // A block without rows moves over what is no letter, or the backlog would never be gone.
        row = await this.#addRows(block, row)
        if (!this.#isFull()) continue
        const letters = await this.#deliver()
        if (this.#left() === 0 && this.#done < this.#progress!.all) return this.stopped()
        if (signal.aborted) return this.stopped()
        await this.#pace.behind(letters)
      } while (row < block.count)
      if (signal.aborted) return this.stopped()
    }
    if (signal.aborted) return this.stopped()
    this.#moveToEnds()
    await this.#deliver()
    return { ...this.stopped(), end: 'finished' }
  }

  /** Over what is no letter behind the last ones: markers of transactions, and what was aborted or compacted away. */
  #moveToEnds(): void {
    for (const [topic, ends] of Object.entries(this.#progress!.ends))
      for (const [partition, offset] of ends.entries()) {
        const place = `${topic}/${partition}`
        const tally = this.#behind.get(place)?.tally ?? this.#tallies.get(place) ?? NO_LETTERS
        if (this.#positions.get(place)! < offset) this.#behind.set(place, { topic, partition, offset, tally })
      }
  }

  stopped(): ReplayResult {
    const { bounds } = this.#parts.order
    const positions = Object.entries(bounds).map(([topic, ends]) => {
      return [topic, ends.map((_, partition) => this.#positions.get(`${topic}/${partition}`) ?? 0)]
    })
    return { end: 'stopped', counts: this.#counts(), positions: Object.fromEntries(positions) }
  }

  async close(): Promise<void> {
    await this.#plain?.close()
  }

  /** What is left to look at. */
  #begin(progress: ReplayProgress): readonly LetterRange[] {
    this.#forgetSlice()
    this.#progress = progress
    this.isSure = true
    this.#done = progress.done
    this.#tallies = new Map(progress.tallies)
    this.#writtenBefore ??= written(progress.counts)
    const ranges: LetterRange[] = []
    for (const [topic, ends] of Object.entries(progress.ends))
      for (const [partition, to] of ends.entries()) {
        const from = progress.positions[topic]?.[partition] ?? 0
        this.#positions.set(`${topic}/${partition}`, from)
        if (from < to) ranges.push({ topic, partition, from, to })
      }
    return ranges
  }

  #counts(): ReplayCounts {
    return [...this.#tallies.values()].reduce(plus, this.#progress?.untold ?? NO_LETTERS)
  }

  /** Letters that may still be written. */
  #left(): number {
    const { limit = Number.POSITIVE_INFINITY } = this.#parts
    return limit - (written(this.#counts()) - this.#writtenBefore!)
  }

  /** Letters that this slice may have. */
  #room(): number {
    return Math.min(this.#left(), this.#sliceLetters, this.#pace.room)
  }

  #isFull(): boolean {
    const { letters, bytes } = this.#slice
    return letters >= this.#room() || bytes >= SLICE_BYTES || this.#lookedAt >= SLICE_LOOKED_AT
  }

  /** Adds letters from this row on to the slice; the row behind the last one that was looked at. */
  async #addRows(block: RecordBlock, first: number): Promise<number> {
    const { topic, partition } = block
    const room = this.#room()
    let row = first
    for (; row < block.count && this.#slice.letters < room && this.#slice.bytes < SLICE_BYTES; row++) {
      const letter = deadLetterOf(block, row)
      if (!this.#isSelected(letter, block, row)) continue
      const added = this.#slice.add(letter, block, row)
      if (typeof added !== 'boolean') await added
    }
    this.#lookedAt += row - first
    const place = `${topic}/${partition}`
    const before = this.#behind.get(place)?.tally ?? this.#tallies.get(place) ?? NO_LETTERS
    const offset = row >= block.count ? block.nextOffset : block.offset(row)
    this.#behind.set(place, { topic, partition, offset, tally: plus(before, this.#slice.takeCounts()) })
    return row
  }

  /** R1. How many letters it was. */
  async #deliver(): Promise<number> {
    const { letters } = this.#slice
    if (this.#behind.size === 0) return letters
    const { applicationId, run, claim, onProgress, tellLost } = this.#parts
    const { lost } = this.#slice
    for (const round of this.#slice.batches()) await this.#send(round)
    if (lost !== undefined) await tellLost(lost)
    const behind = [...this.#behind.values()]
    const offsets = behind.map(({ tally, ...place }) => ({ ...place, metadata: tallyText(tally) }))
    this.isSure = false
    await claim.writer.sendOffsets(replayGroup(applicationId, run), offsets)
    await claim.writer.commit()
    this.isSure = true
    for (const [place, { offset, tally }] of this.#behind) {
      this.#done += offset - this.#positions.get(place)!
      this.#positions.set(place, offset)
      this.#tallies.set(place, tally)
    }
    this.#forgetSlice()
    this.#sliceLetters = Math.min(this.#mostLetters, 2 * this.#sliceLetters)
    onProgress?.(this.#done, this.#progress!.all, this.#counts())
    return letters
  }

  #forgetSlice(): void {
    this.#slice.clear()
    this.#behind.clear()
    this.#lookedAt = 0
  }

  async #send(round: readonly SealedBatch[]): Promise<void> {
    const { admit, claim } = this.#parts
    for (const { topic } of round) {
      if (this.#admitted.has(topic)) continue
      await admit?.(topic)
      this.#admitted.add(topic)
    }
    // While one that is refused is looked for, in transactions: what goes along with it is seen once, not with each half.
    const plain = this.#sliceLetters === this.#mostLetters ? this.#plain : undefined
    const results = await (plain ?? claim.writer).send(round)
    const refused = results.findIndex(({ outcome }) => outcome !== 'acknowledged')
    if (refused < 0) return
    if (plain === undefined) await claim.writer.abort()
    this.#refuse(round[refused]!, results[refused] as Exclude<SendResult, { outcome: 'acknowledged' }>)
  }

  /** R4: halves what is written together, down to the letter that is refused alone. */
  #refuse({ topic, partition }: SealedBatch, { reason }: { readonly reason: string }): never {
    const { letters } = this.#slice
    if (letters === 1) this.#slice.refuse(`${topic}/${partition} refuses it: ${reason}`)
    this.#sliceLetters = Math.max(1, Math.floor(letters / 2))
    throw new Refused()
  }
}

function written({ replayed, parked }: ReplayCounts): number {
  return replayed + parked
}
