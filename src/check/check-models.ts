/** Loads every model in one lane, as `run` does in all, and collects what is wrong instead of ending at the first. */
import { availableParallelism } from 'node:os'
import { RunInferenceError } from '../errors.ts'
import type { StepNode } from '../graph.ts'
import type { Executor, LoadedModel } from '../models/executor.ts'
import { lanesFor } from '../models/lane-choice.ts'
import { type HandlerModel, modelSpecOf, modelsOf, type OnnxModel } from '../models/model-handler.ts'
import { BYTES_PER_ELEMENT, elementsOf, isNumeric } from '../models/tensors.ts'
import { batchPolicy } from '../pipeline/batch-policy.ts'
import type { Settings } from '../settings.ts'
import type { Findings, ModelReport } from './report.ts'

/** A model, and a step that runs it. */
interface Use {
  readonly step: string
  readonly model: HandlerModel
}

export async function checkModels(
  steps: readonly StepNode[],
  executor: Executor,
  findings: Findings,
): Promise<ModelReport[]> {
  const bySpec = new Map<string, [Use, ...Use[]]>()
  for (const { step, handler } of steps) {
    for (const model of modelsOf(handler)) {
      const { identifier } = modelSpecOf(model)
      const sharing = bySpec.get(identifier)
      if (sharing) sharing.push({ step, model })
      else bySpec.set(identifier, [{ step, model }])
    }
  }
  return Promise.all([...bySpec.values()].map(sharing => checkModel(sharing, executor, findings)))
}

async function checkModel(
  sharing: readonly [Use, ...Use[]],
  executor: Executor,
  findings: Findings,
): Promise<ModelReport> {
  const [{ step, model }] = sharing
  const spec = modelSpecOf(model)
  const report = { steps: [...new Set(sharing.map(use => use.step))], uri: spec.uri }
  const where = `model of step "${step}"`
  try {
    const [lane] = lanesFor(executor, spec)
    const { loaded } = await lane!.load(spec)
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

/** What works, and not as well as it could. */
export function warnOfSizes(steps: readonly StepNode[], settings: Settings, findings: Findings): void {
  const cores = availableParallelism()
  const { lanes, maxInFlightRows, maxInFlightBytes } = settings
  for (const { step, handler, options } of steps) {
    const where = `step "${step}"`
    const models = modelsOf(handler).filter(model => model.kind === 'onnx')
    const threads = Math.max(0, ...models.map(model => model.intraOpNumThreads))
    if (lanes * threads > cores && lanes + threads > 2) {
      findings.warning('settings', {
        where,
        what: 'more threads than cores: they wait for each other',
        expected: `lanes × intraOpNumThreads up to ${cores}`,
        got: `${lanes} × ${threads}`,
        remedy: 'Set --lanes or intraOpNumThreads lower',
      })
    }
    const { maxSize } = batchPolicy({ ...handler.batch, ...options.batch })
    if (maxSize > maxInFlightRows) {
      findings.warning('settings', {
        where,
        what: 'its batches can never be full',
        expected: `batch.maxSize up to maxInFlightRows (${maxInFlightRows})`,
        got: String(maxSize),
        remedy: 'Set batch.maxSize lower or --max-in-flight-rows higher',
      })
    }
    const rowBytes = Math.max(0, ...models.map(rowBytesOf))
    if (maxSize * rowBytes > maxInFlightBytes) {
      findings.warning('settings', {
        where,
        what: 'a full batch does not fit the memory that records in flight may take',
        expected: `up to maxInFlightBytes (${maxInFlightBytes})`,
        got: `${maxSize} rows × ${rowBytes} bytes`,
        remedy: 'Set batch.maxSize lower or --max-in-flight-bytes higher',
      })
    }
  }
}

/** At least so many. */
function rowBytesOf({ inputs }: OnnxModel): number {
  return Object.values(inputs).reduce((sum, { dtype, shape }) => {
    return sum + (elementsOf(shape) ?? 1) * (isNumeric(dtype) ? BYTES_PER_ELEMENT[dtype] : 1)
  }, 0)
}
