import type { Sampled } from './drift.ts'

const LINE =
  /^\[\d+:(0x[0-9a-f]+)\]\s+(\d+) ms: (Scavenge|Mark-Compact|Minor Mark-Sweep)\b.*?-> ([\d.]+) \(([\d.]+)\) MB/gm

/** The heap of one thread. V8 names a thread by an address. */
export interface HeapTrace {
  /** MB after each full collection: what lives. Seconds since the thread began. */
  readonly live: readonly Sampled[]
  /** MB that the last collection left it, garbage to come included. */
  readonly committedMb: number
}

/** What V8 says with --trace-gc of the heaps of a process, the main thread's first. */
export function heapTraces(log: string): readonly HeapTrace[] {
  const traces = new Map<string, { live: Sampled[]; committedMb: number }>()
  for (const [, thread, ms, kind, live, committed] of log.matchAll(LINE)) {
    const trace = traces.get(thread!) ?? { live: [], committedMb: 0 }
    traces.set(thread!, trace)
    trace.committedMb = Number(committed)
    if (kind === 'Mark-Compact') trace.live.push({ at: Number(ms) / 1_000, value: Number(live) })
  }
  return [...traces.values()]
}
