/** The runs that an audit tells of. */
import { RunInferenceError } from '../errors.ts'
import type { KafkaPort } from '../kafka/port.ts'
import { auditTopic } from '../kafka/topic-names.ts'
import { readAudit } from './audit-log.ts'
import type { AuditEdit, AuditEnd, AuditStart, ReplayOrder } from './replay-audit.ts'

/** One name, as its records say it. */
export interface ReplayRun {
  readonly name: string
  readonly order: ReplayOrder
  /** Who started it first, when (ISO 8601), and why. */
  readonly by: string
  readonly startedAt: string
  readonly reason?: string
  /** Offset of its newest start in the audit topic: whoever wrote that one has the run. */
  readonly claimedAt: number
  /** Who has it now. */
  readonly claimedBy: string
  /** `running`: or it was killed, and nobody has taken it up. */
  readonly state: 'running' | AuditEnd['kind']
  /** As it ended last; what it has done since is committed. */
  readonly lastEnd?: AuditEnd
}

export interface ReplayRuns {
  /** By name, in the order of their first starts. */
  readonly runs: ReadonlyMap<string, ReplayRun>
  readonly edits: readonly AuditEdit[]
  /** Why records of these names cannot be read. */
  readonly unreadable: ReadonlyMap<string, RunInferenceError>
}

/** Rejects TOPIC_MISSING where there is no audit topic: a replay that nobody can tell of is none. */
export async function readReplayRuns(
  port: Pick<KafkaPort, 'admin' | 'scan'>,
  applicationId: string,
  signal: AbortSignal,
): Promise<ReplayRuns> {
  const topic = auditTopic(applicationId)
  const [described] = await port.admin.describeTopics([topic])
  if (described === undefined)
    throw new RunInferenceError('TOPIC_MISSING', `${topic} does not exist. Put it right: kri topics apply`)
  const runs = new Map<string, ReplayRun>()
  const edits: AuditEdit[] = []
  const unreadable = new Map<string, RunInferenceError>()
  const onBad = (error: RunInferenceError, run: string) => unreadable.set(run, error)
  await readAudit({ port, topic, signal, onBad }, (record, offset) => {
    if (record.kind === 'edited') edits.push(record)
    else if (record.kind !== 'lost') add(runs, record, offset)
  })
  return { runs, edits, unreadable }
}

/** True for runs that nobody can take up any more. */
export function isOver({ state }: ReplayRun): boolean {
  return state === 'finished' || state === 'cancelled'
}

function add(runs: Map<string, ReplayRun>, record: AuditStart | AuditEnd, offset: number): void {
  const known = runs.get(record.run)
  if ('counts' in record) {
    if (known) runs.set(record.run, { ...known, state: record.kind, lastEnd: record })
    return
  }
  const { run: name, by, at, reason, order } = record
  const isNew = known === undefined || record.kind === 'started'
  const run = isNew ? { name, order, by, startedAt: at, ...(reason !== undefined && { reason }) } : known
  runs.set(name, { ...run, claimedAt: offset, claimedBy: by, state: 'running' })
}
