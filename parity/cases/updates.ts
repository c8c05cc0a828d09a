/** Updates of models. A recorded sequence is one instance, for which models are published between its batches. */
import { float32, keyed, onnx } from 'kafka-run-inference'
import { arith } from '../arith.ts'
import { beamRun, beamSequence, type PublishedNow, type RunResult, STEP } from '../beam-run.ts'
import type { AnyHandler } from '../handler-text.ts'
import type { OracleCase } from '../oracle-case.ts'
import { Recorder } from '../recorder.ts'
import { errorOf } from '../shape.ts'
import { MUL_10, timesOf } from './basic.ts'
import { SMALL } from './onnx.ts'
import { ADD, MUL, perKey } from './per-key.ts'
import { type BeamBatch, type CaseRun, inWords, pipeline } from './pipeline.ts'
import { eachRun } from './runs.ts'

type Published = { readonly modelId: string; readonly modelName: string }

interface UpdateConfig {
  readonly side_input: readonly (readonly [string, string])[]
  readonly batch?: BeamBatch
}

export const UPDATES: Readonly<Record<string, CaseRun>> = {
  update_side_input_batch: sideInput,
  update_side_input_empty: sideInput,
  update_side_input_empty_id: sideInput,
  update_side_input_two: eachRun(() => sideInput),
  update_side_input_windowed: async oracle => {
    const pairs = oracle.input as readonly { readonly $tuple: readonly [number, number] }[]
    const times = pairs.map(({ $tuple }) => $tuple[1])
    return sideInput({ ...oracle, input: pairs.map(({ $tuple }) => $tuple[0]) }, times)
  },
  update_bad_model: eachRun(() => oracle => {
    const { side_input } = oracle.config as UpdateConfig
    return inWords({
      batch: { max_batch_size: 1 },
      handler: recorder => failingFor(recorder, 'bad'),
      driver: { modelMetadata: new Map([[STEP, publishedOf(side_input)!]]) },
      more: updateCalls,
    })(oracle)
  }),
  update_sequence_failing_load: async ({ input, expected }) => {
    const steps = input as readonly (readonly [string, readonly number[]])[]
    const batches = steps.map(([name, batch]) => ({ name, batch, publish: name === 'none' ? undefined : only(name) }))
    return sequence(expected as readonly Recorded[], batches, recorder => failingFor(recorder, 'bad'))
  },
  update_onnx_ignored: async () => {
    const row = { $ndarray: { dtype: 'float32', shape: [64], data: new Array(64).fill(0.5) } }
    const handler = () => onnx({ model: SMALL, input: float32(64), output: float32(10) }) as AnyHandler
    const published = { modelId: '/no/such/model.onnx', modelName: 'new' }
    const own = await beamRun({ input: [row], handler })
    const updated = await beamRun({ input: [row], handler, driver: { modelMetadata: new Map([[STEP, published]]) } })
    return {
      same_output: JSON.stringify(own.main) === JSON.stringify(updated.main),
      pipeline_error: errorOf(updated.error),
      model_id: modelIdOf(updated.main[0]),
    }
  },
  update_per_key_sequence: perKeySequences,
}

function sideInput({ input, config, expected }: OracleCase, times?: readonly number[]): Promise<unknown> {
  const { side_input, batch } = config as UpdateConfig
  const published = publishedOf(side_input)
  return pipeline(expected, {
    input: input as readonly unknown[],
    ...(times ? { times } : {}),
    batch,
    handler: recorder => arith(recorder, MUL_10),
    driver: published ? { modelMetadata: new Map([[STEP, published]]) } : {},
    more: (result, recorder) => ({ ...timesOf(result), ...updateCalls(result, recorder) }),
  })
}

/** The newest wins. */
function publishedOf(entries: UpdateConfig['side_input']): Published | undefined {
  const [modelId, modelName] = entries.at(-1) ?? []
  return modelId === undefined ? undefined : { modelId, modelName: modelName! }
}

