/** Dead letters as the console shows them, read from their topics each time: nothing is kept in between. */
import { cut } from '../check/showable.ts'
import { shownModelId, withoutCredentials } from '../credentials.ts'
import type { DeadLetter } from '../dead-letters/dead-letter.ts'
import { fingerprintOf } from '../dead-letters/fingerprint.ts'
import { LetterGroups, MAX_GROUPS as TOLD_APART } from '../dead-letters/letter-groups.ts'
import { type LetterReader, openLetterReader, sourceReaders } from '../dead-letters/letter-reader.ts'
import { letterRanges, scanLetters } from '../dead-letters/letter-scan.ts'
import { bytesText, hexLines, isoTime, originalOf, placeOf } from '../dead-letters/letter-text.ts'
import { selectedTopics } from '../dead-letters/letter-topics.ts'
import { NewestLetters } from '../dead-letters/newest-letters.ts'
import { openLetters } from '../dead-letters/open-letters.ts'
import type { Selection, Selects } from '../dead-letters/selection.ts'
import { placeOfLetter, readWholeLetter, type WholeLetter } from '../dead-letters/whole-letter.ts'
import type { FingerprintView, LetterView, SelectionQuery, WholeLetterView } from './console-api.ts'
import type { ConsoleParts } from './console-parts.ts'
import type { LetterSource } from './console-source.ts'
import { selectionOfQuery } from './selection-query.ts'

const SHOWN_GROUPS = 500
const LINE_CHARS = 500
/** Of what is a name, unless somebody else has written it. */
const NAME_CHARS = 300
/** More of a value than a page can show. */
const VALUE_CHARS = 500_000

export function kafkaLetters(parts: ConsoleParts): LetterSource {
  const { topology, port, clock } = parts
  let reader: Promise<LetterReader> | undefined
  const select = (query: SelectionQuery) => selectionOfQuery(query, topology, clock.wallTime())
  return {
    async groups(query, signal) {
      const [groups, open] = [new LetterGroups(), new Map<string, number>()]
      let allOpen = 0
      const scan = await scanOf(parts, select(query), signal)
      await scanLetters({ ...scan, ...(query.open === true && { isOpen: scan.open }) }, (letter, block, row) => {
        const fingerprint = groups.add(letter)
        if (query.open !== true && !scan.open(letter, block, row)) return
        allOpen++
        if (open.has(fingerprint) || open.size < TOLD_APART) open.set(fingerprint, (open.get(fingerprint) ?? 0) + 1)
      })
      const list = groups.list()
      const shown = list
        .slice(0, SHOWN_GROUPS)
        .map(
          ({ fingerprint, stage, step, code, message, count, firstSeen, lastSeen, replayed, example }) =>
            ({
              ...{ fingerprint, stage: nameOf(stage), step: nameOf(step), code: nameOf(code), count },
              message: cut(withoutCredentials(message), LINE_CHARS),
              ...{ open: open.get(fingerprint) ?? 0, ...timeOf('firstAt', firstSeen), ...timeOf('lastAt', lastSeen) },
              ...{ replayedBefore: replayed, example: placeOf(example) },
            }) as FingerprintView,
        )
        .sort((a, b) => ((a.lastAt ?? '') < (b.lastAt ?? '') ? 1 : -1))
      const all = { letters: groups.count, open: allOpen, reasons: list.length }
      return { groups: shown, ...all, ...(groups.others > 0 && { untold: groups.others }) }
    },
    async letters(query, limit, signal) {
      const newest = new NewestLetters<LetterView>(limit)
      const scan = await scanOf(parts, select(query), signal)
      await scanLetters({ ...scan, ...(query.open === true && { isOpen: scan.open }) }, (letter, block, row) =>
        newest.add(letter, () => letterView(letter, block.key(row))),
      )
      return newest.list()
    },
    async letter(text, signal) {
      const place = placeOfLetter(text, selectedTopics(topology, {}))
      reader ??= openLetterReader(topology, sourceReaders(topology, parts))
      // What could not be opened is tried again by whoever asks next.
      reader.catch(() => {
        reader = undefined
      })
      const found = await readWholeLetter(port, place, await reader, signal)
      return found && wholeView(found)
    },
  }
}

async function scanOf(parts: ConsoleParts, selection: Selection, signal: AbortSignal) {
  const { port, topology, logger, giveWay } = parts
  const topics = selectedTopics(topology, selection)
  const { applicationId } = topology
  const onBad = (error: Error) => logger.warn({ reason: error.message }, 'letters that it handled count as open')
  const open: Selects = await openLetters({ port, applicationId, topics, signal, onBad })
  const ranges = await letterRanges(port, topics, selection)
  return { port, ranges, selection, signal, open, ...(giveWay && { behindBlock: giveWay }) }
}

function letterView(letter: DeadLetter, key: Buffer | null): LetterView {
  const { stage, step, code, message, modelId, replayCount, failedAt, writtenAt } = letter
  // Any record can be in such a topic: what is shown of it is bounded, whatever its headers say.
  return {
    ...{ place: placeOf(letter), ...timeOf('failedAt', failedAt ?? writtenAt) },
    ...{ stage: nameOf(stage) as LetterView['stage'], step: nameOf(step), code: nameOf(code) },
    message: message === null ? null : cut(withoutCredentials(message), LINE_CHARS),
    ...{ modelId: modelId === null ? null : nameOf(shownModelId(modelId)), replayCount },
    key: key === null ? null : cut(bytesText(key), LINE_CHARS),
    ...{ original: cut(originalOf(letter), NAME_CHARS), fingerprint: fingerprintOf(letter) },
  }
}

function nameOf(text: string | null): string | null {
  return text === null ? null : cut(text, NAME_CHARS)
}

function wholeView({ letter, keyBytes, value, valueBytes, carried }: WholeLetter): WholeLetterView {
  const { errorType, stack, attempt, message, leftOut } = letter
  return {
    ...letterView(letter, keyBytes),
    ...{ errorType: nameOf(errorType), attempt },
    message: message === null ? null : withoutCredentials(cut(message, VALUE_CHARS)),
    stack: stack === null ? null : withoutCredentials(cut(stack, VALUE_CHARS)),
    headers: carried.map(([name, text]) => [cut(name, LINE_CHARS), cut(text, VALUE_CHARS)] as const),
    ...shownValue(value, valueBytes, leftOut),
  }
}

function shownValue(
  value: WholeLetter['value'],
  bytes: Buffer | null,
  leftOut: DeadLetter['leftOut'],
): Pick<WholeLetterView, 'decoded' | 'undecoded' | 'bytes'> {
  if (leftOut !== null) {
    const what = `too large to keep: sha256 ${leftOut.sha256 ?? '?'}; it is where the record was first read`
    return { undecoded: { why: what, hex: '' }, ...(leftOut.bytes !== null && { bytes: leftOut.bytes }) }
  }
  if (bytes === null) return { decoded: 'null' }
  const size = { bytes: bytes.length }
  if (value.reason !== undefined) return { ...size, undecoded: { why: value.reason, hex: hexLines(bytes).join('\n') } }
  return { ...size, decoded: cut(JSON.stringify(value.shown, null, 2) ?? 'null', VALUE_CHARS) }
}

function timeOf<N extends string>(name: N, ms: number): { readonly [K in N]?: string } {
  const text = isoTime(ms)
  return text === undefined ? {} : ({ [name]: text } as { readonly [K in N]: string })
}
