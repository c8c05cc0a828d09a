// For people who write topologies.

// Errors.
export { ERROR_CODES, type ErrorCode, isRetriable, RunInferenceError, type Stage } from './errors.ts'
export type {
  AdaptiveOptions,
  BatchOptions,
  ExceptionHandling,
  LengthBuckets,
  RetryOptions,
  SinkOptions,
  SourceOptions,
  StepOptions,
  TombstonePolicy,
} from './graph.ts'
// Codecs.
export { type AvroOptions, avro } from './kafka/avro-codec.ts'
export type { Codec, Decoder, Encoder } from './kafka/codec.ts'
export { inference } from './kafka/inference-codec.ts'
export { type JsonOptions, type JsonSchemaOptions, json, jsonSchema } from './kafka/json-codec.ts'
export { bytes, utf8 } from './kafka/plain-codecs.ts'
export { float16, float32, float64, int32, int64, string, type TensorCodec, uint8 } from './kafka/tensor-codec.ts'
// Records and tensors.
export { type Cell, classOf, fromTensor, type ToTensorOptions, toTensor } from './models/columns.ts'
// Model handlers.
export { type CustomHandler, type InferenceArgs, modelHandler, type Results } from './models/custom-handler.ts'
export type { Isolation, Provider, SessionOptions } from './models/executor.ts'
export { type KeyModelMapping, keyed, maybeKeyed } from './models/keyed.ts'
export type { AsyncOptions, BareModelHandler, ModelHandler, ModelLimits } from './models/model-handler.ts'
export { type NamedTensors, onnx, type SingleTensors } from './models/onnx-handler.ts'
export { type PaddedOptions, type PaddedTensor, padded } from './models/padded.ts'
export type { ResourceHints } from './models/resource-hints.ts'
export type { Dtype, Dtypes, Row, TensorSpec } from './models/tensors.ts'
export { flag, integer, type Parameter, type ParameterisedTopology, text, withParameters } from './parameters.ts'
export { type DeadLetter, isKV, KV, kv, type PredictionResult, predictionResult } from './records.ts'
export type { ModelFile, ModelFiles } from './refresh/slot-loader.ts'
export type { ModelMetadata } from './refresh/step-models.ts'
export { type RunningTopology, type RunParts, type RunSettings, startTopology } from './run.ts'
export {
  type Branches,
  type Cases,
  type Failed,
  from,
  type Inferred,
  type KeyedCodecs,
  type KeyedDecoders,
  type KeyedEncoders,
  type Sink,
  type Stream,
} from './stream.ts'
export { type Topology, type TopologyOptions, topology } from './topology.ts'
// For people who run topologies from their own code.
export { loadTopology } from './topology-module.ts'
