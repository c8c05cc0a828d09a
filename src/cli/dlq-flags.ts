/** The flags that say which dead letters are meant. */
import {
  readCode,
  readFingerprint,
  readHeader,
  readKey,
  readPlace,
  readStage,
  readTime,
  type SelectionWords,
} from '../dead-letters/selection-words.ts'
import { type OptionSpec, wholeNumber } from './command.ts'
import type { TopologyFlags } from './connect.ts'

export { selectedTopics } from '../dead-letters/letter-topics.ts'
export { selectionOf } from '../dead-letters/selection-words.ts'

export type SelectionFlags = TopologyFlags & SelectionWords

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

function collect<T>(parse: (text: string) => T) {
  return (text: string, before: readonly T[] = []): readonly T[] => [...before, parse(text)]
}
