/** What is said of a worker that was lost. */
import { RunInferenceError } from '../errors.ts'
import type { ModelSpec } from './executor.ts'
import type { FromLane, ToLane } from './lane-messages.ts'

export interface Loss {
  /** Of the lane. */
  readonly name: string
  readonly how: string
  /** The time that the call had, when it was ended for taking longer. */
  readonly expiredMs: number | undefined
}

/** What the worker was at, and how it ended. */
export function causeOf(message: ToLane | undefined, { how, expiredMs }: Loss): string {
  if (message === undefined) return `while idle: ${how}`
  if (expiredMs === undefined) return `during a '${message.type}': ${how}`
  const hasOwn = message.type === 'run' || message.type === 'control'
  const setting = hasOwn || (message.type === 'load' && message.timeoutMs !== undefined) ? '' : 'stuckMs, '
  return `since a '${message.type}' took longer than ${setting}${expiredMs} ms: ${how}`
}

/** The error of a run or control batch that ended its worker. */
export function guilty(message: ToLane, { uri, timeoutMs }: ModelSpec, loss: Loss): RunInferenceError {
  const { name, how, expiredMs } = loss
  const work = message.type === 'run' ? `${message.rows} row${message.rows === 1 ? '' : 's'}` : 'the control batch'
  if (expiredMs === undefined)
    return new RunInferenceError('WORKER_LOST', `${uri}: the worker of ${name} was lost while it ran ${work}: ${how}`)
  const limit = `${timeoutMs === undefined ? 'stuckMs' : 'timeoutMs'} (${expiredMs} ms)`
  return new RunInferenceError('TIMEOUT', `${uri}: ${work} took longer than ${limit} on ${name}: ${how}`)
}

/** Why a model is not what it was before its worker was lost; undefined when it is. */
export function reloadProblem(reply: FromLane, uri: string, sha256: string | undefined): string | undefined {
  if (reply.type === 'failed') return reply.error.message
  if (reply.type !== 'loaded') return `'${reply.type}' answers a load`
  if (reply.loaded.sha256 === sha256) return undefined
  return `${uri} has changed since it was loaded; put the old file back, or start again to use the new one`
}
