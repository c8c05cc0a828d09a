import { openReader, type RecordReader } from '../check/readers.ts'
import { KRI_ORIGINAL_TOPIC } from '../kafka/headers.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { systemClock } from '../ops/clock.ts'
import { type Connected, readSchema } from './connect.ts'
import { headerText } from './consume-record.ts'

/** Reads dead letters: each is a record of the source that it came from, with schemas of that one's subjects. */
export interface LetterReader {
  readonly readers: readonly RecordReader[]
  readerOf(block: RecordBlock, row: number): RecordReader
}

/** What is opened of sources is opened once. */
export function sourceReaders(connected: Connected): (topic: string) => Promise<RecordReader> {
  const parts = { ...connected, readSchema, clock: systemClock }
  const opened = new Map<string, Promise<RecordReader>>()
  return topic => {
    const node = connected.topology.sources.find(source => source.topic === topic)!
    const reader = opened.get(topic) ?? openReader(topic, node.key, node.value, parts)
    opened.set(topic, reader)
    return reader
  }
}

export async function openLetterReader(
  { topology }: Connected,
  readerOfSource: (topic: string) => Promise<RecordReader>,
): Promise<LetterReader> {
  const readers = new Map<string | undefined, RecordReader>()
  for (const { topic } of topology.sources) readers.set(topic, await readerOfSource(topic))
  const [first] = readers.values()
  return {
    readers: [...readers.values()],
    readerOf: (block, row) => readers.get(headerText(block, row, KRI_ORIGINAL_TOPIC)) ?? first!,
  }
}
