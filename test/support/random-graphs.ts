/** Graphs made of chance over records of text, and what must come out of them, found by another way than the engine's. */
import fc from 'fast-check'
import { from, type KV, keyed, kv, type Stream, topology } from 'kafka-run-inference'
import type { RowPredicate } from '../../src/testing/faulty-executor.ts'
import type { Topology } from '../../src/topology.ts'
import { mlp, strings } from './digit-topology.ts'

type Element = KV<string, string>
/** Elements by the way on which they came; ways in the order in which they leave. */
type Ways = readonly (readonly string[])[]

interface Node {
  readonly stream: Stream<Element>
  /** What one record becomes here. `fail` is told of each dead letter: one a node. */
  ways(record: string, memo: Map<Node, Ways>, fail: () => void): Ways
}

export interface RandomGraph {
  /** What it was made of, for counterexamples. */
  [fc.toStringMethod](): string
  readonly topology: Topology
  /** Outputs of a record by topic, in order, and the number of its dead letters. */
  expected(record: string): { readonly outputs: Readonly<Record<string, readonly string[]>>; readonly letters: number }
}

/** A row that the model refuses has this brightness. */
const POISON = 99
export const isPoison: RowPredicate = ([x]) => (x as Float32Array)[0] === POISON

const KINDS = ['map', 'filter', 'flatMap', 'branch', 'merge', 'step'] as const
interface Op {
  readonly kind: (typeof KINDS)[number]
  /** Which of the streams that there are by then. */
  readonly of: number
  readonly and: number
}
const MOST = { flatMap: 2, step: 3, merge: 3, map: 9, filter: 9, branch: 2 }

export const randomGraph: fc.Arbitrary<RandomGraph> = fc
  .tuple(
    fc.array(fc.record({ kind: fc.constantFrom(...KINDS), of: fc.nat(9), and: fc.nat(9) }), {
      minLength: 2,
      maxLength: 10,
    }),
    fc.array(fc.nat(9), { minLength: 1, maxLength: 3 }),
  )
  .map(([ops, ends]) => build(ops, ends))

function build(ops: readonly Op[], ends: readonly number[]): RandomGraph {
  const source: Node = { stream: from('in', strings), ways: record => [[record]] }
  const nodes: Node[] = [source]
  const counts = { flatMap: 0, step: 0, merge: 0, map: 0, filter: 0, branch: 0 }
  for (const { kind, of, and } of ops) {
    const input = nodes[of % nodes.length]!
    const other = nodes[and % nodes.length]!
    if (counts[kind] === MOST[kind] || (kind === 'merge' && input === other)) continue
    const id = `${kind}${counts[kind]++}`
    nodes.push(...(kind === 'merge' ? [merge(input, other)] : MAKE[kind](input, id)))
  }
  // The newest stream leaves, and some others; two topics, so that sinks share one.
  const sinks = [nodes.length - 1, ...ends].map((end, i) => ({
    node: nodes[end % nodes.length]!,
    topic: `out-${i % 2}`,
  }))
  return {
    [fc.toStringMethod]: () => JSON.stringify({ ops, ends }),
    topology: topology(
      't',
      sinks.map(({ node, topic }) => node.stream.to(topic, strings)),
    ),
    expected(record) {
      const memo = new Map<Node, Ways>()
      let letters = 0
      const outputs: Record<string, readonly string[]> = {}
      for (const { node, topic } of sinks) {
        const found = waysOf(node, record, memo, () => letters++)
        outputs[topic] = [...(outputs[topic] ?? []), ...found.flat()]
      }
      return { outputs, letters }
    },
  }
}

/** Each node is computed once for a record, however many are below it. */
function waysOf(node: Node, record: string, memo: Map<Node, Ways>, fail: () => void): Ways {
  const known = memo.get(node) ?? node.ways(record, memo, fail)
  memo.set(node, known)
  return known
}

