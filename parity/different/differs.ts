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
