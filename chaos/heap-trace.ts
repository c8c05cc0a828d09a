import type { Sampled } from './drift.ts'

const LINE = /^\[\d+:(0x[0-9a-f]+)\]\s+(\d+) ms: Mark-Compact.*?-> ([\d.]+) \(/gm

/**
 * What V8 says with --trace-gc: the heap of the main thread, in MB, after each full collection. Threads have a heap of their
 * own; the main thread's is the first that is told of.
 */
export function heapAfterCollections(log: string): readonly Sampled[] {
  const main = /^\[\d+:(0x[0-9a-f]+)\]/m.exec(log)?.[1]
  return [...log.matchAll(LINE)]
    .filter(([, isolate]) => isolate === main)
    .map(([, , ms, mb]) => ({ at: Number(ms) / 1_000, value: Number(mb) }))
}
