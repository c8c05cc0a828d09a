/** Writes a change of a slot by compare and set, says what it was, and waits for the fleet where that was asked for. */
import { shownModelId } from '../credentials.ts'
import { systemClock } from '../ops/clock.ts'
import { type AwaitedInstance, type WaitResult, waitForFleet } from '../refresh/fleet-wait.ts'
import { changeMetadata, type Decision, type WrittenState } from '../refresh/metadata-writer.ts'
import type { StepModels } from '../refresh/step-models.ts'
import type { TopologySlot } from '../refresh/topology-slots.ts'
import { unlessInterrupted } from './command-session.ts'
import { fleetNow } from './models-fleet.ts'
import type { ChangeFlags, ModelsSession } from './models-session.ts'
import { actText, say, sayJson, shownText, slotArguments, stableText, trialText } from './models-text.ts'

export const WAIT_SECONDS = 60
const LOOK_EVERY_MS = 250

/** What was written, and what it took the place of. */
export interface Change extends WrittenState {
  readonly before: StepModels | undefined
}

/** Undefined: `decide` found that all is well as it is. */
export async function write(
  session: ModelsSession,
  slot: TopologySlot,
  decide: (state: StepModels | undefined) => Decision,
): Promise<Change | undefined> {
  const { port, topology, signal, progress } = session
  let before: StepModels | undefined
  progress.show(`writing: ${session.metadataTopic}`)
  const written = await changeMetadata(
    { port, applicationId: topology.applicationId, clock: systemClock, random: Math.random },
    slot.text,
    state => {
      before = state
      return decide(state)
    },
    signal,
  )
  progress.clear()
  return written && { ...written, before }
}

/** Prints what was written, then waits. Exit code 1 when the fleet does not come to run it. `facts`: more for `--json`. */
export async function tellChange(
  session: ModelsSession,
  slot: TopologySlot,
  change: Change,
  flags: ChangeFlags,
  facts: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const { offset, state, before } = change
  const isTrial = state?.candidate !== undefined
  if (flags.json !== true) sayChange(session, slot, change)
  const waited = flags.wait === undefined ? undefined : await wait(session, slot, offset, isTrial, flags)
  if (flags.json === true) sayJson({ slot: slot.text, offset, state, before, ...facts, waited })
  else if (waited) sayWaited(waited)
  if (waited && waited.outcome !== 'current') process.exitCode = 1
}

function sayChange({ module }: ModelsSession, slot: TopologySlot, { offset, state, before }: Change): void {
  say(`${slot.text}: revision ${state?.revision ?? 0} (offset ${offset})${state ? `, ${actText(state)}` : ''}`)
  say(`  serves: ${stableText(state)}`)
  if (state?.candidate) say(`  on trial: ${trialText(state.candidate)}`)
  say(`  before: ${stableText(before)}`)
  if (before?.candidate && !state?.candidate) say(`  the trial is over: ${trialText(before.candidate)}`)
  const at = slotArguments(module, slot)
  say(
    state?.candidate
      ? `  next: kri models promote ${at}, or kri models abort ${at}`
      : `  back: kri models rollback ${at}`,
  )
}

async function wait(
  session: ModelsSession,
  slot: TopologySlot,
  offset: number,
  isTrial: boolean,
  { wait: seconds, json }: ChangeFlags,
): Promise<WaitResult> {
  const { signal, progress } = session
  const budgetMs = 1_000 * (seconds === true ? WAIT_SECONDS : seconds!)
  const tell = (instance: AwaitedInstance) => {
    progress.clear()
    if (json !== true) say(`  ${instanceText(instance)}`)
  }
  return await waitForFleet(
    { slot: slot.text, offset, isTrial },
    {
      look: async () => {
        const fleet = await unlessInterrupted(signal, fleetNow(session))
        progress.show(`waiting: ${fleet.members} members of the group`)
        return fleet
      },
      ...{ clock: systemClock, budgetMs, pauseMs: LOOK_EVERY_MS, signal, onChange: tell },
    },
  ).finally(() => progress.clear())
}

function instanceText({ instance, state, reason, modelId }: AwaitedInstance): string {
  const words = { behind: 'has not read it yet', loading: 'loads it', current: 'runs it', failed: 'failed' }
  if (state === 'overtaken') return `${instance} has read a later publication`
  const served =
    state === 'failed' && modelId !== undefined ? `, and goes on with ${shownModelId(modelId) || 'its own model'}` : ''
  return `${instance} ${words[state]}${reason === undefined ? '' : `: ${reason}`}${served}`
}

function sayWaited(result: WaitResult): void {
  const text = waitedText(result)
  if (result.outcome === 'current') say(text)
  else console.error(shownText(text))
}

function waitedText({ outcome, instances, silent, seconds }: WaitResult): string {
  const all = `${instances.length} instance${instances.length === 1 ? '' : 's'}`
  const took = `after ${seconds.toFixed(1)} s`
  const without = instances.filter(({ state }) => state !== 'current').map(({ instance }) => instance)
  const names = [...without, ...silent.map(id => `member ${id}, which tells nothing of itself`)].join(', ')
  const next = 'Look with kri models status; what is published stays so until kri models rollback'
  switch (outcome) {
    case 'current':
      return `all ${all} run it, ${took}`
    case 'failed':
      return `of ${all} not all run it, ${took}: ${names}. ${next}`
    case 'late':
      return `still on the way ${took}: ${names}. ${next}`
    case 'overtaken':
      return `somebody published something else meanwhile, ${took}. Look with kri models ls`
    case 'nobody':
      return `no instance is in the group, ${took}: instances that start will take it up. Start one with kri run`
  }
}
