import { printable } from '../check/showable.ts'
import { carriedHeaders, type DeadLetter, deadLetterOf } from '../dead-letters/dead-letter.ts'
import { fingerprintOf } from '../dead-letters/fingerprint.ts'
import { RunInferenceError } from '../errors.ts'
import { type ShownRecord, showRecord } from './consume-record.ts'
import { type DlqFlags, withDeadLetters } from './dlq-session.ts'
import { bytesText, originalOf, placeOf, timeText, whereOf } from './dlq-text.ts'
import { openLetterReader, sourceReaders } from './letter-reader.ts'

const HEX_BYTES = 512
const BYTES_PER_LINE = 16

interface WholeLetter {
  readonly letter: DeadLetter
  readonly shown: ShownRecord
  readonly value: Buffer | null
  readonly carried: readonly (readonly [name: string, value: string])[]
}

/** Shows one dead letter whole: what failed and why, and the record, decoded where that can be done. */
export async function showDeadLetter(module: string, place: string, flags: DlqFlags): Promise<void> {
  const match = /^(.{1,249})\/(\d{1,9})\/(\d{1,15})$/.exec(place)
  if (!match)
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `"${place}" is no dead letter: expected topic/partition/offset, as "kri dlq ls" shows it`,
    )
  const [topic, partition, from] = [match[1]!, Number(match[2]), Number(match[3])]
  const letter = [{ of: 'letter' as const, topic, partition, from, until: from + 1 }]
  await withDeadLetters(module, { ...flags, letter }, async session => {
    if (!session.topics.includes(topic))
      throw new RunInferenceError(
        'SETTINGS_INVALID',
        `${topic} is no dead-letter topic of ${module}. These are: ${session.topics.join(', ')}`,
      )
    const reader = await openLetterReader(session, sourceReaders(session))
    const found: WholeLetter[] = []
    for await (const block of session.port.scan(session.ranges, { signal: session.signal })) {
      for (const each of reader.readers) await each.prepare(block)
      for (let row = 0; row < block.count; row++) {
        const shown = showRecord(block, row, reader.readerOf(block, row), true)
        const carried = carriedHeaders(block, row).map(
          ([name, value]) => [name, value === null ? 'null' : bytesText(value)] as const,
        )
        found.push({ letter: deadLetterOf(block, row), shown, value: block.value(row), carried })
      }
    }
    const [whole] = found
    if (whole === undefined)
      throw new RunInferenceError(
        'SETTINGS_INVALID',
        `${place} has no record: it was never written, or retention has removed it`,
      )
    console.log(flags.json === true ? asJson(whole) : asText(whole))
  })
}

function asJson({ letter, shown, carried }: WholeLetter): string {
  const { key, value, undecoded } = shown
  return printable(
    JSON.stringify({
      ...letter,
      fingerprint: fingerprintOf(letter),
      key,
      value,
      ...(undecoded && { undecoded }),
      headers: carried,
    }),
  )
}

function asText({ letter, shown, value, carried }: WholeLetter): string {
  const { code, errorType, stage, modelId, attempt, replayCount, failedAt, failedElements, message, stack, leftOut } =
    letter
  const facts: readonly (readonly [string, string | null])[] = [
    ['dead letter', `${placeOf(letter)}, written ${timeText(letter.writtenAt)}`],
    ['failed', `${stage ?? '?'} of ${whereOf(letter)} (${letter.node ?? '?'}), ${timeText(failedAt)}`],
    ['code', `${code ?? '?'} (${errorType ?? '?'}), fingerprint ${fingerprintOf(letter)}`],
    ['tried', `${attempt ?? '?'} times; replayed before: ${replayCount} times`],
    ['elements', failedElements === null ? null : `${failedElements} of this record failed alike`],
    ['model', modelId],
    ['first read at', `${originalOf(letter)}, ${timeText(letter.original.timestamp)}`],
    ['message', message],
  ]
  const { undecoded } = shown
  const lines = [
    ...facts.flatMap(([name, text]) => (text === null ? [] : [`${name.padEnd(14)}${text}`])),
    ...(stack === null ? [] : ['', ...stack.split('\n').map(line => `  ${line}`)]),
    '',
    `${'key'.padEnd(14)}${undecoded?.key === undefined ? JSON.stringify(shown.key) : `base64 ${String(shown.key)} (${undecoded.key})`}`,
    ...carried.map(([name, text]) => `${'header'.padEnd(14)}${name}=${text}`),
    ...valueLines(shown, value, leftOut),
  ]
  return lines.map(printable).join('\n')
}

function valueLines(
  { value: decoded, undecoded }: ShownRecord,
  value: Buffer | null,
  leftOut: DeadLetter['leftOut'],
): string[] {
  if (leftOut !== null)
    return [
      `${'value'.padEnd(14)}too large to keep: ${leftOut.bytes ?? '?'} bytes, sha256 ${leftOut.sha256 ?? '?'}; it is where the record was first read`,
    ]
  if (value === null) return [`${'value'.padEnd(14)}null`]
  if (undecoded?.value === undefined)
    return [`${'value'.padEnd(14)}${value.length} bytes:`, ...JSON.stringify(decoded, null, 2).split('\n')]
  return [`${'value'.padEnd(14)}${value.length} bytes, cannot be decoded: ${undecoded.value}`, ...hexLines(value)]
}

/** As `hexdump -C` shows it. */
function hexLines(bytes: Buffer): string[] {
  const lines: string[] = []
  for (let at = 0; at < Math.min(bytes.length, HEX_BYTES); at += BYTES_PER_LINE) {
    const row = bytes.subarray(at, Math.min(at + BYTES_PER_LINE, HEX_BYTES))
    const text = row.toString('latin1').replace(/[^\x20-\x7e]/g, '.')
    const pairs = row
      .toString('hex')
      .replace(/../g, '$& ')
      .padEnd(BYTES_PER_LINE * 3)
    lines.push(`${at.toString(16).padStart(8, '0')}  ${pairs} |${text}|`)
  }
  if (bytes.length > HEX_BYTES) lines.push(`… ${bytes.length - HEX_BYTES} bytes more: kri dlq export has all of them`)
  return lines
}