/** Beam changes the path of the handler; here the handler is given it with each load. */
function updateCalls(_: RunResult, { loads }: Recorder) {
  return { update_model_path_calls: updated(loads) }
}

function updated(loads: readonly string[]): readonly string[] {
  return loads.filter(id => !id.startsWith('m_') && id !== 'm0')
}

function failingFor(recorder: Recorder, id: string): AnyHandler {
  return arith(recorder, { ...MUL_10, failLoadOf: id })
}

/** A batch of a sequence; `publish`: what is published anew before it. */
interface Step {
  readonly batch: readonly unknown[]
  readonly publish: PublishedNow | undefined
}

/** Runs a recorded sequence in one instance, and tells what each batch gave, and what was loaded for it. */
async function sequence(
  recorded: readonly Recorded[],
  steps: readonly Step[],
  handlerFor: (recorder: Recorder) => AnyHandler,
): Promise<object[]> {
  const recorder = new Recorder()
  const told: object[] = []
  let loadsBefore = 0
  const batches = steps.map(({ batch, publish = new Map() }) => ({ input: batch, publish }))
  await beamSequence(handlerFor(recorder), batches, results => {
    const { side_input, batch } = recorded[told.length]!
    const loads = recorder.loads.slice(loadsBefore)
    loadsBefore = recorder.loads.length
    told.push({
      ...{ side_input, batch, results },
      loads_during_this_batch: loads,
      update_model_path_calls: updated(loads),
    })
  })
  return told
}

const only = (modelId: string): PublishedNow => new Map([[undefined, { modelId, modelName: modelId }]])

const byKey = (models: Readonly<Record<string, string>>): PublishedNow =>
  new Map(Object.entries(models).map(([key, modelId]) => [key, { modelId, modelName: modelId }]))

/** What is published, by how the recording names it. */
const PUBLISHED: Readonly<Record<string, PublishedNow | undefined>> = {
  none: undefined,
  'k1->u1,k2->u2': byKey({ k1: 'u1', k2: 'u2' }),
  'k1->u3,k2->u2': byKey({ k1: 'u3', k2: 'u2' }),
  'k1->u1,k2->u2 before any batch': byKey({ k1: 'u1', k2: 'u2' }),
  'missing k2': byKey({ k1: 'u1' }),
  'unknown key': byKey({ k1: 'u1', k2: 'u2', zz: 'u3' }),
  duplicate: byKey({ k1: 'u1', k2: 'u3' }),
  'empty path': byKey({ k1: '', k2: '' }),
  'split cohort': byKey({ k1: 'u1', k3: 'u3' }),
  'path mapping to single-model Keyed': byKey({ k1: 'u1' }),
  'ModelMetadata to per-key handler': only('u1'),
}

async function perKeySequences({ expected }: OracleCase): Promise<unknown> {
  const sequences: Record<string, unknown> = {}
  for (const [name, recorded] of Object.entries(expected as Readonly<Record<string, readonly Recorded[]>>)) {
    const steps = recorded.map(({ side_input, batch }) => ({ batch, publish: PUBLISHED[side_input] }))
    sequences[name] = await sequence(recorded, steps, recorder => handlerOf(name, recorder))
  }
  return sequences
}

interface Recorded {
  readonly side_input: string
  readonly batch: readonly unknown[]
}

function handlerOf(sequence: string, recorder: Recorder): AnyHandler {
  if (sequence === 'single') return keyed(arith(recorder, MUL_10)) as AnyHandler
  if (sequence === 'split_cohort') return perKey(recorder, [[['k1', 'k3'], MUL]])
  const two = perKey(recorder, [
    [['k1'], MUL],
    [['k2'], ADD],
  ])
  return sequence === 'wrapped_by_preprocess'
    ? two.withPreprocess<never>(((element: unknown) => element) as never)
    : two
}

function modelIdOf(result: unknown): unknown {
  const prediction = (result as { readonly $prediction_result?: { readonly model_id: unknown } } | undefined)
    ?.$prediction_result
  return prediction?.model_id ?? null
}
