/** A record header as Kafka has it: names may repeat, values may be null. */
export type Header = readonly [name: string, value: Buffer | null]

/**
 * What one fetch brought for one partition: the unit of flow. All ranges point into `bytes`, which the block keeps
 * alive, so that nothing is allocated per record unless somebody asks for an object.
 * Offsets and timestamps are plain numbers below 2^53; a null key or value has start −1.
 */
export interface RecordBlock {
  readonly topic: string
  readonly partition: number
  readonly count: number
  /** The buffer that every range of this block points into. */
  readonly bytes: Buffer
  /** Where the next fetch continues: behind control records and records that compaction removed. */
  readonly nextOffset: number
  /** The partition's log end as this fetch saw it (the last stable offset when reading committed); for lag. */
  readonly endOffset: number
  /** Memory that stays in use while this block lives. */
  readonly retainedBytes: number
  offset(i: number): number
  /** Milliseconds; the batch's append time where the topic uses LogAppendTime. */
  timestamp(i: number): number
  keyStart(i: number): number
  keyEnd(i: number): number
  valueStart(i: number): number
  valueEnd(i: number): number
  headerCount(i: number): number
  /** The wire form of the headers, behind their count. */
  headersStart(i: number): number
  headersEnd(i: number): number
  /** The key as a view, or null. */
  key(i: number): Buffer | null
  /** The value as a view, or null. */
  value(i: number): Buffer | null
  /** The headers as objects; parsed on each call. */
  headers(i: number): readonly Header[]
}
