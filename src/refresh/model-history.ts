/** What was published for each slot and when, as far back as the log of the metadata topic still has it. */
import { RunInferenceError } from '../errors.ts'
import type { KafkaPort } from '../kafka/port.ts'
import { parseStepModels } from './state-codec.ts'
import { isSameModel, type StepModels } from './step-models.ts'

/** A record of the topic. */
export interface HistoryRecord {
  readonly offset: number
  /** Milliseconds since 1970, as the broker or the writer has it. */
  readonly timestampMs: number
  /** The text of its slot. */
  readonly slot: string
  /** Undefined: a tombstone, the handler's own model serves. */
  readonly state: StepModels | undefined
  /** Why the state cannot be read; then there is none. */
  readonly problem?: string
}

/**
 * `published`: another stable model, `back`: one that was stable before, `canary` and `shadow`: a trial has begun, `own`: the
 * handler's own model, `unreadable`: instances stay with what they have.
 */
export type ChangeKind = 'published' | 'back' | 'canary' | 'shadow' | 'promoted' | 'aborted' | 'own' | 'unreadable'

export interface HistoryEntry extends HistoryRecord {
  readonly kind: ChangeKind
  /** It is what serves now. */
  readonly isCurrent: boolean
  /** Compaction has removed states between this one and the one before. */
  readonly followsGap: boolean
}

/** Everything that the log still holds, in its order. */
export async function readHistory(port: Pick<KafkaPort, 'scan'>, topic: string): Promise<readonly HistoryRecord[]> {
  const records: HistoryRecord[] = []
  for await (const block of port.scan([{ topic, partition: 0, from: 'earliest', to: 'end' }])) {
    for (let i = 0; i < block.count; i++) {
      const at = { offset: block.offset(i), timestampMs: block.timestamp(i), slot: block.key(i)?.toString() ?? '' }
      records.push({ ...at, ...stateOf(block.value(i), `record ${topic}/0/${at.offset}`) })
    }
  }
  return records
}

/** Newest first. `records` in the order of the log. */
export function historyOf(records: readonly HistoryRecord[]): readonly HistoryEntry[] {
  const before = new Map<string, HistoryRecord>()
  const entries = records.map(record => {
    const last = before.get(record.slot)
    // What cannot be read changes nothing: the next one follows what was there before it.
    if (record.problem === undefined) before.set(record.slot, record)
    const followsGap = isGap(last, record)
    return { ...record, kind: kindOf(followsGap ? undefined : last?.state, record), followsGap }
  })
  return entries.map(entry => ({ ...entry, isCurrent: before.get(entry.slot)?.offset === entry.offset })).reverse()
}

function isGap(before: HistoryRecord | undefined, { state, problem }: HistoryRecord): boolean {
  if (state === undefined || problem !== undefined) return false
  // Behind a tombstone, and at the beginning, revisions begin at 1.
  return state.revision !== (before?.state?.revision ?? 0) + 1
}

function kindOf(before: StepModels | undefined, { state, problem }: HistoryRecord): ChangeKind {
  if (problem !== undefined) return 'unreadable'
  if (state === undefined) return 'own'
  const { candidate, stable } = state
  const trial = before?.candidate
  if (candidate && !(trial && isSameTrial(trial, candidate))) return candidate.mode
  if (trial && !candidate && isSameModel(stable, trial.model)) return 'promoted'
  if (trial && !candidate && isSameModel(stable, before.stable)) return 'aborted'
  return before?.previous.some(model => isSameModel(model, stable)) ? 'back' : 'published'
}

type Trial = NonNullable<StepModels['candidate']>

function isSameTrial(a: Trial, b: Trial): boolean {
  return isSameModel(a.model, b.model) && a.mode === b.mode && a.salt === b.salt && a.percent === b.percent
}

function stateOf(value: Buffer | null, where: string): Pick<HistoryRecord, 'state' | 'problem'> {
  if (value === null) return { state: undefined }
  try {
    return { state: parseStepModels(value, where) }
  } catch (error) {
    // The list goes on with the others; this one is shown with its reason.
    if (!(error instanceof RunInferenceError)) throw error
    return { state: undefined, problem: error.message }
  }
}
