/** Metrics: their names, namespaces, units and counts. */
import { float32, keyed, onnx } from 'kafka-run-inference'
import { arith } from '../arith.ts'
import { beamRun } from '../beam-run.ts'
import type { AnyHandler } from '../handler-text.ts'
import { Recorder } from '../recorder.ts'
import { MUL_10 } from './basic.ts'
import { SMALL } from './onnx.ts'
import { batchOf, type CaseRun, inWords } from './pipeline.ts'

const EIGHT_BYTES = { also: { getNumBytes: (batch: readonly unknown[]) => 8 * batch.length } }

export const METRICS: Readonly<Record<string, CaseRun>> = {
  metrics_unkeyed: inWords({ handler: recorder => arith(recorder, { ...MUL_10, ...EIGHT_BYTES }) }),
  metrics_failed_batches: inWords({
    // The bytes that were recorded are 8 for each element.
    handler: recorder => arith(recorder, { ...MUL_10, failOn: 3, ...EIGHT_BYTES }),
  }),
  metrics_namespace: async () => ({
    default: await namespaces(plain()),
    handler: await namespaces(named()),
    argument: await namespaces(named(), 'ArgNs'),
    keyed_single: await namespaces(keyed(named()), undefined, { $tuple: ['k1', 1] }),
    per_key: await namespaces(keyed([{ keys: ['k1'], handler: named() }]), undefined, { $tuple: ['k1', 1] }),
    onnx: await namespaces(
      onnx({ model: SMALL, input: float32(64), output: float32(10) }) as AnyHandler,
      undefined,
      ROW,
    ),
  }),
  metrics_latency_fake_clock: async ({ input }) => {
    const { metrics } = await beamRun({
      input: input as readonly unknown[],
      handler: plain,
      options: { batch: batchOf({ max_batch_size: 1 }) },
      driver: { durationOf: () => 1, loadMs: 1 },
    })
    const of = (wanted: string) => metrics.find(({ name }) => name === wanted)?.value
    return {
      inference_batch_latency_micro_secs: of('inference_batch_latency_micro_secs'),
      load_model_latency_milli_secs: of('load_model_latency_milli_secs'),
    }
  },
}

const ROW = { $ndarray: { dtype: 'float32', shape: [64], data: new Array(64).fill(0) } }

function plain() {
  return arith(new Recorder(), MUL_10)
}

function named() {
  return arith(new Recorder(), { ...MUL_10, also: { metricsNamespace: 'MyNs' } })
}

async function namespaces(handler: AnyHandler, argument?: string, element: unknown = 1): Promise<string[]> {
  const { metrics, error } = await beamRun({
    input: [element],
    handler: () => handler,
    options: argument === undefined ? {} : { metricsNamespace: argument },
  })
  if (error !== undefined) throw error
  return [...new Set(metrics.map(({ namespace }) => namespace))].sort()
}
