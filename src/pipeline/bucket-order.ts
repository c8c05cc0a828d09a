/** What decides whose turn it is. Take a bucket out before any of it changes. */
export interface Turn {
  /** When its first row came. */
  readonly atMs: number
  readonly isFull: boolean
  /** Tells buckets apart that are alike otherwise. */
  readonly number: number
}

/** Who came first is served first; of those that came together, a full batch. */
export function precedes(a: Turn, b: Turn): boolean {
  if (a.atMs !== b.atMs) return a.atMs < b.atMs
  return a.isFull === b.isFull ? a.number < b.number : a.isFull
}

/** Buckets in the order of their turns. */
export class BucketOrder<Bucket extends Turn> {
  readonly #sorted: Bucket[] = []

  at(index: number): Bucket | undefined {
    return this.#sorted[index]
  }

  add(bucket: Bucket): void {
    this.#sorted.splice(this.#indexOf(bucket), 0, bucket)
  }

  remove(bucket: Bucket): void {
    this.#sorted.splice(this.#indexOf(bucket), 1)
  }

  /** Where it is, or belongs. */
  #indexOf(bucket: Bucket): number {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (precedes(this.#sorted[middle]!, bucket)) low = middle + 1
      else high = middle
    }
    return low
  }
}
