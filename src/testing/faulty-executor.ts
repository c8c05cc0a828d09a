/** An executor that fails on purpose: wraps any other, adds faults that tests ask for, and records what was run. */
import { RunInferenceError } from '../errors.ts'
import type { BatchSlot, Executor, Lane, LaneModel, ModelSpec } from '../models/executor.ts'
import { elementsOf, type TensorData } from '../models/tensors.ts'
import type { Clock } from '../ops/clock.ts'

/** One row: a view (or the strings) per model input. */
export type RowPredicate = (row: readonly TensorData[]) => boolean

export interface RecordedRun {
  readonly lane: number
  readonly modelId: string
  readonly from: number
  readonly rows: number
}

export interface FaultyExecutor extends Executor {
  /** Every run that was asked for, in order, failed ones too. */
  readonly runs: readonly RecordedRun[]
  /** Control batches that were asked for. */
  readonly controls: number
  /** The next `count` runs reject; default INFERENCE_FAILED. */
  failRuns(count: number, error?: RunInferenceError): void
  /** Runs that contain a row for which this holds reject INFERENCE_FAILED; undefined ends it. */
  failRowsWhere(bad: RowPredicate | undefined): void
  /** As if the device had memory for so many rows: larger runs reject DEVICE_MEMORY; undefined ends it. */
  outOfMemoryAbove(rows: number | undefined): void
  /** While true, control batches reject MODEL_OUTAGE. */
  failControl(failing: boolean): void
  /** While set, loads of specs for which this holds reject MODEL_UNUSABLE. */
  failLoadsWhere(bad: ((spec: ModelSpec) => boolean) | undefined): void
  /** As if the lane's worker ended again and again: its calls reject LANE_LOST, until the returned function is called. */
  lose(lane: number): () => void
  /** Runs and control batches from now on hang, as if inside native code, until the returned function is called. */
  hang(): () => void
}

interface Faults {
  readonly clock: Clock
  readonly runs: RecordedRun[]
  controls: number
  failing: RunInferenceError[]
  badRow: RowPredicate | undefined
  fittingRows: number | undefined
  badLoad: ((spec: ModelSpec) => boolean) | undefined
  badControl: boolean
  gate: Promise<void> | undefined
}

export function createFaultyExecutor(inner: Executor, { clock }: { readonly clock: Clock }): FaultyExecutor {
  const faults: Faults = {
    clock,
    runs: [],
    controls: 0,
    failing: [],
    badRow: undefined,
    fittingRows: undefined,
    badLoad: undefined,
    badControl: false,
    gate: undefined,
  }
  const wrappers = new Map(inner.lanes.map(lane => [lane, new FaultyLane(lane, faults)]))
  const lanes = [...wrappers.values()]
  const innerOf = (lane: Lane) => (lane as FaultyLane).inner
  return {
    lanes,
    get leaving() {
      return inner.leaving.map(lane => wrappers.get(lane)!)
    },
    spare(like) {
      const spare = inner.spare(innerOf(like))
      const wrapper = new FaultyLane(spare, faults)
      wrappers.set(spare, wrapper)
      return wrapper
    },
    enlist(spare) {
      inner.enlist(innerOf(spare))
      lanes.push(spare as FaultyLane)
    },
    retire(lane) {
      inner.retire(innerOf(lane))
      const index = lanes.indexOf(lane as FaultyLane)
      if (index >= 0) lanes.splice(index, 1)
    },
    runs: faults.runs,
    get controls() {
      return faults.controls
    },
    failRuns(count, error = new RunInferenceError('INFERENCE_FAILED', 'asked to fail by the test')) {
      for (let index = 0; index < count; index++) faults.failing.push(error)
    },
    failRowsWhere(bad) {
      faults.badRow = bad
    },
    outOfMemoryAbove(rows) {
      faults.fittingRows = rows
    },
    failControl(failing) {
      faults.badControl = failing
    },
    failLoadsWhere(bad) {
      faults.badLoad = bad
    },
    lose(id) {
      const lane = lanes.find(each => each.id === id)!
      lane.lose(new RunInferenceError('LANE_LOST', `lane ${id} was lost because the test asked for it`))
      return () => lane.recover()
    },
    hang() {
      const { promise, resolve } = Promise.withResolvers<void>()
      faults.gate = promise
      return () => {
        if (faults.gate === promise) faults.gate = undefined
        resolve()
      }
    },
    async close() {
      await Promise.all(lanes.map(lane => lane.close()))
      await inner.close()
    },
  }
}

class FaultyLane implements Lane {
  readonly inner: Lane
  readonly #faults: Faults
  readonly #calls = new Set<{ readonly since: number; readonly reject: (error: RunInferenceError) => void }>()
  #trouble: RunInferenceError | undefined

