/**
 * The lanes of an executor, which come and go.
 *
 * E1. There are as many seats as lanes at first. A spare lane has the seat of the one that it is like, and may outlive it.
 * E2. Numbers of lanes are used again when their lane has ended: what is labelled with them stays within bounds.
 * E3. A lane that is retired gets no more work, and ends when its running call has ended. Nobody waits for one that hangs: it is
 *     ended where it can be (`Lane.close`).
 * E4. `close` ends. What hangs in native code then is in `leaving`.
 */
import { RunInferenceError } from '../errors.ts'
import type { Executor, Lane } from './executor.ts'

/** What a new lane is told. */
export interface LanePlan {
  readonly id: number
  readonly seat: number
  /** Beside another lane of its seat. */
  readonly isSpare: boolean
}

/** Lanes that are made alike. */
export interface LaneGroup {
  /** How many there are at first. */
  readonly lanes: number
  make(plan: LanePlan): Lane
}

/** The lanes of these groups, in their order, as an executor. */
export function executorOf(groups: readonly LaneGroup[]): Executor {
  const lanes: Lane[] = []
  const spares = new Set<Lane>()
  const leaving: Lane[] = []
  const groupOf = new Map<Lane, LaneGroup>()
  let isClosed = false

  for (const group of groups) {
    for (let i = 0; i < group.lanes; i++) {
      const lane = group.make({ id: lanes.length, seat: lanes.length, isSpare: false })
      lanes.push(lane)
      groupOf.set(lane, group)
    }
  }

  /** In `leaving` until its worker has ended. */
  function leave(lane: Lane): void {
    leaving.push(lane)
    const hasEnded = () => {
      leaving.splice(leaving.indexOf(lane), 1)
      groupOf.delete(lane)
    }
    lane.close().then(hasEnded, hasEnded)
  }

  function freeId(): number {
    const taken = new Set(Array.from(groupOf.keys(), ({ id }) => id))
    for (let id = 0; ; id++) if (!taken.has(id)) return id
  }

  return {
    lanes,
    leaving,
    spare(like) {
      if (isClosed) throw new RunInferenceError('CLOSED', 'the executor was closed; no lane is made any more')
      const group = groupOf.get(like)
      if (!group) throw new RunInferenceError('BUG', `lane ${like.id} is none of this executor`)
      const spare = group.make({ id: freeId(), seat: like.seat, isSpare: true })
      groupOf.set(spare, group)
      spares.add(spare)
      return spare
    },
    enlist(spare) {
      if (!spares.delete(spare)) throw new RunInferenceError('BUG', `lane ${spare.id} is no spare lane`)
      lanes.push(spare)
    },
    retire(lane) {
      const index = lanes.indexOf(lane)
      if (index >= 0) lanes.splice(index, 1)
      else if (!spares.delete(lane)) return
      leave(lane)
    },
    async close() {
      isClosed = true
      const all = [...lanes, ...spares, ...leaving]
      await Promise.all(all.map(lane => lane.close('soon')))
      for (const lane of all) if (!lane.hasEnded && !leaving.includes(lane)) leave(lane)
    },
  }
}
