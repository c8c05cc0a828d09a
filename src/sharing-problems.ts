/** What can be wrong between steps: models that they share, and variables that a process has once. */
import { isDeepStrictEqual } from 'node:util'
import type { HandlerModel } from './models/model-handler.ts'
import { type Problem, show } from './problem.ts'
import type { Topology } from './topology.ts'

/** A model where it is used. */
interface Use {
  readonly step: string
  readonly model: HandlerModel
}

export function sharingProblems({ steps }: Topology): Problem[] {
  const uses = steps.flatMap(({ step, handler }) => handler.cohorts.map(({ model }) => ({ step, model })))
  return [...identifierProblems(steps), ...environmentProblems(uses)]
}

/** Steps that give one `modelIdentifier` share what the first of them loads. */
function identifierProblems(steps: Topology['steps']): Problem[] {
  return steps.flatMap(({ step, options: { modelIdentifier }, handler }, i) => {
    const other = steps.slice(0, i).find(each => each.options.modelIdentifier === modelIdentifier)
    if (modelIdentifier === undefined || !other || isDeepStrictEqual(other.handler.cohorts, handler.cohorts)) return []
    return [
      {
        where: `step "${step}"`,
        what: `modelIdentifier ${show(modelIdentifier)} is that of step "${other.step}" too, which has another model`,
        remedy: 'Give each model an identifier of its own, or both steps the same handler',
      },
    ]
  })
}

/** Threads of one process see the same variables. Their values may be secrets: they are not shown. */
function environmentProblems(uses: readonly Use[]): Problem[] {
  const first = new Map<string, { readonly step: string; readonly value: string }>()
  const problems: Problem[] = []
  for (const { step, model } of uses) {
    if (model.isolation !== 'thread') continue
    for (const [name, value] of Object.entries(model.envVars ?? {})) {
      const other = first.get(name) ?? { step, value }
      first.set(name, other)
      if (other.value === value) continue
      problems.push({
        where: `step "${step}"`,
        what: `envVars.${name} is another one than that of step "${other.step}", and threads of one process share it`,
        remedy: "Set isolation: 'process' for one of the models",
      })
    }
  }
  return problems
}
