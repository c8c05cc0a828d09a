/** What people write to say which dead letters they mean. */
import { stepsOf } from '../dead-letters/letter-topics.ts'
import type { OffsetRange, Selection } from '../dead-letters/selection.ts'
import { RunInferenceError } from '../errors.ts'
import { FAILED_STAGES, type FailedStage } from '../kafka/topic-names.ts'
import { suggestion } from '../nearest-name.ts'
import type { Topology } from '../topology.ts'
import { type OptionSpec, wholeNumber } from './command.ts'
import type { TopologyFlags } from './connect.ts'

export { selectedTopics } from '../dead-letters/letter-topics.ts'

export interface SelectionFlags extends TopologyFlags {
  readonly stage?: readonly FailedStage[]
  readonly step?: readonly string[]
  readonly index?: readonly number[]
  readonly code?: readonly string[]
  readonly fingerprint?: readonly string[]
  readonly model?: readonly string[]
  readonly text?: string
  readonly key?: readonly string[]
  readonly header?: readonly string[]
  readonly original?: readonly OffsetRange[]
  readonly letter?: readonly OffsetRange[]
  readonly since?: number
  readonly until?: number
  readonly minReplays?: number
  readonly maxReplays?: number
}

const HEX = /^hex:((?:[0-9a-f]{2})*)$/i
const MAX_COUNT = 1_000_000
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** All of them may be combined, and most repeated. */
export const SELECTION_OPTIONS: readonly OptionSpec[] = [
  { flags: '--stage <name>', help: 'stage that failed; may be repeated, as may what follows', parse: stages },
  { flags: '--step <name>', help: 'step', parse: collect(text => text) },
  { flags: '--index <n>', help: 'which function of its kind failed, from 0', parse: collect(wholeNumber(0, 10_000)) },
  { flags: '--code <CODE>', help: 'error code, see docs/errors.md', parse: collect(text => text.toUpperCase()) },
  { flags: '--fingerprint <hex>', help: 'what "kri dlq stats" shows', parse: collect(fingerprint) },
  { flags: '--model <id>', help: 'id of the model at work', parse: collect(text => text) },
  { flags: '--key <key>', help: 'key of the record: text, or bytes as hex:00ff', parse: collect(key) },
  {
    flags: '--header <name[=value]>',
    help: 'header of the record; all that are given have to be there',
    parse: collect(header),
  },
  {
    flags: '--original <topic/partition[/from[-until]]>',
    help: 'where the record was read first',
    parse: collect(place('original')),
  },
  {
    flags: '--letter <topic/partition[/from[-until]]>',
    help: 'where the dead letter is',
    parse: collect(place('letter')),
  },
  { flags: '--text <text>', help: 'in the message, whatever the case' },
  { flags: '--since <when>', help: 'failed at or after: 30m, 2h, 1d ago, or a time as ISO 8601', parse: time },
  { flags: '--until <when>', help: 'failed before', parse: time },
  {
    flags: '--min-replays <n>',
    help: 'replayed so often before it failed, or more often',
    parse: wholeNumber(0, MAX_COUNT),
  },
  {
    flags: '--max-replays <n>',
    help: 'replayed so often before it failed, or less often',
    parse: wholeNumber(0, MAX_COUNT),
  },
]

/** Throws SETTINGS_INVALID where a step is none of the topology. */
export function selectionOf(flags: SelectionFlags, topology: Topology, module: string): Selection {
  const steps = stepsOf(topology)
  const unknown = flags.step?.find(step => !steps.includes(step))
  if (unknown !== undefined)
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `--step: ${module} has no step "${unknown}". ${suggestion(unknown, steps)}`,
    )
  const keys = flags.key?.filter(text => !HEX.test(text))
  const keysHex = flags.key?.flatMap(text => HEX.exec(text)?.[1]?.toLowerCase() ?? [])
  const offsets = [...(flags.original ?? []), ...(flags.letter ?? [])]
  const given = {
    ...{ stages: flags.stage, steps: flags.step, indexes: flags.index, codes: flags.code },
    ...{ fingerprints: flags.fingerprint, models: flags.model, text: flags.text },
    ...(flags.key === undefined ? {} : { keys, keysHex }),
    headers: flags.header?.map(named),
    offsets: offsets.length === 0 ? undefined : offsets,
    ...{ failedFrom: flags.since, failedUntil: flags.until },
    ...{ minReplays: flags.minReplays, maxReplays: flags.maxReplays },
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Selection
}

function collect<T>(parse: (text: string) => T) {
  return (text: string, before: readonly T[] = []): readonly T[] => [...before, parse(text)]
}

function stages(text: string, before: readonly string[] = []): readonly string[] {
  if (!(FAILED_STAGES as readonly string[]).includes(text)) throw new Error(`expected ${FAILED_STAGES.join(', ')}.`)
  return [...before, text]
}

function fingerprint(text: string): string {
  if (!/^[0-9a-f]{12}$/.test(text)) throw new Error('expected twelve hex digits, as "kri dlq stats" shows them.')
  return text
}

function key(text: string): string {
  if (text.startsWith('hex:') && !HEX.test(text)) throw new Error('expected an even number of hex digits behind hex:.')
  return text
}

function header(text: string): string {
  if (text === '' || text.startsWith('=')) throw new Error('expected name or name=value.')
  return text
}

function named(text: string): { readonly name: string; readonly value?: string } {
  const at = text.indexOf('=')
  return at < 0 ? { name: text } : { name: text.slice(0, at), value: text.slice(at + 1) }
}

/** `topic/partition`, with one offset or a range of them, its end included. */
function place(of: OffsetRange['of']): (text: string) => OffsetRange {
  return text => {
    const match = /^([\w.-]{1,249})\/(\d{1,9})(?:\/(\d{1,15})(-(\d{1,15})?)?)?$/.exec(text)
    if (!match) throw new Error('expected topic/partition, topic/partition/offset, or topic/partition/from-until.')
    const [, topic, partition, from, dash, last] = match
    const until = dash === undefined ? from : last
    return {
      ...{ of, topic: topic!, partition: Number(partition) },
      ...(from === undefined ? {} : { from: Number(from) }),
      ...(until === undefined ? {} : { until: Number(until) + 1 }),
    }
  }
}

/** Milliseconds since 1970. */
function time(text: string): number {
  const ago = /^(\d{1,6})([smhd])$/.exec(text)
  if (ago) return Date.now() - Number(ago[1]) * UNIT_MS[ago[2]!]!
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at)) throw new Error('expected how long ago (90s, 30m, 2h, 7d) or a time as ISO 8601.')
  return at
}
