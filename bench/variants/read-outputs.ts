/** Reads a topic from its start as any consumer would. */
import { setTimeout as delay } from 'node:timers/promises'
import type { RecordBlock } from '../../src/kafka/record-block.ts'
import { connect, memberOptions } from '../connect.ts'
import { reportReady } from './child.ts'

export interface Outputs {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly deadlineMs: number
}

/** Says that it is ready, and reads until `onBlock` returns true, which says that all have come, or the deadline has passed. */
export async function readOutputs(
  { brokers, topic, deadlineMs }: Outputs,
  onBlock: (block: RecordBlock) => boolean,
): Promise<void> {
  const port = connect(brokers, 'bench-receiver')
  const complete = Promise.withResolvers<void>()
  const member = port.member(memberOptions('bench-receiver', topic), {
    onAssigned() {},
    onLost() {},
    onRebalance: async () => {},
    onState() {},
    onFatal: error => complete.reject(error),
    onBlock(block) {
      if (onBlock(block)) complete.resolve()
    },
  })
  await member.start()
  reportReady()
  await Promise.race([complete.promise, delay(deadlineMs, undefined, { ref: false })])
  await member.stop()
  await port.close()
}
