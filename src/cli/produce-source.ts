/** Which source records are sent to. */
import { RunInferenceError } from '../errors.ts'
import type { SourceNode } from '../graph.ts'
import type { Topology } from '../topology.ts'

/** The source of that name; without one, the only source that the topology does not write itself. Throws SETTINGS_INVALID. */
export function sourceOf({ sources }: Topology, wanted: string | undefined, module: string): SourceNode {
  const fromOutside = sources.filter(({ writtenBy }) => writtenBy === undefined)
  if (wanted === undefined && fromOutside.length === 1) return fromOutside[0]!
  const source = sources.find(({ topic }) => topic === wanted)
  if (source !== undefined) return source
  const topics = sources.map(({ topic }) => topic).join(', ')
  const got = wanted === undefined ? 'nothing' : `"${wanted}"`
  const expected = `expected one of the sources of ${module} (${topics}), got ${got}`
  throw new RunInferenceError('SETTINGS_INVALID', `--source: ${expected}`)
}
