import { parkedTopic, replayTopic } from '../kafka/topic-names.ts'
import type { DeadLetter } from './dead-letter.ts'
import type { ReplayOrder } from './replay-audit.ts'

/** What becomes of a letter. Without a partition its key decides. */
export type ReplayPlace =
  | { readonly what: 'replayed' | 'parked'; readonly topic: string; readonly partition: number | undefined }
  | { readonly what: 'lost'; readonly why: string }

export interface PlaceOptions extends Pick<ReplayOrder, 'target' | 'maxReplays'> {
  readonly applicationId: string
  readonly topology: string
  /** Sources that a record may go back to: what a header says is no permission. */
  readonly sources: ReadonlySet<string>
}

/** Where a letter goes. One that was replayed `maxReplays` times, and failed again, is for people. */
export function replayPlace({ original, replayCount }: DeadLetter, options: PlaceOptions): ReplayPlace {
  const { target, maxReplays, applicationId, topology, sources } = options
  const partition = original.partition !== null && original.partition >= 0 ? original.partition : undefined
  if (target.kind === 'parked' || replayCount >= maxReplays)
    return { what: 'parked', topic: parkedTopic(topology), partition }
  if (target.kind === 'topic') return { what: 'replayed', topic: target.topic, partition: undefined }
  const source = original.topic
  if (source === null) return { what: 'lost', why: 'it does not say which topic it was first read from' }
  if (!sources.has(source))
    return { what: 'lost', why: `it was first read from ${source}, which the topology does not read` }
  return { what: 'replayed', topic: target.kind === 'source' ? source : replayTopic(applicationId, source), partition }
}
