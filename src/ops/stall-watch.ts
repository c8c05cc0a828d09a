/**
 * Notices when the main thread has stopped: an endless loop in a function of the user, or in ours. The main thread cannot
 * notice that itself, so a small thread watches a counter in shared memory.
 *
 * 1. When the counter stands still for `stallMs`, the process ends at once, after one line that says what it was doing.
 * 2. Time in which the whole machine or process stood still (suspend, SIGSTOP) does not count: the watcher stood still too.
 * 3. Watching costs a few wake-ups a second and nothing per record.
 */
import { Worker } from 'node:worker_threads'

const CHECKS_PER_STALL = 8
const MAX_CHECK_MS = 500
const NOTE_BYTES = 512
/** Int32 fields in front of the note. */
const FIELD = { beats: 0, noteLength: 1 } as const
const FIELDS = 2

export interface StallWatchOptions {
  /** How long the main thread may not run. */
  readonly stallMs: number
  /** Told how late the main thread was, whenever it was noticeably late. */
  readonly onDelay?: (ms: number) => void
}

export interface StallWatch {
  /** What is being done now, e.g. step, function and where the block begins: per block, for the last line. */
  note(what: string): void
  stop(): Promise<void>
}

// Plain text, so that it needs no file of its own beside this one in every build. It runs in the watching thread.
const WATCHER = `
const { workerData } = require('node:worker_threads')
const { writeSync } = require('node:fs')
const { shared, stallMs, checkMs } = workerData
const fields = new Int32Array(shared, 0, ${FIELDS})
let beats = -1
let still = 0
let last = performance.now()
setInterval(() => {
  const now = performance.now()
  const passed = Math.min(now - last, 2 * checkMs)
  last = now
  const current = Atomics.load(fields, ${FIELD.beats})
  still = current === beats ? still + passed : 0
  beats = current
  if (still < stallMs) return
  const note = Buffer.from(new Uint8Array(shared, ${FIELDS * 4}, Atomics.load(fields, ${FIELD.noteLength}))).toString()
  const where = note || 'nothing that was noted'
  writeSync(2, JSON.stringify({ level: 60, code: 'STALLED', stallMs, msg:
    '[STALLED] the main thread has not run for ' + Math.round(still) + ' ms; it was doing: ' + where +
    '. The process ends with nothing more committed' }) + '\\n')
  process.kill(process.pid, 'SIGKILL')
}, checkMs)
`

/** Starts watching. Neither side keeps the process alive. */
export function startStallWatch({ stallMs, onDelay }: StallWatchOptions): StallWatch {
  const checkMs = Math.min(MAX_CHECK_MS, stallMs / CHECKS_PER_STALL)
  const shared = new SharedArrayBuffer(FIELDS * 4 + NOTE_BYTES)
  const fields = new Int32Array(shared, 0, FIELDS)
  const note = new Uint8Array(shared, FIELDS * 4)
  let expected = performance.now() + checkMs
  const beat = setInterval(() => {
    Atomics.add(fields, FIELD.beats, 1)
    const now = performance.now()
    if (now - expected > checkMs) onDelay?.(now - expected)
    expected = now + checkMs
  }, checkMs)
  beat.unref()
  // Without the flags of this process: they may say how to read a module, and this is a script.
  const watcher = new Worker(WATCHER, { eval: true, execArgv: [], workerData: { shared, stallMs, checkMs } })
  watcher.unref()
  return {
    note(what) {
      const bytes = Buffer.from(what).subarray(0, NOTE_BYTES)
      note.set(bytes)
      Atomics.store(fields, FIELD.noteLength, bytes.length)
    },
    async stop() {
      clearInterval(beat)
      // It runs no native code of ours, so it can be ended at any time.
      await watcher.terminate()
    },
  }
}
