import type { JsonLongs } from './json-text.ts'

/** Thrown for what JSON cannot say; the message is path, expected, got. */
export class NotJsonError extends Error {}

/**
 * The text of a value. Typed arrays are arrays; what has `toJSON`, such as a Date, is what that gives; BigInts are digits,
 * beyond 2^53 only with `longs: 'bigint'`. Throws NotJsonError for what `JSON.stringify` would drop, change or choke on.
 */
export function writeJson(value: unknown, longs: JsonLongs = 'number'): string {
  return new JsonWriter(longs).text(value, '')
}

class JsonWriter {
  readonly #longs: JsonLongs
  readonly #path: (string | number)[] = []
  readonly #above: object[] = []

  constructor(longs: JsonLongs) {
    this.#longs = longs
  }

  text(value: unknown, key: string | number): string {
    switch (typeof value) {
      case 'string':
        return JSON.stringify(value)
      case 'number':
        return this.#number(value)
      case 'boolean':
        return value ? 'true' : 'false'
      case 'bigint':
        return this.#bigint(value)
      case 'object':
        return value === null ? 'null' : this.#object(value, key)
      default:
        throw this.#refused(
          typeof value === 'undefined' ? 'nothing (leave the field out, or give null)' : `a ${typeof value}`,
        )
    }
  }

  #number(value: number): string {
    if (!Number.isFinite(value)) throw this.#refused(String(value))
    // With a BigInt for every long integer, a number that is large must not look like one.
    const looksLong = this.#longs === 'bigint' && Number.isInteger(value) && !Number.isSafeInteger(value)
    if (looksLong) return value.toExponential()
    return Object.is(value, -0) ? '-0' : String(value)
  }

  #bigint(value: bigint): string {
    if (this.#longs === 'number' && !Number.isSafeInteger(Number(value))) {
      throw this.#refused(`the BigInt ${value}n, which readers may round: it needs { longs: 'bigint' }`)
    }
    return String(value)
  }

  #object(value: object, key: string | number): string {
    if ('toJSON' in value && typeof value.toJSON === 'function' && !ArrayBuffer.isView(value)) {
      // Its own toJSON would give null.
      if (value instanceof Date && Number.isNaN(value.getTime())) throw this.#refused('a Date that is none')
      return this.text(value.toJSON(String(key)), key)
    }
    if (this.#above.includes(value)) throw this.#refused('a value that contains itself')
    this.#above.push(value)
    const text = isList(value) ? this.#list(value) : this.#record(value)
    this.#above.pop()
    return text
  }

  #list(values: ArrayLike<unknown>): string {
    let text = '['
    for (let i = 0; i < values.length; i++) {
      if (i > 0) text += ','
      text += this.#inside(i, values[i])
    }
    return `${text}]`
  }

  #record(value: object): string {
    // Maps, sets, promises, errors: JSON.stringify would make {} of them.
    const kind = Object.prototype.toString.call(value).slice(8, -1)
    if (kind !== 'Object') throw this.#refused(`a ${kind}`)
    let text = '{'
    for (const key of Object.keys(value)) {
      if (text.length > 1) text += ','
      text += `${JSON.stringify(key)}:${this.#inside(key, (value as Record<string, unknown>)[key])}`
    }
    return `${text}}`
  }

  #inside(key: string | number, value: unknown): string {
    this.#path.push(key)
    const text = this.text(value, key)
    this.#path.pop()
    return text
  }

  #refused(got: string): NotJsonError {
    const path = this.#path.length === 0 ? '(the value itself)' : this.#path.join('.')
    return new NotJsonError(`field ${path}: expected a value that JSON can say, got ${got}`)
  }
}

function isList(value: object): value is ArrayLike<unknown> & object {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))
}
