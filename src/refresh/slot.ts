/** What one record of the metadata topic is about: a step, or one model key of a step with a model for each key. */
import { RunInferenceError } from '../errors.ts'
import { isTopicName } from '../kafka/topic-names.ts'
import { show } from '../problem.ts'

/** The keys that a per-key handler may have. */
export type ModelKey = string | number | bigint | boolean

export interface Slot {
  readonly step: string
  /** Undefined: the step has one model. */
  readonly modelKey?: ModelKey
}

const NUMBER = /^-?(\d|Infinity$)/
const BIGINT = /^-?\d+n$/

/** The key of the slot's records: `infer`, `infer/"de"`, `infer/7`, `infer/true`; a bigint is `infer/7n`. Each slot has one text. */
export function slotText(step: string, modelKey?: ModelKey): string {
  return modelKey === undefined ? step : `${step}/${keyText(modelKey)}`
}

/** Throws METADATA_INVALID for a text that `slotText` gives for no slot; other ways to write a slot would be slots of their own. */
export function parseSlot(text: string): Slot {
  const slash = text.indexOf('/')
  const step = slash < 0 ? text : text.slice(0, slash)
  const modelKey = slash < 0 ? undefined : keyOf(text.slice(slash + 1))
  if (isTopicName(step) && slotText(step, modelKey) === text)
    return modelKey === undefined ? { step } : { step, modelKey }
  throw new RunInferenceError(
    'METADATA_INVALID',
    `the key of a record names no step and model key: expected <step> or <step>/<JSON of the model key>, as infer or infer/"de", got ${show(text)}. ` +
      'Publish under such a key, and delete this record with a tombstone under its own',
  )
}

/** JSON, and what JavaScript writes where JSON has no words. */
function keyText(key: ModelKey): string {
  if (typeof key === 'bigint') return `${key}n`
  return typeof key === 'string' ? JSON.stringify(key) : String(key === 0 ? 0 : key)
}

function keyOf(text: string): ModelKey | undefined {
  if (text === 'true' || text === 'false') return text === 'true'
  if (BIGINT.test(text)) return BigInt(text.slice(0, -1))
  if (NUMBER.test(text)) return Number(text)
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' ? value : undefined
  } catch {
    // It is no key: the caller says so.
    return undefined
  }
}
