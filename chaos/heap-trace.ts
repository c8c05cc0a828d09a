import type { Sampled } from './drift.ts'

const LINE = /^\[\d+:(0x[0-9a-f]+)\]\s+(\d+) ms: Mark-Compact\b.*?-> ([\d.]+) \([\d.]+\) MB/gm

/**
 * What V8 says with --trace-gc of the heaps of a process, by thread, the main thread's first: MB after each full collection,
 * which is what lives. Seconds since the thread began.
 */
export function liveHeaps(log: string): readonly (readonly Sampled[])[] {
  // V8 names a thread by an address.
  const threads = new Map<string, Sampled[]>()
  for (const [, thread, ms, live] of log.matchAll(LINE)) {
    const samples = threads.get(thread!) ?? []
    threads.set(thread!, samples)
    samples.push({ at: Number(ms) / 1_000, value: Number(live) })
  }
  return [...threads.values()]
}
