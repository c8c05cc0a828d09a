import { type HistoryEntry, historyOf, readHistory } from '../refresh/model-history.ts'
import { modelText } from '../refresh/publish-plan.ts'
import { chosenSlots, type TopologySlot } from '../refresh/topology-slots.ts'
import { unlessInterrupted } from './command-session.ts'
import { type ModelsFlags, type ModelsSession, withModels } from './models-session.ts'
import { actText, say, sayJson, stableText, trialText } from './models-text.ts'

/** Shows what is published, and what was, newest first. */
export async function listModels(module: string, flags: ModelsFlags): Promise<void> {
  await withModels(module, flags, async session => {
    const { slots, port, metadataTopic, signal } = session
    const chosen = chosenSlots(slots, flags, module)
    const history = historyOf(await unlessInterrupted(signal, readHistory(port, metadataTopic)))
    const lists = chosen.map(slot => ({ slot, entries: history.filter(entry => entry.slot === slot.text) }))
    const others = history.filter(({ slot, isCurrent }) => isCurrent && !slots.some(({ text }) => text === slot))
    if (flags.json === true) printJson(lists, others)
    else printText(lists, others, session)
  })
}

interface SlotHistory {
  readonly slot: TopologySlot
  /** Newest first. */
  readonly entries: readonly HistoryEntry[]
}

/** States that no slot of the topology has a use for. */
type Others = readonly HistoryEntry[]

function currentOf(entries: readonly HistoryEntry[]): HistoryEntry | undefined {
  return entries.find(({ isCurrent }) => isCurrent)
}

function printJson(lists: readonly SlotHistory[], others: Others): void {
  const slots = lists.map(({ slot: { text, step, keys }, entries }) => {
    const current = currentOf(entries)
    return { slot: text, step, keys, offset: current?.offset ?? null, state: current?.state ?? null, history: entries }
  })
  sayJson({ slots, ignored: others.map(({ slot, offset, state }) => ({ slot, offset, state })) })
}

function printText(lists: readonly SlotHistory[], others: Others, { module }: ModelsSession): void {
  for (const { slot, entries } of lists) {
    const state = currentOf(entries)?.state
    const alike = slot.keys === undefined || slot.keys.length === 1 ? '' : ` (keys ${slot.keys.join(', ')})`
    say(`${slot.text}${alike}: ${stableText(state)}`)
    if (state?.candidate) say(`  on trial: ${trialText(state.candidate)}`)
    if (state !== undefined) say(`  back to: ${state.previous.map(modelText).join(', ') || 'nothing'}`)
    for (const entry of entries) {
      say(`  ${entryText(entry)}`)
      if (entry.followsGap) say('  … older ones were compacted away')
    }
  }
  for (const { slot, state } of others)
    console.error(`${slot}: ${stableText(state)} is published, and ${module} has no such step or key: it is ignored`)
}

function entryText({ offset, kind, state, problem, timestampMs, isCurrent }: HistoryEntry): string {
  const mark = isCurrent ? '*' : ' '
  const at = `${mark} offset ${offset}`
  if (problem !== undefined) return `${at}  cannot be read: ${problem}`
  if (state === undefined)
    return `${at}  ${new Date(timestampMs).toISOString()}  back to the handler's own model (tombstone)`
  const { revision, stable, candidate } = state
  const what = {
    published: `published ${modelText(stable)}`,
    back: `back to ${modelText(stable)}`,
    promoted: `promoted ${modelText(stable)}`,
    aborted: `trial given up, ${modelText(stable)} stays`,
    canary: candidate && trialText(candidate),
    shadow: candidate && trialText(candidate),
    own: "the handler's own model",
    unreadable: '',
  }[kind]
  return `${at}  revision ${revision}  ${what}  ${actText(state)}`
}
