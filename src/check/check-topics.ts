/** The topics of a topology as `run` wants them, with everything that differs. */

import { shadowTopics } from '../kafka/model-topics.ts'
import type { KafkaAdmin, TopicDescription } from '../kafka/port.ts'
import { optionalTopics, planTopics, topicNames } from '../kafka/topics.ts'
import type { Topology } from '../topology.ts'
import type { Findings, TopicReport } from './report.ts'

export interface CheckedTopics {
  readonly reports: readonly TopicReport[]
  /** Those that exist. */
  readonly existing: readonly TopicDescription[]
}

/** `apply`: the command that remedies name. */
export async function checkTopics(
  topology: Topology,
  admin: KafkaAdmin,
  findings: Findings,
  apply: string,
): Promise<CheckedTopics> {
  const names = topicNames(topology)
  const [existing, brokerCount] = await Promise.all([admin.describeTopics(names), admin.brokerCount()])
  // As `run` asks: what is missing is a problem, with how many partitions it would be made is for `topics apply`.
  const plan = planTopics(topology, existing, { partitions: 1, replicationFactor: 1, minIsr: 1, brokerCount })
  const optional = optionalTopics(topology)
  const ofShadows = shadowTopics(topology)
  for (const { name } of plan.create) {
    const where = `topic "${name}"`
    const remedy = `${apply} (with --partitions and --replication-factor as this cluster wants them)`
    if (optional.includes(name)) {
      const lacking = ofShadows.includes(name)
        ? 'no model of its step can be put on trial as a shadow'
        : 'no dead letter can be replayed'
      findings.warning('topics', { where, what: `it does not exist: run works without it, and ${lacking}`, remedy })
    } else findings.problem('topics', 'TOPIC_MISSING', { where, what: 'it does not exist', remedy })
  }
  for (const { topic, reasons } of plan.change) {
    const where = `topic "${topic}"`
    for (const what of reasons) {
      if (optional.includes(topic)) findings.warning('topics', { where, what, remedy: apply })
      else findings.problem('topics', 'TOPIC_POLICY', { where, what, remedy: apply })
    }
  }
  for (const sentence of plan.refuse) {
    const [what, remedy = 'See above'] = sentence.split(/: (?=[^:]*$)/)
    findings.problem('topics', 'TOPIC_POLICY', { where: 'topics', what: what!, remedy })
  }
  warnOfSmallOutputs(topology, existing, findings)
  const wrong = new Set([...plan.create.map(({ name }) => name), ...plan.change.map(({ topic }) => topic)])
  const reports = names.map(name => ({
    name,
    ok: !wrong.has(name) && !plan.refuse.some(sentence => sentence.startsWith(`${name} `)),
    partitions: existing.find(topic => topic.name === name)?.partitions ?? null,
  }))
  return { reports, existing }
}

/** An output topic that compacts keeps the newest prediction of each key alone, which may be meant. */
function warnOfSmallOutputs({ sinks }: Topology, existing: readonly TopicDescription[], findings: Findings): void {
  for (const { topic } of sinks) {
    const policy = existing.find(({ name }) => name === topic)?.configs['cleanup.policy']
    if (!policy?.includes('compact')) continue
    findings.warning('topics', {
      where: `topic "${topic}"`,
      what: 'compaction keeps the newest output of each key, and brokers refuse outputs without a key',
      expected: 'cleanup.policy delete',
      got: policy,
      remedy: 'Leave it if that is meant; else kafka-configs --alter --add-config cleanup.policy=delete',
    })
  }
}
