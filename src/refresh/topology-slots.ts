/** The slots that a topology has, and which of them a person means. */
import { RunInferenceError } from '../errors.ts'
import type { StepNode } from '../graph.ts'
import { nearestName } from '../nearest-name.ts'
import { badValue, type Problem, problemText } from '../problem.ts'
import type { Topology } from '../topology.ts'
import { type ModelKey, slotText } from './slot.ts'

/** A model of a topology for which another one can be published. */
export interface TopologySlot {
  /** The Kafka key of its records. */
  readonly text: string
  readonly step: string
  /** Which of the handler's models. */
  readonly cohort: number
  /** Those of its mapping, of which the first names the slot; undefined: the step has one model. */
  readonly keys: readonly ModelKey[] | undefined
}

/** Those of steps that follow what is published. Throws SETTINGS_INVALID where the step that is meant does not, or none does. */
export function followedSlots(
  { steps }: Pick<Topology, 'steps'>,
  step: string | undefined,
  module: string,
): readonly TopologySlot[] {
  const followed = steps.filter(({ options }) => options.modelMetadata === true)
  const deaf = steps.filter(node => !followed.includes(node) && (followed.length === 0 || node.step === step))
  if (deaf.length > 0 || steps.length === 0) {
    const what =
      deaf.length === 0
        ? 'the topology has no step, so no model can be published for it'
        : `step "${(deaf.find(node => node.step === step) ?? deaf[0]!).step}" does not follow what is published`
    const remedy =
      deaf.length === 0
        ? 'Name a topology with runInference'
        : `Write runInference(step, handler, { modelMetadata: true }), then kri topics apply ${module}, and start the instances again`
    throw invalid({ where: module, what, remedy })
  }
  return slotsOf({ steps: followed })
}

/** By step in declaration order, then by mapping. */
export function slotsOf({ steps }: Pick<Topology, 'steps'>): readonly TopologySlot[] {
  return steps.flatMap(({ step, handler: { cohorts } }: StepNode) =>
    cohorts.map(({ keys }, cohort): TopologySlot => {
      const modelKeys = keys as readonly ModelKey[] | undefined
      return { text: slotText(step, modelKeys?.[0]), step, cohort, keys: modelKeys }
    }),
  )
}

/** What a command line says of a slot. */
export interface SlotFlags {
  /** May be left out where there is one. */
  readonly step?: string
  /** A model key as text, or as JSON; for steps with a model for each key, and only for these. */
  readonly key?: string
}

/** Throws SETTINGS_INVALID for what is none, or not one; `module` is what the person called the topology. */
export function chosenSlot(slots: readonly TopologySlot[], flags: SlotFlags, module: string): TopologySlot {
  const inStep = slotsOfStep(slots, flags.step, module)
  const [first] = inStep
  const { step, keys } = first!
  if (keys === undefined) {
    if (flags.key === undefined) return first!
    throw invalid(badValue('--key', 'it', `nothing: step "${step}" has one model for all keys`, flags.key))
  }
  const known = inStep.flatMap(slot => slot.keys!)
  const expected = `one of ${listed(known.map(keyText))}, the keys of step "${step}"`
  if (flags.key === undefined) throw invalid(badValue('--key', 'it', expected, undefined))
  const key = keyOf(flags.key, known)
  const slot = inStep.find(each => each.keys!.includes(key!))
  if (slot !== undefined) return slot
  const problem = badValue('--key', 'it', expected, flags.key)
  const nearest = nearestName(flags.key, known.map(keyText))
  throw invalid(nearest === undefined ? problem : { ...problem, remedy: `Did you mean ${nearest}?` })
}

/** Those that `--step` and `--key` leave. */
export function chosenSlots(slots: readonly TopologySlot[], flags: SlotFlags, module: string): readonly TopologySlot[] {
  if (flags.key !== undefined) return [chosenSlot(slots, flags, module)]
  return flags.step === undefined ? slots : slotsOfStep(slots, flags.step, module)
}

function slotsOfStep(slots: readonly TopologySlot[], step: string | undefined, module: string) {
  const steps = [...new Set(slots.map(slot => slot.step))]
  const [only, ...others] = steps
  const name = step ?? (others.length === 0 ? only : undefined)
  if (name !== undefined && steps.includes(name)) return slots.filter(slot => slot.step === name)
  const problem = badValue('--step', 'it', `one of ${listed(steps)}, the steps of ${module}`, step)
  const nearest = step === undefined ? undefined : nearestName(step, steps)
  throw invalid(nearest === undefined ? problem : { ...problem, remedy: `Did you mean ${nearest}?` })
}

/** The key that is meant: the text itself where it is one, else what it is as JSON (7, true) or as a bigint (7n). */
function keyOf(text: string, known: readonly ModelKey[]): ModelKey | undefined {
  return known.find(key => key === text) ?? known.find(key => keyText(key) === text || slotText('', key) === `/${text}`)
}

function keyText(key: ModelKey): string {
  return typeof key === 'string' ? key : slotText('', key).slice(1)
}

const LISTED = 20

function listed(names: readonly string[]): string {
  return names.length <= LISTED
    ? names.join(', ')
    : `${names.slice(0, LISTED).join(', ')} and ${names.length - LISTED} more`
}

function invalid(problem: Problem): RunInferenceError {
  return new RunInferenceError('SETTINGS_INVALID', problemText(problem), { problems: [problem] })
}
