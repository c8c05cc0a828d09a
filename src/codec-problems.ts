import type { RecordField } from './kafka/codec.ts'
import { type Problem, show } from './problem.ts'

/** What is wrong with what was given as a codec; empty when it can be opened so. Types say the same, where they are checked. */
export function codecProblems(
  where: string,
  field: RecordField,
  given: unknown,
  method: 'openDecoder' | 'openEncoder',
): Problem[] {
  if (isCodec(given, method)) return []
  const direction = method === 'openDecoder' ? 'read' : 'write'
  if (isCodec(given, method === 'openDecoder' ? 'openEncoder' : 'openDecoder')) {
    const what = `its ${field} codec cannot ${direction}`
    return [
      { where, what, got: show((given as { label: unknown }).label), remedy: 'Use a codec that can, e.g. json()' },
    ]
  }
  const what = `its ${field} codec is none`
  return [{ where, what, expected: 'a codec, e.g. json()', ...gotAndRemedy(field, given) }]
}

export function isCodec(given: unknown, method: 'openDecoder' | 'openEncoder'): boolean {
  return typeof given === 'object' && given !== null && typeof (given as Record<string, unknown>)[method] === 'function'
}

function gotAndRemedy(field: RecordField, given: unknown): { readonly got: string; readonly remedy: string } {
  if (typeof given === 'function') {
    const name = given.name || 'it'
    return { got: `the function ${name}`, remedy: `Did you forget ()? Write ${field}: ${name}()` }
  }
  if (given === undefined) return { got: 'nothing', remedy: `Give one, e.g. ${field}: json()` }
  const called = typeof given === 'string' && /^\w+$/.test(given) ? `${given}()` : 'json()'
  return { got: show(given), remedy: `Call the function of the codec: ${field}: ${called}` }
}
