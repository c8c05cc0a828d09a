/** Letters that a run leaves where they are, until it has told of them: its audit names them, and they stay open. */
import type { DeadLetter } from './dead-letter.ts'
import type { LostSpans } from './replay-audit.ts'

/** Letters that are told of together. `why`: of the first one. */
export interface LostTold {
  readonly count: number
  readonly letters: readonly LostSpans[]
  readonly why: string
}

interface Spans extends LostSpans {
  readonly spans: [from: number, until: number][]
  /** The next lost letter belongs to the last span: none was written behind it, and what is not selected does not matter. */
  goesOn: boolean
}

/** Of each partition in the order of offsets. As few spans as tell the same of what the run selects. */
export class LostLetters {
  readonly #places = new Map<string, Spans>()
  #count = 0
  #why = ''

  get count(): number {
    return this.#count
  }

  add({ topic, partition, offset }: DeadLetter, why: string): void {
    if (this.#count++ === 0) this.#why = why
    const id = `${topic}/${partition}`
    const place = this.#places.get(id) ?? { topic, partition, spans: [], goesOn: false }
    this.#places.set(id, place)
    const last = place.goesOn ? place.spans.at(-1) : undefined
    if (last === undefined) place.spans.push([offset, offset + 1])
    else last[1] = offset + 1
    place.goesOn = true
  }

  /** This letter is written. */
  end({ topic, partition }: DeadLetter): void {
    const place = this.#places.get(`${topic}/${partition}`)
    if (place !== undefined) place.goesOn = false
  }

  /** Undefined where there are none. */
  told(): LostTold | undefined {
    if (this.#count === 0) return undefined
    const letters = [...this.#places.values()].map(({ topic, partition, spans }) => ({ topic, partition, spans }))
    return { count: this.#count, letters, why: this.#why }
  }

  clear(): void {
    this.#places.clear()
    this.#count = 0
  }
}
