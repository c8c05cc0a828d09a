/**
 * Waits until the fleet runs what was published: every member that its groups have now, and none that is gone (the records of
 * dead instances stay in the status topic for a while, and do not count).
 */
import { type Clock, sleep } from '../ops/clock.ts'
import type { Fleet } from './fleet-status.ts'
import type { ModelStatus, SlotStatus } from './status-record.ts'

/** What is waited for: the record of a slot, and whether it is its candidate that has to run. */
export interface AwaitedModel {
  readonly slot: string
  /** Of the record. */
  readonly offset: number
  readonly isTrial: boolean
}

/** `behind`: it has not read the record yet. `overtaken`: it has read a later one. */
export type AwaitedState = 'behind' | 'loading' | 'current' | 'failed' | 'overtaken'

export interface AwaitedInstance {
  readonly instance: string
  readonly state: AwaitedState
  /** Why it is not current, in its own words. */
  readonly reason?: string
  /** What serves there now. */
  readonly modelId?: string
}

/** `nobody`: no instance is a member of the groups. */
export type WaitOutcome = 'current' | 'failed' | 'overtaken' | 'late' | 'nobody'

export interface WaitResult {
  readonly outcome: WaitOutcome
  readonly instances: readonly AwaitedInstance[]
  /** Members that have not said anything. */
  readonly silent: readonly string[]
  readonly seconds: number
}

export interface WaitParts {
  /** The fleet as it is now; a rejection ends the wait. */
  readonly look: () => Promise<WaitedFleet>
  readonly clock: Clock
  readonly budgetMs: number
  /** Between two looks. */
  readonly pauseMs: number
  readonly signal?: AbortSignal
  /** Told of each instance at first, and then of what changes. */
  readonly onChange?: (instance: AwaitedInstance) => void
}

/** Instances that are not members yet may have died on their way: they are not waited for. */
export type WaitedFleet = Pick<Fleet, 'slots' | 'silent'>

/** Ends early when nobody is still on the way. */
export async function waitForFleet(model: AwaitedModel, parts: WaitParts): Promise<WaitResult> {
  const { clock, look, budgetMs, pauseMs, signal, onChange } = parts
  const startedMs = clock.now()
  const told = new Map<string, string>()
  for (;;) {
    const fleet = await look()
    const instances = awaitedInstances(model, fleet)
    for (const instance of instances) {
      const text = JSON.stringify(instance)
      if (told.get(instance.instance) !== text) onChange?.(instance)
      told.set(instance.instance, text)
    }
    const isOver = clock.now() - startedMs >= budgetMs || signal?.aborted === true
    const outcome = outcomeOf(instances, fleet.silent, isOver)
    if (outcome !== undefined)
      return { outcome, instances, silent: fleet.silent, seconds: (clock.now() - startedMs) / 1000 }
    await sleep(clock, Math.min(pauseMs, Math.max(1, startedMs + budgetMs - clock.now())), signal)
  }
}

/** How far each instance is that has the slot. */
export function awaitedInstances(
  { slot, offset, isTrial }: AwaitedModel,
  { slots }: Pick<Fleet, 'slots'>,
): readonly AwaitedInstance[] {
  const members = slots.find(each => each.slot === slot)?.instances ?? []
  return members.map(({ instance, status }) => awaited(instance, status, offset, isTrial))
}

function awaited(instance: string, status: SlotStatus, offset: number, isTrial: boolean): AwaitedInstance {
  const model: ModelStatus | undefined = isTrial ? status.candidate : status
  // A trial that has ended is in no status: what the stable model has read tells.
  const readUpTo = Math.max(status.metadataOffset, model?.metadataOffset ?? -1)
  const state = stateOf(readUpTo, offset, model)
  const { reason, modelId } = model ?? {}
  return {
    instance,
    state,
    ...(reason === undefined || state === 'behind' ? {} : { reason }),
    ...(modelId === undefined ? {} : { modelId }),
  }
}

function stateOf(readUpTo: number, offset: number, model: ModelStatus | undefined): AwaitedState {
  if (readUpTo < offset || model === undefined) return readUpTo > offset ? 'overtaken' : 'behind'
  if (readUpTo > offset) return 'overtaken'
  return model.state === 'ready' ? 'loading' : model.state
}

function outcomeOf(
  instances: readonly AwaitedInstance[],
  silent: readonly string[],
  isOver: boolean,
): WaitOutcome | undefined {
  const has = (...states: readonly AwaitedState[]) => instances.some(({ state }) => states.includes(state))
  const isOnItsWay = instances.length === 0 || silent.length > 0 || has('behind', 'loading')
  if (isOnItsWay && !isOver && !has('overtaken')) return undefined
  if (has('failed')) return 'failed'
  if (has('overtaken')) return 'overtaken'
  if (instances.length === 0 && silent.length === 0) return 'nobody'
  return isOnItsWay ? 'late' : 'current'
}
