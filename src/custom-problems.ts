/** What can be wrong with a handler that a user wrote, before any of its methods is called. */
import type { CustomHandler, CustomModel } from './models/custom-handler.ts'
import { nearestName } from './nearest-name.ts'
import { badValue, type Problem, show } from './problem.ts'

type Handler = CustomHandler<never, unknown, never>
type Methods = { [N in keyof Handler]-?: NonNullable<Handler[N]> extends (...args: never) => unknown ? N : never }

/** The compiler keeps these complete; true: no handler does without it. */
const METHODS: Readonly<Record<Methods[keyof Methods], boolean>> = {
  loadModel: true,
  runInference: true,
  validateInferenceArgs: false,
  unloadModel: false,
  controlBatch: false,
  isTransient: false,
  getNumBytes: false,
}

export function customProblems(at: string, { handler }: CustomModel): Problem[] {
  const problems: Problem[] = []
  const { name, modelId, metricsNamespace } = handler
  for (const [field, value] of Object.entries({ name, modelId, metricsNamespace }))
    if ((value !== undefined || field === 'name') && (typeof value !== 'string' || value === ''))
      problems.push(badValue(at, `${field} of the handler`, 'a text', value))
  const { modelIsFile } = handler
  if (modelIsFile !== undefined && typeof modelIsFile !== 'boolean')
    problems.push(badValue(at, 'modelIsFile of the handler', 'true or false', modelIsFile))
  for (const [method, isNeeded] of Object.entries(METHODS)) {
    const given = handler[method as keyof Handler] as unknown
    if (typeof given === 'function' || (given === undefined && !isNeeded)) continue
    problems.push({
      where: at,
      what: `${method} of the handler is no method`,
      expected: 'a function',
      got: show(given),
      remedy: isNeeded ? neededRemedy(handler, method) : `Correct ${method}, or leave it out`,
    })
  }
  return problems
}

function neededRemedy(handler: Handler, method: string): string {
  const near = nearestName(method, unknownMembers(handler))
  return near === undefined ? 'Write it: a handler has loadModel and runInference' : `Call ${near} so: ${method}`
}

/** Names of its members, and of those of its classes, that are no methods of a handler. */
function unknownMembers(handler: object): string[] {
  const names: string[] = []
  for (let part: object | null = handler; part && part !== Object.prototype; part = Object.getPrototypeOf(part))
    names.push(...Object.getOwnPropertyNames(part))
  return names.filter(name => name !== 'constructor' && !(name in METHODS))
}
