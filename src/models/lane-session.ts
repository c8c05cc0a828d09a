import type { LoadedModel } from './executor.ts'
import type { RanReply, RunMessage } from './lane-messages.ts'
import type { Regions } from './slots.ts'

/** What a run is about. */
export type RunRequest = Pick<RunMessage, 'prepared' | 'rowShapes' | 'from' | 'rows' | 'strings' | 'examples'>

export type RunResults = Pick<RanReply, 'outputs' | 'results' | 'numBytes'>

/** A model at work in a lane, whatever runs it. One call at a time. */
export interface LaneSession {
  readonly loaded: LoadedModel
  /** Runs these rows of the slot. */
  run(regions: Regions, request: RunRequest): Promise<RunResults>
  /** Runs the control batch; rejects when it fails. */
  runControl(): Promise<void>
  release(): Promise<void>
}
