/**
 * One run of a replay: reads dead letters up to its bounds, writes those that are selected again, and commits how far it is. It can
 * be ended at any time and taken up again by its name.
 *
 * R1. Its progress is what the group of its name has committed, and is committed only behind what was written (at least once) or
 *     together with it (exactly once). Every letter below the bounds is looked at; those at and above are left for another run.
 * R2. Whoever begins a run of a name has it: another one of that name can commit nothing more, and ends with TRANSACTION_FENCED.
 * R3. A letter that was replayed `maxReplays` times goes to the parked topic, never into a loop.
 * R4. What cannot be written again is left where it is, counted, and told.
 * R5. Memory is that of a few blocks, however many letters there are.
 */
import { isRetriable, RunInferenceError } from '../errors.ts'
import type { KafkaPort, TransactionalWriter } from '../kafka/port.ts'
import type { SealedBatch } from '../kafka/record-batch-builder.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { type Clock, sleep } from '../ops/clock.ts'
import { type DeadLetter, deadLetterOf } from './dead-letter.ts'
import type { LetterRange } from './letter-scan.ts'
import { OriginalValues } from './original-values.ts'
import type { ReplayCounts, ReplayOrder } from './replay-audit.ts'
import { type OutputTopic, ReplayOutputs } from './replay-outputs.ts'
import { type PlaceOptions, type ReplayPlace, replayPlace } from './replay-place.ts'
import { replayedRecord } from './replay-record.ts'
import { type Selects, selects } from './selection.ts'

const TRANSACTION_TIMEOUT_MS = 60_000
/** Letters that are written and committed together, at most. */
const SLICE_LETTERS = 10_000
/** With a rate: so many slices in a second. */
const SLICES_PER_SECOND = 4
const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 10_000

export interface ReplayRunParts extends Omit<PlaceOptions, 'target' | 'maxReplays'> {
  readonly port: KafkaPort
  readonly run: string
  readonly order: ReplayOrder
  /** Every topic that is written to. */
  readonly topics: ReadonlyMap<string, OutputTopic>
  readonly clock: Clock
  readonly random: () => number
  readonly signal: AbortSignal
  /** Letters a second, and of this run altogether, at most. */
  readonly rate?: number
  readonly limit?: number
  /** Offsets that are behind, of how many, with each commit. */
  readonly onProgress?: (done: number, all: number, counts: ReplayCounts) => void
  /** A letter that is left where it is. */
  readonly onLost?: (letter: DeadLetter, why: string) => void
}

export interface ReplayResult {
  /** `stopped`: before the bounds. */
  readonly end: 'finished' | 'stopped'
  readonly counts: ReplayCounts
}

/** The group whose committed offsets are the progress of a run, and the transactional id that a run has. */
export function replayGroup(applicationId: string, run: string): string {
  return `${applicationId}.replay.${run}`
}

/** Rejects TRANSACTION_FENCED when another run of this name has begun, and with what is final for the broker. */
export async function runReplay(parts: ReplayRunParts): Promise<ReplayResult> {
  const { applicationId, clock, port, random, run, signal } = parts
  const transactionalId = replayGroup(applicationId, run)
  const writer = port.transactionalWriter({ transactionalId, timeoutMs: TRANSACTION_TIMEOUT_MS })
  const course = new Course(parts, writer)
  try {
    for (let losses = 0; ; losses++) {
      try {
        return await course.run()
      } catch (error) {
        if (!isRetriable(error) || codeOf(error) === 'TRANSACTION_FENCED' || signal.aborted) throw error
        await sleep(clock, Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** losses) * (0.5 + random() / 2), signal)
      }
    }
  } finally {
    await writer.close()
    await course.close()
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof RunInferenceError ? error.code : undefined
}

class Course {
  readonly #parts: ReplayRunParts
  readonly #writer: TransactionalWriter
  readonly #plain
  readonly #isSelected: Selects
  readonly #outputs: ReplayOutputs
  readonly #originals: OriginalValues
  readonly #counts = { replayed: 0, parked: 0, lost: 0 }
  #slice = { replayed: 0, parked: 0, lost: 0 }
  #began: number | undefined

  constructor(parts: ReplayRunParts, writer: TransactionalWriter) {
    this.#parts = parts
    this.#writer = writer
    this.#plain = parts.order.guarantee === 'at_least_once' ? parts.port.writer() : undefined
    this.#isSelected = selects(parts.order.selection)
    this.#outputs = new ReplayOutputs(parts.topics)
    this.#originals = new OriginalValues(parts.port, parts.signal)
  }

