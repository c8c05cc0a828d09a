import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './source-files.ts'

// What users may rely on. A name that is added, renamed or taken away is a decision: change the list with it.
const PUBLIC: Readonly<Record<string, readonly string[]>> = {
  'src/index.ts': [
    'AdaptiveOptions',
    'AvroOptions',
    'BareModelHandler',
    'BatchOptions',
    'Cell',
    'Codec',
    'Decoder',
    'Dtype',
    'Dtypes',
    'ERROR_CODES',
    'Encoder',
    'ErrorCode',
    'Isolation',
    'JsonOptions',
    'JsonSchemaOptions',
    'KV',
    'KeyedDecoders',
    'KeyedEncoders',
    'LengthBuckets',
    'ModelHandler',
    'NamedTensors',
    'PaddedOptions',
    'PaddedTensor',
    'Parameter',
    'ParameterisedTopology',
    'PredictionResult',
    'Provider',
    'Row',
    'RunInferenceError',
    'RunParts',
    'RunSettings',
    'RunningTopology',
    'SessionOptions',
    'SingleTensors',
    'Sink',
    'SinkOptions',
    'SourceOptions',
    'Stage',
    'StepOptions',
    'Stream',
    'TensorCodec',
    'TensorSpec',
    'ToTensorOptions',
    'TombstonePolicy',
    'Topology',
    'TopologyOptions',
    'avro',
    'bytes',
    'classOf',
    'flag',
    'float16',
    'float32',
    'float64',
    'from',
    'fromTensor',
    'inference',
    'int32',
    'int64',
    'integer',
    'isKV',
    'isRetriable',
    'json',
    'jsonSchema',
    'keyed',
    'kv',
    'loadTopology',
    'onnx',
    'padded',
    'startTopology',
    'string',
    'text',
    'toTensor',
    'topology',
    'uint8',
    'utf8',
    'withParameters',
  ],
  'src/testing/index.ts': [
    'DriverOptions',
    'InputRecord',
    'ManualClock',
    'MemoryBroker',
    'MemoryBrokerOptions',
    'MemoryRegistry',
    'OutputRecord',
    'TopologyDriver',
    'createManualClock',
    'createMemoryBroker',
    'createMemoryRegistry',
    'createRandom',
    'createTopologyDriver',
  ],
}

for (const [file, names] of Object.entries(PUBLIC)) {
  test(`${file} exports exactly these names`, () => {
    assert.deepEqual(exportedNames(readFileSync(join(root, file), 'utf8')), names)
  })
}

/** Types too, which an import at run time would not show. */
function exportedNames(text: string): readonly string[] {
  const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)]
  const items = lists.flatMap(([, list]) => list!.split(','))
  const names = items.map(item =>
    item
      .trim()
      .replace(/^type /, '')
      .replace(/^.* as /, ''),
  )
  return names.filter(name => name !== '').sort()
}
