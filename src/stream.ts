import { RunInferenceError } from './errors.ts'
import type { GraphNode, SinkNode, SinkOptions, SourceNode, SourceOptions, StepNode, StepOptions } from './graph.ts'
import type { Codec, Decoder, Encoder } from './kafka/codec.ts'
import type { ModelHandler, UserFunction } from './models/model-handler.ts'
import type { ResourceHints } from './models/resource-hints.ts'
import type { DeadLetter, KV } from './records.ts'

/** Where a branch of the graph ends: a topic. */
export interface Sink {
  readonly topic: string
  /** Read by the engine. */
  readonly node: SinkNode
}

/** Key and value codecs of a topic that is read. */
export interface KeyedDecoders<K, V> {
  readonly key: Decoder<K>
  readonly value: Decoder<V>
}

/** Key and value codecs of a topic that is written. The key codec checks the key; record keys are carried unchanged. */
export interface KeyedEncoders<K, V> {
  readonly key: Encoder<K>
  readonly value: Encoder<V>
}

/** Key and value codecs of a topic that is written and read again. */
export interface KeyedCodecs<K, V> {
  readonly key: Codec<K>
  readonly value: Codec<V>
}

/** Who takes what: the element goes to the first case, in declaration order, whose function is true. */
export type Cases<T> = Readonly<Record<string, (value: T) => boolean>>
/** A stream for each case; one whose function is a type guard has its type. */
export type Branches<T, C extends Cases<T>> = {
  readonly [N in keyof C]: Stream<C[N] extends Guard<T, infer U> ? U : T>
}
type Guard<T, U extends T> = (value: T) => value is U

/** A stream of elements: an immutable description; nothing runs until the topology does. Using a stream twice makes two branches. */
export interface Stream<out T> {
  /** Read by the engine. */
  readonly node: GraphNode
  /** Types only; never called. */
  readonly gives?: () => T
  /** Applies a function to each element. A throw is a dead letter of the next step (or of the last one, behind it). */
  map<U>(fn: (value: T) => U): Stream<U>
  /** Keeps the elements for which the function is true; the others are counted drops. */
  filter<U extends T>(fn: (value: T) => value is U): Stream<U>
  filter(fn: (value: T) => boolean): Stream<T>
  /** Each element becomes what the function gives for it: any number from 0 (a counted drop) to `maxFanOut`, in that order. */
  flatMap<U>(fn: (value: T) => Iterable<U>, options: { readonly maxFanOut: number }): Stream<U>
  /**
   * Sets the key by which a per-key handler chooses its model. The key of the record stays, and so does its partition: for order
   * per derived key use `repartition`.
   */
  keyBy<K>(fn: (value: T) => K): Stream<KV<K, T>>
  /**
   * Splits the stream: `branch({ sure: p => p.score > 0.9, unsure: () => true })`. What no case takes is a counted drop, and so is
   * what goes to a case that nothing reads. Throws TOPOLOGY_INVALID where there is no case.
   */
  branch<const C extends Cases<T>>(cases: C): Branches<T, C>
  /** This stream and others as one. Outputs of one record leave in the order of the inputs. */
  merge<U extends readonly unknown[]>(...others: { readonly [I in keyof U]: Stream<U[I]> }): Stream<T | U[number]>
  /** Batches the elements and runs a model on them. The step's name is part of its dead-letter topics. */
  runInference<Out>(step: string, handler: ModelHandler<T, Out>, options?: StepOptions<T>): Inferred<Out>
  /**
   * Writes to a topic and reads it again: what is below is a part of the topology with a consumer group of its own, which
   * `kri run --part` runs alone. Records below say where their first source was.
   */
  through<K, V>(
    this: Stream<KV<K, V>>,
    topic: string,
    codecs: KeyedCodecs<K, V>,
    options?: SinkOptions,
  ): Stream<KV<K, V>>
  through<V>(this: Stream<V>, topic: string, value: Codec<V>, options?: SinkOptions): Stream<V>
  /** `through` with a new record key: elements with equal keys come into one partition, in order per partition they came from. */
  repartition<K, V>(this: Stream<V>, topic: string, key: (value: V) => K, codecs: KeyedCodecs<K, V>): Stream<KV<K, V>>
  /** Writes keyed elements to a topic. */
  to<K, V>(this: Stream<KV<K, V>>, topic: string, codecs: KeyedEncoders<K, V>, options?: SinkOptions): Sink
  /** Writes elements to a topic, under the key of the source record. */
  to(topic: string, value: Encoder<T>, options?: SinkOptions): Sink
}

/** What a step gives: its results, and its dead letters as streams. */
export interface Inferred<out Out> extends Stream<Out> {
  readonly failed: Failed
  /** The same step with other needs; these override the handler's, hint by hint. */
  withResourceHints(hints: ResourceHints): Inferred<Out>
}

/** Dead letters as streams, for who wants more than their topics; the topics get them all the same. */
export interface Failed {
  /** Of the functions before the model, by index in execution order; of all, and of what stands above them, without one. */
  preprocess(index?: number): Stream<DeadLetter>
  readonly inference: Stream<DeadLetter>
  /** Of the functions behind the model, by index in execution order; of all, and of what stands below them, without one. */
  postprocess(index?: number): Stream<DeadLetter>
}

