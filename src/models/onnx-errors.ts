/**
 * onnxruntime throws plain errors without a code; what went wrong stands only in the text. This table is the one place
 * that reads it. What no pattern knows is INFERENCE_FAILED: bisection and the control batch then find out who is to blame.
 */
import { RunInferenceError } from '../errors.ts'

const WRONG_DIMENSIONS =
  /Got invalid dimensions for (input|output): (.+?) for the following indices\s([\s\S]*?)(?:Please|$)/
const DIMENSION = /index: (\d+) Got: (-?\d+) Expected: (-?\d+)/g
const WRONG_RANK = /Invalid rank for (input|output): (.+?) Got: (\d+) Expected: (\d+)/
const WRONG_DTYPE = /Unexpected input data type\. Actual: \((.+)\) , expected: \((.+)\)/
const OTHER_OUTPUT_SHAPE =
  /provided for output '(.*?)' .*?has shape \{(.*?)\} but the computed output shape for this run is \{(.*?)\}/
/**
 * Too many rows for the memory of the device, or for what it takes at a time. cuda and tensorrt say it in the words of the
 * allocator, of CUDA and of its libraries; webgpu in those of Dawn, where a buffer that could not be had is met again as invalid.
 */
const DEVICE_MEMORY = new RegExp(
  [
    'Failed to allocate memory for requested buffer of size',
    'BFC Arena ran out of memory',
    'Available memory of \\d+ is smaller than requested bytes',
    'CUD(?:A|NN)\\b.*(?:out of memory|memory allocation)',
    'cudaErrorMemoryAllocation',
    'CUDA_ERROR_OUT_OF_MEMORY',
    'CU(?:DNN|BLAS|FFT)(?:_STATUS)?_ALLOC_FAILED',
    'Memory allocation failed\\. Size=',
    'Cuda Runtime \\(out of memory\\)',
    'OutOfMemory',
    'VK_ERROR_OUT_OF_(?:DEVICE|HOST)_MEMORY',
    'WebGPU .*Out of memory',
    'Buffer size \\(\\d+\\) exceeds the max buffer size limit',
    'Binding size \\(\\d+\\) of .* is larger than the maximum',
    '\\[Invalid Buffer[^\\]]*\\] is invalid due to a previous error',
    'dispatch group size exceeds WebGPU maximum',
    'bad_alloc',
    'bad allocation',
  ].join('|'),
  'i',
)
/** The device is gone for this process, and every later call fails: the driver was reset, or a kernel broke its context. */
const DEVICE_LOST = new RegExp(
  [
    'device lost',
    '\\[Device[^\\]]*\\] is lost',
    'VK_ERROR_DEVICE_LOST',
    'Failed to pop WebGPU error scope',
    'valid external Instance reference no longer exists',
    'CUDA failure (?:700|702|709|71\\d|999)\\b',
    'illegal memory access',
    'unspecified launch failure',
    'device-side assert',
  ].join('|'),
  'i',
)
const MAX_TEXT_LENGTH = 2000

/** The error of one `run` of `rows` rows, with its code. */
export function runErrorOf(error: unknown, uri: string, rows: number): RunInferenceError {
  if (error instanceof RunInferenceError) return error
  const text = error instanceof Error ? error.message : String(error)
  const { code, what } = classify(text, rows)
  return new RunInferenceError(code, `${uri}: ${what}`, { cause: error })
}

/** The model gave `got` results for `rows` rows. */
export function resultCount(uri: string, output: string, rows: number, got: string): RunInferenceError {
  return new RunInferenceError('RESULT_COUNT', `${uri}: ${countText(output, rows, got)}`)
}

function countText(output: string, rows: number, got: string): string {
  return `output '${output}' holds ${got} results for ${rows} rows; the model must keep the first (batch) dimension`
}

function classify(
  text: string,
  rows: number,
): { code: 'SHAPE_MISMATCH' | 'RESULT_COUNT' | 'DEVICE_MEMORY' | 'WORKER_LOST' | 'INFERENCE_FAILED'; what: string } {
  const dimensions = WRONG_DIMENSIONS.exec(text)
  if (dimensions) {
    const [, side, name, list = ''] = dimensions
    const count = /index: 0 Got: \d+ Expected: (\d+)/.exec(list)
    if (side === 'output' && count)
      return { code: 'RESULT_COUNT', what: countText(name ?? '', rows, count[1] ?? 'other') }
    const wrong = [...list.matchAll(DIMENSION)].map(
      ([, axis, got, expected]) => `expected ${expected} in dimension ${axis}, got ${got}`,
    )
    return { code: 'SHAPE_MISMATCH', what: `${side} '${name}': ${wrong.join(', ')}` }
  }
  const rank = WRONG_RANK.exec(text)
  if (rank) {
    const [, side, name, got, expected] = rank
    return {
      code: 'SHAPE_MISMATCH',
      what: `${side} '${name}': expected ${expected} dimensions with the batch, got ${got}`,
    }
  }
  const dtype = WRONG_DTYPE.exec(text)
  if (dtype) return { code: 'SHAPE_MISMATCH', what: `an input: expected ${dtype[2]}, got ${dtype[1]}` }
  const output = OTHER_OUTPUT_SHAPE.exec(text)
  if (output) {
    const [, name = '', expected = '', got = ''] = output
    const results = got.split(',')[0] ?? ''
    if (results !== String(rows)) return { code: 'RESULT_COUNT', what: countText(name, rows, results || 'no') }
    return { code: 'SHAPE_MISMATCH', what: `output '${name}': expected {${expected}} with the batch, got {${got}}` }
  }
  if (DEVICE_LOST.test(text))
    return { code: 'WORKER_LOST', what: `the device was lost: ${text.trim().slice(0, MAX_TEXT_LENGTH)}` }
  if (DEVICE_MEMORY.test(text)) {
    const count = rows === 1 ? 'a row does' : `${rows} rows do`
    return { code: 'DEVICE_MEMORY', what: `${count} not fit the device: ${text.trim().slice(0, MAX_TEXT_LENGTH)}` }
  }
  return { code: 'INFERENCE_FAILED', what: text.trim().slice(0, MAX_TEXT_LENGTH) }
}
