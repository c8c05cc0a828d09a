// What a user of the package writes in TypeScript: it must type-check as strictly as TypeScript can.
import {
  type Dtype,
  float32,
  from,
  int64,
  type KV,
  keyed,
  kv,
  onnx,
  type Topology,
  topology,
  utf8,
} from 'kafka-run-inference'
import { createTopologyDriver, type OutputRecord } from 'kafka-run-inference/testing'

const model = onnx({ model: 'models/digits-mlp-v1.onnx', inputs: { x: float32(64) }, outputs: { label: int64() } })

const classifier = keyed(model)
  .withPreprocess(({ key, value }: KV<string, string>) => kv(key, { x: value.split(',').map(Number) }))
  .withPostprocess(({ key, value: { inference } }) => kv(key, String(inference.label[0])))

const strings = { key: utf8(), value: utf8() }
export const dtype: Dtype = 'float32'

const built: Topology = topology('digits', [
  from('images', strings)
    .runInference('classify', classifier, { batch: { maxSize: 16 } })
    .to('labels', strings),
])
export default built

// @ts-expect-error: an unkeyed stream does not fit a keyed handler
from('images', { value: utf8() }).runInference('classify', classifier)

export async function labels(rows: readonly (readonly number[])[]): Promise<readonly OutputRecord[]> {
  const driver = await createTopologyDriver(built)
  try {
    await driver.pipe(
      'images',
      rows.map((row, i) => ({ key: String(i), value: row.join(',') })),
    )
    await driver.advance(1_000)
    return await driver.read('labels')
  } finally {
    await driver.stop()
  }
}
