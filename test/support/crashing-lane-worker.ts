/** A lane's worker that ends by itself when it is asked to run 13 rows (exit), or 14 (an error that nobody catches). */
import { parentPort } from 'node:worker_threads'
import '../../src/models/lane-worker.ts'
import type { ToLane } from '../../src/models/lane-messages.ts'

parentPort?.on('message', (message: ToLane) => {
  if (message.type !== 'run') return
  if (message.rows === 13) process.exit(7)
  if (message.rows === 14) throw new Error('nobody catches this')
})
