export interface ServiceSpec {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  /** Standard output and error are appended. */
  readonly logFile: string
}

export type SupervisorRequest =
  | { readonly op: 'start'; readonly service: ServiceSpec }
  /** Answered when the signal was sent; with `untilExit`, when the process has ended. */
  | { readonly op: 'signal'; readonly name: string; readonly signal: NodeJS.Signals; readonly untilExit: boolean }
  | { readonly op: 'release' }
  /** Kills everything; answered by the end of this process. */
  | { readonly op: 'stop' }

export type SupervisorMessage =
  | { readonly id: number; readonly error?: string }
  | { readonly exited: string; readonly how: string }
