/** Shadows in a driver: what they wrote and counted, and lanes of theirs that hang or fail when a test says so. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { float32, from, json, onnx, topology } from 'kafka-run-inference'
import { encodeOnnx } from '../../bench/onnx-writer.ts'
import type { Executor, Lane, LaneModel } from '../../src/models/executor.ts'
import { nullMetrics } from '../../src/pipeline/null-metrics.ts'
import type { ShadowDropReason } from '../../src/pipeline/shadow-metrics.ts'
import { parseShadowRecord, type ShadowRecord } from '../../src/refresh/shadow-record.ts'
import type { Candidate } from '../../src/refresh/step-models.ts'
import type { TopologyDriver } from '../../src/testing/index.ts'
import { canary } from './canaries.ts'

export const SHADOW_TOPIC = 't.add.shadow'

export const shadow = (modelId: string, percent = 100, change: Partial<Candidate> = {}) =>
  canary(modelId, percent, { mode: 'shadow', ...change })

export interface ReadShadow extends ShadowRecord {
  /** Of the shadow topic. */
  readonly partition: number
  readonly key: Buffer | null
}

export async function readShadows(driver: TopologyDriver): Promise<readonly ReadShadow[]> {
  const records = await driver.read(SHADOW_TOPIC)
  return records.map(({ partition, offset, key, bytes }) => {
    return { ...parseShadowRecord(bytes!, `record ${offset}`), partition, key: key as Buffer | null }
  })
}

/** What shadows counted, all together; the rest is not looked at. */
export function shadowCounts() {
  const rows = { same: 0, different: 0, failed: 0, unwritten: 0 }
  const dropped: Record<ShadowDropReason, number> = { full: 0, closed: 0, failed: 0, outage: 0, unwritten: 0 }
  const counts = { rows, dropped, maxDifference: Number.NaN, calls: 0, stable: 0 }
  const metrics: typeof nullMetrics = {
    ...nullMetrics,
    batchSucceeded(_step, _cohort, count) {
      counts.stable += count
    },
    shadowBegan() {
      counts.maxDifference = 0
    },
    shadowRan() {
      counts.calls++
    },
    shadowCompared(_step, _cohort, { same, different, failed }, maxDifference) {
      rows.same += same
      rows.different += different
      rows.failed += failed
      counts.maxDifference = maxDifference
    },
    shadowDropped(_step, _cohort, count, reason) {
      dropped[reason] += count
    },
    shadowUnwritten(_step, _cohort, count) {
      rows.unwritten += count
    },
  }
  return { counts, metrics }
}

/** Lanes that are made while the topology runs: their runs wait or fail when told so. */
export function troubledSpares() {
  let gate: Promise<void> | undefined
  let failure: Error | undefined
  const troubled = (model: LaneModel): LaneModel => ({
    ...model,
    loaded: model.loaded,
    acquire() {
      const slot = model.acquire()
      return (
        slot && {
          ...slot,
          prepare: (rows, shapes) => slot.prepare(rows, shapes),
          async run(from, rows) {
            await gate
            if (failure) throw failure
            return slot.run(from, rows)
          },
          release: () => slot.release(),
        }
      )
    },
  })
  return {
    wrapExecutor(inner: Executor): Executor {
      const spare = inner.spare.bind(inner)
      return Object.assign(inner, {
        spare(like: Lane): Lane {
          const lane = spare(like)
          const load = lane.load.bind(lane)
          return Object.assign(lane, { load: async (spec: Parameters<Lane['load']>[0]) => troubled(await load(spec)) })
        },
      })
    },
    hang(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      return () => {
        gate = undefined
        resolve()
      }
    },
    fail(error: Error | undefined): void {
      failure = error
    },
  }
}

/** A model of numbers below which none gets: y = max(x, least). */
export function writeClipping(folder: string, least: number): string {
  const path = join(folder, `clip-${least}.onnx`)
  const x = { name: 'x', dtype: 'float32', shape: ['batch', 2] } as const
  const graph = {
    inputs: [x],
    outputs: [{ ...x, name: 'y' }],
    constants: [{ name: 'k', dtype: 'float32', shape: [1], data: Float32Array.of(least) } as const],
    nodes: [{ op: 'Max', inputs: ['x', 'k'], outputs: ['y'] }],
  }
  writeFileSync(path, encodeOnnx(graph))
  return path
}

/** `in` → step `add`, two numbers a row → `out`. */
export function clippingTopology(model: string, maxSize = 256) {
  const handler = onnx({ model, input: float32(2), output: float32(2) })
  const options = { modelMetadata: true, batch: { maxSize } }
  return topology('t', [
    from('in', float32(2))
      .runInference('add', handler, options)
      .map(({ inference }) => [...inference])
      .to('out', json<number[]>()),
  ])
}

export const clipped = (least: number, [a, b]: readonly [number, number]) => [Math.max(a, least), Math.max(b, least)]

export const pairRecord = ([a, b]: readonly [number, number], key: string | null = null, partition = 0) => {
  return {
    partition,
    ...(key === null ? {} : { key: Buffer.from(key) }),
    value: Buffer.from(Float32Array.of(a, b).buffer),
  }
}
