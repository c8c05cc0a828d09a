/**
 * Errors that the user did not word: what Beam, Python or onnxruntime says, and what this project says of the same thing.
 * Both sides must match, so a wording never makes another error pass. docs/beam-parity.md shows the list.
 */

export interface Wording {
  readonly meaning: string
  /** `Type: message`. */
  readonly beam: RegExp
  readonly ours: RegExp
}

export const WORDINGS: readonly Wording[] = []

type Fields = Readonly<Record<string, unknown>>

/** The fields of two errors, or of two dead letters, whose difference is only how the same thing is said. */
export function sameMeaning(recorded: Fields, actual: Fields): readonly string[] {
  if (isError(recorded) && isError(actual)) return wordingOf(recorded, actual) ? ['type', 'message'] : []
  const { exception_repr: said } = recorded
  const { exception_repr: ours } = actual
  if (!isError(said) || !isError(ours) || !wordingOf(said, ours)) return []
  return ['exception_type', 'exception_repr', 'traceback']
}

interface WordedError {
  readonly type: string
  readonly message: string
}

export function wordingOf(recorded: WordedError, actual: WordedError): Wording | undefined {
  return WORDINGS.find(
    ({ beam, ours }) =>
      beam.test(`${recorded.type}: ${recorded.message}`) && ours.test(`${actual.type}: ${actual.message}`),
  )
}

function isError(value: unknown): value is WordedError {
  return typeof value === 'object' && value !== null && 'type' in value && 'message' in value
}
