import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RunInferenceError } from '../../src/errors.ts'
import { murmur2Partition } from '../../src/kafka/murmur2.ts'
import type { Header } from '../../src/kafka/record-block.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { encodeFailure } from '../../src/pipeline/dead-letter.ts'
import { Outbox } from '../../src/pipeline/outbox.ts'
import { type OpenBatches, OutputTarget } from '../../src/pipeline/output-target.ts'
import type { FailurePoint } from '../../src/pipeline/stage.ts'
import { type CommitUnit, type Outputs, UnitBuilder } from '../../src/pipeline/unit-builder.ts'
import type { WorkBlock } from '../../src/pipeline/work-block.ts'
import { type RecordingWriter, recordingWriter } from '../support/recording-writer.ts'
import { header, showRecord, sourceOf } from '../support/show-record.ts'
import { blockOf, flowOf, putOutput, type SourceRecord, sourceRecord, workOf } from '../support/work-blocks.ts'

const NOW = 10_000_000_000
const HOUR_MS = 3_600_000
const SOURCE_PARTITION = 1
const LETTERS = 'app.step.failed-postprocess'

/** What one row gives at each of the three sinks: nothing, a tombstone, bytes, a record that brokers refuse, a failure. */
type Fate = 'nothing' | 'null' | 'value' | 'refused' | 'failure'
interface Row {
  readonly record: Omit<SourceRecord, 'offset'>
  readonly gap: number
  readonly fates: readonly Fate[]
}

const row: fc.Arbitrary<Row> = fc.record({
  record: fc.record({
    timestamp: fc.constantFrom(-1, 0, 1_000, NOW, NOW + HOUR_MS / 2, NOW + 2 * HOUR_MS),
    key: fc.option(
      fc.uint8Array({ maxLength: 6 }).map(bytes => Buffer.from(bytes)),
      { nil: null },
    ),
    value: fc.option(
      fc.uint8Array({ maxLength: 10 }).map(bytes => Buffer.from(bytes)),
      { nil: null },
    ),
    headers: fc.array(
      fc.tuple(
        fc.constantFrom('a', 'b', 'kri-source', 'kri-code', 'traceparent', ''),
        fc.option(fc.constantFrom(Buffer.from('x'), Buffer.alloc(0)), { nil: null }),
      ) as fc.Arbitrary<Header>,
      { maxLength: 3 },
    ),
  }),
  gap: fc.constantFrom(0, 0, 0, 1, 4),
  fates: fc.array(fc.constantFrom<Fate>('nothing', 'null', 'value', 'value', 'value', 'refused', 'failure'), {
    minLength: 3,
    maxLength: 3,
  }),
})

