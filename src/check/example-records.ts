/** Where the example of a check comes from: a file of the user, or the newest records of the source topic. */
import { readFile } from 'node:fs/promises'
import { encodeLine, openLineEncoder } from '../cli/produce-lines.ts'
import { RunInferenceError } from '../errors.ts'
import type { SourceNode } from '../graph.ts'
import { newestRanges } from '../kafka/newest-ranges.ts'
import type { KafkaPort } from '../kafka/port.ts'
import type { Header } from '../kafka/record-block.ts'
import type { CheckParts } from './check.ts'

/** One bad record more or less says nothing; if all of these fail, the topology does. */
const MAX_RECORDS = 8

export interface ExampleRecord {
  /** `topic/partition/offset`, or the line of the file. */
  readonly origin: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
  /** Milliseconds since 1970. */
  readonly timestamp: number
}

/** The first lines of an NDJSON file through the codec of the source. Throws SETTINGS_INVALID or ENCODE_SCHEMA. */
export async function recordsOfFile(
  path: string,
  keyField: string | undefined,
  source: SourceNode,
  parts: CheckParts,
): Promise<ExampleRecord[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw RunInferenceError.from(error, 'SETTINGS_INVALID', `--example: cannot read ${path}`)
  })
  const lines = text.split('\n').map((line, i) => ({ line, number: i + 1 }))
  const filled = lines.filter(({ line }) => line.trim() !== '').slice(0, MAX_RECORDS)
  if (filled.length === 0) throw new RunInferenceError('SETTINGS_INVALID', `--example: ${path} holds no line`)
  const encoder = await openLineEncoder(source, keyField, parts)
  return filled.map(({ line, number }) => {
    const origin = `line ${number} of ${path}`
    try {
      const { key, value } = encodeLine(line, number, encoder)
      return { origin, key, value, headers: [], timestamp: parts.clock.wallTime() }
    } catch (error) {
      throw RunInferenceError.from(error, 'SETTINGS_INVALID', `--example: ${origin}`)
    }
  })
}

/** The newest records of a topic, youngest first, read without a group; empty when it holds none. */
export async function newestRecords(topic: string, port: KafkaPort): Promise<ExampleRecord[]> {
  const records: ExampleRecord[] = []
  for await (const block of port.scan(await newestRanges(topic, MAX_RECORDS, port))) {
    for (let i = 0; i < block.count; i++) {
      records.push({
        origin: `${topic}/${block.partition}/${block.offset(i)}`,
        key: copy(block.key(i)),
        value: copy(block.value(i)),
        headers: block.headers(i).map(([name, value]) => [name, copy(value)]),
        timestamp: block.timestamp(i),
      })
    }
  }
  return records.sort((a, b) => b.timestamp - a.timestamp)
}

function copy(bytes: Buffer | null): Buffer | null {
  return bytes && Buffer.from(bytes)
}
