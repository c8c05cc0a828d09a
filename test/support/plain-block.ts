import type { RecordBlock } from '../../src/kafka/record-block.ts'

/** A block of keys and values, without headers, for tests of what reads blocks. */
export function plainBlock(
  rows: readonly { readonly key?: Buffer | null; readonly value: Buffer | null }[],
  topic = 'in',
): RecordBlock {
  const parts: Buffer[] = [Buffer.from([0xff])]
  const ranges: number[] = []
  let at = 1
  for (const { key = null, value } of rows) {
    for (const part of [key, value]) {
      ranges.push(part === null ? -1 : at, part === null ? -1 : at + part.length)
      if (part !== null) parts.push(part)
      at += part?.length ?? 0
    }
  }
  const bytes = Buffer.concat(parts)
  const view = (start: number, end: number) => (start < 0 ? null : bytes.subarray(start, end))
  return {
    topic,
    partition: 0,
    count: rows.length,
    bytes,
    nextOffset: rows.length,
    endOffset: rows.length,
    retainedBytes: bytes.length,
    offset: i => i,
    timestamp: () => 0,
    keyStart: i => ranges[4 * i]!,
    keyEnd: i => ranges[4 * i + 1]!,
    valueStart: i => ranges[4 * i + 2]!,
    valueEnd: i => ranges[4 * i + 3]!,
    headerCount: () => 0,
    headersStart: () => 0,
    headersEnd: () => 0,
    key: i => view(ranges[4 * i]!, ranges[4 * i + 1]!),
    value: i => view(ranges[4 * i + 2]!, ranges[4 * i + 3]!),
    headers: () => [],
  }
}