/** Reads a topic: with one codec elements are the values, with `{ key, value }` they are keyed elements. */
export function from<K, V>(topic: string, codecs: KeyedDecoders<K, V>, options?: SourceOptions): Stream<KV<K, V>>
export function from<V>(topic: string, value: Decoder<V>, options?: SourceOptions): Stream<V>
export function from(
  topic: string,
  codecs: Decoder<unknown> | KeyedDecoders<unknown, unknown>,
  options: SourceOptions = {},
): Stream<unknown> {
  // Anything else is one codec, or none, which is for the rules of the graph to say.
  const keyed = typeof codecs === 'object' && codecs !== null && 'key' in codecs
  return stream({
    kind: 'source',
    topic,
    key: keyed ? codecs.key : undefined,
    value: keyed ? codecs.value : codecs,
    options: Object.freeze({ ...options }),
  })
}

function stream<T>(node: GraphNode): Stream<T> {
  return Object.freeze(methodsOf(node)) as unknown as Stream<T>
}

function methodsOf(node: GraphNode): Pick<Stream<unknown>, 'node'> & Record<string, unknown> {
  Object.freeze(node)
  return {
    node,
    map: (fn: UserFunction) => stream({ kind: 'map', input: node, fn }),
    filter: (fn: UserFunction) => stream({ kind: 'filter', input: node, fn }),
    flatMap: (fn: UserFunction, options: { readonly maxFanOut: number }) =>
      stream({ kind: 'flatMap', input: node, fn, maxFanOut: options?.maxFanOut }),
    keyBy: (fn: UserFunction) => stream({ kind: 'keyBy', input: node, fn }),
    branch: (cases: Readonly<Record<string, UserFunction>>) => branches(node, cases),
    merge: (...others: readonly Stream<unknown>[]) =>
      stream({ kind: 'merge', inputs: Object.freeze([node, ...others.map(other => other.node)]) }),
    runInference: (step: string, handler: ModelHandler<never, unknown>, options: StepOptions<never> = {}) =>
      inferred({
        kind: 'runInference',
        input: node,
        step,
        handler: handler.definition,
        options: Object.freeze({ ...options }),
      }),
    through: (topic: string, codecs: AnyCodecs, options: SinkOptions = {}) =>
      readAgain(sinkNode(node, topic, codecs, options), codecs),
    repartition: (topic: string, key: UserFunction, codecs: AnyCodecs) => {
      const keyed: GraphNode = Object.freeze({ kind: 'keyBy', input: node, fn: key })
      return readAgain(sinkNode(keyed, topic, codecs, { partition: 'key' }, true), codecs)
    },
    to: (topic: string, codecs: AnyEncoders, options: SinkOptions = {}): Sink =>
      Object.freeze({ topic, node: sinkNode(node, topic, codecs, options) }),
  }
}

type AnyEncoders = Encoder<never> | KeyedEncoders<never, never>
type AnyCodecs = Codec<never> | KeyedCodecs<never, never>

function inferred<Out>(node: StepNode): Inferred<Out> {
  const streams = new Map<string, Stream<DeadLetter>>()
  // Asked twice it is one stream, as any other.
  const failed = (stage: 'preprocess' | 'inference' | 'postprocess', index?: number) => {
    const known = streams.get(`${stage} ${index}`) ?? stream<DeadLetter>({ kind: 'failed', input: node, stage, index })
    streams.set(`${stage} ${index}`, known)
    return known
  }
  const withResourceHints = (hints: ResourceHints) => {
    const resourceHints = { ...node.options.resourceHints, ...hints }
    return inferred({ ...node, options: Object.freeze({ ...node.options, resourceHints }) })
  }
  const methods = {
    ...methodsOf(node),
    failed: Object.freeze({
      preprocess: (index?: number) => failed('preprocess', index),
      inference: failed('inference'),
      postprocess: (index?: number) => failed('postprocess', index),
    }),
    withResourceHints,
  }
  return Object.freeze(methods) as unknown as Inferred<Out>
}

function branches(input: GraphNode, cases: Readonly<Record<string, UserFunction>>): object {
  const entries = Object.entries(cases)
  // No output hangs on it, so the rules of the graph would never see it.
  if (entries.length === 0)
    throw new RunInferenceError('TOPOLOGY_INVALID', 'branch({}) has no case: give at least one, branch({ name: fn })')
  const node = Object.freeze({
    kind: 'branch' as const,
    input,
    cases: Object.freeze(entries.map(([name, fn]) => Object.freeze({ name, fn }))),
  })
  return Object.freeze(
    Object.fromEntries(entries.map(([name], index) => [name, stream({ kind: 'case', input: node, index })])),
  )
}

function sinkNode(
  input: GraphNode,
  topic: string,
  codecs: AnyEncoders,
  options: SinkOptions,
  newKey = false,
): SinkNode {
  const keyed = typeof codecs === 'object' && codecs !== null && 'key' in codecs
  return Object.freeze({
    kind: 'to',
    input,
    topic,
    key: keyed ? codecs.key : undefined,
    value: keyed ? codecs.value : codecs,
    options: Object.freeze({ ...options }),
    ...(newKey ? { newKey } : {}),
  })
}

function readAgain(writtenBy: SinkNode, codecs: AnyCodecs): Stream<unknown> {
  const keyed = typeof codecs === 'object' && codecs !== null && 'key' in codecs
  const node: SourceNode = {
    kind: 'source',
    topic: writtenBy.topic,
    key: keyed ? codecs.key : undefined,
    value: keyed ? codecs.value : codecs,
    options: Object.freeze({}),
    writtenBy,
  }
  return stream(node)
}
