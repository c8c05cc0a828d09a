/**
 * Every shipped model whose results are recorded: its spec, its data, and what onnxruntime for Python gave. One check runs
 * them through an executor, whatever its lanes and providers are, in batches of any size.
 */
import assert from 'node:assert/strict'
import type { BatchOutputs, BatchSlot, OnnxSpec } from '../../src/models/executor.ts'
import { elementsOf } from '../../src/models/tensors.ts'
import { type CreateExecutor, withModel } from './executor-checks.ts'
import { modelSpec, readNdjson, tensor } from './model-specs.ts'

/** A line of a data file or of recorded results. */
type Line = Readonly<Record<string, unknown>>
type RowOf = (line: Line) => readonly unknown[]

export interface ExpectedModel {
  readonly name: string
  readonly spec: OnnxSpec
  /** Examples, a line each, and what a line holds for each input. */
  readonly data: string
  readonly inputs: Readonly<Record<string, RowOf>>
  /** Recorded results, a line for each of the data: outputs by name. */
  readonly expected: string
  /** How far a number may be from the recorded one on cpu. */
  readonly tolerance: number
}

/** What a whole file of examples gave. */
export interface Differences {
  readonly rows: number
  /** Numbers that were compared, and how many of them are not bit for bit the recorded ones. */
  readonly numbers: number
  readonly different: number
  readonly largest: number
}

const digits = {
  data: 'data/digits-test.ndjson',
  inputs: { x: field('pixels') },
  expected: 'data/digits-mlp-v2.expected.ndjson',
  tolerance: 1e-6,
}
const cancer = { data: 'data/breast_cancer-test.ndjson', inputs: { x: field('features') }, tolerance: 1e-6 }
const names = { data: 'data/langid-test.ndjson', tolerance: 1e-6 }

export const EXPECTED_MODELS: readonly ExpectedModel[] = [
  { ...digits, ...model('digits-mlp-v1', ...digitTensors()), expected: 'data/digits-mlp-v1.expected.ndjson' },
  { ...digits, ...model('digits-mlp-v2', ...digitTensors()) },
  { ...digits, ...model('digits-mlp-b1', ...digitTensors()) },
  { ...digits, ...model('digits-mlp-b8', ...digitTensors()) },
  { ...digits, ...model('digits-mlp-u8', ...digitTensors('uint8')) },
  {
    ...digits,
    ...model('digits-mlp-fp16', ...digitTensors('float16', 'float16')),
    expected: 'data/digits-mlp-fp16.expected.ndjson',
  },
  {
    ...digits,
    ...model('digits-cnn', { image: tensor('float32', 1, 8, 8) }, { probabilities: tensor('float32', 10) }),
    inputs: { image: field('pixels') },
    expected: 'data/digits-cnn.expected.ndjson',
  },
  { ...cancer, ...model('breast-cancer-gb', ...cancerTensors()), expected: 'data/breast-cancer-gb.expected.ndjson' },
  { ...cancer, ...model('breast-cancer-lr', ...cancerTensors()), expected: 'data/breast-cancer-lr.expected.ndjson' },
  {
    ...model(
      'wine-two-inputs',
      { color: tensor('float32', 4), chemistry: tensor('float32', 9) },
      { probabilities: tensor('float32', 3) },
    ),
    data: 'data/wine-test.ndjson',
    inputs: { color: field('color'), chemistry: field('chemistry') },
    expected: 'data/wine-test.ndjson',
    tolerance: 1e-6,
  },
  {
    ...model('wine-alcohol-f64', { x: tensor('float64', 12) }, { variable: tensor('float64', 1) }),
    data: 'data/wine-alcohol-test.ndjson',
    inputs: { x: field('features') },
    expected: 'data/wine-alcohol-test.ndjson',
    tolerance: 1e-6,
  },
  {
    ...names,
    ...model(
      'langid-string',
      { text: tensor('string', 1) },
      { label: tensor('string'), probabilities: tensor('float32', 12) },
    ),
    inputs: { text: ({ text }) => [text] },
    expected: 'data/langid-string.expected.ndjson',
  },
  {
    ...names,
    ...model(
      'langid-int64',
      { ids: tensor('int64', 32) },
      { probabilities: tensor('float32', 12), label: tensor('int64') },
    ),
    inputs: { ids: codePoints },
    expected: 'data/langid-int64.expected.ndjson',
  },
]

interface CheckOptions {
  readonly change?: Partial<OnnxSpec>
  readonly within?: number
  /** Only so many examples. */
  readonly most?: number
  /** For an executor that lives on, and has the model when it is asked for again. */
  readonly staysLoaded?: boolean
}

/**
 * Runs all examples of a model in batches of `batch` (the last one smaller) and holds every output against the recorded
 * one: labels equal, numbers within the tolerance. `change` gives the spec another provider, for example.
 */
