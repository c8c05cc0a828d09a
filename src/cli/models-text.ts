/** States of models as people read them. */
import { printable } from '../check/showable.ts'
import { masking, withoutCredentials } from '../credentials.ts'
import { modelText } from '../refresh/publish-plan.ts'
import type { Candidate, StepModels } from '../refresh/step-models.ts'

/** A line on standard output, in which what others published cannot do anything to a terminal, and shows no credential. */
export function say(text: string): void {
  console.log(shownText(text))
}

export function sayJson(value: object): void {
  console.log(JSON.stringify(value, masking))
}

export function shownText(text: string): string {
  return withoutCredentials(text).split('\n').map(printable).join('\n')
}

export function stableText(state: StepModels | undefined): string {
  return state === undefined ? "the handler's own model; nothing is published" : modelText(state.stable)
}

export function trialText({ mode, percent, model, abortIf }: Candidate): string {
  const share = mode === 'canary' ? `canary with ${percent} % of the keys` : `shadow of ${percent} % of the keys`
  if (abortIf === undefined) return `${share}: ${modelText(model)}`
  const { failureFactor, latencyFactor, minRecords } = abortIf
  const rule = `given up at ${failureFactor} times the failures or ${latencyFactor} times the latency, after ${minRecords} records`
  return `${share}: ${modelText(model)}, ${rule}`
}

/** Who, when and why. */
export function actText({ publishedBy, publishedAt, reason }: StepModels): string {
  return `${publishedAt} by ${publishedBy}${reason === undefined ? '' : `: ${reason}`}`
}

/** How the person gets at one slot again. */
export function slotArguments(
  module: string,
  { step, keys }: { readonly step: string; readonly keys: readonly unknown[] | undefined },
): string {
  return `${module} --step ${step}${keys === undefined ? '' : ` --key ${quoted(String(keys[0]))}`}`
}

function quoted(word: string): string {
  return /^[\w./:=@,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
