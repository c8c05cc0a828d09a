/**
 * Runs one recorded pipeline on the test driver: the elements are one block, so one bundle, of a source topic; the step is
 * called RI as in the recordings; results leave in neutral form.
 */
import {
  from,
  isKV,
  json,
  type KV,
  kv,
  type ModelMetadata,
  RunInferenceError,
  type StepOptions,
  type Stream,
  type Topology,
  topology,
  utf8,
} from 'kafka-run-inference'
import {
  type BeamMetric,
  beamMetrics,
  createTopologyDriver,
  type DriverFailure,
  type DriverOptions,
  type OutputRecord,
  type TopologyDriver,
} from 'kafka-run-inference/testing'
import type { ModelKey } from '../src/refresh/slot.ts'
import type { AnyHandler } from './handler-text.ts'
import { fromNeutral, toNeutral } from './neutral.ts'

export const STEP = 'RI'
const TIME_TO_WAIT_MS = 120_000

/** What records carry: an element may be null, which a record's value may not. */
interface Boxed {
  readonly element: unknown
}

export interface BeamRun {
  /** Elements in neutral form. */
  readonly input: readonly unknown[]
  /** Event time of each element, in seconds. */
  readonly times?: readonly number[]
  /** Throws where Beam's constructor would. */
  readonly handler: () => AnyHandler
  readonly options?: StepOptions<never>
  readonly driver?: DriverOptions
  /** A map behind the step, on a branch of its own: the other one takes the results as they are, as `monitored`. */
  readonly behind?: (result: unknown) => unknown
}

export interface RunResult {
  /** Results in neutral form, in order, and their timestamps in milliseconds. */
  readonly main: readonly unknown[]
  readonly timestamps: readonly number[]
  readonly monitored: readonly unknown[]
  readonly failures: readonly DriverFailure[]
  /** Of each dead letter, in the order of `failures`: its stack, where its record was written. */
  readonly stacks: readonly (string | undefined)[]
  /** Why the topology was refused, could not start, ended by itself, or halted. */
  readonly error: unknown
  readonly metrics: readonly BeamMetric[]
  readonly handler: AnyHandler | undefined
}

const NOTHING = { main: [], timestamps: [], monitored: [], failures: [], stacks: [] }

export async function beamRun(run: BeamRun): Promise<RunResult> {
  const metrics = beamMetrics()
  let handler: AnyHandler | undefined
  let driver: TopologyDriver
  try {
    handler = run.handler()
    driver = await createTopologyDriver(topologyOf(run, handler), { ...run.driver, metrics })
  } catch (error) {
    return { ...NOTHING, metrics: metrics.all(), handler, error }
  }
  let error: unknown
  const ended = driver.running.finished.catch((reason: unknown) => {
    error = reason
  })
  try {
    if (run.input.length > 0) await driver.pipe('in', run.input.map(recordOf(run)))
    await driver.advance(TIME_TO_WAIT_MS)
    const out = await driver.read('out')
    const failures = [...driver.failures]
    const stacks = await stacksOf(driver, failures)
    const monitored = run.behind ? await driver.read('monitored') : []
    return {
      main: out.map(elementOf),
      monitored: monitored.map(elementOf),
      timestamps: out.map(({ timestamp }) => timestamp),
      failures,
      stacks,
      error: error ?? haltOf(driver),
      metrics: metrics.all(),
      handler,
    }
  } finally {
    await driver.stop().catch(() => {})
    await ended
  }
}

/** What is published for a step before a batch, by model key; the key undefined: for the step itself. */
export type PublishedNow = ReadonlyMap<ModelKey | undefined, ModelMetadata>

/** A batch, and what is published anew before it. */
export interface SequenceBatch {
  readonly input: readonly unknown[]
  readonly publish: PublishedNow
}

/** One instance that runs batch after batch while models are published; `onBatch` is told the results of each. */
export async function beamSequence(
  handler: AnyHandler,
  batches: readonly SequenceBatch[],
  onBatch: (results: readonly unknown[]) => void,
): Promise<void> {
  const run: BeamRun = { input: batches.flatMap(({ input }) => input), handler: () => handler }
  const driver = await createTopologyDriver(topologyOf({ ...run, driver: { modelMetadata: new Map() } }, handler))
  try {
    let seen = 0
    for (const { input, publish } of batches) {
      for (const [key, model] of publish) await driver.publishModel(STEP, model, key)
      await driver.pipe('in', input.map(recordOf(run)))
      await driver.advance(TIME_TO_WAIT_MS)
      const all = await driver.read('out')
      onBatch(all.slice(seen).map(elementOf))
      seen = all.length
    }
  } finally {
    await driver.stop()
  }
}

/** A halted application is up, and takes nothing until it is told to go on. */
function haltOf({ running }: TopologyDriver): RunInferenceError | undefined {
  const { halted } = running.health().problems
  return halted === undefined
    ? undefined
    : new RunInferenceError('TOO_MANY_DEAD_LETTERS', halted.replace('[TOO_MANY_DEAD_LETTERS] ', ''))
}

function topologyOf({ input, options = {}, behind, driver = {} }: BeamRun, handler: AnyHandler): Topology {
  const elements = isKeyed(input)
    ? from('in', { key: utf8(), value: json<Boxed>() }).map(({ key, value }: KV<string, Boxed>): unknown =>
        kv(key, fromNeutral(value.element)),
      )
    : from('in', json<Boxed>()).map(({ element }) => fromNeutral(element))
  const { batch, ...rest } = options
  const modelMetadata = driver.modelMetadata !== undefined
  const step: StepOptions<never> = { ...rest, modelMetadata, batch: { mode: 'bundle', ...batch } }
  const results = elements.runInference(STEP, handler as never, step as StepOptions)
  const to = (stream: Stream<unknown>, topic: string) =>
    stream.map(result => ({ element: toNeutral(result) })).to(topic, json<Boxed>())
  return topology('beam', behind ? [to(results.map(behind), 'out'), to(results, 'monitored')] : [to(results, 'out')])
}

function elementOf({ value }: OutputRecord): unknown {
  return (value as Boxed).element
}

function isKeyed(input: readonly unknown[]): boolean {
  return input.length > 0 && input.map(fromNeutral).every(element => isKV(element) && typeof element.key === 'string')
}

function recordOf({ input, times }: BeamRun) {
  const keyed = isKeyed(input)
  return (neutral: unknown, i: number) => {
    const seconds = times?.[i]
    const timestamp = seconds === undefined ? {} : { timestamp: seconds * 1_000 }
    if (!keyed) return { value: { element: neutral }, ...timestamp }
    const [key, value] = (neutral as { readonly $tuple: readonly [string, unknown] }).$tuple
    return { key, value: { element: value }, ...timestamp }
  }
}

/** The stack of each failure, found by stage and source position in the dead-letter topics. */
async function stacksOf(driver: TopologyDriver, failures: readonly DriverFailure[]): Promise<(string | undefined)[]> {
  const stacks = new Map<string, string>()
  for (const stage of new Set(failures.map(failure => failure.stage))) {
    for (const { headers } of await driver.read(`beam.${STEP}.failed-${stage}`)) {
      stacks.set(`${stage} ${headers['kri-original-offset']}`, headers['kri-error-stack'] ?? '')
    }
  }
  return failures.map(({ stage, source }) => stacks.get(`${stage} ${source.offset}`))
}