  constructor(inner: Lane, faults: Faults) {
    this.inner = inner
    this.#faults = faults
  }

  get id(): number {
    return this.inner.id
  }

  get seat(): number {
    return this.inner.seat
  }

  get isolation(): Lane['isolation'] {
    return this.inner.isolation
  }

  get occupied(): number {
    return this.inner.occupied
  }

  busyMs(): number {
    const [oldest] = this.#calls
    return oldest ? this.#faults.clock.now() - oldest.since : this.inner.busyMs()
  }

  get restarts(): Lane['restarts'] {
    return this.inner.restarts
  }

  get trouble(): RunInferenceError | undefined {
    return this.#trouble ?? this.inner.trouble
  }

  recover(): void {
    this.#trouble = undefined
  }

  lose(reason: RunInferenceError): void {
    this.#trouble = reason
    for (const { reject } of this.#calls) reject(reason)
    this.#calls.clear()
  }

  async load(spec: ModelSpec): Promise<LaneModel> {
    if (this.#faults.badLoad?.(spec)) {
      throw new RunInferenceError('MODEL_UNUSABLE', `${spec.uri}: asked to fail by the test`)
    }
    return this.#wrap(await this.inner.load(spec))
  }

  get hasEnded(): boolean {
    return this.inner.hasEnded
  }

  async close(): Promise<void> {
    await this.#faults.gate
    await this.inner.close()
  }

  #wrap(model: LaneModel): LaneModel {
    const check = () => {
      if (this.#trouble) throw this.#trouble
    }
    return {
      loaded: model.loaded,
      acquire: () => {
        const slot = model.acquire()
        return slot && new FaultySlot(slot, model, this.#faults, call => this.#guard(check, call), this.id)
      },
      runControl: () => {
        this.#faults.controls++
        return this.#guard(check, async () => {
          if (this.#faults.badControl) {
            throw new RunInferenceError(
              'MODEL_OUTAGE',
              `lane ${this.id}: the control batch was asked to fail by the test`,
            )
          }
          await model.runControl()
        })
      },
      unload: () => model.unload(),
    }
  }

  // A call that hangs at the gate, and that ends at once when the lane is lost.
  #guard<T>(check: () => void, call: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const entry = { since: this.#faults.clock.now(), reject }
    this.#calls.add(entry)
    const work = async () => {
      check()
      await this.#faults.gate
      check()
      return call()
    }
    work()
      .finally(() => this.#calls.delete(entry))
      .then(resolve, reject)
    return promise
  }
}

class FaultySlot implements BatchSlot {
  readonly #inner: BatchSlot
  readonly #model: LaneModel
  readonly #faults: Faults
  readonly #guard: <T>(call: () => Promise<T>) => Promise<T>
  readonly #lane: number
  #data: readonly TensorData[] = []
  #rowElements: readonly number[] = []
  #inFlight: Promise<unknown> | undefined

  constructor(
    inner: BatchSlot,
    model: LaneModel,
    faults: Faults,
    guard: <T>(call: () => Promise<T>) => Promise<T>,
    lane: number,
  ) {
    this.#inner = inner
    this.#model = model
    this.#faults = faults
    this.#guard = guard
    this.#lane = lane
  }

  prepare(rows: number, rowShapes: readonly (readonly number[])[]): readonly TensorData[] {
    this.#data = this.#inner.prepare(rows, rowShapes)
    this.#rowElements = rowShapes.map(shape => elementsOf(shape)!)
    return this.#data
  }

  run(from: number, rows: number) {
    this.#faults.runs.push({ lane: this.#lane, modelId: this.#model.loaded.modelId, from, rows })
    return this.#guard(async () => {
      const failing = this.#faults.failing.shift()
      if (failing) throw failing
      if (rows > (this.#faults.fittingRows ?? rows)) {
        throw new RunInferenceError('DEVICE_MEMORY', `${rows} rows do not fit the device, says the test`)
      }
      for (let row = from; this.#faults.badRow && row < from + rows; row++) {
        if (!this.#faults.badRow(this.#row(row))) continue
        throw new RunInferenceError('INFERENCE_FAILED', `a row among [${from}, ${from + rows}) is bad, says the test`)
      }
      const run = this.#inner.run(from, rows)
      this.#inFlight = run
      try {
        return await run
      } finally {
        this.#inFlight = undefined
      }
    })
  }

  // After a loss the inner run may still be going on; its place becomes free when it has ended.
  release(): void {
    const release = () => this.#inner.release()
    if (this.#inFlight !== undefined) void this.#inFlight.then(release, release)
    else release()
  }

  #row(row: number): TensorData[] {
    return this.#data.map((data, index) => {
      const elements = this.#rowElements[index]!
      return data.slice(row * elements, (row + 1) * elements) as TensorData
    })
  }
}
