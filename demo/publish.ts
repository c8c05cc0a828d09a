/** Publishes a model as an operator does: `kri models publish`, which waits for the fleet. */
import { text } from 'node:stream/consumers'
import type { WaitResult } from '../src/refresh/fleet-wait.ts'
import { startKri } from './kri.ts'

const WAIT_SECONDS = 60

/** What the fleet made of a model that was published. */
export interface Publication {
  readonly modelId: string
  readonly revision: number
  readonly outcome: WaitResult['outcome']
  /** What the first instance that does not run it says of that. */
  readonly reason: string | undefined
  /** What serves there. */
  readonly serves: string | undefined
  readonly seconds: number
}

export interface PublishOptions {
  readonly brokers: readonly string[]
  readonly modelId: string
  /** Publish it without a look at it: then it is for the instances to refuse it. */
  readonly unchecked?: boolean
  /** Stands beside it in the history. */
  readonly reason?: string
  readonly resources: AsyncDisposableStack
}

/** Rejects when nothing was published. */
export async function publish(options: PublishOptions): Promise<Publication> {
  const { brokers, modelId, unchecked = false, reason, resources } = options
  const startedAtMs = performance.now()
  const flags = ['--brokers', brokers.join(), '--wait', String(WAIT_SECONDS), '--log-level', 'error', '--json']
  const more = [...(unchecked ? ['--no-check'] : []), ...(reason === undefined ? [] : ['--reason', reason])]
  const words = ['models', 'publish', 'topologies/digits.ts', modelId, ...flags, ...more]
  const { child, ended } = startKri(words, resources)
  const [output, problem, code] = await Promise.all([text(child.stdout!), text(child.stderr!), ended])
  if (output === '') throw new Error(`kri ${words.join(' ')} ended with ${code ?? child.signalCode}: ${problem}`)
  const { state, waited } = JSON.parse(output) as {
    readonly state: { readonly revision: number }
    readonly waited: WaitResult
  }
  const instance = waited.instances.find(each => each.state !== 'current') ?? waited.instances[0]
  return {
    modelId,
    revision: state.revision,
    outcome: waited.outcome,
    reason: instance?.reason,
    serves: instance?.modelId,
    seconds: (performance.now() - startedAtMs) / 1000,
  }
}
