/**
 * Dead letters that no replay has handled. A letter is open until a run whose selection it meets has looked at it; one that fails
 * again after a replay is another letter, and open.
 *
 * O1. A letter is handled when a run selects it, it is below what that run has looked at, and the run has not left it where it is
 *     (`run-claims.ts`).
 * O2. A run has handled no letter that came after it was started: a topic that was deleted and made anew counts from 0 again.
 * O3. What is asked of a letter grows neither with runs that ended below it nor with those that named other letters or the same again.
 */
import type { KafkaPort } from '../kafka/port.ts'
import type { RecordBlock } from '../kafka/record-block.ts'
import { auditTopic, replayGroup } from '../kafka/topic-names.ts'
import { type AuditLogParts, readAudit } from './audit-log.ts'
import type { DeadLetter } from './dead-letter.ts'
import { type ClaimedPlace, type RunClaim, RunClaims } from './run-claims.ts'
import { type Selection, type Selects, selects } from './selection.ts'

/** Brokers, which say when a letter came, and whoever started a run may differ by so much. */
const CLOCK_DIFFERENCE_MS = 10 * 60_000
/** Claims of at most so many offsets are looked up by place. */
const NARROW_OFFSETS = 1_024

export interface OpenLettersParts extends Pick<AuditLogParts, 'signal' | 'onBad'> {
  readonly port: Pick<KafkaPort, 'admin' | 'scan'>
  readonly applicationId: string
  /** Dead-letter topics that are asked about; they have to exist. */
  readonly topics: readonly string[]
}

/** Reads what replays have done until now, and makes the check whether a letter is open. */
export async function openLetters({ port, applicationId, topics, ...audit }: OpenLettersParts): Promise<Selects> {
  const runs = new RunClaims()
  await readAudit({ port, topic: auditTopic(applicationId), ...audit }, record => runs.add(record))
  const committed = (run: string, topic: string) => port.admin.committed(replayGroup(applicationId, run), topic)
  return isOpen(await runs.list(topics, committed))
}

interface Claim {
  readonly isSelected: Selects
  readonly from: number
  readonly until: number
  readonly lost: NonNullable<ClaimedPlace['lost']>
  /** Letters that came later are none of it. */
  readonly before: number
}

/** Claims whose selections have the same text select the same. */
type TextClaim = Claim & { readonly text: string }

/** Of one partition. `wide` from the highest `until` down; the others by each block of `NARROW_OFFSETS` that they reach into. */
interface PlaceClaims {
  readonly wide: readonly Claim[]
  readonly narrow: ReadonlyMap<number, readonly Claim[]>
}

const EVERYTHING = JSON.stringify({})
const NO_SPANS: Claim['lost'] = []

/** The check alone, of claims that are known. */
export function isOpen(claims: readonly RunClaim[]): Selects {
  const places = placeClaims(claims)
  return (letter, block, row) => {
    const place = places.get(letter.topic)?.get(letter.partition)
    if (place === undefined) return true
    for (const claim of place.wide) {
      if (letter.offset >= claim.until) break
      if (hasHandled(claim, letter, block, row)) return false
    }
    const narrow = place.narrow.get(blockOf(letter.offset))
    if (narrow === undefined) return true
    for (const claim of narrow) if (hasHandled(claim, letter, block, row)) return false
    return true
  }
}

function hasHandled(claim: Claim, letter: DeadLetter, block: RecordBlock, row: number): boolean {
  const { from, until, before, lost, isSelected } = claim
  const { offset, writtenAt } = letter
  if (offset < from || offset >= until || writtenAt >= before || isLost(lost, offset)) return false
  return isSelected(letter, block, row)
}

/** Of spans in order that do not overlap. */
function isLost(spans: Claim['lost'], offset: number): boolean {
  let [low, high] = [0, spans.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (spans[middle]![1] <= offset) low = middle + 1
    else high = middle
  }
  return low < spans.length && spans[low]![0] <= offset
}

function blockOf(offset: number): number {
  return Math.floor(offset / NARROW_OFFSETS)
}

function placeClaims(claims: readonly RunClaim[]): ReadonlyMap<string, ReadonlyMap<number, PlaceClaims>> {
  const found = new Map<string, Map<number, TextClaim[]>>()
  for (const { selection, startedAt, places } of claims) {
    const before = startedAt + CLOCK_DIFFERENCE_MS
    const claim = { isSelected: selects(selection), before, text: JSON.stringify(selection) }
    for (const { topic, partition, until, lost = NO_SPANS } of places) {
      const partitions = found.get(topic) ?? new Map<number, TextClaim[]>()
      found.set(topic, partitions)
      const own = partitions.get(partition) ?? []
      partitions.set(partition, own)
      for (const range of rangesOf(selection, topic, partition, until)) own.push({ ...claim, ...range, lost })
    }
  }
  return new Map(
    [...found].map(([topic, partitions]) => [
      topic,
      new Map([...partitions].map(([partition, own]) => [partition, arranged(own)])),
    ]),
  )
}

/** What a run can have handled of a partition: one that names letters by their offsets has handled no others. */
function rangesOf({ offsets }: Selection, topic: string, partition: number, end: number) {
  const all = { from: 0, until: end }
  const isOfLetters = offsets?.every(({ of }) => of === 'letter') === true
  const ranges = isOfLetters
    ? offsets
        .filter(range => range.partition === partition && (range.topic ?? topic) === topic)
        .map(({ from = 0, until = end }) => ({ from, until: Math.min(until, end) }))
    : [all]
  return ranges.filter(({ from, until }) => from < until)
}

function arranged(claims: readonly TextClaim[]): PlaceClaims {
  const wide: Claim[] = []
  const narrow = new Map<number, Claim[]>()
  /** By begin and selection: the latest `before` of claims that reach at least as far. */
  const covered = new Map<string, number>()
  for (const { text, ...claim } of claims.toSorted((a, b) => b.until - a.until || b.before - a.before)) {
    const { from, until, before, lost } = claim
    const own = `${from} ${text}`
    if (Math.max(covered.get(own) ?? 0, covered.get(`0 ${EVERYTHING}`) ?? 0) >= before) continue
    // One that has left letters where they are says nothing of others that have handled them.
    if (lost.length === 0) covered.set(own, before)
    if (until - from > NARROW_OFFSETS) wide.push(claim)
    else
      for (let block = blockOf(from); block <= blockOf(until - 1); block++) {
        const others = narrow.get(block) ?? []
        narrow.set(block, others)
        others.push(claim)
      }
  }
  return { wide, narrow }
}
