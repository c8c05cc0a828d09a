/**
 * Runs that may take the same letters at one time: both would write them, whatever each of them guarantees.
 *
 * V1. Two runs are said to be apart only where no letter can ever be in both: no topic in common, or a condition on the same thing
 *     with nothing in common. Texts and headers tell nothing.
 * V2. A run goes on until its audit says that it has ended: whether somebody still runs it cannot be known.
 */
import type { ReplayOrder } from './replay-audit.ts'
import type { ReplayRun } from './replay-runs.ts'
import type { OffsetRange, Selection } from './selection.ts'

/** Why a run of this order may not be run beside these; undefined: it may. */
export function besideRefusal(
  order: Pick<ReplayOrder, 'selection' | 'bounds'>,
  others: Iterable<ReplayRun>,
): string | undefined {
  for (const other of others) {
    const { name, by, claimedBy, startedAt, state } = other
    if (state !== 'running' || !mayMeet(order, other.order)) continue
    const who = by === claimedBy ? by : `${by}, taken up by ${claimedBy}`
    return (
      `run ${name} (started at ${startedAt} by ${who}) has not ended, and may take the same letters: both would write them. ` +
      `Wait for its end, or select other letters. If nobody runs it any more, let it go on with --name ${name} --yes, ` +
      `or end it for good with --name ${name} --cancel`
    )
  }
  return undefined
}

/** V1 */
export function mayMeet(
  a: Pick<ReplayOrder, 'selection' | 'bounds'>,
  b: Pick<ReplayOrder, 'selection' | 'bounds'>,
): boolean {
  const haveLetters = Object.entries(a.bounds).some(([topic, ends]) =>
    ends.some((end, partition) => Math.min(end, b.bounds[topic]?.[partition] ?? 0) > 0),
  )
  return haveLetters && !areApart(a.selection, b.selection)
}

const ONE_OF = ['stages', 'steps', 'indexes', 'codes', 'fingerprints', 'models'] as const

function areApart(a: Selection, b: Selection): boolean {
  return (
    ONE_OF.some(name => haveNothingInCommon(a[name], b[name])) ||
    haveNothingInCommon(keysOf(a), keysOf(b)) ||
    isBefore(a.failedUntil, b.failedFrom) ||
    isBefore(b.failedUntil, a.failedFrom) ||
    isBelow(a.maxReplays, b.minReplays) ||
    isBelow(b.maxReplays, a.minReplays) ||
    a.offsets?.every(range => b.offsets?.every(other => areDistinct(range, other)) === true) === true
  )
}

function haveNothingInCommon(
  a: readonly (string | number)[] | undefined,
  b: readonly (string | number)[] | undefined,
): boolean {
  return a !== undefined && b !== undefined && !a.some(value => b.includes(value))
}

function keysOf({ keys, keysHex }: Selection): readonly string[] | undefined {
  if (keys === undefined && keysHex === undefined) return undefined
  const hex = (keys ?? []).map(key => Buffer.from(key).toString('hex'))
  return [...hex, ...(keysHex ?? []).map(text => Buffer.from(text, 'hex').toString('hex'))]
}

/** `until` is not included. */
function isBefore(until: number | undefined, from: number | undefined): boolean {
  return until !== undefined && from !== undefined && until <= from
}

function isBelow(most: number | undefined, least: number | undefined): boolean {
  return most !== undefined && least !== undefined && most < least
}

function areDistinct(a: OffsetRange, b: OffsetRange): boolean {
  if (a.of !== b.of) return false
  if (a.partition !== b.partition) return true
  if (a.topic !== undefined && b.topic !== undefined && a.topic !== b.topic) return true
  return isBefore(a.until, b.from ?? 0) || isBefore(b.until, a.from ?? 0)
}
