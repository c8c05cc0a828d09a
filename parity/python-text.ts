/** Python's way to write an exception, read back: what is compared is its type and its message. */

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"' }

export interface PythonException {
  readonly type: string
  readonly message: string
}

/** `ValueError('it\\'s')` as type and message; arguments that are not one text stay as they stand. */
export function parseRepr(repr: string): PythonException {
  const [, type = repr, args = ''] = /^(\w+)\(([\s\S]*)\)$/.exec(repr) ?? []
  return { type, message: parseString(args) ?? args }
}

function parseString(literal: string): string | undefined {
  const quote = literal[0]
  if ((quote !== "'" && quote !== '"') || literal.at(-1) !== quote || literal.length < 2) return undefined
  const inner = literal.slice(1, -1)
  return inner.replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter)
}

/** Where Beam says that a pipeline failed: `… [while running 'RI/BeamML_RunInference_Preprocess-0']`. */
export function splitLocation(message: string): { readonly message: string; readonly where: string | undefined } {
  const [, text = message, label] = /^([\s\S]*) \[while running '([^']*)'\]/.exec(message) ?? []
  // The text of a KeyError is its key, quoted as Python does; the location went inside the quotes.
  return { message: label === undefined ? message : text.replace(/^"/, ''), where: label && placeOf(label) }
}

/** Beam's names of sub-steps as this project names them: the step, then the stage and index of a function. */
export function placeOf(label: string): string {
  const [, step = label, stage, index] =
    /^(\w+)\/BeamML_RunInference(?:_(Pre|Post)process-(\d+))?(?:\/.*)?$/.exec(label) ?? []
  return stage === undefined ? step : `${step} ${stage.toLowerCase()}process[${index}]`
}
