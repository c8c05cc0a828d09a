import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import { runErrorOf } from '../../src/models/onnx-errors.ts'

// As onnxruntime 1.30 words them.
const texts = [
  [
    'Got invalid dimensions for input: x for the following indices\n index: 1 Got: 32 Expected: 64\n index: 2 Got: 3 Expected: 1\n Please fix either the inputs/outputs or the model.',
    'SHAPE_MISMATCH',
    "m.onnx: input 'x': expected 64 in dimension 1, got 32, expected 1 in dimension 2, got 3",
  ],
  [
    'Got invalid dimensions for output: p for the following indices\n index: 0 Got: 5 Expected: 1\n Please fix either the inputs/outputs or the model.',
    'RESULT_COUNT',
    "m.onnx: output 'p' holds 1 results for 5 rows; the model must keep the first (batch) dimension",
  ],
  [
    'Invalid rank for input: x Got: 1 Expected: 2 Please fix either the inputs/outputs or the model.',
    'SHAPE_MISMATCH',
    "m.onnx: input 'x': expected 2 dimensions with the batch, got 1",
  ],
  [
    'Unexpected input data type. Actual: (tensor(int32)) , expected: (tensor(float))',
    'SHAPE_MISMATCH',
    'm.onnx: an input: expected tensor(float), got tensor(int32)',
  ],
  [
    "INVALID_ARGUMENT : The output OrtValue provided for output 'p' of node '' (Softmax) has shape {5,10} but the computed output shape for this run is {3,10}. When calling Run()",
    'RESULT_COUNT',
    "m.onnx: output 'p' holds 3 results for 5 rows; the model must keep the first (batch) dimension",
  ],
  [
    "INVALID_ARGUMENT : The output OrtValue provided for output 'p' of node '' (Softmax) has shape {5,10} but the computed output shape for this run is {5,9}. When calling Run()",
    'SHAPE_MISMATCH',
    "m.onnx: output 'p': expected {5,10} with the batch, got {5,9}",
  ],
  [
    "Non-zero status code returned while running Gather node. Name:'' Status Message: indices element out of data bounds\n",
    'INFERENCE_FAILED',
    "m.onnx: Non-zero status code returned while running Gather node. Name:'' Status Message: indices element out of data bounds",
  ],
] as const

for (const [text, code, message] of texts) {
  test(`"${text.slice(0, 60).trim()}…" is ${code}`, () => {
    const cause = new Error(text)
    const error = runErrorOf(cause, 'm.onnx', 5)
    assert.equal(error.message, `[${code}] ${message}`)
    assert.equal(error.cause, cause)
  })
}

test('an error of ours keeps its code, and what is no error becomes text', () => {
  const ours = new RunInferenceError('RESULT_COUNT', 'too few')
  assert.equal(runErrorOf(ours, 'm.onnx', 5), ours)
  assert.equal(runErrorOf('strange', 'm.onnx', 5).message, '[INFERENCE_FAILED] m.onnx: strange')
})

test('a text without end is cut', () => {
  assert.ok(runErrorOf(new Error('x'.repeat(1e6)), 'm.onnx', 5).message.length < 2_100)
})
