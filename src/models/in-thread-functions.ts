/** Functions "in a worker" without one, for the deterministic driver: the same copies and the same errors, no hard timeout. */
import type { Clock } from '../ops/clock.ts'
import { createFunctionHost, type StepFunctions } from './function-host.ts'
import { EntryQueue, type FunctionLane, requestOf, settle } from './function-lane.ts'

const NO_MARKS = { enter: () => {}, leave: () => {} }

export function createInThreadFunctions(
  functions: StepFunctions,
  { clock, onFatal }: { readonly clock: Clock; readonly onFatal: (error: unknown) => void },
): FunctionLane {
  const host = createFunctionHost(functions, { clock, onFatal, marks: NO_MARKS })
  const waiting = new EntryQueue()
  let isScheduled = false
  let isClosed = false

  async function serveAll(): Promise<void> {
    isScheduled = false
    const serving: Promise<void>[] = []
    while (!waiting.isEmpty) {
      const taken = waiting.take()
      const sent = taken.length > 0 ? requestOf(0, taken) : undefined
      if (!sent) continue
      serving.push(
        host.serve(sent.request).then(reply => {
          if (!isClosed) settle(sent.entries, reply)
        }),
      )
    }
    await Promise.all(serving)
  }

  return {
    push(side, job) {
      waiting.add({ side, job, losses: 0 })
      if (isScheduled || isClosed) return
      isScheduled = true
      queueMicrotask(() => void serveAll().catch(onFatal))
    },
    dropLost: () => waiting.dropLost(),
    async close() {
      isClosed = true
      waiting.clear()
    },
  }
}
