/**
 * The schemas that the values of one source were written with, each with the function that reads such values.
 *
 * 1. `prepare` asks the registry once per unknown id, a few at a time, however many records carry it.
 * 2. What the registry does not know, or what cannot be read by us, is remembered for `FAILURE_MS`: a flood of bad
 *    ids does not become a flood of requests, and a schema that is registered later is found.
 * 3. An outage is never remembered and never becomes a record's error: `prepare` rejects (I10).
 * 4. Random ids cannot fill the memory: failures are kept for at most `MAX_FAILURES` ids, and for those of one block besides,
 *    whose records have to say why they cannot be read.
 */
import { RunInferenceError } from '../errors.ts'
import type { CodecContext, RegisteredSchema, RowDecoder, SchemaRegistryPort } from './codec.ts'
import type { RecordBlock } from './record-block.ts'
import { readSchemaId, SCHEMA_PREFIX_BYTES } from './wire-format.ts'

/** Reads the value in [start, end) of the bytes, behind the schema id. */
export type ReadValue<T> = (bytes: Buffer, start: number, end: number) => T
/** Makes the reader of a writer's schema; throws RunInferenceError DECODE_* when there can be none. */
export type ReaderOf<T> = (id: number, schema: RegisteredSchema) => ReadValue<T>

const FAILURE_MS = 30_000
const MAX_FAILURES = 10_000
const LOOKUPS_AT_ONCE = 8

interface Failure {
  readonly error: RunInferenceError
  readonly until: number
}

class WriterSchemas<T> {
  readonly #readerOf: ReaderOf<T>
  readonly #registry: SchemaRegistryPort
  readonly #context: CodecContext
  readonly #readers = new Map<number, ReadValue<T>>()
  readonly #failures = new Map<number, Failure>()
  readonly #pending = new Map<number, Promise<void>>()
  // Equal to no id until one was read.
  #lastId = Number.NaN
  #lastRead: ReadValue<T> | undefined

  constructor(readerOf: ReaderOf<T>, registry: SchemaRegistryPort, context: CodecContext) {
    this.#readerOf = readerOf
    this.#registry = registry
    this.#context = context
  }

  /** The reader of a writer schema's id. Throws the remembered error of an id that cannot be read. */
  of(id: number): ReadValue<T> {
    if (id === this.#lastId) return this.#lastRead!
    const read = this.#readers.get(id)
    if (read === undefined) throw this.#failures.get(id)?.error ?? this.#unknown(id)
    this.#lastId = id
    this.#lastRead = read
    return read
  }

  /** Loads the writer schemas that the block's records need; undefined when none is missing. */
  prepare(block: RecordBlock): Promise<void> | undefined {
    this.#forgetOldest()
    const { bytes, count } = block
    const { field } = this.#context
    let last = this.#lastId
    let missing: Set<number> | undefined
    for (let i = 0; i < count; i++) {
      const start = field === 'key' ? block.keyStart(i) : block.valueStart(i)
      const end = field === 'key' ? block.keyEnd(i) : block.valueEnd(i)
      if (start < 0 || end - start < SCHEMA_PREFIX_BYTES || bytes[start] !== 0) continue
      const id = bytes.readInt32BE(start + 1)
      if (id === last) continue
      last = id
      if (this.#readers.has(id) || this.#isKnownFailure(id)) continue
      missing ??= new Set()
      missing.add(id)
    }
    return missing === undefined ? undefined : this.#load([...missing])
  }

  #isKnownFailure(id: number): boolean {
    const failure = this.#failures.get(id)
    if (failure === undefined || this.#context.now() >= failure.until) return false
    // What is in use is not the oldest.
    this.#failures.delete(id)
    this.#failures.set(id, failure)
    return true
  }

  /** 4. */
  #forgetOldest(): void {
    for (const id of this.#failures.keys()) {
      if (this.#failures.size <= MAX_FAILURES) return
      this.#failures.delete(id)
    }
  }

  async #load(ids: readonly number[]): Promise<void> {
    for (let from = 0; from < ids.length; from += LOOKUPS_AT_ONCE) {
      await Promise.all(ids.slice(from, from + LOOKUPS_AT_ONCE).map(id => this.#loadOnce(id)))
    }
  }

  #loadOnce(id: number): Promise<void> {
    const running = this.#pending.get(id)
    if (running !== undefined) return running
    const loading = this.#loadReader(id).finally(() => this.#pending.delete(id))
    this.#pending.set(id, loading)
    return loading
  }

  async #loadReader(id: number): Promise<void> {
    // Registries give ids from 1; some answer 500 to others, which would look like an outage and stop the source.
    if (id <= 0) return this.#remember(id, this.#unknown(id))
    try {
      const schema = await this.#registry.schemaById(id)
      this.#readers.set(id, this.#readerOf(id, schema))
      this.#failures.delete(id)
    } catch (error) {
      const known = error instanceof RunInferenceError && error.stage === 'preprocess'
      if (!known) throw error
      this.#remember(id, error)
    }
  }

  #unknown(id: number): RunInferenceError {
    const { topic, field } = this.#context
    return new RunInferenceError(
      'DECODE_UNKNOWN_SCHEMA',
      `The ${field} on topic ${topic} names schema id ${id}, which the schema registry does not know`,
    )
  }

  #remember(id: number, error: RunInferenceError): void {
    this.#failures.delete(id)
    this.#failures.set(id, { error, until: this.#context.now() + FAILURE_MS })
    this.#context.logger.debug({ schemaId: id, topic: this.#context.topic, code: error.code }, error.message)
  }
}

/** Reads values that carry the id of the schema that they were written with. */
export function writerSchemaDecoder<T>(
  readerOf: ReaderOf<T>,
  registry: SchemaRegistryPort,
  context: CodecContext,
): RowDecoder<T> {
  const writers = new WriterSchemas(readerOf, registry, context)
  return {
    prepare: block => writers.prepare(block),
    decode: (bytes, start, end) => {
      const id = readSchemaId(bytes, start, end, context)
      return writers.of(id)(bytes, start + SCHEMA_PREFIX_BYTES, end)
    },
  }
}
