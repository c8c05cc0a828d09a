/**
 * The clock that all variants on our port share. A run lasts from the first assignment, when the member sends its first
 * fetch, to the answer of the commit behind which every record of the topic is committed; or, where the first ones do not
 * count, from the commit behind them.
 */
import type { KafkaPort, PartitionOffset } from '../../src/kafka/port.ts'
import { cpuMs, peakRssBytes, threadCpuMs } from './child.ts'

export interface Measured {
  readonly seconds: number
  /** Of the whole process, within those seconds. */
  readonly cpuSeconds: number
  /** Of the main thread. */
  readonly mainCpuSeconds: number
  readonly peakRssBytes: number
  /** That were committed within those seconds. */
  readonly records: number
  /** Transactions that were committed within them. */
  readonly transactions: number
  /** Connections at the end. */
  readonly sockets: number
}

export interface TimedPort {
  readonly port: KafkaPort
  /** Resolves when `records` records of `topic` are committed. */
  readonly finished: Promise<Measured>
}

/** `warmUp`: records that do not count. */
export function timedPort(port: KafkaPort, topic: string, records: number, warmUp = 0): TimedPort {
  const watch = startWatch(records, warmUp)
  return {
    finished: watch.finished,
    port: {
      ...port,
      member(options, events) {
        const member = port.member(options, {
          ...events,
          onAssigned(partitions) {
            watch.begin()
            events.onAssigned(partitions)
          },
        })
        const commit = member.commit.bind(member)
        member.commit = async requests => {
          const results = await commit(requests)
          requests.forEach((request, i) => {
            if (results[i] && request.topic === topic) watch.committed(request.partition, request.offset)
          })
          return results
        }
        return member
      },
      transactionalWriter(options) {
        const writer = port.transactionalWriter(options)
        const sendOffsets = writer.sendOffsets.bind(writer)
        const commit = writer.commit.bind(writer)
        let sent: readonly PartitionOffset[] = []
        writer.sendOffsets = (group, offsets) => {
          sent = offsets
          return sendOffsets(group, offsets)
        }
        writer.commit = async () => {
          await commit()
          watch.transactionCommitted()
          for (const { topic: of, partition, offset } of sent) if (of === topic) watch.committed(partition, offset)
          sent = []
        }
        return writer
      },
    },
  }
}

/** Counts what is committed; offsets of the topics here begin at 0 and have no gaps. */
export function startWatch(records: number, warmUp = 0) {
  const finished = Promise.withResolvers<Measured>()
  const offsets = new Map<number, number>()
  let transactions = 0
  let start:
    | { readonly atMs: number; readonly cpuMs: number; readonly mainCpuMs: number; readonly done: number }
    | undefined
  const startAt = (done: number) => {
    transactions = 0
    start = { atMs: performance.now(), cpuMs: cpuMs(), mainCpuMs: threadCpuMs(), done }
  }
  return {
    finished: finished.promise,
    begin(): void {
      if (start === undefined && warmUp === 0) startAt(0)
    },
    transactionCommitted(): void {
      transactions++
    },
    committed(partition: number, offset: number): void {
      offsets.set(partition, offset)
      let sum = 0
      for (const each of offsets.values()) sum += each
      if (start === undefined && sum >= warmUp) startAt(sum)
      if (sum < records || start === undefined) return
      finished.resolve({
        seconds: (performance.now() - start.atMs) / 1000,
        cpuSeconds: (cpuMs() - start.cpuMs) / 1000,
        mainCpuSeconds: (threadCpuMs() - start.mainCpuMs) / 1000,
        peakRssBytes: peakRssBytes(),
        records: records - start.done,
        transactions,
        sockets: process.getActiveResourcesInfo().filter(resource => resource === 'TCPSocketWrap').length,
      })
    },
  }
}
