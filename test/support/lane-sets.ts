/** A set of one model on real lanes, and batches of digits through it. */
import assert from 'node:assert/strict'
import type { Executor, ModelSpec, Signature } from '../../src/models/executor.ts'
import { ModelSet } from '../../src/models/model-set.ts'
import type { PreparedModel, PrepareOptions } from '../../src/models/prepared-model.ts'
import { SharedLanes } from '../../src/models/shared-lanes.ts'
import { systemClock } from '../../src/ops/clock.ts'
import type { Logger } from '../../src/ops/logger.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import { digits } from './executor-checks.ts'
import { type Expectation, fill, readNdjson } from './model-specs.ts'

export interface LaneSet {
  readonly set: ModelSet
  /** How preparations ended. */
  readonly outcomes: readonly string[]
  prepare(spec: ModelSpec, options?: Partial<PrepareOptions>): Promise<PreparedModel>
  /** Runs the first digits in a lane, and checks them against what was recorded for this model of `models/`. */
  check(name: string, lane?: number): Promise<void>
}

/** Opened; its lanes are those of the executor. */
export async function laneSet(executor: Executor, spec: ModelSpec, logger: Logger = silentLogger): Promise<LaneSet> {
  const outcomes: string[] = []
  const ignore = () => {}
  const set = new ModelSet({
    step: 's',
    models: [{ spec, lanes: [...executor.lanes], copies: Number.POSITIVE_INFINITY, keys: undefined }],
    limits: {},
    lanes: new SharedLanes(executor),
    clock: systemClock,
    random: Math.random,
    logger,
    events: {
      ...{ loaded: ignore, evicted: ignore, left: ignore, refused: ignore, switched: ignore, changed: ignore },
      ...{ outage: ignore, recovered: ignore, isWanted: () => false },
      swapEnded: (_cohort, outcome) => void outcomes.push(outcome),
      fatal(error) {
        throw error
      },
    },
  })
  await set.open()
  const [first] = set.loaded()
  const signature: Signature = first!.loaded
  return {
    set,
    outcomes,
    prepare: (next, options) => set.prepare(0, next, signature, { timeoutMs: 60_000, ...options }),
    async check(name, index = 0) {
      const expected = readNdjson<Expectation>(`data/${name}.expected.ndjson`)
      const slot = set.acquire(executor.lanes[index]!, 0)!
      const rows = digits.slice(0, 16).map(({ pixels }) => pixels)
      fill(slot.slot, rows)
      const { modelId, outputs } = await slot.slot.run(0, rows.length)
      assert.equal(modelId, `models/${name}.onnx`)
      const [probabilities] = outputs
      rows.forEach((_, row) => {
        for (const [i, want] of expected[row]!.probabilities.entries())
          assert.ok(Math.abs(Number(probabilities!.data[row * 10 + i]) - want) <= 1e-6, `row ${row} of ${name}`)
      })
      slot.release()
    },
  }
}
