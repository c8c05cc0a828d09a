import type { RunInferenceError } from '../errors.ts'
import type { ConnectionState, GroupMember } from '../kafka/port.ts'
import type { Lane } from '../models/executor.ts'
import type { ServedModel } from '../models/served-models.ts'
import type { SlotStatus } from '../refresh/status-record.ts'
import type { RunSettings } from '../run-settings.ts'

/** What `/livez` and `/readyz` answer from. */
export interface HealthReport {
  /** False: restart me. A paused or degraded instance is live. */
  readonly live: boolean
  /** Topics checked, models warm, joined, not halted. */
  readonly ready: boolean
  readonly state: ConnectionState | 'starting' | 'failed'
  /** What a fault can do to outputs; undefined: of workers that have not told yet. */
  readonly processingGuarantee: RunSettings['processingGuarantee'] | undefined
  /** The state in each consumer group: parts of a topology behind a `through` have groups of their own. */
  readonly groups: Readonly<Record<string, ConnectionState>>
  /** What is being waited for, and why; empty when all is well. */
  readonly problems: Readonly<Record<string, string>>
  /** What runs where, once models are loaded: model, execution provider, and the providers that did not take it. */
  readonly models: readonly ServedModel[]
  /** Of steps that follow what is published: the newest revision of each slot, and what became of it here. */
  readonly slots: readonly SlotStatus[]
}

export interface Health {
  report(member: GroupMember | undefined): HealthReport
  topicsChecked(): void
  /** From now on the report has these. */
  watchSlots(slots: () => readonly SlotStatus[]): void
  modelsWarm(models: () => readonly ServedModel[]): void
  joined(): void
  member(group: string, state: ConnectionState, reason: RunInferenceError | undefined): void
  degraded(what: string, error: unknown): void
  recovered(what: string): void
  /** Too much fails; undefined: an operator has let it go on. */
  halted(reason: RunInferenceError | undefined): void
  failed(error: RunInferenceError): void
}

const HALTED = 'halted'

/** Collects what the parts say; no checks of its own but lane and heartbeat ages. */
export function createHealth(applicationId: string, lanes: readonly Lane[], settings: RunSettings): Health {
  const problems = new Map<string, string>([['start', 'the broker is asked for the topics']])
  let state: HealthReport['state'] = 'starting'
  let ready = false
  const groups = new Map<string, ConnectionState>()
  let models: () => readonly ServedModel[] = () => []
  let slots: () => readonly SlotStatus[] = () => []
  return {
    report(member) {
      // A process that is stuck is ended and replaced; a thread can only be ended together with us.
      const stuck = lanes.filter(lane => lane.isolation !== 'process' && lane.busyMs() > settings.stuckMs)
      const all = new Map(problems)
      for (const { id, trouble } of lanes) if (trouble) all.set(`lane ${id}`, trouble.message)
      for (const lane of stuck) all.set(`lane ${lane.id}`, `inside native code for ${Math.round(lane.busyMs())} ms`)
      const heartbeatAge = member && ready ? member.heartbeatAgeMs() : 0
      if (heartbeatAge > settings.sessionTimeoutMs)
        all.set('heartbeat', `none answered for ${Math.round(heartbeatAge)} ms`)
      return {
        live: state !== 'failed' && stuck.length === 0,
        ready: ready && state !== 'failed' && !problems.has(HALTED),
        state,
        processingGuarantee: settings.processingGuarantee,
        groups: Object.fromEntries(groups),
        problems: Object.fromEntries(all),
        models: models(),
        slots: slots(),
      }
    },
    topicsChecked: () => problems.set('start', 'models are being loaded'),
    watchSlots(watched) {
      slots = watched
    },
    modelsWarm(served) {
      models = served
      problems.set('start', 'joining the group')
    },
    joined() {
      problems.delete('start')
      ready = true
    },
    member(group, next, reason) {
      if (state === 'failed') return
      groups.set(group, next)
      state = [...groups.values()].find(each => each !== 'joined') ?? 'joined'
      const what = group === applicationId ? 'kafka' : `kafka (group ${group})`
      if (reason) problems.set(what, reason.message)
      else if (next === 'joined') problems.delete(what)
    },
    degraded: (what, error) => problems.set(what, error instanceof Error ? error.message : String(error)),
    recovered: what => problems.delete(what),
    halted(reason) {
      if (reason) problems.set(HALTED, reason.message)
      else problems.delete(HALTED)
    },
    failed(error) {
      state = 'failed'
      problems.set('failed', error.message)
    },
  }
}
