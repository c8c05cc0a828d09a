/** What a replay would do. Nothing is written and nothing committed; memory is that of a few blocks and of the groups. */
import type { RunInferenceError } from '../errors.ts'
import { type LetterGroup, LetterGroups } from './letter-groups.ts'
import { type LetterRange, scanLetters } from './letter-scan.ts'
import { openLetters } from './open-letters.ts'
import type { ReplayOrder } from './replay-audit.ts'
import { boundsNow, checkWish, newOrder, orderOf, type ReplayWish } from './replay-order.ts'
import { besideRefusal } from './replay-overlap.ts'
import type { ReplayParts } from './replay-parts.ts'
import { replayPlace } from './replay-place.ts'
import { type ReplayProgress, readProgress, requireKnown } from './replay-progress.ts'
import { type ReplayRun, readReplayRuns } from './replay-runs.ts'
import { outputTopics, readersRefusal, sourcesFor, targetRefusal } from './replay-targets.ts'
import type { Selects } from './selection.ts'

/** Reasons beyond these are counted and not told apart. */
const MAX_REASONS = 50
const OTHER_REASONS = 'other reasons'

export interface ReplayPlan {
  readonly name: string
  readonly order: ReplayOrder
  /** The run that is taken up again, and how far it is; undefined: it is a new one. */
  readonly resumes?: { readonly run: ReplayRun; readonly progress: ReplayProgress }
  /** Letters that are left to look at, and how many of them are selected. */
  readonly seen: number
  readonly selected: number
  /** Of the selected ones, those that another run has handled already; none where only open ones are taken. */
  readonly handledBefore: number
  /** By topic that they would go to. */
  readonly replayed: Readonly<Record<string, number>>
  readonly parked: number
  readonly lost: number
  /** Why letters would be left where they are. */
  readonly lostBecause: Readonly<Record<string, number>>
  /** Of those that go on: their values were too large to keep, and are read where they were first read. */
  readonly valuesElsewhere: number
  readonly groups: readonly LetterGroup[]
  /** Letters of groups beyond 10,000. */
  readonly others: number
  /** Why it cannot be run now; undefined: it can. */
  readonly refusal?: string
}

export interface PlanOptions {
  /** Of how many offsets how many are behind. */
  readonly onProgress?: (done: number, all: number) => void
  /** Waited for behind each block. */
  readonly behindBlock?: () => Promise<void>
  /** A record of the audit that cannot be read: what it says was handled counts as open. */
  readonly onUnreadable?: (error: RunInferenceError) => void
}

/**
 * Reads every letter that is selected. Rejects REPLAY_REFUSED for a name or headers that cannot be, a run that is over or began otherwise,
 * REPLAY_FORGOTTEN for one of which nobody knows how far it came, and TOPIC_MISSING.
 */
