/**
 * The only importer of onnxruntime-node. Its `create` and `run` block their thread for the whole call, whatever their
 * promises suggest, so whatever uses this belongs in a lane (I6).
 */
import './no-telemetry.ts'
import { env, InferenceSession, Tensor } from 'onnxruntime-node'
import type { OnnxSpec, Provider } from './executor.ts'
import type { ModelFile } from './model-file.ts'
import type { ModelTensor } from './model-signature.ts'
import { inNative } from './native-gate.ts'
import type { Dtype, TensorData } from './tensors.ts'

export type NativeSession = InferenceSession
export type NativeTensor = Tensor

// Errors are thrown, with their text; onnxruntime's own log lines would repeat each on standard error.
const LOG_FATAL_ONLY = 4
const WITHOUT_CPU = 'session.disable_cpu_ep_fallback'
env.logLevel = 'fatal'

/**
 * A session of this file on this provider, and whether cpu has to help out, which onnxruntime does not say unless it is
 * forbidden; rejects with what onnxruntime says.
 */
export async function createNativeSession(
  file: ModelFile,
  spec: OnnxSpec,
  provider: Provider,
): Promise<{ readonly session: NativeSession; readonly partlyOnCpu: boolean }> {
  // Forbidden as a help, it is still welcome as the provider.
  if (provider === 'cpu')
    return { session: await create(file, spec, provider, { [WITHOUT_CPU]: '0' }), partlyOnCpu: false }
  try {
    return { session: await create(file, spec, provider, { [WITHOUT_CPU]: '1' }), partlyOnCpu: false }
  } catch (error) {
    const isForbidden = spec.sessionOptions.config?.[WITHOUT_CPU] === '1'
    if (isForbidden || !String(error).includes('fallback to CPU EP has been explicitly disabled')) throw error
    return { session: await create(file, spec, provider, {}), partlyOnCpu: true }
  }
}

function create(file: ModelFile, spec: OnnxSpec, provider: Provider, extra: Readonly<Record<string, string>>) {
  const { config, ...options } = spec.sessionOptions
  const given: InferenceSession.SessionOptions = {
    interOpNumThreads: 1,
    ...options,
    // What TensorRT lacks, CUDA may have: its libraries come with it.
    executionProviders: provider === 'tensorrt' ? ['tensorrt', 'cuda'] : [provider],
    intraOpNumThreads: spec.intraOpNumThreads,
    logSeverityLevel: LOG_FATAL_ONLY,
    // More than one thread would otherwise spin between calls, and take a core while idle.
    extra: { 'session.intra_op.allow_spinning': '0', ...config, ...extra },
    ...(file.external.length === 0 ? {} : { externalData: file.external }),
  }
  return inNative(() => InferenceSession.create(file.bytes, given))
}

export function runNative(
  session: NativeSession,
  feeds: InferenceSession.FeedsType,
  fetches: InferenceSession.FetchesType,
): Promise<InferenceSession.ReturnType> {
  return inNative(() => session.run(feeds, fetches))
}

export function releaseNative(session: NativeSession): Promise<void> {
  return inNative(() => session.release())
}

/** What the model file says of its inputs or outputs. */
export function describeTensors(metadata: readonly InferenceSession.ValueMetadata[]): ModelTensor[] {
  return metadata.map(each =>
    each.isTensor
      ? { name: each.name, dtype: each.type, shape: each.shape }
      : { name: each.name, dtype: undefined, shape: [] },
  )
}

/** A tensor over this very data; nothing is copied. */
export function tensorOf(dtype: Dtype, data: TensorData, dims: readonly number[]): NativeTensor {
  if (dtype === 'float16') return halfTensor(data as Float16Array, dims)
  // One of the library's overloads per dtype; the data was made for this dtype.
  return new Tensor(dtype as 'float32', data as Float32Array, dims)
}

// Where Float16Array exists the library makes float16 tensors of nothing else, and then its native half reads it as empty
// (1.30). A tensor of the same bits as uint16, with its type set afterwards, passes both.
function halfTensor({ buffer, byteOffset, length }: Float16Array, dims: readonly number[]): NativeTensor {
  const bits = new Tensor('uint16', new Uint16Array(buffer, byteOffset, length), dims)
  return Object.assign(bits as NativeTensor, { type: 'float16' as const })
}
