/**
 * What the records of a chaos run are, and what has to become of each. Pure, and without an import: the producer, the topology
 * and the judge agree on this file and share nothing else.
 *
 * A record is known by its key and its number among the records of that key. Everything else follows from these two.
 */

/** What is wrong with a record: index 0 is nothing. `first` and `second` are the steps. */
export const MARKS = [
  'good',
  'undecodable',
  'first-preprocess',
  'first-shape',
  'first-postprocess',
  'second-preprocess',
  'second-inference',
  'second-postprocess',
] as const
export type Mark = (typeof MARKS)[number]

/** Where a marked record has to end: behind which step, in which of its dead-letter topics, and with which code. */
export const FATES: Readonly<Record<Exclude<Mark, 'good'>, { step: Step; stage: string; code: RegExp }>> = {
  undecodable: { step: 'first', stage: 'preprocess', code: /^DECODE_/ },
  'first-preprocess': { step: 'first', stage: 'preprocess', code: /^FUNCTION_THREW$/ },
  'first-shape': { step: 'first', stage: 'inference', code: /^SHAPE_MISMATCH$/ },
  'first-postprocess': { step: 'first', stage: 'postprocess', code: /^POSTPROCESS_THREW$/ },
  'second-preprocess': { step: 'second', stage: 'preprocess', code: /^FUNCTION_THREW$/ },
  'second-inference': { step: 'second', stage: 'inference', code: /^INFERENCE_FAILED$/ },
  'second-postprocess': { step: 'second', stage: 'postprocess', code: /^POSTPROCESS_THREW$/ },
}
export type Step = 'first' | 'second'
export const STAGES = ['preprocess', 'inference', 'postprocess'] as const

export interface ChaosEvent {
  readonly key: number
  readonly number: number
  readonly mark: Mark
}

/** One record in so many is marked, each mark as often. */
const MARKED_EVERY = 50

/** The header that says which record it is, on every record from the input to the outputs: `key/number/mark`. */
export const EVENT_HEADER = 'chaos-event'

export function eventOf(key: number, number: number): ChaosEvent {
  const drawn = mix(key, number) % (MARKED_EVERY * (MARKS.length - 1))
  return { key, number, mark: MARKS[drawn < MARKS.length - 1 ? drawn + 1 : 0]! }
}

export function keyText(key: number): string {
  return `key-${key}`
}

export function headerText({ key, number, mark }: ChaosEvent): string {
  return `${key}/${number}/${mark}`
}

/** The digits in a record: the rest of what the first model is fed. */
export function digitsOf({ key, number }: ChaosEvent): readonly number[] {
  const mixed = mix(number, key + 1)
  return [0, 4, 8, 12, 16].map(shift => (mixed >>> shift) & 15)
}

/** What enters the first model. Small whole numbers: float32 holds them, and their sums, exactly. */
export function exampleOf(event: ChaosEvent): readonly number[] {
  return [event.key, event.number, MARKS.indexOf(event.mark), ...digitsOf(event)]
}
export const EXAMPLE_WIDTH = 8
export const SCORE_WIDTH = 4

/** The weights of the first model, from example `row` to score `column`. */
export function weightOf(row: number, column: number): number {
  return ((row * 5 + column * 3) % 11) - 4
}

function mix(a: number, b: number): number {
  let mixed = Math.imul(a + 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul(b + 0x7f4a_7c15, 0xc2b2_ae35)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb_352d)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846c_a68b)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
