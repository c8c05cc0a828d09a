import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  float32,
  from,
  json,
  keyed,
  kv,
  maybeKeyed,
  modelHandler,
  onnx,
  type Sink,
  type Stream,
  topology,
  utf8,
} from 'kafka-run-inference'
import { problemText } from '../src/problem.ts'
import { topologyProblems } from '../src/topology-problems.ts'

const numbers = from('in', json<number>())
const pairs = from('pairs', { key: utf8(), value: json<number>() })
const out = (stream: Stream<unknown>, topic = 'out') => (stream as Stream<number>).to(topic, json<number>())
const keyedOut = (stream: Stream<unknown>) => (stream as typeof pairs).to('out', { key: utf8(), value: json<number>() })
const echo = modelHandler({
  name: 'echo',
  loadModel: () => undefined,
  runInference: (batch: readonly number[]) => batch,
})
const scores = numbers.runInference('s', echo)
const loose = <T>(value: unknown) => value as T

/** So many ways lead to it. */
function merged(ways: number): Stream<number> {
  let stream: Stream<number> = numbers
  for (let n = 1; n < ways; n *= 2) stream = stream.map(n => n).merge(stream.map(n => n + 1))
  return stream
}

function problemsOf(...sinks: readonly Sink[]): string[] {
  return topologyProblems(topology('t', sinks)).map(problemText)
}

