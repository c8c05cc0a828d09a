/** Topics of one group that rebalances; undefined: all, since the application ends. */
export type DrainTopics = ReadonlySet<string> | undefined

interface Drain {
  readonly topics: DrainTopics
  readonly resolve: () => void
}

/** Who waits until what is in flight is through. */
export class Drains {
  #waiting: Drain[] = []

  get any(): boolean {
    return this.#waiting.length > 0
  }

  wait(topics: DrainTopics): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.push({ topics, resolve })
    })
  }

  /** Something is in flight of these topics, and of no others. */
  settle(busy: ReadonlySet<string>): void {
    this.#end(({ topics }) => !haveCommon(busy, topics))
  }

  /** The group of these topics has joined again: what has outlasted its budget is waited for by nobody. */
  giveUp(joined: ReadonlySet<string>): void {
    this.#end(({ topics }) => topics !== undefined && haveCommon(joined, topics))
  }

  #end(isOver: (drain: Drain) => boolean): void {
    const all = this.#waiting
    this.#waiting = all.filter(drain => !isOver(drain))
    for (const drain of all) if (!this.#waiting.includes(drain)) drain.resolve()
  }
}

function haveCommon(some: ReadonlySet<string>, topics: DrainTopics): boolean {
  return [...some].some(topic => topics?.has(topic) ?? true)
}
