/** The models of every step, and the lanes that load them: at once, or when rows for them wait. */
import { RunInferenceError } from '../errors.ts'
import type { StepNode } from '../graph.ts'
import { specsOfStep } from '../handler-place.ts'
import type { Executor, Lane, ModelSpec, Signature } from '../models/executor.ts'
import { isFileModel, isRemoteModel, withFetched } from '../models/fetched-spec.ts'
import { lanesFor } from '../models/lane-choice.ts'
import { ModelSet } from '../models/model-set.ts'
import type { StepModel } from '../models/model-set-options.ts'
import { declaredSignature } from '../models/model-signature.ts'
import { SharedLanes } from '../models/shared-lanes.ts'
import { noModelFiles } from '../refresh/slot-loader.ts'
import type { OpenContext } from './open-graph.ts'

export interface OpenedModels {
  readonly models: ReadonlyMap<StepNode, ModelSet>
  /** For each model of a step's handler: the loaded one's, or what is declared where it is loaded later. */
  readonly signatures: ReadonlyMap<StepNode, readonly Signature[]>
}

export async function openModels(context: OpenContext): Promise<OpenedModels> {
  const { topology, executor, clock, random, logger, live, eventsOf } = context
  await live?.open(context.signal)
  const models = new Map<StepNode, ModelSet>()
  const signatures = new Map<StepNode, readonly Signature[]>()
  const placed = new Map<Lane, number>()
  const sharing = new Map<string, readonly Lane[]>()
  const shared = new SharedLanes(executor)
  for (const node of topology.steps) {
    const { step, handler } = node
    const specs = live?.chosen(step) ?? (await ownSpecs(node, context))
    const ofStep = specs.map((spec, cohort): StepModel => {
      const { keys, model } = handler.cohorts[cohort]!
      const { modelCopies = Number.POSITIVE_INFINITY } = model
      const lanes = lanesOf(step, spec, model.modelCopies, executor)
      if (keys !== undefined) return { spec, keys, copies: modelCopies, lanes }
      const chosen = sharing.get(spec.identifier) ?? leastUsed(lanes, modelCopies, placed)
      if (!sharing.has(spec.identifier)) for (const lane of chosen) placed.set(lane, (placed.get(lane) ?? 0) + 1)
      sharing.set(spec.identifier, chosen)
      return { spec, keys, copies: modelCopies, lanes: chosen }
    })
    const events = eventsOf(node)
    const given = { step, models: ofStep, limits: handler.limits, lanes: shared, clock, random, logger, events }
    const set = new ModelSet(given)
    await set.open()
    const [first] = set.loaded()
    models.set(node, set)
    signatures.set(node, first ? [first.loaded] : specs.map(declaredSignature))
    if (!first) continue
    const { provider, loadMs, sizeBytes } = first.loaded
    const facts = {
      model: specs[0]!.uri,
      provider,
      loadMs: Math.round(loadMs),
      sizeBytes,
      lanes: [...set.lanes].length,
    }
    logger.info(facts, 'model loaded')
  }
  return { models, signatures }
}

/** What the handler names itself; files that are elsewhere are fetched. */
async function ownSpecs(node: StepNode, { topology, modelFiles, signal }: OpenContext): Promise<readonly ModelSpec[]> {
  const specs = specsOfStep(topology, node)
  const fetched = specs.map(async (spec, cohort) => {
    if (!isFileModel(node.handler.cohorts[cohort]!.model) || !isRemoteModel(spec.uri)) return spec
    if (modelFiles === undefined) throw noModelFiles(`the model of step "${node.step}" is not on this machine`)
    // It is never released: a lane whose worker is lost reads it again.
    return withFetched(spec, await modelFiles.fetch({ modelId: spec.uri, modelName: '' }, signal))
  })
  return Promise.all(fetched)
}

/** All lanes that can load it; as many as it is to have copies, at least. */
function lanesOf(step: string, spec: ModelSpec, copies: number | undefined, executor: Executor): readonly Lane[] {
  const lanes = lanesFor(executor, spec)
  // Its rows would wait for ever.
  if (lanes.length === 0) throw noLane(step, spec, executor)
  lanesFor(executor, spec, copies)
  return lanes
}

/** Those that have the fewest models by now; of those, the first. */
function leastUsed(lanes: readonly Lane[], copies: number, placed: ReadonlyMap<Lane, number>): readonly Lane[] {
  const chosen = lanes.toSorted((a, b) => (placed.get(a) ?? 0) - (placed.get(b) ?? 0)).slice(0, copies)
  return lanes.filter(lane => chosen.includes(lane))
}

function noLane(step: string, { uri, isolation }: ModelSpec, { lanes }: Executor): RunInferenceError {
  const there = [...new Set(lanes.map(lane => lane.isolation))].join(' and ') || 'no'
  return new RunInferenceError(
    'TOPOLOGY_INVALID',
    `step ${step}: ${uri} asks for isolation '${isolation}', and the executor has ${there} lanes. ` +
      'Make the executor for the models of the topology (createExecutor), or change the isolation.',
  )
}
