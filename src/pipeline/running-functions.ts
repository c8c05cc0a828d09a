/** What the functions of a running topology share: their timer, the calls that are under way, the workers. */
import type { StepNode } from '../graph.ts'
import { AsyncCalls } from '../models/async-calls.ts'
import type { FunctionLane } from '../models/function-lane.ts'
import type { HandlerFunction } from '../models/model-handler.ts'
import type { Topology } from '../topology.ts'
import type { FunctionLaneParts, OpenFunctionLane } from './function-lanes.ts'
import { FunctionTimer } from './function-timing.ts'
import type { PipelineMetrics } from './pipeline-metrics.ts'
import type { WorkBlock } from './work-block.ts'

export interface FunctionParts extends Omit<FunctionLaneParts, 'onOutage' | 'onRecovered'> {
  readonly metrics: Pick<PipelineMetrics, 'slowFunction'>
  readonly openLane: OpenFunctionLane
  readonly onOutage: (what: string, error: unknown) => void
  readonly onRecovered: (what: string) => void
  /** Elements of these blocks have gone on outside of any batch. */
  readonly onProgress: (works: ReadonlySet<WorkBlock>) => void
}

export class RunningFunctions {
  readonly timer: FunctionTimer
  readonly #parts: FunctionParts
  /** One for each function that was given to a handler, wherever it is used: `concurrency` counts all of its calls. */
  readonly #calls = new Map<HandlerFunction, AsyncCalls>()
  readonly #lanes = new Map<StepNode, FunctionLane>()
  #progressed = new Set<WorkBlock>()

  constructor(parts: FunctionParts) {
    this.#parts = parts
    const { clock, metrics, logger } = parts
    this.timer = new FunctionTimer({ now: () => clock.now(), metrics, logger })
  }

  /** Starts the workers that the topology asks for. Rejects as they do, with none left behind. */
  async open(topology: Topology): Promise<void> {
    const { openLane, onOutage, onRecovered } = this.#parts
    const nodes = topology.steps.filter(({ handler, options }) => {
      return options.functions === 'worker' && handler.preprocess.length + handler.postprocess.length > 0
    })
    const opening = nodes.map(async node => {
      const what = `functions of step ${node.step}`
      const troubles = {
        onOutage: (error: unknown) => onOutage(what, error),
        onRecovered: () => onRecovered(what),
      }
      this.#lanes.set(node, await openLane(topology, node, { ...this.#parts, ...troubles }))
    })
    const failed = (await Promise.allSettled(opening)).find(({ status }) => status === 'rejected')
    if (!failed) return
    await this.close()
    throw (failed as PromiseRejectedResult).reason
  }

  /** Where the functions of a step run, if not on the main thread. */
  laneOf(node: StepNode): FunctionLane | undefined {
    return this.#lanes.get(node)
  }

  /** The calls of an asynchronous function. */
  callsOf(given: HandlerFunction, concurrency: number): AsyncCalls {
    const { clock, onFatal } = this.#parts
    const known = this.#calls.get(given) ?? new AsyncCalls({ fn: given.fn, concurrency, clock, onFatal })
    this.#calls.set(given, known)
    return known
  }

  /** While set no asynchronous call is begun; what is under way ends, as does what a worker has been given. */
  set halted(isHalted: boolean) {
    for (const calls of this.#calls.values()) calls.halted = isHalted
  }

  /** An element of this block has gone on outside of any batch; told once for all that do in one turn. */
  readonly progressed = (work: WorkBlock): void => {
    if (this.#progressed.size === 0) queueMicrotask(() => this.#tellProgress())
    this.#progressed.add(work)
  }

  /** Forgets what waits of partitions that were lost: their credits have been returned (I5). */
  dropLost(): void {
    for (const calls of this.#calls.values()) calls.dropLost()
    for (const lane of this.#lanes.values()) lane.dropLost()
  }

  async close(): Promise<void> {
    for (const calls of this.#calls.values()) calls.close()
    await Promise.all([...this.#lanes.values()].map(lane => lane.close()))
  }

  #tellProgress(): void {
    const works = this.#progressed
    this.#progressed = new Set()
    try {
      this.#parts.onProgress(works)
    } catch (error) {
      this.#parts.onFatal(error)
    }
  }
}
