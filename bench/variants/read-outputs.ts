/** Reads a topic from its start as any consumer would. */
import { setTimeout as delay } from 'node:timers/promises'
import type { RecordBlock } from '../../src/kafka/record-block.ts'
import { connect, memberOptions } from '../connect.ts'
import { reportReady } from './child.ts'

const LOOK_MS = 50

export interface Outputs {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly deadlineMs: number
}

/**
 * Says that it is ready, and reads until `onBlock` returns true, which says that all have come, or the deadline has passed, or
 * what was there when `over` resolved has been read.
 */
export async function readOutputs(
  { brokers, topic, deadlineMs }: Outputs,
  onBlock: (block: RecordBlock) => boolean,
  over?: Promise<void>,
): Promise<void> {
  const port = connect(brokers, 'bench-receiver')
  const complete = Promise.withResolvers<void>()
  /** By partition. */
  const read: number[] = []
  let hasEnded = false
  const member = port.member(memberOptions('bench-receiver', topic), {
    onAssigned() {},
    onLost() {},
    onRebalance: async () => {},
    onState() {},
    onFatal: error => complete.reject(error),
    onBlock(block) {
      read[block.partition] = block.offset(block.count - 1) + 1
      if (onBlock(block)) complete.resolve()
    },
  })
  await member.start()
  reportReady()
  const untilEnd = async () => {
    await over
    const ends = await port.admin.offsets(topic)
    const isThere = () => ends.every(({ end }, partition) => (read[partition] ?? 0) >= end)
    while (!hasEnded && !isThere()) await delay(LOOK_MS)
  }
  if (over !== undefined) untilEnd().then(complete.resolve, complete.reject)
  await Promise.race([complete.promise, delay(deadlineMs, undefined, { ref: false })])
  hasEnded = true
  await member.stop()
  await port.close()
}
