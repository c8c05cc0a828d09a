/** How long a topic may be missing: one that was never seen, and one that was there before. */
export const NEVER_SEEN_MS = 2_000
export const VANISHED_MS = 30_000

/** Which topics have been there, and since when one is missing: what all transactional writers of a client know. */
export class TopicSightings {
  readonly #seen = new Set<string>()
  readonly #missingSinceMs = new Map<string, number>()

  seen(topic: string): void {
    this.#seen.add(topic)
    this.#missingSinceMs.delete(topic)
  }

  /** It is missing now. True: for so long that waiting does not help. */
  isGone(topic: string, nowMs: number): boolean {
    const sinceMs = this.#missingSinceMs.get(topic) ?? nowMs
    this.#missingSinceMs.set(topic, sinceMs)
    return nowMs - sinceMs > (this.#seen.has(topic) ? VANISHED_MS : NEVER_SEEN_MS)
  }
}
