/** What the two executor contracts share: a model in a lane for the length of a test, and checks of results and errors. */
import assert from 'node:assert/strict'
import { RunInferenceError } from '../../src/errors.ts'
import type { BatchOutputs, Executor, ExecutorOptions, LaneModel, ModelSpec } from '../../src/models/executor.ts'
import { type Digit, type Expectation, readNdjson } from './model-specs.ts'

export type CreateExecutor = (options: ExecutorOptions) => Executor

export const digits = readNdjson<Digit>('data/digits-test.ndjson')
const expected = readNdjson<Expectation>('data/digits-mlp-v1.expected.ndjson')

/** Loads the model into an executor of one lane, unloads it unless it stays, and closes the executor whatever happens. */
export async function withModel(
  create: CreateExecutor,
  spec: ModelSpec,
  use: (model: LaneModel, executor: Executor) => Promise<void>,
  rows = 16,
  staysLoaded = false,
): Promise<void> {
  const executor = create({ lanes: 1, maxBatchRows: rows })
  try {
    const model = await executor.lanes[0]!.load(spec)
    await use(model, executor)
    if (!staysLoaded) await model.unload()
  } finally {
    await executor.close()
  }
}

/** The results of rows of the digits, from this one on, against the recorded ones. */
export function checkDigits({ outputs, rows }: BatchOutputs, from: number): void {
  const [probabilities, label] = outputs
  assert.deepEqual([probabilities!.rowShape, label!.rowShape], [[10], []])
  assert.deepEqual([probabilities!.data.length, label!.data.length], [rows * 10, rows])
  for (let row = 0; row < rows; row++) {
    const want = expected[from + row]!
    assert.equal(Number(label!.data[row]), want.label, want.id)
    for (const [column, probability] of want.probabilities.entries()) {
      const got = Number(probabilities!.data[row * 10 + column])
      assert.ok(Math.abs(got - probability) <= 1e-6, `${want.id}[${column}]: ${got} against ${probability}`)
    }
  }
}

/** Rejects with one of our errors, this code, and all of these texts in its message. */
export function rejects(promise: Promise<unknown>, code: string, ...texts: string[]): Promise<void> {
  return assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof RunInferenceError, `not one of ours: ${error}`)
    assert.equal(error.code, code, error.message)
    for (const text of texts) assert.ok(error.message.includes(text), `'${text}' in '${error.message}'`)
    assert.ok(error.stack, 'a stack that says where')
    return true
  })
}
