/**
 * Where this project differs from what was recorded, on purpose: which fields of which case, and why. A test compares the
 * table with what really differs, both ways, and with docs/beam-parity.md, which has a sentence for every quirk.
 */
import { DIFFERENT_BATCHES } from './different/batches.ts'
import { DIFFERENT_DEAD_LETTERS } from './different/dead-letters.ts'
import { DIFFERENT_KEYS } from './different/keys.ts'
import { DIFFERENT_MODELS } from './different/models.ts'

/** Q: a quirk of Beam that is not repeated. D: a decision of this project. The others: what has no counterpart here. */
export type Quirk = `Q${number}` | `D${number}` | 'windows' | 'watermark' | 'bundles' | 'pickle bytes' | 'Python types'

export interface Difference {
  readonly case: string
  /** Of several entries for a case, the first one has its main reason. */
  readonly quirk: Quirk
  readonly why: string
  /** The fields that differ for this reason, and no others; `*` stands for any text in them (`main[*].model_id`). */
  readonly fields: readonly string[]
}

export const DIFFERENT_ON_PURPOSE: readonly Difference[] = [
  ...DIFFERENT_KEYS,
  ...DIFFERENT_DEAD_LETTERS,
  ...DIFFERENT_BATCHES,
  ...DIFFERENT_MODELS,
]
