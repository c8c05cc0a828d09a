import { openReader, type RecordReader } from '../check/readers.ts'
import { KRI_ORIGINAL_TOPIC } from '../kafka/headers.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import type { Topology } from '../topology.ts'

/** With what codecs are opened. */
export type ReaderParts = Parameters<typeof openReader>[3]

/** Reads dead letters: each is a record of the source that it came from, with schemas of that one's subjects. */
export interface LetterReader {
  readonly readers: readonly RecordReader[]
  readerOf(block: RecordBlock, row: number): RecordReader
}

/** What is opened of sources is opened once. */
export function sourceReaders(topology: Topology, parts: ReaderParts): (topic: string) => Promise<RecordReader> {
  const opened = new Map<string, Promise<RecordReader>>()
  return topic => {
    const node = topology.sources.find(source => source.topic === topic)!
    const reader = opened.get(topic) ?? openReader(topic, node.key, node.value, parts)
    opened.set(topic, reader)
    return reader
  }
}

export async function openLetterReader(
  { sources }: Topology,
  readerOfSource: (topic: string) => Promise<RecordReader>,
): Promise<LetterReader> {
  const readers = new Map<string | undefined, RecordReader>()
  for (const { topic } of sources) readers.set(topic, await readerOfSource(topic))
  const [first] = readers.values()
  return {
    readers: [...readers.values()],
    readerOf: (block, row) => readers.get(originalTopic(block, row)) ?? first!,
  }
}

/** As the last header of this name says; undefined where there is none. */
function originalTopic(block: RecordBlock, row: number): string | undefined {
  return block
    .headers(row)
    .findLast(([name]) => name === KRI_ORIGINAL_TOPIC)?.[1]
    ?.toString()
}
