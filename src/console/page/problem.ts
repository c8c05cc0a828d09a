/** Why something did not work, as the server says it or as the connection shows it. */
import type { ProblemView } from '../console-api.ts'
import { el } from './elements.ts'

export class Problem extends Error {
  readonly code: string
  /** Status of the answer; 0: there was none. */
  readonly status: number

  constructor({ code, message }: ProblemView, status: number) {
    super(message)
    this.code = code
    this.status = status
  }
}

/** The person closed the dialog that asked for the token: nothing was done, and nothing is to be said. */
export class Declined extends Error {}

export function problemText(error: unknown): string {
  // Most messages begin with their code.
  if (error instanceof Problem)
    return error.message.includes(error.code) ? error.message : `${error.code}: ${error.message}`
  return error instanceof Error ? error.message : String(error)
}

export function problemBox(error: unknown): HTMLElement {
  return el('p', { class: 'problem', role: 'alert' }, problemText(error))
}
