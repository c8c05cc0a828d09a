/** What exactly-once does not cover. */
import type { StepNode } from '../graph.ts'
import type { TopicDescription } from '../kafka/port.ts'
import { thinTopics } from '../kafka/thin-topics.ts'
import type { Settings } from '../load-settings.ts'
import type { Topology } from '../topology.ts'
import type { Findings } from './report.ts'

type Guarantee = Pick<Settings, 'processingGuarantee'>

/** Functions that may change something elsewhere: those that are waited for. */
export function warnOfSideEffects(
  steps: readonly StepNode[],
  { processingGuarantee }: Guarantee,
  findings: Findings,
): void {
  if (processingGuarantee !== 'exactly_once') return
  for (const { step, handler } of steps) {
    const waiting = [...handler.preprocess, ...handler.postprocess].filter(
      ({ concurrency }) => concurrency !== undefined,
    )
    if (waiting.length === 0) continue
    findings.warning('settings', {
      where: `step "${step}"`,
      what: 'exactly_once covers what is in Kafka: after a fault, functions are called again for the same record',
      expected: 'functions without effects elsewhere, or whose second call changes nothing',
      got: `asynchronous functions: ${waiting.map(({ fn }) => fn.name || 'one without a name').join(', ')}`,
      remedy: 'Leave it if calling them twice does no harm',
    })
  }
}

/** Topics that this topology writes, which may lose what they have acknowledged. */
export function warnOfThinTopics(
  { sinks, sources }: Pick<Topology, 'sinks' | 'sources'>,
  existing: readonly TopicDescription[],
  { processingGuarantee }: Guarantee,
  findings: Findings,
): void {
  if (processingGuarantee !== 'exactly_once') return
  const isWritten = ({ name }: TopicDescription) =>
    sinks.some(({ topic }) => topic === name) || !sources.some(({ topic }) => topic === name)
  const thin = thinTopics(existing.filter(isWritten))
  if (thin.length === 0) return
  findings.warning('topics', {
    where: thin.map(name => `topic "${name}"`).join(', '),
    what: 'exactly_once holds as long as the topics keep what they acknowledge, and here one broker may acknowledge alone',
    expected: 'min.insync.replicas 2 or more',
    got: '1',
    remedy: 'kafka-configs --alter --add-config min.insync.replicas=2, with a replication factor of 3',
  })
}
