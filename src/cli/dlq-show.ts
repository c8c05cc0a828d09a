import { printable } from '../check/showable.ts'
import type { DeadLetter } from '../dead-letters/dead-letter.ts'
import { fingerprintOf } from '../dead-letters/fingerprint.ts'
import { openLetterReader, sourceReaders } from '../dead-letters/letter-reader.ts'
import { hexLines } from '../dead-letters/letter-text.ts'
import { selectedTopics } from '../dead-letters/letter-topics.ts'
import { placeOfLetter, readWholeLetter, type WholeLetter } from '../dead-letters/whole-letter.ts'
import { RunInferenceError } from '../errors.ts'
import { systemClock } from '../ops/clock.ts'
import { unlessInterrupted, withSession } from './command-session.ts'
import { readSchema, type TopologyFlags } from './connect.ts'
import { type EditFlags, editDeadLetter } from './dlq-edit.ts'
import { originalOf, placeOf, timeText, whereOf } from './dlq-text.ts'

export type ShowFlags = TopologyFlags & EditFlags

/** Shows one dead letter whole: what failed and why, and the record, decoded where that can be done. */
export async function showDeadLetter(module: string, text: string, flags: ShowFlags): Promise<void> {
  await withSession(module, flags, async session => {
    const { topology, port, signal } = session
    const place = placeOfLetter(text, selectedTopics(topology, {}))
    if (flags.edit === true || flags.editWith !== undefined) {
      await editDeadLetter(session, place, flags)
      return
    }
    const parts = { ...session, readSchema, clock: systemClock }
    const whole = topology.whole ?? topology
    const reader = await openLetterReader(whole, sourceReaders(whole, parts))
    const found = await unlessInterrupted(signal, readWholeLetter(port, place, reader, signal))
    if (found === undefined)
      throw new RunInferenceError(
        'SETTINGS_INVALID',
        `${text} has no record: it was never written, or retention has removed it`,
      )
    console.log(flags.json === true ? asJson(found) : asText(found))
  })
}

function asJson({ letter, key, value, carried }: WholeLetter): string {
  const reasons = [key, value].some(({ reason }) => reason !== undefined)
  const undecoded = { key: key.reason, value: value.reason }
  return printable(
    JSON.stringify({
      ...letter,
      fingerprint: fingerprintOf(letter),
      ...{ key: key.shown, value: value.shown },
      ...(reasons && { undecoded }),
      headers: carried,
    }),
  )
}

function asText(whole: WholeLetter): string {
  const { letter, key, carried } = whole
  const { code, errorType, stage, modelId, attempt, replayCount, failedAt, failedElements, message, stack } = letter
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
  const lines = [
    ...facts.flatMap(([name, text]) => (text === null ? [] : [`${name.padEnd(14)}${text}`])),
    ...(stack === null ? [] : ['', ...stack.split('\n').map(line => `  ${line}`)]),
    '',
    `${'key'.padEnd(14)}${key.reason === undefined ? JSON.stringify(key.shown) : `base64 ${String(key.shown)} (${key.reason})`}`,
    ...carried.map(([name, text]) => `${'header'.padEnd(14)}${name}=${text}`),
    ...valueLines(whole, letter.leftOut),
  ]
  return lines.map(printable).join('\n')
}

function valueLines({ value, valueBytes }: WholeLetter, leftOut: DeadLetter['leftOut']): string[] {
  if (leftOut !== null)
    return [
      `${'value'.padEnd(14)}too large to keep: ${leftOut.bytes ?? '?'} bytes, sha256 ${leftOut.sha256 ?? '?'}; it is where the record was first read`,
    ]
  if (valueBytes === null) return [`${'value'.padEnd(14)}null`]
  const head = `${'value'.padEnd(14)}${valueBytes.length} bytes`
  if (value.reason === undefined) return [`${head}:`, ...JSON.stringify(value.shown, null, 2).split('\n')]
  return [`${head}, cannot be decoded: ${value.reason}`, ...hexLines(valueBytes)]
}
