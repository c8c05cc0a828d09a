/**
 * Any inference as JSON, for people and tools to look at: nothing is refused. Tensors, sets and bytes are lists, a Map is a list of
 * pairs, a Date is a text. NaN, infinities and integers that a number cannot hold are texts; what is nothing is null.
 */

const MAX_DEPTH = 64

/** The text, or why there is none: it would take more than `maxBytes` in UTF-8, or is nested more than 64 deep. */
export function inferenceJson(
  value: unknown,
  maxBytes: number,
): { readonly text: string } | { readonly leftOut: string } {
  const writing = new Writing(maxBytes)
  writing.value(value, 0)
  return writing.leftOut === undefined ? { text: writing.text } : { leftOut: writing.leftOut }
}

class Writing {
  text = ''
  leftOut: string | undefined
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  value(value: unknown, depth: number): void {
    if (typeof value === 'string') this.#string(value)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'bigint') this.#bigint(value)
    else if (typeof value === 'boolean') this.#put(String(value))
    else if (typeof value !== 'object' || value === null) this.#put('null')
    else if (depth >= MAX_DEPTH) this.leftOut ??= `nested more than ${MAX_DEPTH} deep`
    else this.#object(value, depth + 1)
  }

  #object(value: object, depth: number): void {
    if (Array.isArray(value)) this.#list(value, depth)
    else if (ArrayBuffer.isView(value)) this.#list(value instanceof DataView ? bytesOf(value) : (value as never), depth)
    else if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer)
      this.#list(new Uint8Array(value), depth)
    else if (value instanceof Map) this.#members(value, depth)
    else if (value instanceof Set) this.#members(value, depth)
    else if (value instanceof Date) this.#string(Number.isNaN(value.getTime()) ? String(value) : value.toISOString())
    else if (value instanceof Error) this.#string(`${value.name}: ${value.message}`)
    else if (value instanceof RegExp) this.#string(String(value))
    else if (isBoxed(value)) this.value(value.valueOf(), depth)
    else this.#record(value as Readonly<Record<string, unknown>>, depth)
  }

  #list(values: ArrayLike<unknown>, depth: number): void {
    this.#put('[')
    for (let i = 0; i < values.length && this.leftOut === undefined; i++) {
      if (i > 0) this.#put(',')
      this.value(values[i], depth)
    }
    this.#put(']')
  }

  #members(values: Iterable<unknown>, depth: number): void {
    let isFirst = true
    this.#put('[')
    for (const value of values) {
      if (this.leftOut !== undefined) return
      if (!isFirst) this.#put(',')
      isFirst = false
      this.value(value, depth)
    }
    this.#put(']')
  }

  #record(value: Readonly<Record<string, unknown>>, depth: number): void {
    let isFirst = true
    this.#put('{')
    for (const name of Object.keys(value)) {
      if (this.leftOut !== undefined) return
      if (!isFirst) this.#put(',')
      isFirst = false
      this.#string(name)
      this.#put(':')
      this.value(value[name], depth)
    }
    this.#put('}')
  }

  #number(value: number): void {
    if (!Number.isFinite(value)) this.#put(`"${value}"`)
    else this.#put(Object.is(value, -0) ? '-0' : String(value))
  }

  #bigint(value: bigint): void {
    this.#put(Number.isSafeInteger(Number(value)) ? String(value) : `"${value}"`)
  }

  /** A text that is too long as it is does not become a longer one first. */
  #string(text: string): void {
    if (text.length > this.#maxBytes - this.#bytes) this.#isTooLarge()
    else this.#put(JSON.stringify(text))
  }

  #put(piece: string): void {
    if (this.leftOut !== undefined) return
    this.#bytes += Buffer.byteLength(piece)
    if (this.#bytes > this.#maxBytes) this.#isTooLarge()
    else this.text += piece
  }

  #isTooLarge(): void {
    this.leftOut ??= 'too large'
    this.text = ''
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: DataView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function isBoxed(value: object): boolean {
  return value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt
}
