import type { Selection } from '../dead-letters/selection.ts'
import {
  readCode,
  readFingerprint,
  readHeader,
  readKey,
  readPlace,
  readStage,
  readTime,
  type SelectionWords,
  selectionOf,
} from '../dead-letters/selection-words.ts'
import { type Problem, problemsError, show } from '../problem.ts'
import type { Topology } from '../topology.ts'
import type { SelectionQuery } from './console-api.ts'

/** What the page asks for, as `kri dlq` understands it. Throws SETTINGS_INVALID with all conditions that are none. */
export function selectionOfQuery(query: SelectionQuery, topology: Topology, nowMs: number): Selection {
  const problems: Problem[] = []
  const read = <T>(where: keyof SelectionQuery, text: string, of: (text: string) => T): T[] => {
    try {
      return [of(text)]
    } catch (error) {
      const expected = (error as Error).message.replace(/^expected /, '').replace(/\.$/, '')
      problems.push({ where, what: 'it cannot be used', expected, got: show(text), remedy: 'Correct it' })
      return []
    }
  }
  const many = <N extends keyof SelectionQuery, T>(name: N, of: (text: string) => T) => {
    const texts = query[name] as readonly string[] | undefined
    return texts === undefined ? {} : { [name]: texts.flatMap(text => read(name, text, of)) }
  }
  const one = <N extends keyof SelectionQuery, T>(name: N, of: (text: string) => T) => {
    const text = query[name] as string | undefined
    return text === undefined ? {} : { [name]: read(name, text, of)[0] }
  }
  const time = (text: string) => readTime(text, nowMs)
  const same = (text: string) => text
  const words: SelectionWords = {
    ...{ ...many('stage', readStage), ...many('step', same), ...many('index', count), ...many('code', readCode) },
    ...{ ...many('fingerprint', readFingerprint), ...many('model', same), ...many('key', readKey) },
    ...{ ...many('header', readHeader), ...one('text', same) },
    ...{ ...many('original', readPlace('original')), ...many('letter', readPlace('letter')) },
    ...{ ...one('since', time), ...one('until', time) },
    ...{ ...one('minReplays', count), ...one('maxReplays', count) },
  }
  if (problems.length > 0)
    throw problemsError('SETTINGS_INVALID', 'These are no conditions for dead letters.', problems)
  return selectionOf(words, topology, `topology ${topology.name}`, name => name)
}

function count(text: string): number {
  if (!/^\d{1,7}$/.test(text)) throw new Error('expected a whole number from 0.')
  return Number(text)
}
