import type { ErrorCode } from './errors.ts'
import { parseJson } from './kafka/json-text.ts'
import { readUtf8 } from './kafka/utf8-text.ts'
import { type Problem, problemsError, show } from './problem.ts'

type Named = Readonly<Record<string, unknown>>

export interface FieldsOptions {
  /** The record, for messages. */
  readonly where: string
  /** What a value has to be: `state of a step`. */
  readonly kind: string
  readonly code: ErrorCode
  /** The first line of the error. */
  readonly head: string
  readonly remedy: string
}

/** Reads fields of JSON and keeps what is wrong with them, so that all of it is told at once. What it gives then is never used. */
export class JsonFields {
  readonly #options: FieldsOptions
  readonly #problems: Problem[] = []

  constructor(options: FieldsOptions) {
    this.#options = options
  }

  /** The JSON in UTF-8 that these bytes are. Throws at once when they are none. */
  parse(bytes: Buffer): unknown {
    const text = readUtf8(bytes, 0, bytes.length)
    if (text === undefined) throw this.#unreadable('bytes that are not UTF-8')
    try {
      return parseJson(text)
    } catch (error) {
      throw this.#unreadable((error as Error).message)
    }
  }

  object<T>(at: string, value: unknown, read: (name: (field: string) => string, of: Named) => T): T {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return this.wrong(at, 'an object', value)
    return read(field => (at === '' ? field : `${at}.${field}`), value as Named)
  }

  list<T>(
    at: string,
    value: unknown,
    read: (at: string, value: unknown) => T,
    max = Number.POSITIVE_INFINITY,
  ): readonly T[] {
    const expected = max === Number.POSITIVE_INFINITY ? 'a list' : `a list of at most ${max}`
    if (!Array.isArray(value) || value.length > max) return this.wrong(at, expected, value)
    return value.map((each, i) => read(`${at}[${i}]`, each))
  }

  /** An object whose names are not known before. */
  values<T>(at: string, value: unknown, read: (at: string, value: unknown) => T): Readonly<Record<string, T>> {
    return this.object(at, value, (name, of) =>
      Object.fromEntries(Object.entries(of).map(([field, each]) => [field, read(name(field), each)])),
    )
  }

  /** Text that can be written as UTF-8 and read back. */
  text(at: string, value: unknown): string {
    return this.matching(at, value, 'a text', text => text.isWellFormed())
  }

  oneOf<T extends string>(at: string, value: unknown, choices: readonly T[]): T {
    return this.matching(at, value, `one of ${choices.join(', ')}`, text =>
      (choices as readonly string[]).includes(text),
    ) as T
  }

  matching(at: string, value: unknown, expected: string, holds: (text: string) => boolean): string {
    return typeof value === 'string' && holds(value) ? value : this.wrong(at, expected, value)
  }

  whole(at: string, value: unknown, min: number): number {
    return this.number(at, value, `a whole number from ${min}`, n => Number.isSafeInteger(n) && n >= min)
  }

  /** Zero is one number here: JSON can be read with a negative one, and cannot be written with it. */
  number(at: string, value: unknown, expected: string, holds: (n: number) => boolean): number {
    const isFine = typeof value === 'number' && Number.isFinite(value) && holds(value)
    return isFine ? value + 0 : this.wrong(at, expected, value)
  }

  wrong<T>(at: string, expected: string, value: unknown): T {
    const { where, kind, remedy } = this.#options
    const what = at === '' ? `the value is no ${kind}` : `field ${at} is wrong`
    this.#problems.push({ where, what, expected, got: show(value), remedy })
    return undefined as T
  }

  /** Throws with every field that is wrong. */
  done<T>(value: T): T {
    if (this.#problems.length === 0) return value
    throw problemsError(this.#options.code, this.#options.head, this.#problems)
  }

  #unreadable(got: string) {
    const { where, kind, code, head, remedy } = this.#options
    return problemsError(code, head, [{ where, what: 'the value is not JSON', expected: `the ${kind}`, got, remedy }])
  }
}

/** Nothing, or one field of this name. */
export function optional<N extends string, T>(name: N, given: unknown, read: (given: unknown) => T): { [K in N]?: T } {
  return given === undefined ? {} : ({ [name]: read(given) } as { [K in N]?: T })
}
