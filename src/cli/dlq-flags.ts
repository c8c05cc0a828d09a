/** The flags that say which dead letters are meant. */

import type { OffsetRange, Selection } from '../dead-letters/selection.ts'
import {
  readCode,
  readFingerprint,
  readHeader,
  readKey,
  readPlace,
  readStage,
  readTime,
  type SelectionWords,
  selectionOf as selectionIn,
} from '../dead-letters/selection-words.ts'
import type { Topology } from '../topology.ts'
import { type OptionSpec, wholeNumber } from './command.ts'
import type { TopologyFlags } from './connect.ts'

/** `--max-replays` is how often a replay may be done over again, not a condition. */
export type SelectionFlags = TopologyFlags &
  Omit<SelectionWords, 'minReplays' | 'maxReplays'> & {
    readonly replayedAtLeast?: number
    readonly replayedAtMost?: number
  }

const MAX_COUNT = 1_000_000
const time = (text: string) => readTime(text, Date.now())

/** All of them may be combined, and most repeated. */
export const SELECTION_OPTIONS: readonly OptionSpec[] = [
  {
    flags: '--stage <name>',
    help: 'stage that failed; may be repeated, as may what follows',
    parse: collect(readStage),
  },
  { flags: '--step <name>', help: 'step', parse: collect(text => text) },
  { flags: '--index <n>', help: 'which function of its kind failed, from 0', parse: collect(wholeNumber(0, 10_000)) },
  { flags: '--code <CODE>', help: 'error code, see docs/errors.md', parse: collect(readCode) },
  { flags: '--fingerprint <hex>', help: 'what "kri dlq stats" shows', parse: collect(readFingerprint) },
  { flags: '--model <id>', help: 'id of the model at work', parse: collect(text => text) },
  { flags: '--key <key>', help: 'key of the record: text, or bytes as hex:00ff', parse: collect(readKey) },
  {
    flags: '--header <name[=value]>',
    help: 'header of the record; all that are given have to be there',
    parse: collect(readHeader),
  },
  {
    flags: '--original <topic/partition[/from[-until]]>',
    help: 'where the record was read first',
    parse: collect(readPlace('original')),
  },
  {
    flags: '--letter <topic/partition[/from[-until]]>',
    help: 'where the dead letter is',
    parse: collect(readPlace('letter')),
  },
  { flags: '--text <text>', help: 'in the message, whatever the case' },
  { flags: '--since <when>', help: 'failed at or after: 30m, 2h, 1d ago, or a time as ISO 8601', parse: time },
  { flags: '--until <when>', help: 'failed before', parse: time },
  {
    flags: '--replayed-at-least <n>',
    help: 'replayed so often before it failed, or more often',
    parse: wholeNumber(0, MAX_COUNT),
  },
  {
    flags: '--replayed-at-most <n>',
    help: 'replayed so often before it failed, or less often',
    parse: wholeNumber(0, MAX_COUNT),
  },
]

/** Throws SETTINGS_INVALID where a step is none of the topology. */
export function selectionOf(
  { replayedAtLeast, replayedAtMost, ...flags }: SelectionFlags,
  topology: Topology,
  module: string,
): Selection {
  const replayed = {
    ...(replayedAtLeast !== undefined && { minReplays: replayedAtLeast }),
    ...(replayedAtMost !== undefined && { maxReplays: replayedAtMost }),
  }
  // What else is called so is none of the selection.
  const { maxReplays: _, minReplays: __, ...words } = flags as SelectionWords
  return selectionIn({ ...words, ...replayed }, topology, module)
}

/** Flags that select what these conditions select, in the same words whenever they are read. */
export function selectionArguments(selection: Selection): readonly string[] {
  const { keys = [], keysHex = [], headers = [], offsets = [], failedFrom, failedUntil } = selection
  const each = (flag: string, values: readonly (string | number)[] = []) =>
    values.flatMap(value => [flag, String(value)])
  const one = (flag: string, value: string | number | undefined) => (value === undefined ? [] : [flag, String(value)])
  const time = (flag: string, ms: number | undefined) => one(flag, ms === undefined ? ms : new Date(ms).toISOString())
  const places = (of: OffsetRange['of']) => offsets.filter(range => range.of === of).map(placeText)
  return [
    ...each('--stage', selection.stages),
    ...each('--step', selection.steps),
    ...each('--index', selection.indexes),
    ...each('--code', selection.codes),
    ...each('--fingerprint', selection.fingerprints),
    ...each('--model', selection.models),
    ...each('--key', [...keys, ...keysHex.map(hex => `hex:${hex}`)]),
    ...each(
      '--header',
      headers.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`)),
    ),
    ...each('--original', places('original')),
    ...each('--letter', places('letter')),
    ...one('--text', selection.text),
    ...time('--since', failedFrom),
    ...time('--until', failedUntil),
    ...one('--replayed-at-least', selection.minReplays),
    ...one('--replayed-at-most', selection.maxReplays),
  ]
}

function placeText({ topic, partition, from, until }: OffsetRange): string {
  if (from === undefined) return `${topic}/${partition}`
  return `${topic}/${partition}/${from}-${until === undefined ? '' : until - 1}`
}

function collect<T>(parse: (text: string) => T) {
  return (text: string, before: readonly T[] = []): readonly T[] => [...before, parse(text)]
}
