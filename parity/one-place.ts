/** An executor whose lanes take one batch at a time, as Beam's workers do: the next batch is formed when its results are there. */
import type { BatchSlot, Executor, Lane, LaneModel } from '../src/models/executor.ts'

export function onePlace(executor: Executor): Executor {
  return { ...executor, lanes: executor.lanes.map(laneWithOnePlace) }
}

function laneWithOnePlace(lane: Lane): Lane {
  return {
    id: lane.id,
    seat: lane.seat,
    isolation: lane.isolation,
    get occupied() {
      return lane.occupied
    },
    get restarts() {
      return lane.restarts
    },
    get trouble() {
      return lane.trouble
    },
    busyMs: () => lane.busyMs(),
    load: async spec => modelWithOnePlace(lane, await lane.load(spec)),
    get hasEnded() {
      return lane.hasEnded
    },
    close: soon => lane.close(soon),
  }
}

function modelWithOnePlace(lane: Lane, model: LaneModel): LaneModel {
  return {
    loaded: model.loaded,
    acquire: (): BatchSlot | undefined => (lane.occupied === 0 ? model.acquire() : undefined),
    runControl: () => model.runControl(),
    unload: () => model.unload(),
  }
}
