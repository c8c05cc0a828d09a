import { parentPort, workerData } from 'node:worker_threads'
import { type RawSessionOrder, runRawSession } from './raw-session.ts'

parentPort?.postMessage(await runRawSession(workerData as RawSessionOrder))
