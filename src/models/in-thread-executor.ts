/**
 * The lane code in the calling thread, for the deterministic driver and for tests: the same messages, sessions and slots,
 * without threads.
 *
 * 1. Calls of all lanes are served one at a time, first in first out.
 * 2. With `hold`, nothing is served until `step` is called, so that a test decides what happens between two batches.
 * 3. `durationOf` replaces the measured compute time, so that a trace does not depend on the machine.
 */
import type { Clock } from '../ops/clock.ts'
import type { Logger } from '../ops/logger.ts'
import type { FindHandler } from './custom-session.ts'
import { setEnvVars } from './env-vars.ts'
import type { Executor, ExecutorOptions } from './executor.ts'
import { createLaneHost } from './lane.ts'
import { createLane } from './lane-handle.ts'
import type { LaneLink, LinkEvents } from './lane-link.ts'
import type { FromLane, ToLane } from './lane-messages.ts'
import { executorOf } from './lane-pool.ts'
import { moduleHandlers } from './module-handlers.ts'

export interface InThreadExecutorParts {
  readonly logger: Logger
  readonly clock: Clock
  /** Where handlers that users wrote come from. Default: from the modules of their topologies, as in other lanes. */
  readonly find?: FindHandler
  /** True: calls wait for `step`. Default false: each is served as soon as those before it are. */
  readonly hold?: boolean
  /** The `computeMs` that a batch reports. Default: measured with the clock. */
  readonly durationOf?: (batch: { readonly lane: number; readonly rows: number }) => number
  /** The `loadMs` that a model reports. Default: measured with the clock. */
  readonly loadMs?: number
}

export interface InThreadExecutor extends Executor {
  /** Calls that wait or are being served. */
  readonly pending: number
  /** Serves the oldest waiting call; false when there is none. */
  step(): Promise<boolean>
  /** Resolves when no call is waiting or being served; with `hold`, when none is being served. */
  settled(): Promise<void>
}

export function createInThreadExecutor(options: ExecutorOptions, parts: InThreadExecutorParts): InThreadExecutor {
  const { logger, clock, hold = false, durationOf, loadMs, find = moduleHandlers() } = parts
  const waiting: (() => Promise<void>)[] = []
  let unserved = 0
  let last: Promise<boolean> = Promise.resolve(false)

  function openLink(lane: number, events: LinkEvents): LaneLink {
    const host = createLaneHost(() => clock.now(), find)
    return {
      post(message: ToLane): void {
        unserved++
        waiting.push(async () => {
          const reply = await host.serve(message)
          unserved--
          events.reply(timed(reply, message, lane))
          if (message.type === 'close') events.ended('closed')
        })
        if (!hold) void step()
      },
    }
  }

  function timed(reply: FromLane, message: ToLane, lane: number): FromLane {
    if (reply.type === 'ran' && message.type === 'run' && durationOf)
      return { ...reply, computeMs: durationOf({ lane, rows: message.rows }) }
    if (reply.type === 'loaded' && loadMs !== undefined) return { ...reply, loaded: { ...reply.loaded, loadMs } }
    return reply
  }

  function step(): Promise<boolean> {
    last = last.then(async () => {
      const serve = waiting.shift()
      await serve?.()
      return serve !== undefined
    })
    return last
  }

  const executor = executorOf([
    {
      lanes: options.lanes,
      make: ({ id, seat }) =>
        createLane({
          ...{ id, seat, options, logger, clock },
          isolation: 'any',
          admit: ({ envVars = {} }) => setEnvVars(envVars, logger),
          // Never looked at: it can be neither lost nor ended.
          random: () => 0,
          stuckMs: Number.POSITIVE_INFINITY,
          stamp: () => clock.now(),
          openLink: events => openLink(id, events),
        }),
    },
  ])

  return {
    ...executor,
    get pending() {
      return unserved
    },
    step,
    async settled() {
      for (let seen: typeof last | undefined; seen !== last; ) {
        seen = last
        await seen
      }
    },
    async close() {
      const closing = executor.close()
      while (hold && (await step()));
      await closing
    },
  }
}
