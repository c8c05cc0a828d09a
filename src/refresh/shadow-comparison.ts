/**
 * Whether two models say the same of one record, and how far apart their numbers are. Inferences are what models give (rows of
 * tensors, by name or bare) or what users' handlers return: any value that can be copied between threads.
 *
 * D1. Numbers of a float type are the same when they are no further apart than a tolerance times the greater of them, or of 1:
 *     1e-9 for float64, 1e-5 for float32, 4e-3 for float16, and 1e-5 for numbers that are in no tensor. Whole numbers that are in no
 *     tensor, and elements of integer types, int64 among them, are the same when they are equal.
 * D2. NaN is the same as NaN, an infinity as itself, 0 as −0. To any number these differ without a distance.
 * D3. Everything else is the same when it is of one type and, part by part, the same: texts, lists of one length, objects with
 *     the same names. The order of names, of the keys of a Map and of the members of a Set does not count.
 * D4. It does not depend on which is which, and ends for values that contain themselves.
 */

export interface Comparison {
  readonly differs: boolean
  /** The largest distance between two numbers in one place; 0 where only other things differ. */
  readonly maxDifference: number
}

/** Of `|a - b| / max(1, |a|, |b|)`, by the name of the type of array; types that are not here are exact. */
const TOLERANCES: Readonly<Record<string, number>> = { Float64Array: 1e-9, Float32Array: 1e-5, Float16Array: 4e-3 }
const PLAIN_TOLERANCE = 1e-5

export function compareInferences(stable: unknown, candidate: unknown): Comparison {
  const comparing = new Comparing()
  comparing.add(stable, candidate)
  comparing.finish()
  return { differs: comparing.differs, maxDifference: comparing.maxDifference }
}

class Comparing {
  differs = false
  maxDifference = 0
  /** Pairs of objects that are not compared yet: deep values need no deep stack. */
  readonly #waiting: [object, object][] = []
  readonly #seen = new Map<object, Set<object>>()

  add(a: unknown, b: unknown): void {
    if (Object.is(a, b)) return
    if (typeof a === 'number' && typeof b === 'number') {
      this.#numbers(a, b, Number.isSafeInteger(a) && Number.isSafeInteger(b) ? 0 : PLAIN_TOLERANCE)
    } else if (typeof a === 'bigint' && typeof b === 'bigint') this.#bigints(a, b)
    else if (isObject(a) && isObject(b)) this.#waiting.push([a, b])
    else this.differs = true
  }

  finish(): void {
    for (let pair = this.#waiting.pop(); pair !== undefined; pair = this.#waiting.pop()) {
      const [a, b] = pair
      const known = this.#seen.get(a) ?? new Set()
      if (known.has(b)) continue
      this.#seen.set(a, known.add(b))
      const kind = kindOf(a)
      if (kind === kindOf(b)) this.#objects(kind, a, b)
      else this.differs = true
    }
  }

  #objects(kind: string, a: object, b: object): void {
    if (ArrayBuffer.isView(a) && kind !== 'DataView') this.#arrays(kind, elementsOf(a), elementsOf(b))
    else if (kind === 'Array') this.#lists(a as unknown[], b as unknown[])
    else if (kind === 'Map') this.#maps(a as Map<unknown, unknown>, b as Map<unknown, unknown>)
    else if (kind === 'Set') this.#sets(a as Set<unknown>, b as Set<unknown>)
    else if (BYTES.has(kind)) this.#arrays(kind, bytesOf(a), bytesOf(b))
    else if (kind === 'Error') this.#lists(errorOf(a as Error), errorOf(b as Error))
    else if (kind === 'RegExp') this.add(String(a), String(b))
    else if (kind === 'Date') this.add(String(a.valueOf()), String(b.valueOf()))
    else if (BOXED.has(kind)) this.add(a.valueOf(), b.valueOf())
    else this.#records(a as Named, b as Named)
  }

  #arrays(kind: string, a: Elements, b: Elements): void {
    if (a.length !== b.length) {
      this.differs = true
      return
    }
    if (kind === 'BigInt64Array' || kind === 'BigUint64Array') {
      for (let i = 0; i < a.length; i++) this.#bigints(a[i] as bigint, b[i] as bigint)
      return
    }
    const tolerance = TOLERANCES[kind] ?? 0
    for (let i = 0; i < a.length; i++) this.#numbers(a[i] as number, b[i] as number, tolerance)
  }

  #lists(a: readonly unknown[], b: readonly unknown[]): void {
    if (a.length !== b.length) this.differs = true
    else for (let i = 0; i < a.length; i++) this.add(a[i], b[i])
  }

  #maps(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>): void {
    // Keys that are objects are never found in the other one: there, the order has to do.
    if (a.size !== b.size || ![...a.keys()].every(key => b.has(key))) this.#lists([...a], [...b])
    else for (const [key, value] of a) this.add(value, b.get(key))
  }

  #sets(a: ReadonlySet<unknown>, b: ReadonlySet<unknown>): void {
    if (a.size !== b.size || ![...a].every(member => b.has(member))) this.#lists([...a], [...b])
  }

  #records(a: Named, b: Named): void {
    const names = Object.keys(a)
    if (names.length !== Object.keys(b).length || !names.every(name => Object.hasOwn(b, name))) {
      this.differs = true
      return
    }
    for (const name of names) this.add(a[name], b[name])
  }

  #numbers(a: number, b: number, tolerance: number): void {
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return
    if (!Number.isFinite(a) || !Number.isFinite(b)) {
      this.differs = true
      return
    }
    const distance = Math.min(Math.abs(a - b), Number.MAX_VALUE)
    if (distance > this.maxDifference) this.maxDifference = distance
    if (distance > tolerance * Math.max(1, Math.abs(a), Math.abs(b))) this.differs = true
  }

  #bigints(a: bigint, b: bigint): void {
    if (a === b) return
    this.differs = true
    const distance = Math.min(Number(a > b ? a - b : b - a), Number.MAX_VALUE)
    if (distance > this.maxDifference) this.maxDifference = distance
  }
}

type Elements = ArrayLike<number | bigint>
type Named = Readonly<Record<string, unknown>>

const BYTES: ReadonlySet<string> = new Set(['ArrayBuffer', 'SharedArrayBuffer', 'DataView'])
const BOXED: ReadonlySet<string> = new Set(['Number', 'String', 'Boolean', 'BigInt'])

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function kindOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1)
}

function bytesOf(value: object): Uint8Array {
  return value instanceof DataView
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value as ArrayBufferLike)
}

function elementsOf(array: object): Elements {
  return array as unknown as Elements
}

function errorOf({ name, message }: Error): readonly string[] {
  return [name, message]
}
