/** Workers whose every move a test makes, under a supervisor on a clock that stands still. */
import type { LoadedModel, OnnxSpec } from '../../src/models/executor.ts'
import type { LinkEvents } from '../../src/models/lane-link.ts'
import type { FromLane, ToLane } from '../../src/models/lane-messages.ts'
import { LaneSupervisor } from '../../src/models/lane-supervisor.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { createManualClock, type ManualClock } from '../../src/testing/manual-clock.ts'
import { digitsSpec } from './model-specs.ts'

export interface ScriptedWorker {
  /** What it was sent and has not answered. */
  readonly inbox: ToLane[]
  readonly isKilled: boolean
  /** How a thread was asked to end, in order. */
  readonly asked: readonly ('idle' | 'busy')[]
  /** Answers the oldest message: as it should, or with this. */
  answer(reply?: Partial<FromLane>): Promise<void>
  /** Ends, by itself or since it was killed. */
  die(how?: string): Promise<void>
}

export interface Scripted {
  readonly clock: ManualClock
  readonly supervisor: LaneSupervisor
  /** All that were started, in order. */
  readonly workers: ScriptedWorker[]
  /** The last one that was started. */
  readonly worker: ScriptedWorker
  /** Models that were loaded again. */
  readonly reloaded: readonly number[]
  load(model: number, change?: Partial<OnnxSpec>): Promise<unknown>
  run(model: number, rows?: number, again?: boolean): Promise<unknown>
  control(model: number): Promise<unknown>
}

/** `killable`: as a process is, default; else as a thread, which does not end when it is asked to. */
export function scripted({ killable = true, stuckMs = 60_000 } = {}): Scripted {
  const clock = createManualClock()
  const reloaded: number[] = []
  const workers: (ScriptedWorker & { killed: boolean })[] = []
  const supervisor = new LaneSupervisor({
    id: 0,
    logger: silentLogger,
    clock,
    random: () => 1,
    stuckMs,
    onReloaded: model => void reloaded.push(model),
    openLink: events => {
      const worker = openScripted(events, clock)
      workers.push(worker)
      const post = (message: ToLane) => void worker.inbox.push(message)
      const kill = () => {
        worker.killed = true
      }
      const end = (where: 'idle' | 'busy') => void worker.asked.push(where)
      return killable ? { post, kill } : { post, end }
    },
  })
  return {
    clock,
    supervisor,
    workers,
    reloaded,
    get worker() {
      return workers.at(-1)!
    },
    load: (model, change) => supervisor.call({ type: 'load', model, spec: digitsSpec(`m${model}`, change) }),
    run: (model, rows = 1, again = false) =>
      supervisor.call({
        ...{ type: 'run', model, slot: 0, regions: undefined, prepared: rows, rowShapes: [], from: 0, rows, again },
        ...{ strings: undefined, examples: undefined, postedAt: 0 },
      }),
    control: model => supervisor.call({ type: 'control', model }),
  }
}

function openScripted(events: LinkEvents, clock: ManualClock) {
  const worker = {
    inbox: [] as ToLane[],
    killed: false,
    asked: [] as ('idle' | 'busy')[],
    get isKilled() {
      return worker.killed
    },
    async answer(reply: Partial<FromLane> = {}) {
      const message = worker.inbox.shift()!
      events.reply({ ...expected(message), ...reply } as FromLane)
      await clock.settle()
    },
    async die(how = 'it fell over') {
      events.ended(how)
      await clock.settle()
    },
  }
  return worker
}

function expected({ type, call }: ToLane): FromLane {
  if (type === 'load') return { type: 'loaded', call, loaded: {} as LoadedModel }
  if (type === 'run') return { type: 'ran', call, outputs: [], computeMs: 0, queueMs: 0 }
  return { type: 'done', call }
}

/** A lane with one loaded model. */
export async function loaded(options: Parameters<typeof scripted>[0] = {}, change = {}): Promise<Scripted> {
  const lane = scripted(options)
  const loading = lane.load(1, change)
  await lane.worker.answer()
  await loading
  return lane
}

/** The worker has gone without blame: the next one starts after its pause, and loads. */
export async function replaced(lane: Scripted, afterMs: number): Promise<void> {
  await lane.clock.advance(afterMs)
  await lane.worker.answer()
}