export async function planReplay(parts: ReplayParts, wish: ReplayWish, behind: PlanOptions = {}): Promise<ReplayPlan> {
  const { port, signal } = parts
  const topology = parts.topology.whole ?? parts.topology
  const { order, resumes, beside } = await orderFor({ ...parts, topology }, wish)
  await outputTopics({ port, topology }, order.target)
  const options = { ...order, applicationId: topology.applicationId, topology: topology.name }
  const sources = sourcesFor(order.target, topology)
  const [groups, replayed, lostBecause] = [new LetterGroups(), new Map<string, number>(), new Map<string, number>()]
  let [parked, lost, valuesElsewhere, handledBefore] = [0, 0, 0, 0]
  const ranges = await rangesOf(port, order, resumes?.progress)
  const { selection } = order
  const { onUnreadable = () => {}, ...scanning } = behind
  const isOpen = await openOf({ port, topology, signal }, order, onUnreadable)
  const scan = { port, ranges, selection, signal, ...(order.onlyOpen && { isOpen }), ...scanning }
  const seen = await scanLetters(scan, (letter, block, row) => {
    groups.add(letter)
    if (order.onlyOpen !== true && !isOpen(letter, block, row)) handledBefore++
    const place = replayPlace(letter, { ...options, sources })
    if (place.what === 'parked') parked++
    else if (place.what === 'lost') {
      lost++
      const reason = lostBecause.has(place.why) || lostBecause.size < MAX_REASONS ? place.why : OTHER_REASONS
      lostBecause.set(reason, (lostBecause.get(reason) ?? 0) + 1)
    } else {
      replayed.set(place.topic, (replayed.get(place.topic) ?? 0) + 1)
      if (letter.leftOut !== null) valuesElsewhere++
    }
  })
  const refusal =
    beside ??
    (await targetRefusal({ ...parts, topology }, order)) ??
    (order.target.kind === 'replay' ? await readersRefusal({ ...parts, topology }, [...replayed.keys()]) : undefined)
  return {
    ...{ name: wish.name, order, ...(resumes && { resumes }), seen, selected: groups.count },
    ...{ replayed: Object.fromEntries(replayed), parked, lost, lostBecause: Object.fromEntries(lostBecause) },
    ...{
      handledBefore,
      valuesElsewhere,
      groups: groups.list(),
      others: groups.others,
      ...(refusal !== undefined && { refusal }),
    },
  }
}

/** Whether a letter is open, for runs that take no others; a run has not handled what is still before it. */
export async function openFor(
  parts: Pick<ReplayParts, 'port' | 'topology' | 'signal'>,
  order: ReplayOrder,
  onUnreadable: PlanOptions['onUnreadable'] = () => {},
): Promise<Selects | undefined> {
  return order.onlyOpen === true ? openOf(parts, order, onUnreadable) : undefined
}

function openOf(
  { port, topology: { applicationId }, signal }: Pick<ReplayParts, 'port' | 'topology' | 'signal'>,
  { bounds }: ReplayOrder,
  onBad: (error: RunInferenceError) => void,
): Promise<Selects> {
  return openLetters({ port, applicationId, topics: Object.keys(bounds), signal, onBad })
}

interface PlannedOrder extends Pick<ReplayPlan, 'order' | 'resumes'> {
  /** Why it may not be run beside another one now. */
  readonly beside?: string | undefined
}

/** That of the run of this name, or a new one. */
export async function orderFor(parts: ReplayParts, wish: ReplayWish): Promise<PlannedOrder> {
  checkWish(wish)
  const { port, topology, signal, guarantee } = parts
  const { runs, unreadable } = await readReplayRuns(port, topology.applicationId, signal)
  const bad = unreadable.get(wish.name)
  if (bad) throw bad
  const run = runs.get(wish.name)
  const others = [...runs.values()].filter(({ name }) => name !== wish.name)
  if (run === undefined) {
    const order = newOrder(wish, { bounds: await boundsNow(port, topology, wish.selection ?? {}), guarantee })
    return { order, beside: besideRefusal(order, others) }
  }
  const order = orderOf(run, wish)
  const read = (isFenced: boolean) =>
    readProgress(port, topology.applicationId, wish.name, order, run.lastEnd, isFenced)
  const progress = await read(false)
  // What is committed with its start may come a moment later than its start.
  if (!progress.isCommitted) requireKnown(await read(true), run)
  return { order, resumes: { run, progress }, beside: besideRefusal(order, others) }
}

async function rangesOf(
  { admin }: ReplayParts['port'],
  { bounds }: ReplayOrder,
  progress: ReplayProgress | undefined,
): Promise<readonly LetterRange[]> {
  const ranges: LetterRange[] = []
  for (const [topic, ends] of Object.entries(progress?.ends ?? bounds)) {
    const offsets = await admin.offsets(topic)
    for (const [partition, to] of ends.entries()) {
      const from = progress?.positions[topic]?.[partition] ?? offsets[partition]?.start ?? to
      if (from < to) ranges.push({ topic, partition, from, to })
    }
  }
  return ranges
}
