/** What a page of the console is given, and what it is. */
import type { ConsoleAbout, ConsoleSnapshot } from '../console-api.ts'
import type { History } from './history.ts'

export interface PageContext {
  readonly about: ConsoleAbout
  readonly history: History
  /** Of the address, behind `?`. */
  readonly parameters: URLSearchParams
}

export interface Page {
  readonly title: string
  readonly content: readonly (Node | string)[]
  /** With every snapshot, and with the newest one at once. */
  update?(snapshot: ConsoleSnapshot): void
  /** The page is left. */
  close?(): void
}

export type OpenPage = (context: PageContext) => Page
