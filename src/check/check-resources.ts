import type { StepNode } from '../graph.ts'
import type { Machine } from '../models/machine.ts'
import { resourceFindings } from '../models/required-resources.ts'
import type { Findings } from './report.ts'

/** What this machine lacks is no problem of the topology: another one may be meant to run it. */
export function checkResources(steps: readonly StepNode[], machine: Machine, findings: Findings): void {
  const { problems, warnings } = resourceFindings(steps, machine)
  for (const problem of problems)
    findings.warning('models', { ...problem, what: `kri run does not start on this machine: ${problem.what}` })
  for (const warning of warnings) findings.warning('models', warning)
}
