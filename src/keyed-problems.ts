/** What can be wrong with handlers of keyed elements, and with the keys that reach them. */
import type { StepNode } from './graph.ts'
import { keyOrigins } from './key-origin.ts'
import type { HandlerDefinition } from './models/model-handler.ts'
import { badValue, isWhole, type Problem, show, unknownNames } from './problem.ts'

const LIMITS = ['maxModelsPerWorker', 'maxBytesPerWorker'] as const
const KEY_TYPES = ['string', 'number', 'bigint', 'boolean']

export function keyedProblems(at: string, { handler, input }: StepNode): Problem[] {
  const problems = mappingProblems(at, handler)
  if (handler.keyed !== true || handler.preprocess.length > 0 || !keyOrigins(input).has('none')) return problems
  const isSource = input.kind === 'source'
  return [
    ...problems,
    {
      where: at,
      what: isSource
        ? 'the handler is keyed, but its source has no key codec'
        : 'the handler is keyed, and elements without keys reach it',
      remedy: isSource
        ? `Read keyed elements: from("${input.topic}", { key, value })`
        : 'Read keyed elements, set keys with keyBy(fn), or use maybeKeyed(handler)',
    },
  ]
}

/** Keys to models: each key has one. */
function mappingProblems(at: string, { cohorts, limits }: HandlerDefinition): Problem[] {
  const where = `${at}, keyed([…])`
  const problems = unknownNames(where, 'option', limits, LIMITS)
  for (const name of LIMITS)
    if (limits[name] !== undefined && !isWhole(limits[name]))
      problems.push(badValue(where, name, 'a whole number from 1', limits[name]))
  const mappingOf = new Map<unknown, number>()
  for (const [i, { keys, model }] of cohorts.entries()) {
    if (keys === undefined) continue
    const mapping = `mapping ${i} (${model.uri})`
    if (keys.length === 0)
      problems.push({ where, what: `${mapping} has no keys`, remedy: 'Give it at least one, or leave it out' })
    for (const key of keys) {
      if (!KEY_TYPES.includes(typeof key) || Number.isNaN(key))
        problems.push(badValue(where, `a key of ${mapping}`, 'a string, number, bigint or boolean', key))
      const other = mappingOf.get(key)
      if (other !== undefined) {
        problems.push({
          where,
          what: `key ${show(key)} is in ${other === i ? `${mapping} twice` : `mapping ${other} and in ${mapping}`}`,
          remedy: 'Leave it in one place: a key has one model',
        })
      }
      mappingOf.set(key, i)
    }
  }
  return problems
}
