import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type BatchOptions, float32, int64, onnx, padded } from 'kafka-run-inference'
import { batchProblems } from '../src/batch-problems.ts'
import { type BareModelHandler, modelsOf } from '../src/models/model-handler.ts'
import { problemText } from '../src/problem.ts'

const plain = onnx({ model: 'm.onnx', input: float32(2), output: float32(2) })
const ragged = onnx({
  model: 'm.onnx',
  inputs: { ids: padded(int64(null), { with: 0n, mask: 'mask' }) },
  outputs: { y: float32() },
})
const problemsOf = (batch: object, handler: object = plain) =>
  batchProblems(
    'step "s"',
    batch as BatchOptions<never>,
    modelsOf((handler as BareModelHandler<never, unknown>).definition),
    1_000,
  ).map(problemText)

const wrong: readonly (readonly [object, RegExp])[] = [
  [{ size: 3 }, /no batch option "size"/],
  [{ maxSize: 1_001 }, /batch\.maxSize .* from 1 to 1000 \(the cap of rows in flight\), got 1001/],
  [{ minSize: 2 }, /batch\.minSize 2 without maxWaitMs: a quiet topic would wait for ever/],
  [{ maxBytes: 0 }, /batch\.maxBytes .* a whole number of bytes from 1, got 0/],
  [{ maxBytes: '1 MB' }, /batch\.maxBytes .* got "1 MB"/],
  [{ sizeOf: 5, maxTotalSize: 5 }, /batch\.sizeOf .* a function, got 5/],
  [{ sizeOf: () => 1 }, /batch\.sizeOf without maxTotalSize limits nothing/],
  [{ maxTotalSize: 5 }, /batch\.maxTotalSize without sizeOf limits nothing/],
  [{ sizeOf: () => 1, maxTotalSize: 0 }, /batch\.maxTotalSize .* a number above 0, got 0/],
  [{ bucketBy: 'length' }, /batch\.bucketBy .* a function, or \{ lengthOf, boundaries \}, got "length"/],
  [{ bucketBy: { boundaries: [1, 2] } }, /no lengthOf, and no input of the model is padded/],
  [{ bucketBy: { lengthOf: 5 } }, /lengthOf .* a function/],
  [{ bucketBy: { lengthOf: () => 1, bounds: [1] } }, /no bucketBy option "bounds".*boundaries/],
  ...[[], [5, 5], [8, 4], [0, 4], ['4']].map(
    boundaries => [{ bucketBy: { lengthOf: () => 1, boundaries } }, /boundaries .* ascending numbers above 0/] as const,
  ),
  [{ adaptive: 'yes' }, /batch\.adaptive .* true, false or options, got "yes"/],
  [{ adaptive: { target: 1 } }, /no adaptive option "target"/],
  [{ adaptive: { minSize: 300 } }, /batch\.adaptive\.minSize .* maxSize \(256\), got 300/],
  [{ adaptive: { targetBatchOverhead: 1.5 } }, /targetBatchOverhead .* from 0 \(off\) to 1, got 1.5/],
  [{ adaptive: { targetBatchDurationMs: -1 } }, /targetBatchDurationMs .* milliseconds from 0 \(off\), got -1/],
  [{ adaptive: { targetBatchDurationIncludingFixedCostMs: Number.NaN } }, /IncludingFixedCostMs .* got NaN/],
  [{ adaptive: { variance: 2 } }, /variance .* got 2/],
  [{ adaptive: { targetBatchOverhead: 0, targetBatchDurationMs: 0 } }, /no target left/],
  [{ mode: 'bundle', adaptive: true }, /bundle has batches of a fixed size, so adaptive does not apply/],
]

describe('the problems of batch options', () => {
  for (const [batch, expected] of wrong) {
    it(`say: ${expected.source}`, () => {
      const problems = problemsOf(batch)
      assert.equal(problems.length, 1, problems.join('\n') || 'no problems')
      assert.match(problems[0]!, expected)
    })
  }

  it('are none where all is well', () => {
    for (const batch of [
      { adaptive: true, maxWaitMs: 5, maxBytes: 1 },
      { adaptive: { targetBatchOverhead: 0 }, sizeOf: () => 1, maxTotalSize: 0.5 },
      { mode: 'bundle', adaptive: false, bucketBy: () => 'x' },
      { bucketBy: { lengthOf: () => 1 } },
    ])
      assert.deepEqual(problemsOf(batch), [])
    assert.deepEqual(problemsOf({ bucketBy: {} }, ragged), [])
    assert.deepEqual(problemsOf({ bucketBy: { boundaries: [8] } }, ragged), [])
  })
})

describe('the problems of padded inputs', () => {
  const inputs = (changed: object) => onnx({ model: 'm.onnx', inputs: changed, outputs: {} } as never)
  const ids = (options: object, shape: readonly (number | null)[] = [null]) =>
    padded({ dtype: 'int64', shape }, { with: 0n, ...options })
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ ids: ids({}, [4]) }, /input "ids": the shape of a padded tensor .* one open dimension \(null\), got \[4\]/],
    [{ ids: ids({ multipleOf: 0 }) }, /multipleOf .* whole number from 1, got 0/],
    [{ ids: ids({ with: 0 }) }, /with .* a bigint, 0n for example, got 0/],
    [
      { x: padded({ dtype: 'string', shape: [null] } as never, { with: '' as never }) },
      /strings have no element that fills/,
    ],
    [{ ids: ids({ mask: 'm' }), m: int64(null) }, /input "m" is the mask of a padded input, which is written for you/],
    [{ ids: ids({}), types: ids({ multipleOf: 8 }) }, /different multipleOf, but share one length/],
  ]
  for (const [changed, expected] of cases) {
    it(`say: ${expected.source}`, () => {
      const problems = problemsOf({}, inputs(changed))
      assert.equal(problems.length, 1, problems.join('\n') || 'no problems')
      assert.match(problems[0]!, expected)
    })
  }
})
