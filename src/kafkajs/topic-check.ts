import { RunInferenceError } from '../errors.ts'
import type { Clock } from '../ops/clock.ts'
import { Backoff } from './backoff.ts'
import type { Cluster } from './cluster.ts'
import { brokerError, errorName } from './protocol-errors.ts'

/** A topic that was just created is unknown to some brokers for about half a second. */
const NEW_TOPIC_MS = 2_000

/** Whoever may read or write a topic may see it too. */
export function needsToSee(topic: string): string {
  return `Describe on topic '${topic}' (Read or Write bring it)`
}

/** Tracks the topics and rejects TOPIC_MISSING or AUTHORISATION, naming all of them, unless each can be read. */
export async function requireTopics(
  { cluster, clock, random }: { readonly cluster: Cluster; readonly clock: Clock; readonly random: () => number },
  names: readonly string[],
): Promise<void> {
  cluster.track(names)
  const backoff = new Backoff(clock, random)
  const deadlineMs = clock.now() + NEW_TOPIC_MS
  for (;;) {
    await cluster.refresh()
    const problems = names.flatMap(name => {
      const topic = cluster.topic(name)
      if (topic && topic.errorCode === 0 && topic.leaders.length > 0) return []
      const answer = topic ? errorName(topic.errorCode) : 'UNKNOWN_TOPIC_OR_PARTITION'
      return [brokerError(answer, `Topic '${name}'`, needsToSee(name))]
    })
    const first = problems.find(problem => !problem.retriable) ?? problems[0]
    if (first === undefined) return
    const final = first.code !== 'TOPIC_MISSING' && !first.retriable
    if (final || clock.now() > deadlineMs) {
      const rest = problems.filter(problem => problem !== first).map(problem => problem.message)
      if (rest.length === 0) throw first
      throw new RunInferenceError(first.code, [first.message.replace(/^\[\w+\] /, ''), ...rest].join('\n'))
    }
    await backoff.wait()
  }
}
