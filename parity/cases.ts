import { BASIC } from './cases/basic.ts'
import { BATCHING } from './cases/batching.ts'
import { DEAD_LETTERS } from './cases/dead-letters.ts'
import { FUNCTIONS } from './cases/functions.ts'
import { KEYED } from './cases/keyed.ts'
import { METRICS } from './cases/metrics.ts'
import { ONNX } from './cases/onnx.ts'
import { PER_KEY } from './cases/per-key.ts'
import type { CaseRun } from './cases/pipeline.ts'
import { RESULTS } from './cases/results.ts'
import { UPDATES } from './cases/updates.ts'

/** How each case is run here, by name. */
export const CASES: Readonly<Record<string, CaseRun>> = {
  ...BASIC,
  ...KEYED,
  ...FUNCTIONS,
  ...DEAD_LETTERS,
  ...PER_KEY,
  ...RESULTS,
  ...BATCHING,
  ...METRICS,
  ...ONNX,
  ...UPDATES,
}
