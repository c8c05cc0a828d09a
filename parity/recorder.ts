/** What the recorded handlers and functions noted while they ran: the same is noted here. */
import { toNeutral } from './neutral.ts'

export class Recorder {
  /** Examples of each call of a model, in order. */
  readonly batches: unknown[] = []
  /** Model ids, in the order of their loads, failed ones too. */
  readonly loads: string[] = []
  /** Name of the function, and what it was given. */
  readonly calls: [string, unknown][] = []

  batch(examples: readonly unknown[]): void {
    this.batches.push(toNeutral(examples))
  }

  call(name: string, element: unknown): void {
    this.calls.push([name, toNeutral(element)])
  }
}
