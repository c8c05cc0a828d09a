/** Loads every model in one lane, as `run` does in all, and collects what is wrong instead of ending at the first. */
import { shownModelId } from '../credentials.ts'
import { RunInferenceError } from '../errors.ts'
import type { StepNode } from '../graph.ts'
import { specsOfStep } from '../handler-place.ts'
import type { Executor, Lane, LaneModel, LoadedModel, ModelSpec } from '../models/executor.ts'
import { isFileModel, isRemoteModel, withFetched } from '../models/fetched-spec.ts'
import { lanesFor } from '../models/lane-choice.ts'
import { noModelFiles } from '../refresh/slot-loader.ts'
import type { Topology } from '../topology.ts'
import type { CheckParts } from './check.ts'
import type { Findings, ModelReport } from './report.ts'
import { within } from './within.ts'

type ModelParts = Pick<CheckParts, 'executor' | 'clock' | 'modelFiles'> & {
  readonly settings: Pick<CheckParts['settings'], 'stuckMs'>
}

type Load = (lane: Lane, spec: ModelSpec) => Promise<LaneModel>
/** The spec that a lane can load: files that are elsewhere are fetched, as `run` does. */
type Fetch = (use: Use) => Promise<ModelSpec>

/** What a lane loads, and a step that runs it. */
interface Use {
  readonly step: string
  readonly spec: ModelSpec
  /** One of the models of a per-key handler. */
  readonly isPerKey: boolean
  readonly isFile: boolean
}

/** Those steps whose models can be loaded; a load that takes longer than `stuckMs` is a problem, as it is to `run`. */
export async function checkModels(
  topology: Topology,
  steps: readonly StepNode[],
  { executor, clock, modelFiles, settings: { stuckMs } }: ModelParts,
  findings: Findings,
): Promise<ModelReport[]> {
  const load: Load = (lane, spec) => within(clock, stuckMs, lane.load(spec), () => neverLoaded(spec, stuckMs))
  const fetched: Fetch = async ({ step, spec, isFile }) => {
    if (!isFile || !isRemoteModel(spec.uri)) return spec
    if (modelFiles === undefined) throw noModelFiles(`the model of step "${step}" is not on this machine`)
    // It is never released: a lane whose worker is lost reads it again.
    const file = await modelFiles.fetch({ modelId: spec.uri, modelName: '' }, new AbortController().signal)
    return withFetched(spec, file)
  }
  const bySpec = new Map<string, [Use, ...Use[]]>()
  for (const node of steps) {
    for (const [cohort, spec] of specsInto(findings, topology, node).entries()) {
      // What is published is checked before it is published.
      if (spec.uri === '') continue
      const { keys, model } = node.handler.cohorts[cohort]!
      const use = { step: node.step, spec, isPerKey: keys !== undefined, isFile: isFileModel(model) }
      const sharing = bySpec.get(spec.identifier)
      if (sharing) sharing.push(use)
      else bySpec.set(spec.identifier, [use])
    }
  }
  // Together, models per key may be more than the memory takes: one is loaded after the other.
  let loading = Promise.resolve<unknown>(undefined)
  const reports = [...bySpec.values()].map(sharing => {
    if (!isLoadedWhenNeeded(sharing)) return checkModel(sharing, executor, fetched, load, findings)
    const report = loading.then(() => checkModel(sharing, executor, fetched, load, findings))
    loading = report
    return report
  })
  return Promise.all(reports)
}

function isLoadedWhenNeeded(sharing: readonly Use[]): boolean {
  return sharing.every(use => use.isPerKey)
}

/** Arguments may be no tensors. */
function specsInto(findings: Findings, topology: Topology, node: StepNode): readonly ModelSpec[] {
  try {
    return specsOfStep(topology, node)
  } catch (error) {
    findings.thrown('models', error, `step "${node.step}"`, 'Correct inferenceArgs')
    return []
  }
}

async function checkModel(
  sharing: readonly [Use, ...Use[]],
  executor: Executor,
  fetched: Fetch,
  load: Load,
  findings: Findings,
): Promise<ModelReport> {
  const [use] = sharing
  const { step, spec } = use
  const report = { steps: [...new Set(sharing.map(use => use.step))], uri: shownModelId(spec.uri) }
  const where = `model of step "${step}"`
  try {
    const [lane] = lanesFor(executor, spec)
    const model = await load(lane!, await fetched(use))
    const { loaded } = model
    if (isLoadedWhenNeeded(sharing)) await model.unload()
    warnOfFallback(where, loaded, findings)
    warnOfCpuShare(where, loaded, findings)
    const { provider, refusedProviders, sizeBytes, sha256, loadMs } = loaded
    return { ...report, ok: true, provider, refusedProviders, sizeBytes, sha256, loadMs }
  } catch (error) {
    const { code, message } = RunInferenceError.from(error, 'BUG')
    findings.problem('models', code, { where, ...lastSentenceApart(message) })
    const nothing = { provider: null, refusedProviders: [], sizeBytes: null, sha256: null, loadMs: null }
    return { ...report, ok: false, ...nothing }
  }
}

function neverLoaded({ uri }: ModelSpec, stuckMs: number): RunInferenceError {
  const what = `${uri} is not loaded after stuckMs (${stuckMs} ms)`
  return new RunInferenceError('LANE_STUCK', `${what}. Correct loadModel, or set stuckMs higher`)
}

/** Refusals of models end with what to do. */
function lastSentenceApart(message: string): { readonly what: string; readonly remedy: string } {
  const text = message.replace(/^\[\w+\] /, '').replace(/\.$/, '')
  const at = text.lastIndexOf('. ')
  if (at < 0) return { what: text, remedy: 'Correct the file or the declaration: onnx({ model, inputs, outputs, … })' }
  return { what: text.slice(0, at).replace(/\.$/, ''), remedy: text.slice(at + 2) }
}

function warnOfFallback(where: string, { provider, refusedProviders }: LoadedModel, findings: Findings): void {
  const [first] = refusedProviders
  if (first === undefined) return
  findings.warning('models', {
    where,
    what: `it runs on ${provider}, not on the provider that was asked for first`,
    expected: first.provider,
    got: refusedProviders.map(({ provider, reason }) => `${provider}: ${reason}`).join('; '),
    remedy: `Install what ${first.provider} needs on this machine, or set providerPolicy: 'required' to refuse`,
  })
}

function warnOfCpuShare(where: string, { provider, partlyOnCpu }: LoadedModel, findings: Findings): void {
  if (!partlyOnCpu) return
  findings.warning('models', {
    where,
    what: `${provider} does not have all operators of the model: some or all of it runs on cpu`,
    expected: `every operator on ${provider}`,
    got: 'operators that only cpu has',
    remedy: `Measure it: without ${provider} it may be as fast, or faster`,
  })
}
