/**
 * Preloaded into every thread of an instance (`--import`, with `--expose-gc`): on SIGUSR2 each collects all that V8 can collect
 * and gives the memory back, so that what is left is what lives.
 */
import { isMainThread } from 'node:worker_threads'

const threads = new BroadcastChannel('collect')
threads.onmessage = collect
threads.unref()
if (isMainThread) {
  process.on('SIGUSR2', () => {
    threads.postMessage('')
    collect()
  })
}

function collect() {
  globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
