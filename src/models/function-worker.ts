/**
 * Entry of the worker thread that runs the functions of a step. It may be terminated at any time: it runs no native code of
 * ours. What a function leaves behind and fails later, when it belongs to no element any more, is told and does not end it.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { RunInferenceError } from '../errors.ts'
import { functionsAt } from '../function-place.ts'
import { systemClock } from '../ops/clock.ts'
import { importTopology } from '../topology-module.ts'
import { createFunctionHost, type FunctionHost } from './function-host.ts'
import { markCalls } from './function-marks.ts'
import type { FromFunctionWorker, FunctionRequest, FunctionWorkerData } from './function-messages.ts'
import { carryError } from './lane-messages.ts'

const port = parentPort
if (!port) throw new Error('function-worker is the entry of a worker thread; function-lane starts it')
const { place, marks: memory, beatMs } = workerData as FunctionWorkerData
const marks = markCalls(memory)

const tell = (message: FromFunctionWorker, moved: readonly ArrayBuffer[] = []) => port.postMessage(message, moved)
const warn = (what: string) => (error: unknown) =>
  tell({ type: 'warning', text: RunInferenceError.wrap(error, 'FUNCTION_THREW', what).message })
process.on('unhandledRejection', warn('a promise that a function left behind was rejected'))
process.on('uncaughtException', warn('something that a function left behind threw'))

/** A bug of ours: its chunk would never be answered, so the worker ends, and another one does it. */
const die = (error: unknown) => {
  warn('a bug of this project')(error)
  process.exit(1)
}

const host = await open()
if (host) {
  let serving = 0
  let beating: NodeJS.Timeout | undefined
  const serve = async (request: FunctionRequest) => {
    serving++
    beating ??= setInterval(marks.beat, beatMs)
    const reply = await host.serve(request)
    tell(
      reply,
      reply.results.map(({ buffer }) => buffer),
    )
    if (--serving > 0) return
    clearInterval(beating)
    beating = undefined
  }
  port.on('message', (request: FunctionRequest) => void serve(request).catch(die))
  tell({ type: 'opened' })
}

async function open(): Promise<FunctionHost | undefined> {
  try {
    const { file, parameters } = place.module
    const functions = functionsAt((await importTopology(file)).build(parameters), place)
    return createFunctionHost(functions, { clock: systemClock, marks, onFatal: die })
  } catch (error) {
    tell({ type: 'refused', error: carryError(RunInferenceError.from(error, 'TOPOLOGY_INVALID')) })
    return undefined
  }
}
