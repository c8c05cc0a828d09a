/** A selection of dead letters as parameters of an address, and as words. */
import type { SelectionQuery } from '../console-api.ts'

/** Fields with several values: any of these. */
export const REPEATED = [
  'stage',
  'step',
  'index',
  'code',
  'fingerprint',
  'key',
  'header',
  'model',
  'original',
  'letter',
] as const
export const SINGLE = ['text', 'since', 'until', 'minReplays', 'maxReplays'] as const

export type RepeatedField = (typeof REPEATED)[number]
export type SingleField = (typeof SINGLE)[number]

export function toParameters(selection: SelectionQuery): URLSearchParams {
  const parameters = new URLSearchParams()
  for (const name of REPEATED) for (const value of selection[name] ?? []) parameters.append(name, value)
  for (const name of SINGLE) if (selection[name] !== undefined) parameters.set(name, selection[name])
  if (selection.open === true) parameters.set('open', 'true')
  return parameters
}

/** Parameters that are none of a selection, and empty ones, are left out. */
export function fromParameters(parameters: { getAll(name: string): readonly unknown[] }): SelectionQuery {
  const values = (name: string) =>
    parameters
      .getAll(name)
      .filter(value => typeof value === 'string')
      .map(value => value.trim())
      .filter(value => value !== '')
  const repeated = REPEATED.map(name => [name, values(name)] as const).filter(([, given]) => given.length > 0)
  const single = SINGLE.flatMap(name =>
    values(name)
      .slice(0, 1)
      .map(value => [name, value] as const),
  )
  const open = values('open').length > 0 ? { open: true } : {}
  return { ...Object.fromEntries(repeated), ...Object.fromEntries(single), ...open }
}

/** One line a condition. */
export function conditions(selection: SelectionQuery): readonly string[] {
  const repeated = REPEATED.flatMap(name => {
    const given = selection[name] ?? []
    return given.length === 0 ? [] : [`${name} ${given.join(' or ')}`]
  })
  const single = SINGLE.flatMap(name => (selection[name] === undefined ? [] : [`${WORDS[name]} ${selection[name]}`]))
  return [...repeated, ...single, ...(selection.open === true ? ['not yet taken by a replay'] : [])]
}

const WORDS: Readonly<Record<SingleField, string>> = {
  text: 'message with',
  since: 'failed since',
  until: 'failed until',
  minReplays: 'replays at least',
  maxReplays: 'replays at most',
}
