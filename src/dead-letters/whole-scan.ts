import { RunInferenceError } from '../errors.ts'
import type { KafkaPort, ScanRange } from '../kafka/port.ts'
import type { RecordBlock } from '../kafka/record-block.ts'

/**
 * Reads ranges to their ends. Rejects CLOSED when the signal comes before that: a scan that its caller ends may end as if all had been
 * read, and what has not been read would be taken for what is not there.
 */
export async function* scanWhole(
  port: Pick<KafkaPort, 'scan'>,
  ranges: readonly ScanRange[],
  signal: AbortSignal,
): AsyncGenerator<RecordBlock, void, undefined> {
  const closed = () => new RunInferenceError('CLOSED', 'reading was ended by its caller')
  try {
    yield* port.scan(ranges, { signal })
  } catch (error) {
    throw signal.aborted ? closed() : error
  }
  if (signal.aborted) throw closed()
}
