/**
 * Replays from their start to their end: what is refused is refused before anything is written; then the audit says that the run began,
 * by whom, why and with what; and in the end how it ended.
 *
 * S1. A run of a name that the audit knows goes on as it began. Whoever begins it has it, and whoever had it ends.
 * S2. A run that is ended by its signal stops behind what it has committed, and says so; it is over only when all is done, or cancelled.
 * S3. How far it is, is committed from its start on. A run that was killed, and of which that is not known any more, is refused.
 * S4. Of two that may take the same letters, the one that begins while the other runs is refused.
 */
import { RunInferenceError } from '../errors.ts'
import { parkedTopic } from '../kafka/topic-names.ts'
import type { DeadLetter } from './dead-letter.ts'
import type { LostTold } from './lost-letters.ts'
import type { AuditEnd, ReplayCounts, ReplayOrder } from './replay-audit.ts'
import { ReplayClaim } from './replay-claim.ts'
import { orderOf, type ReplayWish, refused } from './replay-order.ts'
import { besideRefusal } from './replay-overlap.ts'
import type { ReplayParts } from './replay-parts.ts'
import { openFor, orderFor } from './replay-plan.ts'
import { firstProgress, type ReplayProgress, readProgress, requireKnown, startOffsets } from './replay-progress.ts'
import { type ReplayResult, runReplay } from './replay-run.ts'
import { isOver, type ReplayRun } from './replay-runs.ts'
import { outputTopics, readersRefusal, refuseUnless, sourcesFor, targetRefusal } from './replay-targets.ts'
import type { Selects } from './selection.ts'

/** What the audit takes to be told how a run was stopped, at most. */
const STOP_BUDGET_MS = 10_000

export interface StartOptions {
  /** Letters a second, and altogether until it stops, at most. */
  readonly rate?: number
  readonly limit?: number
  /** The audit says that it began, or that it was taken up again. */
  readonly onStarted?: (order: ReplayOrder, isResumed: boolean) => void
  /** Offsets that are behind, of how many, with each commit; counts are those since the run was started. */
  readonly onProgress?: (done: number, all: number, counts: ReplayCounts) => void
  /** A letter that is left where it is. */
  readonly onLost?: (letter: DeadLetter, why: string) => void
  /** What is in its way, each time that it is about to wait and try again. */
  readonly onTrouble?: (trouble: RunInferenceError) => void
  /** A record of the audit that cannot be read: what it says was handled counts as open, for runs that take only that. */
  readonly onUnreadable?: (error: RunInferenceError) => void
}

export interface StartedReplay extends ReplayResult {
  readonly name: string
  readonly order: ReplayOrder
  readonly isResumed: boolean
}

/**
 * Runs a replay until its end, its limit, or the signal. Rejects REPLAY_REFUSED, REPLAY_FORGOTTEN and TOPIC_MISSING with no letter written,
 * TRANSACTION_FENCED when somebody else has taken the run up or cancelled it, and with what is final for the broker; the audit says why.
 */
export async function startReplay(
  given: ReplayParts,
  wish: ReplayWish,
  options: StartOptions = {},
): Promise<StartedReplay> {
  const topology = given.topology.whole ?? given.topology
  const parts = { ...given, topology }
  const { port, clock, random, signal } = parts
  const { applicationId, name: topologyName } = topology
  const planned = await orderFor(parts, wish)
  refuseUnless(planned.beside)
  refuseUnless(await targetRefusal(parts, planned.order))
  const sources = sourcesFor(planned.order.target, topology)
  const topics = await outputTopics(parts, planned.order.target)
  // Which of several it is shows with the letters.
  const isReplay = planned.order.target.kind === 'replay'
  const replayTopics = [...topics.keys()].filter(topic => topic !== parkedTopic(topologyName))
  if (isReplay && replayTopics.length === 1) refuseUnless(await readersRefusal(parts, replayTopics))

  // Stopping takes some writing: it is given up only when that takes too long.
  const hard = new AbortController()
  let cancelHard = () => {}
  const stop = () => {
    cancelHard = clock.after(STOP_BUDGET_MS, () => hard.abort())
  }
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  const claim = new ReplayClaim({ port, applicationId, run: wish.name, clock, random, signal: hard.signal })
  hard.signal.addEventListener('abort', () => void claim.close().catch(() => {}), { once: true })
  try {
    const begun = await begin(parts, wish, claim, planned.order)
    options.onStarted?.(begun.order, begun.isResumed)
    const progress = async () => {
      const found = await readProgress(port, applicationId, wish.name, begun.order, begun.lastEnd, true)
      requireKnown(found, { ...begun.started, state: 'running' })
      return found
    }
    const tellLost = (lost: LostTold) => claim.add({ ...whoAndWhy(parts, wish), kind: 'lost', ...lost })
    const admit = async (topic: string) => {
      if (isReplay && replayTopics.includes(topic)) refuseUnless(await readersRefusal(parts, [topic]))
    }
    const run = (isOpen: Selects | undefined) =>
      runReplay({
        ...{
          port,
          claim,
          progress,
          tellLost,
          applicationId,
          topology: topologyName,
          sources,
          topics,
          clock,
          random,
          signal,
          admit,
        },
        ...{ run: wish.name, order: begun.order, givenUp: hard.signal, ...(isOpen && { isOpen }), ...options },
      })
    const opened = openFor(parts, begun.order, options.onUnreadable)
    const result = await opened.then(run).catch((error: unknown) => stoppedBy(error, parts, wish, claim, progress))
    const { end: kind, ...reached } = result
    await claim.end(endRecord(parts, wish, { kind, ...reached }))
    return { ...result, name: wish.name, order: begun.order, isResumed: begun.isResumed }
  } finally {
    signal.removeEventListener('abort', stop)
    cancelHard()
    await claim.close()
  }
}

