import { readHistory } from '../refresh/model-history.ts'
import { rollback } from '../refresh/publish-plan.ts'
import { chosenSlot } from '../refresh/topology-slots.ts'
import { unlessInterrupted } from './command-session.ts'
import { tellChange, write } from './models-change.ts'
import { actOf, type ChangeFlags, withModels } from './models-session.ts'

export interface RollbackFlags extends ChangeFlags {
  /** A revision, a model id, or `own`. */
  readonly to?: string
}

/** Publishes what was stable before. */
export async function rollbackModel(module: string, flags: RollbackFlags): Promise<void> {
  await withModels(module, flags, async session => {
    const { port, metadataTopic, slots, signal } = session
    const slot = chosenSlot(slots, flags, module)
    const history = await unlessInterrupted(signal, readHistory(port, metadataTopic))
    const records = history.filter(record => record.slot === slot.text)
    const act = actOf(flags)
    const change = await write(session, slot, state => rollback(state, flags.to, records, act))
    await tellChange(session, slot, change!, flags)
  })
}
