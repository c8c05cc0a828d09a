import type { Difference, Quirk } from '../different-on-purpose.ts'

/** An entry of the table. */
export function differs(name: string, quirk: Quirk, why: string, ...fields: readonly string[]): Difference {
  return { case: name, quirk, why, fields }
}

/** The bytes of a batch where the handler does not count them; `before`: of several runs in one case. */
export function pickled(name: string, before = ''): Difference {
  return differs(
    name,
    'pickle bytes',
    'The bytes of a batch are those of its serialised examples, where Beam counts a pickle.',
    `${before}metrics.*request_batch_byte_size.value.*`,
  )
}

/** What differs where the one runs and the other fails. */
export const A_WHOLE_RUN = [
  'batch_sizes*',
  'batches_seen_by_model*',
  'main*',
  'model_loads*',
  'pipeline_error',
] as const

/** Fields of several runs in one case. */
export function inRuns(runs: readonly string[], ...fields: readonly string[]): string[] {
  return runs.flatMap(run => fields.map(field => `${run}.${field}`))
}
