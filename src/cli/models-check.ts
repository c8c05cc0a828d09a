/** Loads a model as an instance would, in a lane of its own, and compares its inputs and outputs with those of the one that serves. */
import { within } from '../check/within.ts'
import { shownModelId } from '../credentials.ts'
import { RunInferenceError } from '../errors.ts'
import { specsOfStep } from '../handler-place.ts'
import type { Executor, LoadedModel, LoadedTensor, ModelSpec, Signature } from '../models/executor.ts'
import { createExecutor } from '../models/executors.ts'
import { withFetched } from '../models/fetched-spec.ts'
import { lanesFor } from '../models/lane-choice.ts'
import { declaredSignature } from '../models/model-signature.ts'
import type { FetchedModel, ModelSource } from '../models/model-source.ts'
import { showDifference, signatureDifference, type TensorDifference } from '../models/signature-difference.ts'
import { systemClock } from '../ops/clock.ts'
import { killThisProcess } from '../ops/lifecycle.ts'
import type { ModelMetadata } from '../refresh/step-models.ts'
import type { TopologySlot } from '../refresh/topology-slots.ts'
import type { ModelsSession } from './models-session.ts'
import { say } from './models-text.ts'

/** Nothing but the warm-up runs. */
const BATCH_ROWS = 8

/** What a check has found. */
export interface ModelCheck {
  readonly ok: boolean
  readonly loaded: Pick<LoadedModel, 'provider' | 'loadMs' | 'inputs' | 'outputs'>
  /** Whose inputs and outputs are expected: those of a model, or what is declared. */
  readonly expectedOf: string
  readonly expected: Signature
  readonly differences: readonly TensorDifference[]
}

/**
 * Rejects MODEL_UNUSABLE when the model does not load or run. `serving`: what is published now; undefined: the handler's own
 * serves. A model whose call does not return ends this process, when it has been told.
 */
export async function checkModel(
  session: ModelsSession,
  slot: TopologySlot,
  fetched: FetchedModel | undefined,
  model: ModelMetadata,
  serving: ModelMetadata | undefined,
  source: ModelSource,
): Promise<ModelCheck> {
  const { topology, settings, logger, progress } = session
  const node = topology.steps.find(({ step }) => step === slot.step)!
  const own = specsOfStep(topology, node)[slot.cohort]!
  const executor = createExecutor(
    { models: [own], lanes: 1, maxBatchRows: BATCH_ROWS },
    { logger, clock: systemClock, random: Math.random, stuckMs: settings.stuckMs },
  )
  const load = (spec: ModelSpec) => loadAlone(executor, spec, settings.stuckMs)
  try {
    progress.show('checking: the model that serves now')
    // Of models for keys nothing but the declaration is compiled.
    const isPerKey = slot.keys !== undefined
    const there = isPerKey ? undefined : await servingModel(own, serving, fetched !== undefined, source, load)
    progress.show('checking: load and warm-up')
    const { provider, loadMs, inputs, outputs } = await load(specOf(own, model, fetched))
    const loaded = { provider, loadMs, inputs, outputs }
    // The load itself was held against the declaration.
    if (there === undefined)
      return { ok: true, loaded, expected: declaredSignature(own), expectedOf: 'what is declared', differences: [] }
    const differences = signatureDifference(there, loaded)
    const { modelId, inputs: expectedInputs, outputs: expectedOutputs } = there
    return {
      ...{ ok: differences.length === 0, loaded, differences },
      ...{
        expected: { inputs: expectedInputs, outputs: expectedOutputs },
        expectedOf: `${shownModelId(modelId)}, which serves`,
      },
    }
  } finally {
    progress.clear()
    await closeOrDie(executor)
  }
}

/** Throws MODEL_UNUSABLE for a check that found differences, naming them. */
export function requireFits({ modelId }: ModelMetadata, { differences, expectedOf }: ModelCheck): void {
  if (differences.length === 0) return
  const text = differences.map(showDifference).join('; ')
  const remedy = 'Publish a model that has them, or change the declaration and deploy the topology with it'
  throw new RunInferenceError(
    'MODEL_UNUSABLE',
    `${shownModelId(modelId)} has other inputs or outputs than ${expectedOf}: ${text}. ${remedy}`,
  )
}

/** Both sides, tensor by tensor. */
export function sayCheck({ modelId }: ModelMetadata, { loaded, expected, expectedOf, differences }: ModelCheck): void {
  say(
    `${shownModelId(modelId)} loads and runs on ${loaded.provider} (${loaded.loadMs.toFixed(0)} ms); compared with ${expectedOf}:`,
  )
  for (const side of ['inputs', 'outputs'] as const) {
    for (const tensor of expected[side]) {
      const got = loaded[side].find(({ declared }) => declared === tensor.declared)
      say(`  ${side.slice(0, -1)} '${tensor.declared}': expected ${tensorText(tensor)}, got ${tensorText(got)}`)
    }
  }
  say(
    differences.length === 0 ? '  it can take its place' : `  it cannot: ${differences.map(showDifference).join('; ')}`,
  )
}

function tensorText(tensor: LoadedTensor | undefined): string {
  return tensor === undefined ? 'none' : `${tensor.dtype}[${tensor.shape.map(size => size ?? '?').join(',')}]`
}

/** Undefined where it cannot be had here: it need not be where this command runs. */
async function servingModel(
  own: ModelSpec,
  serving: ModelMetadata | undefined,
  isFile: boolean,
  source: ModelSource,
  load: (spec: ModelSpec) => Promise<LoadedModel>,
): Promise<LoadedModel | undefined> {
  const served = serving === undefined || serving.modelId === '' ? undefined : serving
  let fetched: FetchedModel | undefined
  try {
    if (isFile) fetched = await source.fetch(served ?? { modelId: own.uri })
    if (served !== undefined) return await load(specOf(own, served, fetched))
    return await load(fetched === undefined ? own : withFetched(own, fetched))
  } catch (error) {
    const { code } = RunInferenceError.from(error, 'BUG')
    if (code === 'BUG' || code === 'LANE_STUCK') throw error
    // The instances have it, or tell: the declaration has to do.
    return undefined
  } finally {
    fetched?.release()
  }
}

function specOf(own: ModelSpec, { modelId }: ModelMetadata, fetched: FetchedModel | undefined): ModelSpec {
  const spec = { ...own, identifier: `checked ${modelId}`, uri: modelId }
  return fetched === undefined ? spec : withFetched(spec, fetched)
}

async function loadAlone(executor: Executor, spec: ModelSpec, stuckMs: number): Promise<LoadedModel> {
  const [lane] = lanesFor(executor, spec)
  const late = () => {
    const what = `${spec.uri} is not loaded and warm after stuckMs (${stuckMs} ms)`
    return new RunInferenceError(
      'LANE_STUCK',
      `${what}. Set stuckMs higher if it takes so long, else correct the model`,
    )
  }
  const model = await within(systemClock, stuckMs, lane!.load(spec), late)
  const { loaded } = model
  await model.unload()
  return loaded
}

/** A thread inside native code cannot be ended in any other way. */
async function closeOrDie(executor: Executor): Promise<void> {
  await executor.close()
  if (executor.leaving.length === 0) return
  const what = 'the model is inside a call that does not return; nothing was published, and this process ends itself'
  process.stderr.write(`kri: ${what}\n`, killThisProcess)
}
