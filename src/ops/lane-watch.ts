import type { Lane } from '../models/executor.ts'
import type { Clock } from './clock.ts'
import { killThisProcess } from './lifecycle.ts'
import type { Logger } from './logger.ts'
import { lookEverySecond } from './steady-looks.ts'

/** For probes to see that health is red before the process is gone. */
const GRACE_MS = 5_000

export interface LaneWatchOptions {
  readonly lanes: readonly Pick<Lane, 'id' | 'isolation' | 'busyMs'>[]
  /** How long one call into native code may take. */
  readonly stuckMs: number
  readonly clock: Clock
  readonly logger: Logger
  /** Ends the process at once; default: SIGKILL. */
  readonly die?: () => void
}

/**
 * Ends the process when a thread has been inside one native call for longer than `stuckMs`: such a call cannot be stopped,
 * and any other end of the process would abort in it. Nothing more is committed; what was in flight comes again to whoever
 * takes over. Health is red from `stuckMs` on. Lanes that are processes look after themselves: their executor replaces what is
 * stuck. Time in which the process or the machine stood still (SIGSTOP, suspend) ends nothing: the lane stood still as well, and
 * is looked at again when it has had time to go on. The returned function ends the watch.
 */
export function startLaneWatch({ lanes, stuckMs, clock, logger, die = killThisProcess }: LaneWatchOptions): () => void {
  return lookEverySecond(clock, () => {
    for (const lane of lanes) {
      if (lane.isolation === 'process') continue
      const busyMs = Math.round(lane.busyMs())
      if (busyMs <= stuckMs + GRACE_MS) continue
      logger.error(
        { code: 'LANE_STUCK', lane: lane.id, busyMs, stuckMs },
        'a lane is stuck in native code: the process ends',
      )
      die()
      return true
    }
    return false
  })
}