export async function checkModel(
  create: CreateExecutor,
  { name, spec, data, inputs, expected, tolerance }: ExpectedModel,
  batch: number,
  { change = {}, within = tolerance, most = Number.POSITIVE_INFINITY, staysLoaded = false }: CheckOptions = {},
): Promise<Differences> {
  const examples = readNdjson<Line>(data).slice(0, most)
  const wanted = readNdjson<Line>(expected).slice(0, most)
  assert.equal(wanted.length, examples.length, `${expected} does not belong to ${data}`)
  const sum = { rows: 0, numbers: 0, different: 0, largest: 0 }
  await withModel(
    create,
    { ...spec, ...change },
    async loaded => {
      for (let from = 0; from < examples.length; from += batch) {
        const rows = examples.slice(from, from + batch)
        const slot = loaded.acquire()!
        fillRows(slot, spec, inputs, rows)
        compare(`${name}, batch ${batch}`, spec, await slot.run(0, rows.length), wanted.slice(from), within, sum)
        slot.release()
        sum.rows += rows.length
      }
    },
    batch,
    staysLoaded,
  )
  return sum
}

/** For a test's diagnostics. */
export function showDifferences({ rows, numbers, different, largest }: Differences): string {
  if (different === 0) return `${rows} rows, ${numbers} numbers: difference 0`
  return `${rows} rows: ${different} of ${numbers} numbers differ, at most by ${largest.toExponential(2)}`
}

function fillRows(slot: BatchSlot, { inputs }: OnnxSpec, rowOf: ExpectedModel['inputs'], rows: readonly Line[]): void {
  const specs = Object.entries(inputs)
  const arrays = slot.prepare(
    rows.length,
    specs.map(([, { shape }]) => shape as number[]),
  )
  for (const [index, [name, { shape }]] of specs.entries()) {
    const elements = elementsOf(shape)!
    const into = arrays[index] as unknown[]
    for (const [row, line] of rows.entries()) {
      for (const [column, value] of rowOf[name]!(line).entries()) into[row * elements + column] = value
    }
  }
}

function compare(
  where: string,
  { outputs: specs }: OnnxSpec,
  { rows, outputs }: BatchOutputs,
  wanted: readonly Line[],
  within: number,
  sum: { -readonly [K in keyof Differences]: number },
): void {
  assert.equal(rows, Math.min(rows, wanted.length))
  for (const [index, [name, { dtype, shape }]] of Object.entries(specs).entries()) {
    const { data, rowShape } = outputs[index]!
    const all = Array.from(data as ArrayLike<unknown>)
    const elements = elementsOf(shape)!
    assert.deepEqual([rowShape, data.length], [shape, rows * elements], `${where}: shape of ${name}`)
    for (let row = 0; row < rows; row++) {
      const line = wanted[row]!
      const want = [line[name]].flat()
      const got = all.slice(row * elements, (row + 1) * elements)
      if (dtype === 'string' || dtype === 'int64') {
        assert.deepEqual(got.map(String), want.map(String), `${where}: ${name} of ${line.id}`)
        continue
      }
      for (const [column, number] of (want as number[]).entries()) {
        const difference = Math.abs(Number(got[column]) - number)
        assert.ok(difference <= within, `${where}: ${name}[${column}] of ${line.id}: ${got[column]} against ${number}`)
        sum.numbers++
        sum.different += difference === 0 ? 0 : 1
        sum.largest = Math.max(sum.largest, difference)
      }
      // Models without a label output say it by their largest number.
      assert.equal(largestAt(got), largestAt(want), `${where}: label of ${line.id}`)
    }
  }
}

function largestAt(numbers: readonly unknown[]): number {
  return numbers.indexOf(Math.max(...(numbers as number[])))
}

function model(
  name: string,
  inputs: OnnxSpec['inputs'],
  outputs: OnnxSpec['outputs'],
): Pick<ExpectedModel, 'name' | 'spec'> {
  return { name, spec: modelSpec(`models/${name}.onnx`, inputs, outputs) }
}

function digitTensors(
  x: 'float32' | 'uint8' | 'float16' = 'float32',
  probabilities: 'float32' | 'float16' = 'float32',
) {
  return [{ x: tensor(x, 64) }, { probabilities: tensor(probabilities, 10), label: tensor('int64') }] as const
}

function cancerTensors() {
  return [{ x: tensor('float32', 30) }, { label: tensor('int64'), probabilities: tensor('float32', 2) }] as const
}

function field(name: string): RowOf {
  return line => line[name] as number[]
}

/** The table has 1280 rows: code points beyond it were recorded as its last one. */
function codePoints({ text }: Line): bigint[] {
  const letters = [...(text as string)].map(letter => BigInt(Math.min(letter.codePointAt(0)!, 1279)))
  return [...letters, ...Array<bigint>(32 - letters.length).fill(0n)]
}
