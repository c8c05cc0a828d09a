/** A topology whose model adds a number, and models that add others, to change to while it runs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { float32, from, json, onnx, topology } from 'kafka-run-inference'
import { encodeOnnx } from '../../bench/onnx-writer.ts'
import type { ModelSpec } from '../../src/models/executor.ts'
import type { ChangingModels, ChangingSteps, PreparedModel, PrepareOptions } from '../../src/models/prepared-model.ts'
import type { InputRecord, TopologyDriver } from '../../src/testing/index.ts'

export const TIMEOUT_MS = 60_000
/** Added by model number n. */
export const addedBy = (n: number) => (n + 1) * 1_000

export interface AddingModels {
  /** Path of model number n: y = x + addedBy(n). */
  readonly paths: readonly string[]
  /** Two rows wide: another signature. */
  readonly wide: string
  /** There is none. */
  readonly missing: string
}

/** In a folder that is removed when the file is done. */
export function writeAddingModels(count: number): AddingModels {
  const folder = mkdtempSync(join(tmpdir(), 'adding-models-'))
  after(() => rmSync(folder, { recursive: true }))
  const paths = Array.from({ length: count }, (_, n) => write(join(folder, `add-${n}.onnx`), addedBy(n), 1))
  return { paths, wide: write(join(folder, 'wide.onnx'), 0, 2), missing: join(folder, 'missing.onnx') }
}

function write(path: string, added: number, width: number): string {
  const x = { name: 'x', dtype: 'float32', shape: ['batch', width] } as const
  const graph = {
    inputs: [x],
    outputs: [{ ...x, name: 'y' }],
    constants: [{ name: 'k', dtype: 'float32', shape: [width], data: new Float32Array(width).fill(added) } as const],
    nodes: [{ op: 'Add', inputs: ['x', 'k'], outputs: ['y'] }],
  }
  writeFileSync(path, encodeOnnx(graph))
  return path
}

export interface Scored {
  readonly modelId: string
  readonly x: number
  readonly y: number
}

/** `in` → step `add` → `out`: {modelId, x, y}. */
export function addingTopology(model: string, batch: { readonly maxSize?: number } = {}) {
  const handler = onnx({ model, input: float32(1), output: float32(1) })
  return topology('t', [
    from('in', float32(1))
      .runInference('add', handler, { batch, retry: { maxRetries: 3, firstDelayMs: 100 } })
      .map(({ modelId, example, inference }): Scored => ({ modelId, x: example[0]!, y: inference[0]! }))
      .to('out', json<Scored>()),
  ])
}

export function numbers(values: readonly number[]): InputRecord[] {
  return values.map(value => ({ value: Buffer.from(Float32Array.of(value).buffer) }))
}

export async function scored(driver: TopologyDriver): Promise<readonly Scored[]> {
  return (await driver.read('out')).map(({ value }) => value as Scored)
}

/** The models of a step, changed by path. */
export interface Changes {
  readonly models: ChangingModels
  prepare(path: string, cohort?: number, options?: Partial<PrepareOptions>): Promise<PreparedModel>
  /** Prepares and serves. */
  change(path: string, cohort?: number): Promise<void>
}

export function changesOf(steps: ChangingSteps, step = 'add'): Changes {
  const { models, signatures } = steps.get(step)!
  const prepare: Changes['prepare'] = (path, cohort = 0, options = {}) => {
    const of = cohort % signatures.length
    const spec: ModelSpec = { ...models.specOf(of)!, uri: path, identifier: path }
    return models.prepare(cohort, spec, signatures[of]!, { timeoutMs: TIMEOUT_MS, ...options })
  }
  return {
    models,
    prepare,
    change: async (path, cohort) => (await prepare(path, cohort)).serve(),
  }
}
