import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunInferenceError } from '../../src/errors.ts'
import type { SendResult, WritePermit } from '../../src/kafka/port.ts'
import { Outbox, type OutboxOptions } from '../../src/pipeline/outbox.ts'
import { OutputTarget } from '../../src/pipeline/output-target.ts'
import { type CommitUnit, type Outputs, UnitBuilder } from '../../src/pipeline/unit-builder.ts'
import { createManualClock } from '../../src/testing/index.ts'
import { recordingWriter } from '../support/recording-writer.ts'
import { blockOf, flowOf, putOutput, sourceRecord, workOf } from '../support/work-blocks.ts'

const LETTERS = 't.s.failed-postprocess'
const point = { topic: LETTERS, stage: 'postprocess' as const, step: 's', node: 'to out', listeners: [] }

function setUp(change: Partial<OutboxOptions> = {}, writer = recordingWriter()) {
  const clock = createManualClock()
  const units: CommitUnit[] = []
  const fatal: unknown[] = []
  const member = { isAlive: true, alive: () => member.isAlive }
  const described = { partitions: 1, maxMessageBytes: 100_000 }
  const outputs: Outputs = {
    outlets: [{ column: 0, sink: 0, target: new OutputTarget('out', described, true), between: false }],
    deadLetters: new Map([[LETTERS, new OutputTarget(LETTERS, described, true)]]),
  }
  const builder = new UnitBuilder({
    provenance: false,
    wallTime: () => 5_000,
    encodeFailure: () => ({ headers: [], withoutValue: false }),
  })
  const outbox = new Outbox({
    builder,
    outputs,
    writer,
    member,
    clock,
    refusedPoint: () => point,
    onAcknowledged: unit => {
      units.push(unit)
      unit.flow.committable = unit.nextOffset
      for (const { work, to } of unit.ranges) if (to === work.block.count) unit.flow.blocks.shift()
    },
    onFatal: error => fatal.push(error),
    ...change,
  })
  const flow = flowOf()
  /** One more block of one row that is done. */
  const done = (offset: number) => {
    const work = workOf(blockOf([sourceRecord(offset)]), flow)
    putOutput(work, 0, 0, Buffer.from(`output ${offset}`))
    work.complete(0)
  }
  const written = () => (writer.logs.get('out/0') ?? []).map(({ value }) => String(value))
  return { clock, units, fatal, member, outbox, flow, done, written, writer }
}

describe('the outbox', () => {
  it('O2: sends nothing while the member may be expelled, and goes on when it is heard of', async () => {
    const { clock, member, outbox, flow, done, written, units } = setUp()
    member.isAlive = false
    done(0)
    outbox.advance(flow)
    await clock.advance(10_000)
    assert.deepEqual([written(), units.length], [[], 0])
    member.isAlive = true
    await clock.advance(100)
    assert.deepEqual([written(), units.length], [['output 0'], 1])
  })

  it('O2: drops what belongs to a partition that is lost while it waits', async () => {
    const { clock, member, outbox, flow, done, written, units } = setUp()
    member.isAlive = false
    done(0)
    outbox.advance(flow)
    await clock.advance(500)
    flow.lost = true
    member.isAlive = true
    await clock.advance(10_000)
    assert.deepEqual([written(), units.length], [[], 0])
    assert.equal(clock.nextTimerMs(), undefined, 'it waits no longer')
  })

  it('O1: acknowledges nothing of a partition that is lost while the broker is asked', async () => {
    const { clock, outbox, flow, done, writer, units } = setUp()
    const release = writer.hold()
    done(0)
    outbox.advance(flow)
    flow.lost = true
    release()
    await clock.settle()
    assert.equal(units.length, 0)
  })

  it('has one unit of a partition under way; what is done meanwhile goes with the next', async () => {
    const { clock, outbox, flow, done, written, writer, units } = setUp()
    const release = writer.hold()
    done(0)
    outbox.advance(flow)
    done(1)
    done(2)
    outbox.advance(flow)
    await clock.settle()
    assert.equal(writer.sends, 1)
    release()
    await clock.settle()
    assert.deepEqual(written(), ['output 0', 'output 1', 'output 2'])
    assert.deepEqual(
      units.map(({ nextOffset }) => nextOffset),
      [1, 3],
    )
  })

  it('after close sends nothing, acknowledges nothing, and waits for nobody', async () => {
    const { clock, member, outbox, flow, done, written, units } = setUp()
    member.isAlive = false
    done(0)
    outbox.advance(flow)
    outbox.close()
    member.isAlive = true
    await clock.advance(1_000)
    outbox.advance(flow)
    await clock.advance(1_000)
    assert.deepEqual([written(), units.length, clock.nextTimerMs()], [[], 0, undefined])
  })

  it('O2: a permit goes with what is sent, which ends with the partition; what was dropped is not acknowledged', async () => {
    const permits: string[] = []
    const sent = Promise.withResolvers<readonly SendResult[]>()
    let permit: WritePermit | undefined
    const { clock, member, outbox, flow, done, units, fatal } = setUp({
      writer: {
        send(_, given) {
          permit = given
          return sent.promise
        },
      },
    })
    done(0)
    outbox.advance(flow)
    await clock.settle()
    permits.push(permit!())
    member.isAlive = false
    permits.push(permit!())
    flow.lost = true
    permits.push(permit!())
    assert.deepEqual(permits, ['write', 'hold', 'drop'])
    sent.resolve([{ outcome: 'dropped', reason: 'lost' }])
    await clock.settle()
    assert.deepEqual([units, fatal], [[], []])
  })

  it('tells a writer that has given up, and an error of ours behind an acknowledgement', async () => {
    const send = async () => {
      throw new RunInferenceError('AUTHORISATION', 'no right')
    }
    const refused = setUp({ writer: { send } })
    refused.done(0)
    refused.outbox.advance(refused.flow)
    await refused.clock.settle()
    assert.match(String(refused.fatal[0]), /AUTHORISATION/)

    const broken = setUp({
      onAcknowledged() {
        throw new TypeError('a bug')
      },
    })
    broken.done(0)
    broken.outbox.advance(broken.flow)
    await broken.clock.settle()
    assert.ok(broken.fatal[0] instanceof TypeError)
  })
})
