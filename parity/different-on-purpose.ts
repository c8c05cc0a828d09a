/**
 * Where this project differs from what was recorded, on purpose: which fields of which case, and why. A test compares the
 * table with what really differs, both ways, and with docs/beam-parity.md, which has a sentence for every quirk.
 */

/** Q: a quirk of Beam that is not repeated. D: a decision of this project. The others: what has no counterpart here. */
export type Quirk = `Q${number}` | `D${number}` | 'windows' | 'watermark' | 'bundles' | 'pickle bytes' | 'Python types'

export interface Difference {
  readonly case: string
  readonly quirk: Quirk
  readonly why: string
  /** Exactly these fields differ for this reason. */
  readonly fields: readonly string[]
}

export const DIFFERENT_ON_PURPOSE: readonly Difference[] = []
