/**
 * Replays that the page asks for. They run in this process, and are ended with it in such a way that they can be taken up again; what
 * is told of others is what the audit says.
 */
import type { ReplayCounts } from '../dead-letters/replay-audit.ts'
import { newRunName, type ReplayWish } from '../dead-letters/replay-order.ts'
import type { ReplayParts } from '../dead-letters/replay-parts.ts'
import { planReplay } from '../dead-letters/replay-plan.ts'
import { NO_LETTERS } from '../dead-letters/replay-progress.ts'
import { cancelReplay, startReplay } from '../dead-letters/replay-start.ts'
import { RunInferenceError } from '../errors.ts'
import type { ReplayRequest, ReplayView } from './console-api.ts'
import type { ConsoleParts } from './console-parts.ts'
import type { ReplaySource } from './console-source.ts'
import { selectionOfQuery } from './selection-query.ts'

/** At one time: each reads and writes whole topics. */
const MAX_RUNNING = 2
/** Of those that are over, the newest so many are told of. */
const MAX_ENDED = 20

interface Run {
  view: ReplayView
  readonly ending: AbortController
  done: Promise<void>
}

export interface RunningReplays extends ReplaySource {
  /** Those of this process, newest first. */
  views(): readonly ReplayView[]
  /** Stops what runs; resolves when the audit says so. */
  close(): Promise<void>
}

export function runningReplays(parts: ConsoleParts): RunningReplays {
  const { topology, clock, random, logger } = parts
  const runs = new Map<string, Run>()
  let closed = false
  const running = () => [...runs.values()].filter(({ view }) => view.state === 'running')
  const partsFor = (signal: AbortSignal): ReplayParts => ({
    ...{ port: parts.port, topology, clock, random, by: parts.by, guarantee: parts.guarantee, signal },
    allowedTopics: parts.allowedTopics,
  })
  const wishOf = ({ name, reason, selection, maxReplays }: ReplayRequest): ReplayWish => ({
    name: name ?? newRunName(parts.by, clock.wallTime()),
    selection: selectionOfQuery(selection, topology, clock.wallTime()),
    ...(selection.open === true && { onlyOpen: true }),
    ...(reason !== undefined && { reason }),
    ...(maxReplays !== undefined && { maxReplays }),
  })
  const told = (run: Run, change: Partial<ReplayView>) => {
    run.view = { ...run.view, ...change }
  }
  const forgetOld = () => {
    const over = [...runs].filter(([, { view }]) => view.state !== 'running')
    for (const [name] of over.slice(0, Math.max(0, over.length - MAX_ENDED))) runs.delete(name)
  }

  return {
    async plan(request, signal) {
      const wish = wishOf(request)
      const { selected, replayed, parked, lost, refusal } = await planReplay(
        partsFor(signal),
        wish,
        parts.giveWay && { behindBlock: parts.giveWay },
      )
      return { name: wish.name, selected, replayed, parked, lost, ...(refusal !== undefined && { refusal }) }
    },
    async start(request) {
      const wish = wishOf(request)
      if (closed) throw new RunInferenceError('CLOSED', 'the console is being closed')
      if (runs.get(wish.name)?.view.state === 'running')
        throw new RunInferenceError('REPLAY_REFUSED', `run ${wish.name} runs here already: look at its progress`)
      if (running().length >= MAX_RUNNING)
        throw new RunInferenceError(
          'CONSOLE_BUSY',
          `${MAX_RUNNING} replays run here already: wait for one, or cancel it`,
        )
      const ending = new AbortController()
      const begun = Promise.withResolvers<void>()
      const startedAt = new Date(clock.wallTime()).toISOString()
      const { name, reason } = wish
      const run: Run = {
        view: {
          name,
          by: parts.by,
          startedAt,
          state: 'running',
          ...(reason !== undefined && { reason }),
          ...NO_LETTERS,
        },
        ending,
        done: Promise.resolve(),
      }
      runs.delete(name)
      runs.set(name, run)
      const { rate, limit } = request
      run.done = startReplay(partsFor(ending.signal), wish, {
        ...(rate !== undefined && { rate }),
        ...(limit !== undefined && { limit }),
        onStarted: () => begun.resolve(),
        onProgress: (done: number, all: number, counts: ReplayCounts) =>
          told(run, { ...counts, progress: all === 0 ? 1 : done / all }),
      }).then(
        ({ end, counts }) => told(run, { ...counts, state: end, ...(end === 'finished' && { progress: 1 }) }),
        (error: unknown) => {
          const { code, message } = RunInferenceError.from(error, 'BUG')
          told(run, { state: 'failed', problem: message })
          logger.warn({ run: name, code, reason: message }, 'a replay of the console has failed')
          begun.reject(error)
        },
      )
      void run.done.then(forgetOld)
      await begun.promise.catch((error: unknown) => {
        // It never began, so there is nothing to tell of it.
        runs.delete(name)
        throw error
      })
      return run.view
    },
    async cancel(name) {
      const run = runs.get(name)
      if (run?.view.state === 'running') {
        run.ending.abort()
        await run.done
      }
      // Also one of another process, which it ends, or of one that was killed.
      await cancelReplay(partsFor(new AbortController().signal), { name })
      if (run !== undefined) told(run, { state: 'cancelled' })
    },
    views: () => [...runs.values()].map(({ view }) => view).reverse(),
    async close() {
      closed = true
      for (const { ending } of running()) ending.abort()
      await Promise.all([...runs.values()].map(({ done }) => done))
    },
  }
}
