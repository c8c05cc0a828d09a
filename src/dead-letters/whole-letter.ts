import type { ReadField } from '../check/readers.ts'
import { RunInferenceError } from '../errors.ts'
import type { KafkaPort } from '../kafka/port.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { carriedHeaders, type DeadLetter, deadLetterOf } from './dead-letter.ts'
import type { LetterReader } from './letter-reader.ts'
import { letterRanges } from './letter-scan.ts'
import { bytesText } from './letter-text.ts'
import { scanWhole } from './whole-scan.ts'

/** A dead letter with its record, read with the codecs of its source. */
export interface WholeLetter {
  readonly letter: DeadLetter
  readonly key: ReadField
  readonly value: ReadField
  readonly keyBytes: Buffer | null
  readonly valueBytes: Buffer | null
  /** Of the source record; bytes that are no text in hexadecimal. */
  readonly carried: readonly (readonly [name: string, value: string])[]
}

export interface LetterPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** Throws SETTINGS_INVALID for a text that is no `topic/partition/offset`, and for a topic that is none of these. */
export function placeOfLetter(text: string, topics: readonly string[]): LetterPlace {
  const [, topic, partition, offset] = /^(.{1,249})\/(\d{1,9})\/(\d{1,15})$/.exec(text) ?? []
  if (topic === undefined)
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `"${text}" is no dead letter: expected topic/partition/offset, as "kri dlq ls" shows it`,
    )
  if (!topics.includes(topic))
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `${topic} is no dead-letter topic of this topology. These are: ${topics.join(', ')}`,
    )
  return { topic, partition: Number(partition), offset: Number(offset) }
}

/** Undefined: it was never written, or retention has removed it. */
export async function readWholeLetter(
  port: Pick<KafkaPort, 'admin' | 'scan'>,
  { topic, partition, offset }: LetterPlace,
  reader: LetterReader,
  signal: AbortSignal,
): Promise<WholeLetter | undefined> {
  const place = { of: 'letter' as const, topic, partition, from: offset, until: offset + 1 }
  const ranges = await letterRanges(port, [topic], { offsets: [place] })
  let found: WholeLetter | undefined
  for await (const block of scanWhole(port, ranges, signal)) {
    for (const each of reader.readers) await each.prepare(block)
    for (let row = 0; row < block.count; row++) found = wholeLetter(block, row, reader)
  }
  return found
}

function wholeLetter(block: RecordBlock, row: number, reader: LetterReader): WholeLetter {
  const own = reader.readerOf(block, row)
  const copied = (bytes: Buffer | null) => (bytes === null ? null : Buffer.from(bytes))
  return {
    letter: deadLetterOf(block, row),
    ...{ key: own.key(block, row), value: own.value(block, row) },
    ...{ keyBytes: copied(block.key(row)), valueBytes: copied(block.value(row)) },
    carried: carriedHeaders(block, row).map(
      ([name, bytes]) => [name, bytes === null ? 'null' : bytesText(bytes)] as const,
    ),
  }
}