/** One graph per rule, with what must be said of it. */
const wrong: readonly (readonly [Sink, RegExp])[] = [
  [out(numbers.map(loose(undefined))), /map#1: what it was given is no function, expected a function, got undefined/],
  [out(numbers.filter(loose('x'))), /filter#1: what it was given is no function, .* got "x"/],
  [out(numbers.keyBy(loose(null))), /keyBy#1: what it was given is no function, .* got null/],
  [out(numbers.map(async n => n)), /map#1: .* is asynchronous, and its promise .*Wait in a function of a handler/],
  [
    out(numbers.flatMap(n => [n], loose(undefined))),
    /flatMap#1: .* at most.*maxFanOut, a whole number from 1, got undef/,
  ],
  [
    out(numbers.flatMap(n => [n], { maxFanOut: 0 })),
    /flatMap#1: .* got 0\. Say it: flatMap\(fn, \{ maxFanOut: 10 \}\)/,
  ],
  [out(numbers.flatMap(n => [n], { maxFanOut: 1.5 })), /flatMap#1: .* got 1\.5/],
  [out(numbers.branch({ a: loose(1) }).a), /branch#1: case "a" is no function, expected a function, got 1/],
  [out(numbers.branch({ 'a b': () => true })['a b']), /branch#1: the name of a case cannot be used, .* got "a b"/],
  [out(numbers.branch({ '2': () => true })['2']), /the name of a case .* not a number alone, got "2"/],
  [out(numbers.merge(numbers)), /merge#1: it is given one stream twice.*flatMap\(v => \[v, v\]/],
  [out(merged(512)), /merge#9: too many ways lead to it, .* expected at most 256, got 512\. Merge once/],
  [
    keyedOut(pairs.keyBy(({ value }) => String(value)).filter(() => true)),
    /output "out": it checks the key of its elements, which a keyBy\(\) has set.*repartition\(…\) instead of keyBy, or/,
  ],
  [
    keyedOut(numbers.keyBy(String).runInference('k', keyed(echo))),
    /output "out": it checks the key of its elements, which a keyBy\(\) has set/,
  ],
  [
    keyedOut(loose<Stream<unknown>>(scores.filter(() => true)).runInference('k', loose(keyed(echo)))),
    /step "k": the handler is keyed, and elements without keys reach it\. .* keyBy\(fn\), or use maybeKeyed/,
  ],
  [
    keyedOut(loose<Stream<unknown>>(pairs.merge(numbers)).runInference('k', loose(keyed(echo)))),
    /step "k": the handler is keyed, and elements without keys reach it/,
  ],
  [
    keyedOut(loose<Stream<unknown>>(numbers).runInference('k', loose(keyed(echo)))),
    /step "k": the handler is keyed, but its source has no key codec\. Read keyed elements: from\("in"/,
  ],
  [out(scores.failed.preprocess(0)), /step "s": failed\.preprocess\(0\) is .* expected no index: it has 0 preprocess/],
  [
    out(
      numbers
        .runInference(
          's',
          echo.withPostprocess(n => n),
        )
        .failed.postprocess(1),
    ),
    /step "s": failed\.postprocess\(1\) is .* expected 0: it has 1 postprocess function, in execution order/,
  ],
  [
    out(
      numbers
        .runInference(
          's',
          echo.withPreprocess((n: number) => n),
        )
        .failed.preprocess(-1),
    ),
    /failed\.preprocess\(-1\) is .*Correct the index; failed\.preprocess\(\) has the dead letters of all/,
  ],
]

describe('the problems of nodes', () => {
  for (const [sink, expected] of wrong) {
    it(`say: ${expected.source}`, () => {
      const problems = problemsOf(sink)
      assert.equal(problems.length, 1, problems.join('\n') || 'no problems')
      assert.match(problems[0]!, expected)
    })
  }

  it('a branch without cases is refused where it stands, since nothing can hang on it', () => {
    assert.throws(() => numbers.branch({}), /\[TOPOLOGY_INVALID\] branch\(\{\}\) has no case/)
  })

  it('are none where all is well', () => {
    const { small, rest } = numbers.branch({ small: n => n < 5, unread: n => n < 9, rest: () => true })
    const fine: readonly (readonly Sink[])[] = [
      [
        out(
          small.merge(
            rest,
            numbers.map(n => -n),
          ),
        ),
      ],
      [out(merged(256))],
      [out(numbers.flatMap(n => [n, n], { maxFanOut: 2 }))],
      [
        out(
          numbers.flatMap(
            function* (n) {
              yield n
            },
            { maxFanOut: 1 },
          ),
        ),
      ],
      [keyedOut(pairs.merge(numbers.map(n => kv('k', n))).runInference('k', keyed(echo)))],
      [keyedOut(pairs.runInference('k', keyed(echo)))],
      [out(numbers.runInference('k', maybeKeyed(echo)))],
      [out(pairs.keyBy(({ value }) => value).map(({ value: { value } }) => value))],
      [out(scores.failed.inference), out(scores.failed.preprocess(), 'more'), out(scores, 'scores')],
      [
        out(
          numbers
            .runInference(
              's',
              echo.withPostprocess(n => n),
            )
            .failed.postprocess(0),
        ),
      ],
    ]
    for (const sinks of fine) assert.deepEqual(problemsOf(...sinks), [])
  })
})

describe('the problems of topics that are written and read', () => {
  const codecs = { key: utf8(), value: json<number>() }
  const between = numbers.through('between', json<number>())
  const cases: readonly (readonly [readonly Sink[], RegExp])[] = [
    [[out(between), out(numbers, 'between')], /source "between": the topic of a through\(\) .* is written by another/],
    [
      [out(between), out(from('between', json<number>()), 'more')],
      /source "between": the topic of a through\(\) or repartition\(\) is read elsewhere too/,
    ],
    [[out(numbers.through('in', json<number>()))], /source "in": the topic of a through\(\) .* is read elsewhere too/],
    [[out(numbers.through('a b', json<number>()))], /output "a b": the topic cannot be used/],
    [[out(numbers.through('x', json as never))], /output "x": its value codec is none, .* the function json/],
    [
      [out(numbers.through('x', { ...json(), openDecoder: undefined } as never))],
      /source "x": its value codec cannot read/,
    ],
    [[out(numbers.through('t.in.replay', json<number>()))], /output "t\.in\.replay": it is a replay topic/],
    [
      [keyedOut(pairs.keyBy(({ value }) => String(value)).through('x', loose(codecs)))],
      /output "x": it checks the key of its elements, which a keyBy\(\) has set/,
    ],
  ]
  for (const [sinks, expected] of cases) {
    it(`say: ${expected.source}`, () => {
      const problems = problemsOf(...sinks)
      assert.ok(
        problems.some(problem => expected.test(problem)),
        problems.join('\n') || 'no problems',
      )
    })
  }

  it('are none for through and repartition themselves, one behind the other, read twice', () => {
    const again = numbers.repartition('keyed', String, codecs).through('more', codecs)
    assert.deepEqual(
      problemsOf(
        out(between),
        keyedOut(again),
        out(
          again.map(({ value }) => value),
          'values',
        ),
      ),
      [],
    )
  })
})

it('a model file is named by whoever runs it', () => {
  const handler = onnx({ model: '', input: float32(1), output: float32(1) })
  const rows = from('rows', { key: utf8(), value: float32(1) })
  const step = rows.runInference('s', keyed([{ keys: ['a'], handler }]))
  assert.match(
    problemsOf(step.map(() => 1).to('out', json()))[0]!,
    /step "s", mapping 0: the handler names no model file/,
  )
})
