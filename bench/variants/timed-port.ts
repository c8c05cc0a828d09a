/**
 * The clock that all variants on our port share. A run lasts from the first assignment, when the member sends its first
 * fetch, to the answer of the commit behind which every record of the topic is committed.
 */
import type { KafkaPort } from '../../src/kafka/port.ts'
import { cpuMs, peakRssBytes, threadCpuMs } from './child.ts'

export interface Measured {
  readonly seconds: number
  /** Of the whole process, within those seconds. */
  readonly cpuSeconds: number
  /** Of the main thread. */
  readonly mainCpuSeconds: number
  readonly peakRssBytes: number
}

export interface TimedPort {
  readonly port: KafkaPort
  /** Resolves when `records` records of `topic` are committed. */
  readonly finished: Promise<Measured>
}

export function timedPort(port: KafkaPort, topic: string, records: number): TimedPort {
  const watch = startWatch(records)
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
    },
  }
}

/** Counts what is committed; offsets of the topics here begin at 0 and have no gaps. */
export function startWatch(records: number) {
  const finished = Promise.withResolvers<Measured>()
  const offsets = new Map<number, number>()
  let startedAt: number | undefined
  let cpuAtStart = 0
  let mainCpuAtStart = 0
  return {
    finished: finished.promise,
    begin(): void {
      if (startedAt !== undefined) return
      startedAt = performance.now()
      cpuAtStart = cpuMs()
      mainCpuAtStart = threadCpuMs()
    },
    committed(partition: number, offset: number): void {
      offsets.set(partition, offset)
      let sum = 0
      for (const each of offsets.values()) sum += each
      if (sum < records || startedAt === undefined) return
      const seconds = (performance.now() - startedAt) / 1000
      finished.resolve({
        seconds,
        cpuSeconds: (cpuMs() - cpuAtStart) / 1000,
        mainCpuSeconds: (threadCpuMs() - mainCpuAtStart) / 1000,
        peakRssBytes: peakRssBytes(),
      })
    },
  }
}
