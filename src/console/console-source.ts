/** Where the console has what it shows, and through whom it changes anything: a run in this process, or Kafka. */
import type {
  ConsoleAbout,
  ConsoleSnapshot,
  GroupsView,
  LetterView,
  PublishRequest,
  ReplayPlanView,
  ReplayRequest,
  ReplayView,
  RevisionView,
  SelectionQuery,
  SlotRequest,
  WholeLetterView,
} from './console-api.ts'

export interface ConsoleSource {
  about(): Omit<ConsoleAbout, 'canChange'>
  readonly snapshots: SnapshotSource
  readonly letters: LetterSource
  readonly replays: ReplaySource
  readonly models: ModelSource
  /** Ends what it began; nothing is asked of it afterwards. */
  close(): Promise<void>
}

export interface SnapshotSource {
  /** How often one is made while somebody listens. */
  readonly everyMs: number
  /** The first one after `rest` has no rates yet. */
  take(signal: AbortSignal): Promise<ConsoleSnapshot>
  /** Nobody listens any more: what was kept to make rates of is forgotten. */
  rest(): void
}

/** All scans end early, with whatever error, when the signal aborts. */
export interface LetterSource {
  groups(query: SelectionQuery, signal: AbortSignal): Promise<GroupsView>
  /** The newest first. */
  letters(query: SelectionQuery, limit: number, signal: AbortSignal): Promise<readonly LetterView[]>
  /** Undefined: there is no such letter. */
  letter(place: string, signal: AbortSignal): Promise<WholeLetterView | undefined>
}

export interface ReplaySource {
  /** Writes nothing. */
  plan(request: ReplayRequest, signal: AbortSignal): Promise<ReplayPlanView>
  /** Resolves when it has begun; it goes on by itself. */
  start(request: ReplayRequest): Promise<ReplayView>
  /** Ends it for good, wherever it runs. Rejects REPLAY_REFUSED where there is none of that name, or it is over. */
  cancel(name: string): Promise<void>
}

export interface ModelSource {
  publish(request: PublishRequest): Promise<RevisionView>
  change(what: 'rollback' | 'promote' | 'abort', request: SlotRequest): Promise<RevisionView>
}
