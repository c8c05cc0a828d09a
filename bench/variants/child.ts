/** The child's side of a variant: one order in, one result out, a request to stop in between (see ../child.ts). */
import { letHeapGrow } from '../../src/ops/heap-growth.ts'
import type { FromChild, ToChild } from '../child.ts'

// As `kri run` does; all variants get the same V8.
letHeapGrow()

const orderCame = Promise.withResolvers<unknown>()
const stopCame = Promise.withResolvers<void>()

process.on('message', (message: ToChild) => {
  if (message.type === 'order') orderCame.resolve(message.order)
  else if (message.type === 'stop') stopCame.resolve()
  else send({ type: 'usage', cpuMs: cpuMs() })
})
// Whoever started this variant has gone: nobody wants its result.
process.on('disconnect', () => process.exit(1))

/** What this child is to do. */
export async function receiveOrder<T>(): Promise<T> {
  return (await orderCame.promise) as T
}

export function reportReady(): void {
  send({ type: 'ready' })
}

/** Resolves when the parent says stop. */
export function untilStopped(): Promise<void> {
  return stopCame.promise
}

/** Hands the result to the parent and lets this process end. */
export function reportResult(result: object): void {
  send({ type: 'result', result })
  // Connections were closed by the variant; the channel to the parent is what keeps the process alive.
  process.removeAllListeners('disconnect')
  process.disconnect()
}

/** Milliseconds of processor time so far, of all threads. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** The same of the thread that asks. */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

export function peakRssBytes(): number {
  return process.resourceUsage().maxRSS * 1024
}

function send(message: FromChild): void {
  process.send!(message)
}
