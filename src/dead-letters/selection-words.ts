/** What people write to say which dead letters they mean, as flags of a command or on a page. */
import { RunInferenceError } from '../errors.ts'
import { FAILED_STAGES } from '../kafka/topic-names.ts'
import { suggestion } from '../nearest-name.ts'
import type { Topology } from '../topology.ts'
import { stepsOf } from './letter-topics.ts'
import type { OffsetRange, Selection } from './selection.ts'

/** Each condition as it was read, by the name that people give it. */
export interface SelectionWords {
  readonly stage?: readonly string[]
  readonly step?: readonly string[]
  readonly index?: readonly number[]
  readonly code?: readonly string[]
  readonly fingerprint?: readonly string[]
  readonly model?: readonly string[]
  readonly text?: string
  /** Text, or bytes as `hex:00ff`. */
  readonly key?: readonly string[]
  /** A name, or `name=value`. */
  readonly header?: readonly string[]
  readonly original?: readonly OffsetRange[]
  readonly letter?: readonly OffsetRange[]
  /** Milliseconds since 1970. */
  readonly since?: number
  readonly until?: number
  readonly minReplays?: number
  readonly maxReplays?: number
}

const HEX = /^hex:((?:[0-9a-f]{2})*)$/i
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Each throws an Error that says what was expected. */
export const readStage = (text: string): string => {
  if (!(FAILED_STAGES as readonly string[]).includes(text)) throw new Error(`expected ${FAILED_STAGES.join(', ')}.`)
  return text
}

export const readCode = (text: string): string => text.toUpperCase()

export const readFingerprint = (text: string): string => {
  if (!/^[0-9a-f]{12}$/.test(text)) throw new Error('expected twelve hex digits, as "kri dlq stats" shows them.')
  return text
}

export const readKey = (text: string): string => {
  if (text.startsWith('hex:') && !HEX.test(text)) throw new Error('expected an even number of hex digits behind hex:.')
  return text
}

export const readHeader = (text: string): string => {
  if (text === '' || text.startsWith('=')) throw new Error('expected name or name=value.')
  return text
}

/** `topic/partition`, with one offset or a range of them, its end included. */
export const readPlace =
  (of: OffsetRange['of']) =>
  (text: string): OffsetRange => {
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

/** Milliseconds since 1970, before which nothing failed; `nowMs`: the same of now. */
export const readTime = (text: string, nowMs: number): number => {
  const ago = /^(\d{1,6})([smhd])$/.exec(text)
  const iso = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  const at = ago ? nowMs - Number(ago[1]) * UNIT_MS[ago[2]!]! : iso
  if (Number.isNaN(at)) throw new Error('expected how long ago (90s, 30m, 2h, 7d) or a time as ISO 8601.')
  return Math.max(0, at)
}

/** Throws SETTINGS_INVALID where a step is none of the topology; `flag` and `module` are how these are called there. */
export function selectionOf(
  words: SelectionWords,
  topology: Topology,
  module: string,
  flag: (name: string) => string = name => `--${name}`,
): Selection {
  const steps = stepsOf(topology)
  const unknown = words.step?.find(step => !steps.includes(step))
  if (unknown !== undefined)
    throw new RunInferenceError(
      'SETTINGS_INVALID',
      `${flag('step')}: ${module} has no step "${unknown}". ${suggestion(unknown, steps)}`,
    )
  const keys = words.key?.filter(text => !HEX.test(text))
  const keysHex = words.key?.flatMap(text => HEX.exec(text)?.[1]?.toLowerCase() ?? [])
  const offsets = [...(words.original ?? []), ...(words.letter ?? [])]
  const given = {
    ...{ stages: words.stage, steps: words.step, indexes: words.index, codes: words.code },
    ...{ fingerprints: words.fingerprint, models: words.model, text: words.text },
    ...(words.key === undefined ? {} : { keys, keysHex }),
    headers: words.header?.map(named),
    offsets: offsets.length === 0 ? undefined : offsets,
    ...{ failedFrom: words.since, failedUntil: words.until },
    ...{ minReplays: words.minReplays, maxReplays: words.maxReplays },
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Selection
}

function named(text: string): { readonly name: string; readonly value?: string } {
  const at = text.indexOf('=')
  return at < 0 ? { name: text } : { name: text.slice(0, at), value: text.slice(at + 1) }
}
