import { RunInferenceError } from '../errors.ts'
import type { KafkaPort } from '../kafka/port.ts'
import { type AuditRecord, parseAudit } from './replay-audit.ts'
import { scanWhole } from './whole-scan.ts'

export interface AuditLogParts {
  readonly port: Pick<KafkaPort, 'admin' | 'scan'>
  /** The audit topic; one that does not exist has no records. */
  readonly topic: string
  readonly signal: AbortSignal
  /** A record that cannot be read, and is left out; its key is the name of its run. */
  readonly onBad: (error: RunInferenceError, run: string) => void
}

/** Calls `visit` for each audit record from the first one to what is there at the begin, those of one run in order. */
export async function readAudit(
  { port, topic, signal, onBad }: AuditLogParts,
  visit: (record: AuditRecord, offset: number) => void,
): Promise<void> {
  const [described] = await port.admin.describeTopics([topic])
  if (described === undefined) return
  const offsets = await port.admin.offsets(topic)
  const ranges = offsets.map(({ start, end }, partition) => ({ topic, partition, from: start, to: end }))
  const filled = ranges.filter(({ from, to }) => from < to)
  for await (const block of scanWhole(port, filled, signal))
    for (let row = 0; row < block.count; row++) {
      const where = `record ${topic}/${block.partition}/${block.offset(row)}`
      try {
        visit(parseAudit(block.value(row) ?? Buffer.alloc(0), where), block.offset(row))
      } catch (error) {
        if (!(error instanceof RunInferenceError && error.code === 'AUDIT_INVALID')) throw error
        onBad(error, String(block.key(row)))
      }
    }
}
