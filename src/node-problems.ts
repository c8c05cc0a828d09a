/** What can be wrong with the nodes between sources, steps and outputs. */
import { functionProblems } from './function-problems.ts'
import { type BranchNode, type FailedNode, type GraphNode, inputsOf, type MergeNode, nodesAbove } from './graph.ts'
import { FailurePoints } from './pipeline/failure-points.ts'
import { badValue, isWhole, type Problem, show } from './problem.ts'
import type { Topology } from './topology.ts'

const CASE = /^[a-zA-Z0-9._-]{1,200}$/
/** JavaScript moves such keys of an object to its front, and cases are asked in order. */
const INDEX = /^(0|[1-9]\d*)$/
/** What is below a merge exists once for each way that leads to it. */
const MAX_WAYS = 256

export function nodeProblems(topology: Topology): Problem[] {
  const names = new FailurePoints(topology)
  const waysTo = countWays()
  const nodes = nodesAbove(topology.sinks.map(({ input }) => input))
  return [...nodes].flatMap(node => {
    const where = names.nameOf(node)
    switch (node.kind) {
      case 'flatMap':
        return [...functionProblems(where, 'what it was given', node.fn), ...fanOutProblems(where, node.maxFanOut)]
      case 'map':
      case 'filter':
      case 'keyBy':
        return functionProblems(where, 'what it was given', node.fn)
      case 'branch':
        return branchProblems(where, node)
      case 'merge':
        return mergeProblems(where, node, waysTo)
      case 'failed':
        return failedProblems(node)
      default:
        return []
    }
  })
}

function fanOutProblems(where: string, maxFanOut: unknown): Problem[] {
  if (isWhole(maxFanOut)) return []
  return [
    {
      where,
      what: 'it does not say how many elements one may become at most, and memory is bounded by that',
      expected: 'maxFanOut, a whole number from 1',
      got: show(maxFanOut),
      remedy: 'Say it: flatMap(fn, { maxFanOut: 10 }); what gives more is a dead letter (FAN_OUT)',
    },
  ]
}

function branchProblems(where: string, { cases }: BranchNode): Problem[] {
  return cases.flatMap(({ name, fn }) => [
    ...(CASE.test(name) && !INDEX.test(name)
      ? []
      : [badValue(where, 'the name of a case', 'letters, digits, ".", "_" and "-", and not a number alone', name)]),
    ...functionProblems(where, `case "${name}"`, fn),
  ])
}

function mergeProblems(where: string, node: MergeNode, waysTo: (node: GraphNode) => number): Problem[] {
  const problems: Problem[] = []
  if (new Set(node.inputs).size < node.inputs.length) {
    problems.push({
      where,
      what: 'it is given one stream twice, so each of its elements would leave twice',
      remedy: 'Give each stream once; what is to leave twice is written so: flatMap(v => [v, v], { maxFanOut: 2 })',
    })
  }
  // Those below have more ways still: the first is the one to mend.
  if (waysTo(node) > MAX_WAYS && node.inputs.every(input => waysTo(input) <= MAX_WAYS)) {
    problems.push({
      where,
      what: 'too many ways lead to it, and what is below exists once for each',
      expected: `at most ${MAX_WAYS}`,
      got: String(waysTo(node)),
      remedy: 'Merge once, behind the last branch, instead of again and again',
    })
  }
  return problems
}

/** How many ways lead from topics to a node. */
function countWays(): (node: GraphNode) => number {
  const known = new Map<GraphNode, number>()
  const count = (node: GraphNode): number => {
    const ways = known.get(node) ?? (inputsOf(node).reduce((sum, input) => sum + count(input), 0) || 1)
    known.set(node, ways)
    return ways
  }
  return count
}

function failedProblems({ stage, index, input: { step, handler } }: FailedNode): Problem[] {
  if (index === undefined || stage === 'inference') return []
  const functions = handler[stage].length
  if (Number.isSafeInteger(index) && index >= 0 && index < functions) return []
  const where = `step "${step}"`
  const name = `failed.${stage}(${show(index)})`
  const expected = functions === 0 ? 'no index' : functions === 1 ? '0' : `0 to ${functions - 1}`
  return [
    {
      where,
      what: `${name} is of a function that the step does not have`,
      expected: `${expected}: it has ${functions} ${stage} function${functions === 1 ? '' : 's'}, in execution order`,
      remedy: `Correct the index; failed.${stage}() has the dead letters of all, and of nodes around the step`,
    },
  ]
}
