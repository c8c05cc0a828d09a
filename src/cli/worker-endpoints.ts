/** What the parent of `--workers` answers for all of them: it asks each on loopback when it is asked. */
import { mergeExpositions } from '../ops/merged-metrics.ts'
import type { HealthReport } from '../ops/run-health.ts'
import type { WorkerView } from './worker-supervisor.ts'

const ANSWER_MS = 2_000
/** Of connections to a process that ends. */
const GONE = ['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET']
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * Ready: all that are needed are ready. Live: no worker that runs says otherwise or fails to answer; one that is being
 * started again is the parent's to mend, and no reason to end the others.
 */
export async function workersHealth(workers: readonly WorkerView[]): Promise<HealthReport> {
  const needed = workers.filter(({ done }) => !done)
  const reports = await Promise.all(needed.map(healthOf))
  const problems = needed.flatMap(({ index }, i) =>
    Object.entries(reports[i]!.problems).map(([what, why]) => [`worker ${index}: ${what}`, why]),
  )
  return {
    live: reports.every(({ live }) => live),
    ready: reports.every(({ ready }) => ready),
    state: reports.find(({ state }) => state !== 'joined')?.state ?? 'joined',
    processingGuarantee: reports.find(report => report.processingGuarantee !== undefined)?.processingGuarantee,
    groups: groupStates(reports),
    problems: Object.fromEntries(problems),
    models: reports.flatMap(({ models }) => models),
    slots: reports.flatMap(({ slots }) => slots),
  }
}

/** Joined: in all workers. */
function groupStates(reports: readonly HealthReport[]): HealthReport['groups'] {
  const states = reports.flatMap(({ groups }) => Object.entries(groups))
  const worst = Object.fromEntries(states.filter(([, state]) => state !== 'joined'))
  return { ...Object.fromEntries(states), ...worst }
}

/** All samples of all workers, with a label that says whose they are, and two of the parent's own. */
export function workersMetrics(workers: () => readonly WorkerView[]): {
  readonly contentType: string
  text(): Promise<string>
} {
  return {
    contentType: CONTENT_TYPE,
    async text() {
      const views = workers()
      const texts = await Promise.all(
        views.map(async ({ index, url }) => {
          const text = url === undefined ? undefined : await ask(new URL('/metrics', url)).catch(() => undefined)
          return { worker: String(index), text: text?.body ?? '' }
        }),
      )
      return mergeExpositions(texts, own(views))
    },
  }
}

/** Name, kind and help of the parent's own metrics; docs/metrics.md has them. */
export const WORKER_METRICS = [
  { name: 'kri_worker_running', type: 'gauge', help: '1 while the worker process runs.' },
  { name: 'kri_worker_restarts_total', type: 'counter', help: 'How often the worker process was started again.' },
] as const

function own(views: readonly WorkerView[]): string {
  const [running, restarts] = WORKER_METRICS
  const family = ({ name, type, help }: (typeof WORKER_METRICS)[number], of: (view: WorkerView) => number) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...views.map(view => `${name}{worker="${view.index}"} ${of(view)}`),
  ]
  return [...family(running, view => (view.running ? 1 : 0)), ...family(restarts, view => view.restarts), ''].join('\n')
}

/** True when one of them at least was halted and goes on, whatever the others do; rejects when none did and one does not answer. */
export async function resumeWorkers(workers: readonly WorkerView[]): Promise<boolean> {
  const resumed = workers.flatMap(({ running, url }) => {
    if (!running || url === undefined) return []
    const signal = AbortSignal.timeout(ANSWER_MS)
    return [fetch(new URL('/resume', url), { method: 'POST', signal }).then(({ status }) => status === 200)]
  })
  const answers = await Promise.allSettled(resumed)
  if (answers.some(answer => answer.status === 'fulfilled' && answer.value)) return true
  const silent = answers.find(answer => answer.status === 'rejected')
  if (silent) throw silent.reason
  return false
}

async function healthOf({ running, url }: WorkerView): Promise<HealthReport> {
  if (!running) return notReady({ live: true, state: 'starting', process: 'is being started again' })
  if (url === undefined) return notReady({ live: true, state: 'starting', process: 'is starting' })
  try {
    return JSON.parse((await ask(new URL('/readyz', url))).body) as HealthReport
  } catch (error) {
    // Who hangs answers too late; here nobody listens any more, and the parent is about to hear that the process has ended.
    if (GONE.includes((error as { readonly cause?: { readonly code?: string } }).cause?.code ?? ''))
      return notReady({ live: true, state: 'starting', process: 'is ending' })
    const reason = error instanceof Error ? error.message : String(error)
    return notReady({ live: false, state: 'failed', process: `does not answer: ${reason}` })
  }
}

function notReady({
  process,
  ...rest
}: Pick<HealthReport, 'live' | 'state'> & { readonly process: string }): HealthReport {
  return {
    ...rest,
    ready: false,
    processingGuarantee: undefined,
    groups: {},
    problems: { process },
    models: [],
    slots: [],
  }
}

async function ask(url: URL): Promise<{ readonly body: string }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) })
  return { body: await response.text() }
}