/** A node that makes any number of elements of one, or fails, in one way or another. */
function each(
  input: Node,
  stream: Stream<Element>,
  fn: (text: string) => readonly string[] | string | undefined,
): Node {
  return {
    stream,
    ways: (record, memo, fail) => {
      const failures = new Set<string | undefined>()
      const ways = waysOf(input, record, memo, fail).map(way =>
        way.flatMap(text => {
          const made = fn(text)
          if (typeof made === 'object') return made
          failures.add(made)
          return []
        }),
      )
      for (const _ of failures) fail()
      return ways
    },
  }
}

function merge(a: Node, b: Node): Node {
  return {
    stream: a.stream.merge(b.stream),
    ways: (record, memo, fail) => [...waysOf(a, record, memo, fail), ...waysOf(b, record, memo, fail)],
  }
}

function chance(text: string, id: string): number {
  let hash = 2_166_136_261
  for (const char of `${text} ${id}`) hash = Math.imul(hash ^ char.charCodeAt(0), 16_777_619) >>> 0
  return hash >>> 8
}

/** One in thirteen throws. */
function check(text: string, id: string): boolean {
  if (chance(text, `bad ${id}`) % 13 > 0) return true
  throw new RangeError(`${id} refuses ${text}`)
}
const isFine = (text: string, id: string) => chance(text, `bad ${id}`) % 13 > 0

const MAKE: Readonly<Record<Exclude<Op['kind'], 'merge'>, (input: Node, id: string) => readonly Node[]>> = {
  map: (input, id) => [
    each(
      input,
      input.stream.map(({ key, value }) => kv(key, check(value, id) ? `${value}.${id}` : '')),
      text => (isFine(text, id) ? [`${text}.${id}`] : undefined),
    ),
  ],
  filter: (input, id) => [
    each(
      input,
      input.stream.filter(({ value }) => check(value, id) && chance(value, id) % 4 > 0),
      text => (isFine(text, id) ? (chance(text, id) % 4 > 0 ? [text] : []) : undefined),
    ),
  ],
  flatMap(input, id) {
    const children = (text: string) => Array.from({ length: chance(text, id) % 4 }, (_, i) => `${text}/${i}`)
    return [
      each(
        input,
        input.stream.flatMap(
          function* ({ key, value }) {
            for (const child of children(value)) yield kv(key, child)
            check(value, id)
          },
          { maxFanOut: 3 },
        ),
        text => (isFine(text, id) ? children(text) : undefined),
      ),
    ]
  },
  branch(input, id) {
    const { left, right } = input.stream.branch({
      left: ({ value }) => check(value, id) && chance(value, id) % 3 === 0,
      right: ({ value }) => chance(value, id) % 3 === 1,
    })
    // The node itself fails, once for all its cases.
    const asked = each(input, input.stream, text => (isFine(text, id) ? [text] : undefined))
    return [left, right].map((stream, index) =>
      each(asked, stream, text => (chance(text, id) % 3 === index ? [text] : [])),
    )
  },
  step(input, id) {
    const isBad = (text: string) => chance(text, `poison ${id}`) % 9 === 0
    const handler = keyed(mlp)
      .withPreprocess(({ key, value }: Element) => {
        check(value, id)
        return kv(`${key} ${value}`, { x: new Float32Array(64).fill(isBad(value) ? POISON : 1) })
      })
      .withPostprocess(({ key: both }) => {
        const [key, value] = both.split(' ')
        return kv(key!, `${value}.${id}`)
      })
    // Three kinds of rows that wait for one another, so that results come in another order.
    const batch = { bucketBy: ({ value }: Element) => chance(value, id) % 3, maxSize: 5, maxWaitMs: 50 }
    const labels = input.stream.runInference(id, handler, { batch })
    const run = (text: string) => (isBad(text) ? 'inference' : [`${text}.${id}`])
    return [each(input, labels, text => (isFine(text, id) ? run(text) : 'preprocess'))]
  },
}
