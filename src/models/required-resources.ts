/** Holds resource hints against the machine, before anything is loaded. */
import type { StepNode } from '../graph.ts'
import { type Problem, problemsError, problemText } from '../problem.ts'
import type { Machine } from './machine.ts'
import { type Accelerator, mergedHints, parseAccelerator, parseRam } from './resource-hints.ts'

export interface ResourceFindings {
  /** What the machine lacks. */
  readonly problems: readonly Problem[]
  /** What cannot be known here. */
  readonly warnings: readonly Problem[]
}

/** Words of names that say no more than who makes it, or what it is for. */
const VENDOR_WORDS = ['nvidia', 'tesla']
/** Makers whose devices Linux lists among those that render. */
const LISTED_MAKERS = ['amd', 'intel']

/** Throws RESOURCES_MISSING with everything that the machine lacks; `warn` is told what cannot be known. */
export function requireResources(steps: readonly StepNode[], machine: Machine, warn: (warning: string) => void): void {
  const { problems, warnings } = resourceFindings(steps, machine)
  for (const warning of warnings) warn(problemText(warning))
  if (problems.length > 0) throw problemsError('RESOURCES_MISSING', 'This machine cannot run the topology:', problems)
}

/** Steps whose hints have problems of their own are left out: `hintProblems` tells these. */
export function resourceFindings(steps: readonly StepNode[], machine: Machine): ResourceFindings {
  const findings = { problems: [] as Problem[], warnings: [] as Problem[] }
  for (const { step, handler, options } of steps) {
    const { minRam, accelerator } = mergedHints(handler.resourceHints, options.resourceHints)
    const where = `step "${step}"`
    const ramBytes = minRam === undefined ? undefined : parseRam(minRam)
    if (ramBytes !== undefined && ramBytes > machine.ramBytes) {
      findings.problems.push({
        where,
        what: 'the model needs more memory than this machine or container has',
        expected: `minRam ${minRam} (${gigabytes(ramBytes)})`,
        got: gigabytes(machine.ramBytes),
        remedy: 'Give it more memory, run the step elsewhere (kri run --part), or correct the hint',
      })
    }
    const wanted = accelerator === undefined ? undefined : parseAccelerator(accelerator)
    if (wanted !== undefined) compareAccelerator(where, wanted, machine, findings)
  }
  return findings
}

function compareAccelerator(
  where: string,
  wanted: Accelerator,
  { nvidiaGpus, renderDevices }: Machine,
  { problems, warnings }: { readonly problems: Problem[]; readonly warnings: Problem[] },
): void {
  const [maker = ''] = wordsOf(wanted.type)
  const expected = `${wanted.count} of ${wanted.type}`
  const missing = (got: string): void => {
    const remedy = 'Pass the device to this machine or container, run the step elsewhere, or correct the hint'
    problems.push({ where, what: 'an accelerator is missing', expected, got, remedy })
  }
  const unknowable = (got: string): void => {
    const what = 'whether the accelerator is there cannot be known here'
    warnings.push({ where, what, expected, got, remedy: 'See that it is; the providers of the handler say more' })
  }
  if (maker === 'nvidia') {
    const fitting = nvidiaGpus.filter(model => model === undefined || isModel(model, wanted.type))
    const there = nvidiaGpus.map(model => model ?? 'one of unknown model').join(', ')
    if (fitting.length < wanted.count) missing(there === '' ? 'no NVIDIA GPU' : there)
    else if (fitting.filter(model => model !== undefined).length < wanted.count) unknowable(there)
  } else if (LISTED_MAKERS.includes(maker)) {
    if (renderDevices < wanted.count) missing(`${renderDevices} in /dev/dri`)
    else unknowable(`${renderDevices} in /dev/dri, of unknown model`)
  } else {
    unknowable('a type of accelerator that is not known here')
  }
}

/** `nvidia-tesla-a100-40gb` is 'NVIDIA A100-SXM4-40GB'; the size of its memory counts where its name tells it. */
function isModel(model: string, type: string): boolean {
  const there = wordsOf(model)
  const tellsSize = there.some(isSize)
  return wordsOf(type)
    .filter(word => !VENDOR_WORDS.includes(word) && (tellsSize || !isSize(word)))
    .every(word => there.includes(word))
}

function isSize(word: string): boolean {
  return /^\d+gb$/.test(word)
}

function wordsOf(name: string): string[] {
  return name
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(word => word !== '')
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`
}
