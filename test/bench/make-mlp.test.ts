import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { generator, MID_MLP, type MlpLayer, makeMlp, SMALL_MLP, writeMlp } from '../../bench/make-mlp.ts'
import { createInThreadExecutor } from '../../src/models/in-thread-executor.ts'
import { systemClock } from '../../src/ops/clock.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { modelSpec, tensor } from '../support/model-specs.ts'

const folder = mkdtempSync(join(tmpdir(), 'make-mlp-'))
after(() => rmSync(folder, { recursive: true }))

for (const widths of [SMALL_MLP, MID_MLP, [3, 2]]) {
  test(`an MLP ${widths.join('-')} written by us gives in onnxruntime what plain arithmetic gives`, async () => {
    const file = join(folder, `${widths.join('-')}.onnx`)
    writeMlp(file, widths, 7)
    const { layers } = makeMlp(widths, 7)
    const inWidth = widths[0]!
    const outWidth = widths.at(-1)!
    const executor = createInThreadExecutor({ lanes: 1, maxBatchRows: 8 }, { logger: silentLogger, clock: systemClock })
    const model = await executor.lanes[0]!.load(
      modelSpec(file, { x: tensor('float32', inWidth) }, { probabilities: tensor('float32', outWidth) }),
    )
    const random = generator(3)
    const rows = Array.from({ length: 5 }, () => Float32Array.from({ length: inWidth }, random))
    const slot = model.acquire()!
    const [x] = slot.prepare(rows.length, [[inWidth]])
    for (const [index, row] of rows.entries()) (x as Float32Array).set(row, index * inWidth)
    const { outputs } = await slot.run(0, rows.length)
    for (const [index, row] of rows.entries()) {
      const got = (outputs[0]!.data as Float32Array).subarray(index * outWidth, (index + 1) * outWidth)
      for (const [column, expected] of compute(layers, row).entries()) {
        assert.ok(
          Math.abs(got[column]! - expected) < 1e-5,
          `row ${index}, ${column}: ${got[column]} against ${expected}`,
        )
      }
    }
    slot.release()
    await executor.close()
  })
}

test('the same widths and seed give the same bytes, another seed gives others', () => {
  assert.deepEqual(makeMlp([4, 3, 2], 5).bytes, makeMlp([4, 3, 2], 5).bytes)
  assert.notDeepEqual(makeMlp([4, 3, 2], 5).bytes, makeMlp([4, 3, 2], 6).bytes)
})

function compute(layers: readonly MlpLayer[], row: Float32Array): number[] {
  let values = [...row]
  for (const [index, { inWidth, outWidth, weights, bias }] of layers.entries()) {
    const sums = Array.from({ length: outWidth }, (_, column) => {
      let sum = bias[column]!
      for (let line = 0; line < inWidth; line++) sum += values[line]! * weights[line * outWidth + column]!
      return sum
    })
    values = index < layers.length - 1 ? sums.map(sum => Math.max(0, sum)) : sums
  }
  const largest = Math.max(...values)
  const exponentials = values.map(value => Math.exp(value - largest))
  const total = exponentials.reduce((sum, value) => sum + value, 0)
  return exponentials.map(value => value / total)
}