  /** From what is committed to the bounds. */
  async run(): Promise<ReplayResult> {
    const { port, signal, onProgress, clock } = this.#parts
    await this.#writer.fence()
    const { ranges, all, before } = await this.#ranges()
    const behind = new Map(ranges.map(({ topic, partition, from }) => [`${topic}/${partition}`, from]))
    this.#began ??= clock.now()
    this.#forgetSlice()
    let done = before
    const result = (end: ReplayResult['end']) => ({ end, counts: { ...this.#counts } })
    for await (const block of port.scan(ranges, { signal })) {
      for (let row = 0; ; ) {
        row = await this.#addSlice(block, row)
        const isWhole = row >= block.count
        const next = isWhole ? block.nextOffset : block.offset(row)
        await this.#deliver(block, next)
        const place = `${block.topic}/${block.partition}`
        done += next - behind.get(place)!
        behind.set(place, next)
        onProgress?.(done, all, this.#counts)
        if (this.#left() === 0 && !(isWhole && done >= all)) return result('stopped')
        if (signal.aborted) return result('stopped')
        await this.#pace()
        if (isWhole) break
      }
    }
    return result(signal.aborted ? 'stopped' : 'finished')
  }

  async close(): Promise<void> {
    await this.#plain?.close()
  }

  /** What is left to look at, and how much of all is behind. */
  async #ranges(): Promise<{ readonly ranges: readonly LetterRange[]; readonly all: number; readonly before: number }> {
    const { applicationId, order, port, run } = this.#parts
    const ranges: LetterRange[] = []
    let [all, before] = [0, 0]
    for (const [topic, ends] of Object.entries(order.bounds)) {
      const committed = await port.admin.committed(replayGroup(applicationId, run), topic)
      const offsets = await port.admin.offsets(topic)
      for (const [partition, to] of ends.entries()) {
        const start = Math.min(to, offsets[partition]?.start ?? to)
        const from = Math.min(to, Math.max(start, committed[partition] ?? -1))
        all += to - start
        before += from - start
        if (from < to) ranges.push({ topic, partition, from, to })
      }
    }
    return { ranges, all, before }
  }

  /** Letters that may still be written. */
  #left(): number {
    const { limit = Number.POSITIVE_INFINITY } = this.#parts
    return limit - this.#counts.replayed - this.#counts.parked
  }

  /** Adds letters from this row on to what is written next; the row behind the last one that was looked at. */
  async #addSlice(block: RecordBlock, first: number): Promise<number> {
    const { rate = Number.POSITIVE_INFINITY } = this.#parts
    const room = Math.min(this.#left(), SLICE_LETTERS, Math.max(1, Math.ceil(rate / SLICES_PER_SECOND)))
    let row = first
    for (let added = 0; row < block.count && added < room; row++) {
      const letter = deadLetterOf(block, row)
      if (this.#isSelected(letter, block, row) && (await this.#add(letter, block, row))) added++
    }
    return row
  }

  async #add(letter: DeadLetter, block: RecordBlock, row: number): Promise<boolean> {
    const { order, onLost } = this.#parts
    const place = replayPlace(letter, { ...this.#parts, ...order })
    const lost = (why: string) => {
      this.#slice.lost++
      onLost?.(letter, why)
      return false
    }
    if (place.what === 'lost') return lost(place.why)
    if (letter.leftOut !== null && place.what === 'replayed') {
      const original = await this.#originals.of(letter)
      if ('why' in original) return lost(original.why)
      this.#write(letter, block, row, place, original.value)
    } else this.#write(letter, block, row, place)
    this.#slice[place.what]++
    return true
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

  /** R1 */
  async #deliver({ topic, partition }: RecordBlock, offset: number): Promise<void> {
    const { applicationId, run } = this.#parts
    for (const round of this.#outputs.take()) await this.#send(round)
    await this.#writer.sendOffsets(replayGroup(applicationId, run), [{ topic, partition, offset }])
    await this.#writer.commit()
    for (const what of ['replayed', 'parked', 'lost'] as const) this.#counts[what] += this.#slice[what]
    this.#slice = { replayed: 0, parked: 0, lost: 0 }
  }

  async #send(round: readonly SealedBatch[]): Promise<void> {
    const results = await (this.#plain ?? this.#writer).send(round)
    for (const [i, result] of results.entries()) {
      if (result.outcome === 'acknowledged') continue
      const { topic, partition, count } = round[i]!
      if (this.#plain === undefined) await this.#writer.abort()
      const what = `${topic}/${partition} refuses ${count} records: ${result.outcome === 'refused' ? result.reason : result.outcome}`
      throw new RunInferenceError(
        'BROKER_REFUSED',
        `${what}. Look at max.message.bytes of the topic; nothing behind them was committed`,
      )
    }
  }

  #forgetSlice(): void {
    this.#outputs.take()
    this.#slice = { replayed: 0, parked: 0, lost: 0 }
  }

  /** Waits until so many letters are due. */
  async #pace(): Promise<void> {
    const { clock, rate, signal } = this.#parts
    if (rate === undefined) return
    const written = this.#counts.replayed + this.#counts.parked
    const dueMs = this.#began! + (written / rate) * 1_000
    if (dueMs > clock.now()) await sleep(clock, dueMs - clock.now(), signal)
  }
}
