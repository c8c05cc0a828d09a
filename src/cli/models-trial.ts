import type { Act } from '../refresh/publish-plan.ts'
import { aborted, promoted } from '../refresh/state-changes.ts'
import type { StepModels } from '../refresh/step-models.ts'
import { chosenSlot } from '../refresh/topology-slots.ts'
import { tellChange, write } from './models-change.ts'
import { actOf, type ChangeFlags, withModels } from './models-session.ts'

/** The model on trial becomes the stable one. */
export async function promoteModel(module: string, flags: ChangeFlags): Promise<void> {
  await endTrial(module, flags, (state, { by, at, reason }) => promoted(state, by, at, reason))
}

/** The trial ends, and the stable model stays. */
export async function abortModel(module: string, flags: ChangeFlags): Promise<void> {
  await endTrial(module, flags, (state, { by, at, reason }) => aborted(state, by, at, reason))
}

async function endTrial(
  module: string,
  flags: ChangeFlags,
  decide: (state: StepModels | undefined, act: Act) => StepModels,
): Promise<void> {
  await withModels(module, flags, async session => {
    const slot = chosenSlot(session.slots, flags, module)
    const act = actOf(flags)
    const change = await write(session, slot, state => decide(state, act))
    await tellChange(session, slot, change!, flags)
  })
}
