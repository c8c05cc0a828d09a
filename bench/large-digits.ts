/**
 * A model of the digits whose file is large and whose work is small: a softmax regression, and a table of which a row is added
 * to what it gives. Loading it takes as long as that of a large network, and one core can serve it. `node bench/large-digits.ts
 * out.onnx 120` writes one of 120 MiB.
 */
import { writeFileSync } from 'node:fs'
import { generator, type MlpLayer } from './make-mlp.ts'
import { encodeOnnx } from './onnx-writer.ts'
import { readDigits, trainSoftmax } from './train-digits.ts'

const CLASSES = 10

/** The brightest pixel says which row of the table is added. */
export function encodeLargeDigits({ inWidth, weights, bias }: MlpLayer, mebibytes: number): Uint8Array {
  const rows = Math.ceil((mebibytes * 1024 * 1024) / (4 * CLASSES))
  const random = generator(7)
  const table = new Float32Array(rows * CLASSES)
  for (let i = 0; i < table.length; i++) table[i] = random() - 0.5
  return encodeOnnx({
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', inWidth] }],
    outputs: [{ name: 'probabilities', dtype: 'float32', shape: ['batch', CLASSES] }],
    constants: [
      { name: 'w', dtype: 'float32', shape: [inWidth, CLASSES], data: weights },
      { name: 'b', dtype: 'float32', shape: [CLASSES], data: bias },
      { name: 'table', dtype: 'float32', shape: [rows, CLASSES], data: table },
    ],
    nodes: [
      { op: 'Gemm', inputs: ['x', 'w', 'b'], outputs: ['z'] },
      { op: 'ArgMax', inputs: ['x'], outputs: ['brightest'], attributes: { axis: 1, keepdims: 0 } },
      { op: 'Gather', inputs: ['table', 'brightest'], outputs: ['row'], attributes: { axis: 0 } },
      { op: 'Add', inputs: ['z', 'row'], outputs: ['sum'] },
      { op: 'Softmax', inputs: ['sum'], outputs: ['probabilities'], attributes: { axis: 1 } },
    ],
  })
}

if (import.meta.main) {
  const [path, mebibytes = '120'] = process.argv.slice(2)
  if (!path || !(Number(mebibytes) > 0)) {
    console.error('usage: node bench/large-digits.ts <file.onnx> [<MiB>]')
    process.exitCode = 1
  } else {
    writeFileSync(path, encodeLargeDigits(trainSoftmax(readDigits()), Number(mebibytes)))
  }
}
