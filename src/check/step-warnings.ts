/** What works, and not as well as it could, or not as it looks. */
import { availableParallelism } from 'node:os'
import { shownModelId } from '../credentials.ts'
import type { StepNode } from '../graph.ts'
import { keyOrigins } from '../key-origin.ts'
import type { Settings } from '../load-settings.ts'
import { modelsOf, type OnnxModel } from '../models/model-handler.ts'
import { BYTES_PER_ELEMENT, elementsOf, isNumeric } from '../models/tensors.ts'
import { batchPolicy } from '../pipeline/batch-policy.ts'
import type { Problem } from '../problem.ts'
import { rowCredits } from '../run-settings.ts'
import type { Findings } from './report.ts'

/** Of what a step says of itself. */
export function warnOfSteps(steps: readonly StepNode[], findings: Findings): void {
  for (const step of steps) {
    const where = `step "${step.step}"`
    for (const warning of [
      ...batchWarnings(where, step),
      ...mappingWarnings(where, step),
      ...orderWarnings(where, step),
    ])
      findings.warning('topology', warning)
  }
}

function batchWarnings(where: string, { handler, options }: StepNode): Problem[] {
  const given = Object.keys({ ...handler.batch, ...options.batch })
  if (handler.batching || given.length === 0) return []
  return [
    {
      where,
      what: 'withNoBatching() takes each element as a batch, so batch options are ignored',
      got: given.map(name => `batch.${name}`).join(', '),
      remedy: 'Leave them out, or leave withNoBatching() out',
    },
  ]
}

function mappingWarnings(where: string, { handler: { cohorts } }: StepNode): Problem[] {
  return cohorts.flatMap(({ model, ignored = [] }, i) => {
    if (ignored.length === 0) return []
    return [
      {
        where,
        what: `a per-key handler ignores what the handlers of its mappings ask for, here mapping ${i} (${shownModelId(model.uri)})`,
        got: ignored.join(', '),
        remedy: 'Ask for it in the options of the step',
      },
    ]
  })
}

function orderWarnings(where: string, { input, handler: { cohorts } }: StepNode): Problem[] {
  if (cohorts[0].keys === undefined || !keyOrigins(input).has('derived')) return []
  return [
    {
      where,
      what: 'its keys are set by keyBy(), so elements of one key come from several partitions, and in no order between them',
      remedy: 'Leave it if no order is needed; else repartition(topic, fn, codecs) instead of keyBy(fn)',
    },
  ]
}

/** Of what a step asks for, against what there is. */
export function warnOfSizes(steps: readonly StepNode[], settings: Settings, findings: Findings): void {
  const cores = availableParallelism()
  const { lanes, maxInFlightBytes } = settings
  const maxInFlightRows = rowCredits(settings)
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
    const copies = Math.max(0, ...modelsOf(handler).map(({ modelCopies = 0 }) => modelCopies))
    if (copies > lanes) {
      findings.warning('settings', {
        where,
        what: 'there are fewer lanes than copies of its model',
        expected: `modelCopies up to the number of lanes (${lanes})`,
        got: String(copies),
        remedy: 'Set modelCopies lower or --lanes higher',
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