const input = fc.record({
  blocks: fc.array(fc.array(row, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
  trailingGap: fc.constantFrom(0, 2),
  /** Decides in which order rows become done, and how long sends take. */
  chance: fc.infiniteStream(fc.nat({ max: 999 })),
  maxBatchBytes: fc.constantFrom(150, 400, 5_000),
  /** 0: no limit; else the "broker" refuses batches of more records. */
  maxRecords: fc.constantFrom(0, 0, 1, 3),
})

describe('unit builder and outbox', () => {
  it('U1–U4, O1, O3: every output once and in order, refused records as dead letters, offsets that follow', async () => {
    await fc.assert(
      fc.asyncProperty(input, async ({ blocks, trailingGap, chance, maxBatchBytes, maxRecords }) => {
        const random = (below: number) => chance.next().value % below
        const course = new Course(blocks, trailingGap, maxBatchBytes, maxRecords, () => random(4))
        const open = course.pending()
        while (open.length > 0) {
          const [next] = open.splice(random(open.length), 1)
          course.finish(next!)
          if (random(3) === 0) await new Promise(resolve => setImmediate(resolve))
        }
        await course.end()
        course.check()
      }),
      { numRuns: 120 },
    )
  })
})

interface Pending {
  readonly work: WorkBlock
  readonly row: number
  readonly fates: readonly Fate[]
}

class Course {
  readonly #flow = flowOf('in', SOURCE_PARTITION, 5)
  readonly #works: { readonly work: WorkBlock; readonly rows: readonly Row[] }[] = []
  readonly #outputs: Outputs
  readonly #writer: RecordingWriter
  readonly #outbox: Outbox
  readonly #units: CommitUnit[] = []
  readonly #fatal: unknown[] = []

  constructor(
    blocks: readonly (readonly Row[])[],
    trailingGap: number,
    maxBatchBytes: number,
    maxRecords: number,
    turns: () => number,
  ) {
    let offset = 5
    for (const rows of blocks) {
      const startOffset = offset
      const records = rows.map(({ record, gap }) => {
        offset += gap
        return sourceRecord(offset++, record)
      })
      // A block without records is what control records alone leave; it needs a gap to move on.
      offset += trailingGap
      const block =
        records.length > 0
          ? blockOf(records, { partition: SOURCE_PARTITION, startOffset, nextOffset: offset })
          : { ...blockOf([], { partition: SOURCE_PARTITION, startOffset }), nextOffset: offset }
      this.#works.push({ work: workOf(block, this.#flow, 3), rows })
    }
    const size = { maxMessageBytes: maxBatchBytes + 1024 }
    const shared: OpenBatches = []
    // Sinks 0 and 2 write one topic, each with a partitioning of its own; sink 1 another one.
    this.#outputs = {
      outlets: [
        new OutputTarget('both', { partitions: 3, ...size }, true, shared),
        new OutputTarget('keyed', { partitions: 2, ...size }, false),
        new OutputTarget('both', { partitions: 3, ...size }, false, shared),
      ].map((target, sink) => ({ column: sink, sink, target, between: false })),
      deadLetters: new Map([[LETTERS, new OutputTarget(LETTERS, { partitions: 3, maxMessageBytes: 20_000 }, true)]]),
    }
    this.#writer = recordingWriter((topic, records) => {
      if (topic === LETTERS) return undefined
      if (maxRecords > 0 && records.length > maxRecords) return 'MESSAGE_TOO_LARGE'
      return records.some(({ value }) => value?.toString().startsWith('refused')) ? 'INVALID_RECORD' : undefined
    }, turns)
    this.#outbox = new Outbox({
      builder: new UnitBuilder({
        provenance: true,
        wallTime: () => NOW,
        encodeFailure: (work, at, failure, maxBytes) => encodeFailure('app', NOW, work, at, failure, maxBytes),
      }),
      outputs: this.#outputs,
      writer: this.#writer,
      member: { alive: () => true },
      clock: systemClock,
      refusedPoint: sink => point(`to#${sink}`),
      onAcknowledged: unit => this.#acknowledged(unit),
      onFatal: error => this.#fatal.push(error),
    })
  }

  pending(): Pending[] {
    return this.#works.flatMap(({ work, rows }) => rows.map(({ fates }, row) => ({ work, row, fates })))
  }

  finish({ work, row, fates }: Pending): void {
    work.addBranches(row, fates.length - 1)
    for (const [sink, fate] of fates.entries()) {
      if (fate === 'failure') {
        work.fail(row, point(`sink ${sink}`), sink, new RunInferenceError('ENCODE_SCHEMA', 'asked for by the test'))
        continue
      }
      if (fate === 'null') putOutput(work, sink, row, null)
      else if (fate !== 'nothing') putOutput(work, sink, row, Buffer.from(text(fate, work, row, sink)))
      work.complete(row)
    }
    this.#outbox.advance(this.#flow)
  }

  async end(): Promise<void> {
    this.#outbox.advance(this.#flow)
    for (let turn = 0; turn < 50 && (this.#flow.sending || turn < 2); turn++)
      await new Promise(resolve => setImmediate(resolve))
  }

  check(): void {
    assert.deepEqual(this.#fatal, [])
    assert.deepEqual(this.#flow.blocks, [], 'every block was acknowledged')
    assert.equal(this.#flow.committable, this.#works.at(-1)!.work.block.nextOffset, 'U3: the offset behind everything')
    for (let i = 1; i < this.#units.length; i++)
      assert.ok(this.#units[i]!.nextOffset >= this.#units[i - 1]!.nextOffset, 'offsets never go back')
    const expected = this.#expected()
    const got = new Map([...this.#writer.logs].map(([place, records]) => [place, records.map(showRecord)]))
    for (const place of new Set([...expected.keys(), ...got.keys()]))
      if (!place.startsWith(LETTERS)) assert.deepEqual(got.get(place) ?? [], expected.get(place) ?? [], `U1: ${place}`)
    this.#checkLetters()
    const clamped = this.#units.reduce((sum, unit) => sum + unit.clampedTimestamps, 0)
    assert.equal(clamped, this.#expectedClamped(), 'clamped timestamps are counted')
    const refused = this.#units.flatMap(unit => unit.refused)
    assert.equal(refused.length, this.#count('refused'), 'O3: refused outputs are told')
  }

  #acknowledged(unit: CommitUnit): void {
    this.#units.push(unit)
    for (const { work, to } of unit.ranges)
      if (to === work.block.count) this.#flow.blocks.splice(this.#flow.blocks.indexOf(work), 1)
    assert.ok(this.#allBefore(unit.nextOffset), 'O1: everything before the offset is stored')
    this.#flow.committable = unit.nextOffset
  }

  /** True when each row below the offset has all its records in the logs. */
  #allBefore(offset: number): boolean {
    const stored = Map.groupBy([...this.#writer.logs.values()].flat(), sourceOf)
    return this.#works.every(({ work, rows }) =>
      rows.every(({ fates }, row) => {
        const at = work.block.offset(row)
        const wanted = fates.filter(fate => fate !== 'nothing').length
        return at >= offset || (stored.get(`in/${SOURCE_PARTITION}/${at}`)?.length ?? 0) === wanted
      }),
    )
  }

  #expected(): Map<string, string[]> {
    const logs = new Map<string, string[]>()
    for (const { work, rows } of this.#works) {
      for (const [row, { record, fates }] of rows.entries()) {
        for (const [sink, fate] of fates.entries()) {
          if (fate !== 'null' && fate !== 'value') continue
          const value = fate === 'null' ? null : text(fate, work, row, sink)
          const kept = record.headers.filter(([name]) => !name.startsWith('kri-'))
          const source: Header = ['kri-source', Buffer.from(`in/${SOURCE_PARTITION}/${work.block.offset(row)}`)]
          const place = sink === 0 ? `both/${SOURCE_PARTITION}` : keyPlace(sink === 1 ? 'keyed' : 'both', record.key)
          const made = {
            timestamp: clamp(record.timestamp),
            key: record.key,
            value: value === null ? null : Buffer.from(value),
            headers: [...kept, source],
          }
          logs.set(place, [...(logs.get(place) ?? []), showRecord(made)])
        }
      }
    }
    return logs
  }

  /** Dead letters are the source records, those of failed rows in order; those of refused outputs may come later. */
  #checkLetters(): void {
    const letters = this.#writer.logs.get(`${LETTERS}/${SOURCE_PARTITION}`) ?? []
    assert.equal(letters.length, this.#count('failure') + this.#count('refused'))
    for (const letter of letters) {
      const [, , offset] = sourceOf(letter).split('/')
      const { record } = this.#row(Number(offset))
      assert.deepEqual(letter.key, record.key)
      assert.deepEqual(letter.value, record.value)
      assert.equal(letter.timestamp, NOW)
      const carried = letter.headers.filter(([name]) => !name.startsWith('kri-'))
      assert.deepEqual(
        carried,
        record.headers.filter(([name]) => !name.startsWith('kri-')),
      )
    }
    const failed = letters
      .filter(letter => header(letter, 'kri-code') === 'ENCODE_SCHEMA')
      .map(letter => Number(sourceOf(letter).split('/')[2]))
    assert.deepEqual(
      failed,
      failed.toSorted((a, b) => a - b),
      'I2: dead letters of failed rows in source order',
    )
  }

  #row(offset: number): Row {
    for (const { work, rows } of this.#works)
      for (const [row, each] of rows.entries()) if (work.block.offset(row) === offset) return each
    throw new Error(`no row with offset ${offset}`)
  }

  #count(wanted: Fate): number {
    return this.#works.flatMap(({ rows }) => rows.flatMap(({ fates }) => fates)).filter(fate => fate === wanted).length
  }

  #expectedClamped(): number {
    const rows = this.#works.flatMap(({ rows: all }) => all)
    const outputs = (fates: readonly Fate[]) => fates.filter(fate => fate !== 'nothing' && fate !== 'failure').length
    return rows.reduce(
      (sum, { record, fates }) => sum + (clamp(record.timestamp) === record.timestamp ? 0 : outputs(fates)),
      0,
    )
  }
}

const text = (fate: Fate, work: WorkBlock, row: number, sink: number) =>
  `${fate} of ${work.block.offset(row)} at ${sink}`

function clamp(timestamp: number): number {
  return timestamp < 0 || timestamp > NOW + HOUR_MS - 60_000 ? NOW : timestamp
}

function keyPlace(topic: string, key: Buffer | null): string {
  const partitions = topic === 'both' ? 3 : 2
  return `${topic}/${key === null ? SOURCE_PARTITION % partitions : murmur2Partition(key, 0, key.length, partitions)}`
}

function point(node: string): FailurePoint {
  return { topic: LETTERS, stage: 'postprocess', step: 'step', node, listeners: [] }
}