/** Ends a run for good, whoever has it. Rejects REPLAY_REFUSED when there is none of this name, or it is over. */
export async function cancelReplay(
  given: ReplayParts,
  { name, reason }: Pick<ReplayWish, 'name' | 'reason'>,
): Promise<AuditEnd> {
  const topology = given.topology.whole ?? given.topology
  const parts = { ...given, topology }
  const { applicationId } = topology
  const claim = new ReplayClaim({ ...parts, applicationId, run: name })
  let written: AuditEnd | undefined
  try {
    await claim.begin(async run => {
      if (run === undefined) throw refused(`there is no run ${name} in the audit of ${applicationId}`)
      if (isOver(run)) throw refused(`run ${name} is over, ${run.state} at ${run.lastEnd?.at ?? '?'}`)
      const { counts, positions } = await readProgress(parts.port, applicationId, name, run.order, run.lastEnd, true)
      written = endRecord(
        parts,
        { name, ...(reason !== undefined && { reason }) },
        { kind: 'cancelled', counts, positions },
      )
      return { record: written }
    })
    return written!
  } finally {
    await claim.close()
  }
}

interface Begun {
  readonly order: ReplayOrder
  readonly isResumed: boolean
  /** Who started it first, and when. */
  readonly started: Pick<ReplayRun, 'name' | 'by' | 'startedAt'>
  /** As it ended last. */
  readonly lastEnd?: AuditEnd
  readonly progress: ReplayProgress
}

/** S1, S3, S4 */
async function begin(parts: ReplayParts, wish: ReplayWish, claim: ReplayClaim, planned: ReplayOrder): Promise<Begun> {
  const { port, topology } = parts
  let begun: Begun | undefined
  await claim.begin(async run => {
    const who = whoAndWhy(parts, wish)
    if (run === undefined) {
      const started = { name: wish.name, by: who.by, startedAt: who.at }
      begun = { order: planned, isResumed: false, started, progress: await firstProgress(port, planned) }
    } else {
      const [order, { lastEnd }] = [orderOf(run, wish), run]
      const progress = await readProgress(port, topology.applicationId, wish.name, order, lastEnd, true)
      requireKnown(progress, run)
      begun = { order, isResumed: true, started: run, ...(lastEnd && { lastEnd }), progress }
    }
    const { order, isResumed, progress } = begun
    return { record: { kind: isResumed ? 'resumed' : 'started', ...who, order }, offsets: startOffsets(progress) }
  })
  // One that began since this one was planned may have been written before.
  const beside = besideRefusal(begun!.order, await claim.before())
  if (beside === undefined) return begun!
  const { counts, positions } = begun!.progress
  await claim.end(endRecord(parts, wish, { kind: 'stopped', counts, positions, problem: beside }))
  throw refused(beside)
}

/** What a run had done when it was ended by its signal; else it throws, and the audit says why (S2). */
async function stoppedBy(
  error: unknown,
  parts: ReplayParts,
  wish: ReplayWish,
  claim: ReplayClaim,
  progress: () => Promise<ReplayProgress>,
): Promise<ReplayResult> {
  const failure = RunInferenceError.from(error, 'BUG')
  if (failure.code === 'TRANSACTION_FENCED') throw failure
  try {
    await claim.hold()
    const { counts, positions } = await progress()
    if (parts.signal.aborted) return { end: 'stopped', counts, positions }
    await claim.end(endRecord(parts, wish, { kind: 'stopped', counts, positions, problem: failure.message }))
  } catch {
    // What came first is what counts; without this record the run is one that was killed, and can be taken up all the same.
  }
  throw failure
}

function endRecord(
  parts: ReplayParts,
  wish: Pick<ReplayWish, 'name' | 'reason'>,
  end: Pick<AuditEnd, 'kind' | 'counts' | 'positions' | 'problem'>,
): AuditEnd {
  return { ...whoAndWhy(parts, wish), ...end }
}

function whoAndWhy({ by, clock }: ReplayParts, { name, reason }: Pick<ReplayWish, 'name' | 'reason'>) {
  const at = new Date(clock.wallTime()).toISOString()
  return { run: name, by, at, ...(reason !== undefined && { reason }) }
}
