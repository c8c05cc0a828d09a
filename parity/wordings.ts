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

export const WORDINGS: readonly Wording[] = [
  {
    meaning: 'functions belong around the keyed handler',
    beam: /^(Exception|ValueError): Cannot (make make|use) an unkeyed model handler with pre or postprocessing functions/,
    ours: /^TOPOLOGY_INVALID: .*takes a handler without functions/,
  },
  {
    meaning: 'a key has one model',
    beam: /^ValueError: key \w+ maps to multiple model handlers/,
    ours: /^TOPOLOGY_INVALID: .*key "\w+" is in mapping 0 .*a key has one model/s,
  },
  {
    meaning: 'a mapping has keys',
    beam: /^ValueError: Empty list maps to model handler/,
    ours: /^TOPOLOGY_INVALID: .*mapping 0 .*has no keys/s,
  },
  {
    meaning: 'the smallest size is at most the largest',
    beam: /^ValueError: Minimum \(\d+\) must not be greater than maximum \(\d+\)/,
    ours: /^TOPOLOGY_INVALID: .*batch\.(min|max)Size cannot be used, expected a whole number/s,
  },
  {
    meaning: 'buckets need a length',
    beam: /^ValueError: bucket_boundaries requires length_fn/,
    ours: /^TOPOLOGY_INVALID: .*batch\.bucketBy has no lengthOf/s,
  },
  {
    meaning: 'boundaries of buckets ascend',
    beam: /^ValueError: bucket_boundaries must be a non-empty sorted list/,
    ours: /^TOPOLOGY_INVALID: .*boundaries cannot be used, expected ascending numbers/s,
  },
  {
    meaning: 'there is no such model file',
    beam: /^RuntimeError: FileNotFoundError/,
    ours: /^MODEL_UNUSABLE: .*no such file/s,
  },
  {
    meaning: 'the model file is corrupt',
    beam: /DecodeError: Error parsing message with type 'onnx.ModelProto'/,
    ours: /^MODEL_UNUSABLE: .*protobuf parsing failed/s,
  },
  {
    meaning: 'the model takes rows of another shape or type',
    beam: /^InvalidArgument: .*(Got invalid dimensions|Invalid rank|Unexpected input data type)/,
    ours: /^RunInferenceError: \[SHAPE_MISMATCH\]/,
  },
  {
    meaning: 'the key has no model',
    beam: /^KeyError: zz$/,
    ours: /^RunInferenceError: \[KEY_UNKNOWN\]/,
  },
  {
    meaning: 'more failed than the threshold allows',
    beam: /^ValueError: The number of failing elements within the window GlobalWindow exceeded threshold: \d+ \/ \d+/,
    ours: /^TOO_MANY_DEAD_LETTERS: .*\d+ of \d+ (batches|records) failed in one block, and exceptionHandling\.threshold is/s,
  },
  {
    meaning: 'the model has no such input',
    beam: /^InvalidArgument: .*Invalid input name/,
    ours: /^MODEL_UNUSABLE: .*the model has no such input/s,
  },
]

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
