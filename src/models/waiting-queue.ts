/** Fewer are not worth moving the others. */
const MIN_GONE = 1_000

/** What waits, first come, first served. What has left is let go, also where the queue is never empty. */
export class WaitingQueue<T> {
  #items: T[] = []
  /** Those before have left. */
  #next = 0

  get length(): number {
    return this.#items.length - this.#next
  }

  /** The one that is next; undefined when nothing waits. */
  get first(): T | undefined {
    return this.#items[this.#next]
  }

  add(item: T): void {
    this.#items.push(item)
  }

  /** Takes the first one out; undefined when nothing waits. */
  take(): T | undefined {
    const item = this.#items[this.#next]
    if (item === undefined) return undefined
    this.#next++
    if (this.#next === this.#items.length) this.clear()
    else if (this.#next >= MIN_GONE && this.#next * 2 > this.#items.length) this.#set(this.#items.slice(this.#next))
    return item
  }

  /** To the front, in this order. */
  putBack(items: readonly T[]): void {
    this.#set([...items, ...this.#items.slice(this.#next)])
  }

  keep(isKept: (item: T) => boolean): void {
    this.#set(this.#items.slice(this.#next).filter(isKept))
  }

  clear(): void {
    this.#set([])
  }

  #set(items: T[]): void {
    this.#items = items
    this.#next = 0
  }
}
