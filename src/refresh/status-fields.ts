import { RunInferenceError } from '../errors.ts'
import { show } from '../problem.ts'

export type Fields = Readonly<Record<string, unknown>>

/** Reads fields of JSON; throws METADATA_INVALID with the first one that is wrong. */
export class StatusFields {
  readonly #where: string

  constructor(where: string) {
    this.#where = where
  }

  wrong(at: string, expected: string, got: unknown): RunInferenceError {
    return new RunInferenceError(
      'METADATA_INVALID',
      `${this.#where}: ${at} cannot be used, expected ${expected}, got ${show(got)}. ` +
        'The instance that wrote it may be of another version: it is left out until it writes again',
    )
  }

  record(at: string, value: unknown): Fields {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
    throw this.wrong(at, 'an object', value)
  }

  list(at: string, value: unknown): readonly unknown[] {
    if (Array.isArray(value)) return value
    throw this.wrong(at, 'a list', value)
  }

  text(at: string, value: unknown): string {
    if (typeof value === 'string') return value
    throw this.wrong(at, 'a text', value)
  }

  optionalText(at: string, value: unknown): string | undefined {
    return value === undefined ? undefined : this.text(at, value)
  }

  /** Finite, and more than 0. */
  positive(at: string, value: unknown): number {
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value
    throw this.wrong(at, 'a number above 0', value)
  }

  whole(at: string, value: unknown, min: number): number {
    if (Number.isSafeInteger(value) && (value as number) >= min) return (value as number) + 0
    throw this.wrong(at, `a whole number from ${min}`, value)
  }

  values<T>(at: string, value: unknown, read: (at: string, value: unknown) => T): Readonly<Record<string, T>> {
    const given = Object.entries(this.record(at, value))
    return Object.fromEntries(given.map(([name, each]) => [name, read(`${at}.${name}`, each)]))
  }
}
