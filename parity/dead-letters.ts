/** Failures of the driver in the form of Beam's dead letters: (element, (type, repr, traceback)). */
import type { DriverFailure } from 'kafka-run-inference/testing'
import type { RunResult } from './beam-run.ts'
import { pythonType, toNeutral } from './neutral.ts'
import { thrownText } from './our-text.ts'

const CAUSED_BY = '\nCaused by: '

interface Letter {
  readonly element: unknown
  readonly failure: DriverFailure
  readonly stack: string | undefined
}

/** Those of the functions at one stage, a list for each function in execution order. */
export function failedFunctions(result: RunResult, stage: 'preprocess' | 'postprocess', count: number): unknown[][] {
  return Array.from({ length: count }, (_, index) =>
    lettersOf(result)
      .filter(({ failure }) => failure.stage === stage && failure.index === index)
      .map(deadLetter),
  )
}

/**
 * Those of the model: one for each batch that failed as a whole, whose element is the list of its elements, or the one element
 * that was a batch already.
 */
export function failedInferences(result: RunResult): unknown[] {
  const isBatch = result.handler?.definition.batching === false
  const letters: Letter[] = []
  const batches = new Map<number, unknown[]>()
  for (const letter of lettersOf(result).filter(({ failure }) => failure.stage === 'inference')) {
    const batch = isBatch ? undefined : letter.failure.batch
    const known = batch === undefined ? undefined : batches.get(batch)
    if (known) known.push(letter.element)
    else if (batch === undefined) letters.push(letter)
    else {
      const elements = [letter.element]
      batches.set(batch, elements)
      letters.push({ ...letter, element: elements })
    }
  }
  return letters.map(deadLetter)
}

/** Those that belong to no function and no model: Beam has none of them. */
export function otherFailures(result: RunResult): unknown[] {
  return lettersOf(result)
    .filter(({ failure }) => failure.stage !== 'inference' && failure.index < 0)
    .map(letter => ({ stage: letter.failure.stage, ...deadLetter(letter) }))
}

function lettersOf({ failures, stacks }: RunResult): Letter[] {
  return failures.map((failure, i) => ({ element: failure.element, failure, stack: stacks[i] }))
}

function deadLetter({ element, failure, stack }: Letter): object {
  const { errorType } = failure
  const message = errorType === 'RunInferenceError' ? failure.message : thrownText(failure.message)
  return {
    tuple_len: 2,
    element: toNeutral(element),
    element_python_type: pythonType(element),
    exception_tuple_len: 3,
    exception_type: errorType,
    exception_repr: { type: errorType, message },
    traceback: tracebackOf(stack),
  }
}

/** A Python traceback ends with the line that a JavaScript stack begins with. */
function tracebackOf(stack: string | undefined): object {
  if (stack === undefined) return { is_list_of_strings: false, nonempty: false }
  // What came out of a lane shows behind our own error what was thrown.
  const lines = stack
    .slice(stack.indexOf(CAUSED_BY) + 1)
    .replace(CAUSED_BY.trim(), '')
    .trimStart()
    .split('\n')
  const frames = lines.findIndex(line => line.startsWith('    at '))
  const head = lines.slice(0, Math.max(frames, 0))
  return {
    is_list_of_strings: true,
    nonempty: frames > 0,
    first_line: 'Traceback (most recent call last):\n',
    last_line: `${head.join('\n')}\n`,
  }
}
