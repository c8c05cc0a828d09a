import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { OutputTarget } from '../../src/pipeline/output-target.ts'
import { searchRefused } from '../../src/pipeline/refused-outputs.ts'
import { type Origin, type Outputs, UnitBuilder } from '../../src/pipeline/unit-builder.ts'
import { blockOf, flowOf, putOutput, sourceRecord, workOf } from '../support/work-blocks.ts'

const ROWS = 1_024
const BLOCKS = 4

describe('the search for refused outputs', () => {
  it('of a batch of which all are refused finds each, and looks at each row a few times only', async () => {
    let looks = 0
    const flow = flowOf()
    for (let i = 0; i < BLOCKS; i++) {
      const from = i * (ROWS / BLOCKS)
      const block = blockOf(Array.from({ length: ROWS / BLOCKS }, (_, row) => sourceRecord(from + row)))
      const original = block.timestamp.bind(block)
      const timestamp = (row: number) => {
        looks++
        return original(row)
      }
      const work = workOf(Object.assign(block, { timestamp }), flow)
      for (let row = 0; row < ROWS / BLOCKS; row++) {
        putOutput(work, 0, row, Buffer.from('x'))
        work.complete(row)
      }
    }
    const target = new OutputTarget('out', { partitions: 1, maxMessageBytes: 1_000_000 }, true)
    const outputs: Outputs = { outlets: [{ column: 0, sink: 0, target, between: false }], deadLetters: new Map() }
    const builder = new UnitBuilder({
      provenance: false,
      wallTime: () => 5_000,
      encodeFailure: () => ({ headers: [], withoutValue: false }),
    })
    const unit = builder.build(flow, outputs)!
    const found: Origin[] = []
    looks = 0
    await searchRefused(unit, 0, unit.rounds[0]![0]!, 'INVALID_RECORD', {
      builder,
      outputs,
      send: async batches => batches.map(() => ({ outcome: 'refused', reason: 'INVALID_RECORD' })),
      mayGoOn: async () => true,
      onRefused: origin => void found.push(origin),
    })
    assert.deepEqual(
      found.map(({ work, row }) => work.block.offset(row)),
      Array.from({ length: ROWS }, (_, i) => i),
    )
    assert.ok(looks < ROWS * 2 * Math.log2(ROWS), `${looks} looks at ${ROWS} rows`)
  })
})
