/**
 * Codecs turn the bytes of a key or value into what functions see, and back. A codec in a topology is a plain
 * description; it is opened once per topic at start, which is when a schema registry is asked.
 */

import type { TensorSpec } from '../models/tensors.ts'
import type { Logger } from '../ops/logger.ts'
import type { RecordBlock } from './record-block.ts'

export type RecordField = 'key' | 'value'

/** The schema languages that codecs of this project use, as registries spell them. */
export type SchemaType = 'AVRO' | 'JSON'

/** A schema file of the project: `{ name: 'digit', type: 'AVRO' }` = schemas/digit.avsc. */
export interface SchemaName {
  readonly name: string
  readonly type: SchemaType
}

/** A schema as a registry gives it. */
export interface RegisteredSchema {
  /** As the registry spells it; may be one that no codec reads, e.g. PROTOBUF. */
  readonly type: string
  readonly schema: string
  /** What the schema refers to, each before those that refer to it, by the name that they use. */
  readonly references: readonly { readonly name: string; readonly schema: string }[]
}

/** Schemas by id and by subject. Rejections are retriable (outage) or not (unknown), as their code says. */
export interface SchemaRegistryPort {
  /** The schema behind an id; code DECODE_UNKNOWN_SCHEMA when the registry does not know it. */
  schemaById(id: number): Promise<RegisteredSchema>
  /** The id of the subject's latest version and its text. */
  latest(subject: string): Promise<RegisteredSchema & { readonly id: number }>
  /** Registers if needed and returns the id. */
  register(subject: string, schema: string, type?: SchemaType): Promise<number>
  /** Id of exactly this schema under the subject, or undefined. */
  lookup(subject: string, schema: string, type?: SchemaType): Promise<number | undefined>
  /** Why the subject would not take this schema as its next version, in its own words; empty when it would. */
  incompatibilities(subject: string, schema: string, type?: SchemaType): Promise<readonly string[]>
}

/** Reads a schema file of the project, e.g. `digit`, AVRO = schemas/digit.avsc. */
export type ReadSchema = (name: string, type: SchemaType) => Promise<string>

export interface CodecContext {
  readonly topic: string
  readonly field: RecordField
  /** Undefined when no registry is configured; a codec that needs one refuses to open. */
  readonly registry: SchemaRegistryPort | undefined
  readonly readSchema: ReadSchema
  readonly logger: Logger
  /** Monotonic milliseconds, for the expiry of remembered failures. */
  readonly now: () => number
}

/** Reads one field of one record. Synchronous; throws RunInferenceError with a DECODE_* code. */
export interface RowDecoder<out T> {
  decode(bytes: Buffer, start: number, end: number): T
  /**
   * Loads what these records need (writer schemas) before they are decoded. Undefined when nothing is missing, which is
   * the usual case; rejects with a retriable error in an outage. What the registry does not know is remembered, and
   * `decode` throws for it.
   */
  prepare?(block: RecordBlock): Promise<void> | undefined
  /** Set when the bytes are the rows of a tensor as they stand: the engine then copies them without decoding. */
  readonly tensor?: TensorSpec
}

/** Writes one field of one record. Throws RunInferenceError ENCODE_SCHEMA. */
export interface RowEncoder<in T> {
  /** Writes at `at` and returns the end, or −(bytes needed, at least) when it does not fit. Null result: see `encodesNull`. */
  encode(value: T, into: Buffer, at: number): number
  /** Set when the encoded bytes are a tensor row as it stands. */
  readonly tensor?: TensorSpec
}

export interface Decoder<out T> {
  /** For `describe` and error messages, e.g. `avro(digit)`. */
  readonly label: string
  readonly openDecoder: (context: CodecContext) => Promise<RowDecoder<T>>
  /** The schemas that `topics apply --schemas` registers. */
  readonly schemas?: readonly SchemaName[]
}

export interface Encoder<in T> {
  readonly label: string
  readonly openEncoder: (context: CodecContext) => Promise<RowEncoder<T>>
  readonly schemas?: readonly SchemaName[]
  /**
   * Set on an encoder of PredictionResults that writes one output of the model and nothing else: the name of that output
   * (undefined = the only or first one that fits) and the type and shape that it must have (undefined = any), so that the
   * engine may copy rows without making objects.
   */
  readonly inferenceOf?: { readonly output: string | undefined; readonly tensor: TensorSpec | undefined }
}

export interface Codec<T> extends Encoder<T>, Decoder<T> {}
