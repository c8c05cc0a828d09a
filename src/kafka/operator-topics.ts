/** Topics that only operators and their tools use: what replays have done, and the dead letters that they gave up. Every topology has them. */
import { auditTopic, parkedTopic } from './topic-names.ts'

/** What replays have done is kept: whether a dead letter has been handled is told by it, however old it is. */
export const AUDIT_LOG = { 'cleanup.policy': 'delete', 'retention.ms': '-1' }

/** Made with the others, but instances neither read nor write them, and run without: `kri dlq replay` is what needs them. */
export function operatorTopics({
  name,
  applicationId,
}: {
  readonly name: string
  readonly applicationId: string
}): readonly string[] {
  return [parkedTopic(name), auditTopic(applicationId)]
}
