import type { DeadLetter } from './dead-letter.ts'
import { fingerprintOf, normalised } from './fingerprint.ts'

/** Dead letters that failed for one reason. Times are in milliseconds since 1970. */
export interface LetterGroup {
  readonly fingerprint: string
  readonly stage: string | null
  readonly step: string | null
  readonly code: string | null
  /** Of the first one, without what differs from record to record. */
  readonly message: string
  readonly count: number
  readonly firstSeen: number
  readonly lastSeen: number
  /** How often batches of these were tried, at most. */
  readonly attempts: number
  /** How many had been replayed before they failed, and how often at most. */
  readonly replayed: number
  readonly mostReplays: number
  /** Ids of models that were at work, at most `MAX_MODELS`. */
  readonly modelIds: readonly string[]
  /** The newest one. */
  readonly example: DeadLetter
}

/** Beyond these, letters are counted and not told apart: memory is bounded, whatever is in a topic. */
export const MAX_GROUPS = 10_000
export const MAX_MODELS = 8

interface Group {
  readonly fingerprint: string
  readonly first: Pick<LetterGroup, 'stage' | 'step' | 'code' | 'message'>
  count: number
  firstSeen: number
  lastSeen: number
  attempts: number
  replayed: number
  mostReplays: number
  readonly modelIds: Set<string>
  example: DeadLetter
}

/** Counts dead letters by fingerprint. */
export class LetterGroups {
  readonly #groups = new Map<string, Group>()
  #all = 0
  #others = 0

  /** The fingerprint of the letter. */
  add(letter: DeadLetter): string {
    this.#all++
    const seenAt = letter.failedAt ?? letter.writtenAt
    const fingerprint = fingerprintOf(letter)
    const group = this.#groups.get(fingerprint) ?? this.#open(fingerprint, letter, seenAt)
    if (!group) return fingerprint
    group.count++
    group.firstSeen = Math.min(group.firstSeen, seenAt)
    if (seenAt >= group.lastSeen) {
      group.lastSeen = seenAt
      group.example = letter
    }
    group.attempts = Math.max(group.attempts, letter.attempt ?? 1)
    if (letter.replayCount > 0) group.replayed++
    group.mostReplays = Math.max(group.mostReplays, letter.replayCount)
    if (letter.modelId !== null && group.modelIds.size < MAX_MODELS) group.modelIds.add(letter.modelId)
    return fingerprint
  }

  /** All letters. */
  get count(): number {
    return this.#all
  }

  /** Letters of groups beyond `MAX_GROUPS`. */
  get others(): number {
    return this.#others
  }

  /** Most letters first; of as many those that were seen last. */
  list(): readonly LetterGroup[] {
    return [...this.#groups.values()]
      .sort((a, b) => b.count - a.count || b.lastSeen - a.lastSeen)
      .map(({ first, modelIds, ...group }) => ({ ...group, ...first, modelIds: [...modelIds] }))
  }

  #open(fingerprint: string, letter: DeadLetter, seenAt: number): Group | undefined {
    if (this.#groups.size >= MAX_GROUPS) {
      this.#others++
      return undefined
    }
    const { stage, step, code, message } = letter
    const group: Group = {
      first: { stage, step, code, message: normalised(message ?? '') },
      ...{ fingerprint, example: letter, firstSeen: seenAt, lastSeen: seenAt },
      ...{ count: 0, attempts: 1, replayed: 0, mostReplays: 0, modelIds: new Set<string>() },
    }
    this.#groups.set(fingerprint, group)
    return group
  }
}
