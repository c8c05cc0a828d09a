import { shownModelId } from '../credentials.ts'
import { isCurrent, type SlotFleet } from '../refresh/fleet-status.ts'
import { modelText } from '../refresh/publish-plan.ts'
import type { ModelStatus } from '../refresh/status-record.ts'
import { chosenSlots } from '../refresh/topology-slots.ts'
import { unlessInterrupted } from './command-session.ts'
import { type FleetNow, fleetNow } from './models-fleet.ts'
import { type ModelsFlags, withModels } from './models-session.ts'
import { say, sayJson, trialText } from './models-text.ts'

/** Shows what every instance runs. Exit code 1 when one does not run what is published, or tells nothing. */
export async function modelsStatus(module: string, flags: ModelsFlags): Promise<void> {
  await withModels(module, flags, async session => {
    const chosen = chosenSlots(session.slots, flags, module)
    const isChosen = ({ slot }: SlotFleet) => chosen.some(({ text }) => text === slot)
    const fleet = await unlessInterrupted(session.signal, fleetNow(session))
    const slots = fleet.slots.filter(isChosen)
    const isWell = fleet.silent.length === 0 && slots.every(each => each.instances.length === 0 || isCurrent(each))
    if (flags.json === true) printJson(fleet, slots, isWell)
    else printText(fleet, slots)
    if (!isWell) process.exitCode = 1
  })
}

function printJson({ ignored, unreadable, ...fleet }: FleetNow, slots: readonly SlotFleet[], isWell: boolean): void {
  const maps = { ignored: Object.fromEntries(ignored), unreadable: Object.fromEntries(unreadable) }
  sayJson({ current: isWell, ...fleet, slots, ...maps })
}

function printText(fleet: FleetNow, slots: readonly SlotFleet[]): void {
  const { members, silent, waiting, gone, ignored, unreadable } = fleet
  say(members === 0 ? 'no instance is in the group' : `${members} members of the group`)
  for (const { slot, published, instances } of slots) {
    const state = published?.state
    say(`${slot}: ${state ? `revision ${state.revision}, ${modelText(state.stable)}` : "the handler's own model"}`)
    if (state?.candidate) say(`  on trial: ${trialText(state.candidate)}`)
    for (const { instance, status, progress } of instances) {
      say(`  ${instance}  ${modelStatusText(progress, status)}`)
      if (status.candidate) say(`  ${instance}  on trial: ${modelStatusText(status.candidate.state, status.candidate)}`)
    }
  }
  for (const id of silent) say(`member ${id}: tells nothing of its models; it may be starting`)
  for (const { instance, slots: own } of waiting)
    for (const status of own)
      say(`${instance}  not in the group yet: ${status.slot} ${modelStatusText(status.state, status)}`)
  if (gone.length > 0) say(`gone without a goodbye, and not counted: ${gone.join(', ')}`)
  for (const [slot, why] of ignored) say(`${slot}: published, and ignored by the instances: ${why}`)
  for (const [id, why] of unreadable) say(`status of ${id} cannot be read: ${why}`)
}

function modelStatusText(progress: string, { modelId, reason, since, metadataOffset }: ModelStatus): string {
  const serving = modelId === undefined ? 'nothing serves' : `serves ${shownModelId(modelId) || 'its own model'}`
  const why = reason === undefined ? '' : `: ${reason}`
  return `${progress} since ${since} (offset ${metadataOffset}), ${serving}${why}`
}
