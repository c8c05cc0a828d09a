import type { GraphNode, SinkNode, SinkOptions, SourceOptions, StepOptions } from './graph.ts'
import type { Decoder, Encoder } from './kafka/codec.ts'
import type { ModelHandler, UserFunction } from './models/model-handler.ts'
import type { KV } from './records.ts'

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
  /** Batches the elements and runs a model on them. The step's name is part of its dead-letter topics. */
  runInference<Out>(step: string, handler: ModelHandler<T, Out>, options?: StepOptions<T>): Stream<Out>
  /** Writes keyed elements to a topic. */
  to<K, V>(this: Stream<KV<K, V>>, topic: string, codecs: KeyedEncoders<K, V>, options?: SinkOptions): Sink
  /** Writes elements to a topic, under the key of the source record. */
  to(topic: string, value: Encoder<T>, options?: SinkOptions): Sink
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
  Object.freeze(node)
  const methods: Pick<Stream<T>, 'node'> & Record<string, unknown> = {
    node,
    map: (fn: UserFunction) => stream({ kind: 'map', input: node, fn }),
    filter: (fn: UserFunction) => stream({ kind: 'filter', input: node, fn }),
    runInference: (step: string, handler: ModelHandler<T, unknown>, options: StepOptions<never> = {}) =>
      stream({
        kind: 'runInference',
        input: node,
        step,
        handler: handler.definition,
        options: Object.freeze({ ...options }),
      }),
    to: (topic: string, codecs: Encoder<never> | KeyedEncoders<never, never>, options: SinkOptions = {}) =>
      sink(node, topic, codecs, options),
  }
  return Object.freeze(methods) as unknown as Stream<T>
}

function sink(
  input: GraphNode,
  topic: string,
  codecs: Encoder<never> | KeyedEncoders<never, never>,
  options: SinkOptions,
): Sink {
  const keyed = typeof codecs === 'object' && codecs !== null && 'key' in codecs
  const node: SinkNode = Object.freeze({
    kind: 'to',
    input,
    topic,
    key: keyed ? codecs.key : undefined,
    value: keyed ? codecs.value : codecs,
    options: Object.freeze({ ...options }),
  })
  return Object.freeze({ topic, node })
}
