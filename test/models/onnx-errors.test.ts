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

// As onnxruntime-node 1.30 (webgpu, seen) and its tracker (cuda, tensorrt) have them.
const tooLarge = [
  "Non-zero status code returned while running Mul node. Name:'Mul_8702' Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*, bool, onnxruntime::WaitNotificationFn) Failed to allocate memory for requested buffer of size 2830172160",
  'BFC Arena ran out of memory trying to allocate 1073741824 bytes',
  'Available memory of 1048576 is smaller than requested bytes of 2097152',
  'onnxruntime::CudaCall(ERRTYPE, const char*) CUDA failure 2: out of memory ; GPU=0 ; hostname=h ; expr=cudaMalloc((void**)&p, size);',
  'CUDA error cudaErrorMemoryAllocation:out of memory',
  'CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0',
  'CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0',
  'CUFFT failure 2: CUFFT_ALLOC_FAILED ; GPU=0',
  'Memory allocation failed. Size=1073741824',
  'Error Code 1: Cuda Runtime (out of memory)',
  '[virtualMemoryBuffer.cpp::resizePhysical::154] Error Code 2: OutOfMemory (Requested size was 16581132288 bytes.)',
  'WebGPU validation failed. Buffer size (5242880000) exceeds the max buffer size limit (1073741824).\n - While calling [Device].CreateBuffer([BufferDescriptor]).\n',
  'WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.\n - While validating entries[2]',
  'WebGPU validation failed. Binding size (155582464) of [Buffer (unlabeled)] is larger than the maximum storage buffer binding size (134217728).',
  'WebGPU device error(2): Out of memory',
  'vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY',
  'std::bad_alloc',
]

for (const text of tooLarge) {
  test(`"…${text.slice(-60).trim()}" is DEVICE_MEMORY`, () => {
    assert.equal(runErrorOf(new Error(text), 'm.onnx', 5).code, 'DEVICE_MEMORY')
    assert.match(runErrorOf(new Error(text), 'm.onnx', 5).message, /m\.onnx: 5 rows do not fit the device: \S/)
  })
}

const gone = [
  'CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=h ; expr=cudaMemcpyAsync()',
  'CUDA failure 719: unspecified launch failure ; GPU=0',
  'WebGPU device lost (1): the driver was reset',
  'WebGPU validation failed. [Device] is lost.',
  'vkQueueSubmit failed with VK_ERROR_DEVICE_LOST',
]

for (const text of gone) {
  test(`"${text.slice(0, 60)}…" is WORKER_LOST`, () => {
    const error = runErrorOf(new Error(text), 'm.onnx', 5)
    assert.equal(error.code, 'WORKER_LOST')
    assert.ok(error.message.includes(`m.onnx: the device was lost: ${text}`))
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
