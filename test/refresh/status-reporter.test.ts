import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { SendResult } from '../../src/kafka/port.ts'
import type { SealedBatch } from '../../src/kafka/record-batch-builder.ts'
import { readRecordBlock } from '../../src/kafka/record-batch-reader.ts'
import { silentLogger } from '../../src/ops/logger.ts'
import type { InstanceStats } from '../../src/refresh/instance-stats.ts'
import { parseStatus } from '../../src/refresh/status-record.ts'
import { REPORT_PERIOD_MS, StatusReporter } from '../../src/refresh/status-reporter.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { statsOf } from '../support/instance-stats.ts'

const done: SendResult = { outcome: 'acknowledged', baseOffset: 0 }

/** A reporter whose writer answers when the test says so; each send shows the member ids that it told, or its tombstone. */
function reporting(stats?: () => Promise<InstanceStats | undefined>) {
  const clock = createManualClock()
  const sends: { readonly told: string; resolve(result?: SendResult): void; reject(error: Error): void }[] = []
  const warnings: string[] = []
  let memberIds = ['first']
  let isClosed = false
  const reporter = new StatusReporter({
    topic: 'status',
    instance: 'a',
    clock,
    logger: { ...silentLogger, warn: (_, message) => void warnings.push(message) },
    status: () => ({ memberIds, slots: [], ignored: {} }),
    ...(stats && { stats }),
    writer: {
      send(batches) {
        const { promise, resolve, reject } = Promise.withResolvers<readonly SendResult[]>()
        sends.push({ told: toldIn(batches[0]!), resolve: (result = done) => resolve([result]), reject })
        return promise
      },
      async close() {
        isClosed = true
        for (const { reject } of sends) reject(new RunInferenceError('CLOSED', 'the writer was closed'))
      },
    },
  })
  const change = (id: string) => {
    memberIds = [id]
    reporter.changed()
  }
  return { reporter, clock, sends, warnings, change, isClosed: () => isClosed }
}

function toldIn({ bytes, topic, partition }: SealedBatch): string {
  const block = readRecordBlock({ topic, partition, records: bytes, startOffset: 0, endOffset: 1, checkCrc: false })
  assert.equal(String(block.key(0)), 'a')
  const value = block.value(0)
  if (value === null) return 'tombstone'
  const { memberIds, stats } = parseStatus(Buffer.from(value), 'r')
  return stats === undefined ? memberIds.join() : `${memberIds.join()}, ${stats.records.in} records`
}

describe('the reporter of an instance', () => {
  it('R1, R2: one record at a time, and what changed meanwhile is one more', async () => {
    const { clock, sends, change } = reporting()
    for (const id of ['first', 'second']) change(id)
    await clock.settle()
    for (const id of ['third', 'fourth']) change(id)
    await clock.settle()
    assert.deepEqual(
      sends.map(({ told }) => told),
      ['second'],
    )
    sends[0]!.resolve()
    await clock.settle()
    assert.deepEqual(
      sends.map(({ told }) => told),
      ['second', 'fourth'],
    )
  })

  it('writes again after each period, counted from its last record', async () => {
    const { clock, sends, change } = reporting()
    change('first')
    await clock.settle()
    sends[0]!.resolve()
    await clock.advance(REPORT_PERIOD_MS - 1)
    assert.equal(sends.length, 1)
    await clock.advance(1)
    assert.equal(sends.length, 2)
  })

  it('R3: what fails or is refused is told once, tried again with the next period, and told anew when it had worked', async () => {
    const { clock, sends, warnings, change } = reporting()
    change('first')
    await clock.settle()
    sends[0]!.reject(new RunInferenceError('AUTHORISATION', 'not allowed'))
    await clock.advance(REPORT_PERIOD_MS)
    sends[1]!.resolve({ outcome: 'refused', reason: 'too large' })
    await clock.advance(REPORT_PERIOD_MS)
    assert.deepEqual([sends.length, warnings.length], [3, 1])
    sends[2]!.resolve()
    await clock.advance(REPORT_PERIOD_MS)
    sends[3]!.reject(new RunInferenceError('AUTHORISATION', 'not allowed'))
    await clock.settle()
    assert.equal(warnings.length, 2)
  })

  it('R4: what it did lately stands in each record, as it is then, and what holds when that is read', async () => {
    let count = 0
    const asked: PromiseWithResolvers<void>[] = []
    const { clock, sends, change } = reporting(async () => {
      asked.push(Promise.withResolvers())
      await asked.at(-1)!.promise
      return { ...statsOf(() => 0), records: { in: ++count, out: 0, failed: 0 } }
    })
    change('first')
    await clock.settle()
    assert.deepEqual([asked.length, sends.length], [1, 0])
    change('second')
    asked[0]!.resolve()
    await clock.settle()
    sends[0]!.resolve()
    await clock.settle()
    asked[1]!.resolve()
    await clock.settle()
    sends[1]!.resolve()
    await clock.advance(REPORT_PERIOD_MS - 1)
    assert.equal(asked.length, 2, 'it is read for records alone')
    assert.deepEqual(
      sends.map(({ told }) => told),
      ['second, 1 records', 'second, 2 records'],
    )
  })

  it('R4: what cannot be read is told once, and the records go without', async () => {
    let fails = true
    const { clock, sends, warnings, change } = reporting(async () => {
      if (fails) throw new Error('no registry')
      return undefined
    })
    change('first')
    for (let round = 0; round < 5; round++) {
      await clock.settle()
      sends.at(-1)!.resolve()
      fails = round !== 2
      await clock.advance(REPORT_PERIOD_MS)
    }
    assert.deepEqual([...new Set(sends.map(({ told }) => told))], ['first'])
    assert.equal(warnings.length, 2, 'told anew when it had worked')
    assert.match(warnings[0]!, /metrics cannot be read/)
  })

  it('R5: a clean end leaves a tombstone, and no timer', async () => {
    const { reporter, clock, sends, isClosed, change } = reporting()
    change('first')
    await clock.settle()
    sends[0]!.resolve()
    await clock.settle()
    const closed = reporter.close()
    await clock.settle()
    assert.equal(sends[1]!.told, 'tombstone')
    sends[1]!.resolve()
    await clock.settle()
    await clock.advance(1_000)
    await closed
    assert.ok(isClosed())
    assert.equal(clock.nextTimerMs(), undefined)
  })

  it('R5: an outage holds nobody up: without an answer it ends after its budget, and says nothing', async () => {
    const { reporter, clock, warnings, isClosed, change } = reporting()
    change('first')
    await clock.settle()
    const closed = reporter.close()
    await clock.advance(999)
    assert.ok(!isClosed())
    await clock.advance(1)
    await closed
    assert.deepEqual([isClosed(), warnings], [true, []])
  })
})
